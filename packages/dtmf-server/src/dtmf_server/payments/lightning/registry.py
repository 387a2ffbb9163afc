"""The kinds of Lightning nodes: `[lightning] kind = name`. A kind is imported only when a configuration uses it."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Generic, TypeVar

from dtmf_server.config import ConfigError, LightningSettings
from dtmf_server.payments.lightning.base import LightningNode

PACKAGE = "dtmf_server.payments.lightning"
KINDS = {  # the module of each kind, which has a `KIND`
    "cln": f"{PACKAGE}.cln",
    "electrum": f"{PACKAGE}.electrum",
    "lnbits": f"{PACKAGE}.lnbits",
    "lnd": f"{PACKAGE}.lnd",
    "phoenixd": f"{PACKAGE}.phoenixd",
}

S = TypeVar("S", bound=LightningSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class LightningContext:
    """Everything that the service provides to a node's backend in addition to its settings."""

    is_sandbox: bool
    network: str  # bitcoin.network
    wall_us: Callable[[], int]  # the real time, in microseconds since 1970


@dataclass(frozen=True, slots=True)
class LightningKind(Generic[S]):
    """A kind of Lightning node.

    `build` creates the node without any I/O except reading files named in the settings, and outside an event loop. It
    may raise CannotStart. Connections are opened by the first call.
    """

    name: str
    settings: type[S]
    build: Callable[[S, LightningContext], LightningNode]


def names() -> list[str]:
    """Return the names of all kinds, sorted."""
    return sorted(KINDS)


def find(name: str) -> LightningKind[Any]:
    """Return the kind with this name. Raises ConfigError if there is none."""
    if name not in KINDS:
        raise ConfigError(f"is {name!r}, which is not a kind of Lightning node. Kinds: {', '.join(names())}")
    kind = import_module(KINDS[name]).KIND
    assert isinstance(kind, LightningKind), "a module in KINDS has a KIND"
    return kind


def settings_class(name: str) -> type[LightningSettings]:
    """Return the settings class of a kind, for `config.load`. Raises ConfigError."""
    return find(name).settings
