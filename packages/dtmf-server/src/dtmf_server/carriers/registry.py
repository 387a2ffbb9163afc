"""The kinds of carriers: those of this package, and those of other distributions.

A kind is a `CarrierKind` behind an entry point of the group `dtmf_server.carriers`, named as the kind. It is imported
when a configuration names it, and not before: a plug-in that is broken and not used harms nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from dtmf_server.carriers.base import SmsCarrier
from dtmf_server.carriers.trace import Trace
from dtmf_server.config import CarrierSettings, ConfigError
from dtmf_server.config.section import undescribed

GROUP = "dtmf_server.carriers"
BUILT_IN = (
    EntryPoint("android", "dtmf_server.carriers.android.kind:KIND", GROUP),
    EntryPoint("simulator", "dtmf_server.carriers.simulator:KIND", GROUP),
    EntryPoint("smpp", "dtmf_server.carriers.smpp.kind:KIND", GROUP),
)
MORE = "other kinds are Python packages: install one beside dtmf-server, or write it (docs/carriers.md)"

S = TypeVar("S", bound=CarrierSettings)


async def _no_key() -> bytes:
    return b""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierContext:
    """What a carrier gets from the service, beside its settings."""

    is_sandbox: bool
    callback_url: str | None  # of this carrier, for it to be told; None without `server.public_url`
    is_ours: Callable[[str], Awaitable[bool]]  # whether an E.164 number is one of the service's own
    new_id: Callable[[], int]  # a number that no other connection has, before or after a restart
    uniform: Callable[[], float]  # chance, from 0 to 1, for jitter
    wall_us: Callable[[], int]  # the real time, in microseconds since 1970
    service_key: Callable[[], Awaitable[bytes]] = _no_key  # of this database, for IDs that no other service has
    trace: Trace  # records what is exchanged, while an operator watches


@dataclass(frozen=True, slots=True)
class CarrierKind(Generic[S]):
    """A kind of carrier: `[[carrier]] kind = name`.

    `build` makes the carrier of one table, without any I/O but reading files that the settings name. It may raise
    CannotStart. With `receives_callbacks` what it makes is a `ReceivesCallbacks`, and every API process makes one too.
    """

    name: str
    settings: type[S]
    build: Callable[[S, CarrierContext], SmsCarrier]
    receives_callbacks: bool = False


def find(name: str) -> CarrierKind[Any]:
    """The kind of this name. Raises ConfigError for one that is not installed, and for one that can't be used."""
    found = [point for point in BUILT_IN if point.name == name] or [*entry_points(group=GROUP, name=name)]
    if not found:
        raise ConfigError(f"is {name!r}, and no such kind is installed: known are {', '.join(names())}; {MORE}")
    if len(found) > 1:
        raise ConfigError(
            f"is {name!r}, which {' and '.join(map(_distribution, found))} both have: uninstall one of them"
        )
    return _load(found[0])


def names() -> list[str]:
    """The names of every kind that is installed, in the order of the alphabet."""
    return sorted({point.name for point in (*BUILT_IN, *entry_points(group=GROUP))})


def settings_class(name: str) -> type[CarrierSettings]:
    """The settings class of a kind, for `config.load`. Raises ConfigError."""
    return find(name).settings


def _load(point: EntryPoint) -> CarrierKind[Any]:
    broken = f"is {point.name!r}, and the plug-in that has it, {_distribution(point)}, "
    try:
        kind = point.load()
    except Exception as error:  # whatever a plug-in's modules raise while they are imported
        said = " ".join(str(error).split())
        raise ConfigError(f"{broken}can't be imported: {type(error).__name__}: {said}") from error
    if wrong := _wrong(kind, point.name):
        raise ConfigError(f"{broken}is wrong: {point.value} {wrong}")
    assert isinstance(kind, CarrierKind), "else it is wrong"
    return kind


def _wrong(kind: object, name: str) -> str:
    """What is wrong with what an entry point gave; empty if nothing is."""
    if not isinstance(kind, CarrierKind):
        return f"is no CarrierKind but {type(kind).__name__}"
    if kind.name != name:
        return f"is the kind {kind.name!r}"
    if not (isinstance(kind.settings, type) and issubclass(kind.settings, CarrierSettings)):
        return "has settings that are no subclass of dtmf_server.config.CarrierSettings"
    if missing := undescribed(kind.settings):
        return f"has the setting {missing[0]} without a description: Annotated[…, setting('what it must be')]"
    return ""


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "dtmf-server"
