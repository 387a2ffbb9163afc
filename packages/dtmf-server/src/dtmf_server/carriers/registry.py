"""The kinds of carriers in this package and in other distributions.

A kind is a `CarrierKind` that an entry point of the group `dtmf_server.carriers` refers to; both have the same name. It is
imported only when a configuration uses it, so a broken plug-in that is not used does no harm.
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
    EntryPoint("gammu", "dtmf_server.carriers.gammu.kind:KIND", GROUP),
    EntryPoint("simulator", "dtmf_server.carriers.simulator:KIND", GROUP),
    EntryPoint("smpp", "dtmf_server.carriers.smpp.kind:KIND", GROUP),
    EntryPoint("telnyx", "dtmf_server.carriers.telnyx.kind:KIND", GROUP),
    EntryPoint("twilio", "dtmf_server.carriers.twilio.kind:KIND", GROUP),
)
MORE = "other kinds are Python packages: install one next to dtmf-server, or write one (docs/operations/carriers.md)"

S = TypeVar("S", bound=CarrierSettings)


async def _no_key() -> bytes:
    return b""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierContext:
    """Everything that the service provides to a carrier in addition to its settings."""

    is_sandbox: bool
    callback_url: str | None  # the URL to register at this carrier; None without `server.public_url`
    is_ours: Callable[[str], Awaitable[bool]]  # whether an E.164 number belongs to the service
    new_id: Callable[[], int]  # a number unique to a connection, also across restarts
    uniform: Callable[[], float]  # a random number from 0 to 1, for jitter
    wall_us: Callable[[], int]  # the real time, in microseconds since 1970
    service_key: Callable[[], Awaitable[bytes]] = _no_key  # of this database, for IDs that no other service has
    trace: Trace  # records the traffic while an operator watches


@dataclass(frozen=True, slots=True)
class CarrierKind(Generic[S]):
    """A kind of carrier: `[[carrier]] kind = name`.

    `build` creates the carrier of one table, without any I/O except reading files named in the settings. It may raise
    CannotStart. With `receives_callbacks`, the carrier is a `ReceivesCallbacks`, and every API process creates one too.
    With `sells_numbers`, it is a `SellsNumbers`.
    """

    name: str
    settings: type[S]
    build: Callable[[S, CarrierContext], SmsCarrier]
    receives_callbacks: bool = False
    sells_numbers: bool = False


def find(name: str) -> CarrierKind[Any]:
    """Return the kind with this name. Raises ConfigError if it is not installed or can't be used."""
    found = [point for point in BUILT_IN if point.name == name] or [*entry_points(group=GROUP, name=name)]
    if not found:
        raise ConfigError(f"is {name!r}, and no such kind is installed. Installed: {', '.join(names())}; {MORE}")
    if len(found) > 1:
        raise ConfigError(
            f"is {name!r}, which {' and '.join(map(_distribution, found))} both define: uninstall one of them"
        )
    return _load(found[0])


def names() -> list[str]:
    """Return the names of all installed kinds, sorted."""
    return sorted({point.name for point in (*BUILT_IN, *entry_points(group=GROUP))})


def settings_class(name: str) -> type[CarrierSettings]:
    """Return the settings class of a kind, for `config.load`. Raises ConfigError."""
    return find(name).settings


def _load(point: EntryPoint) -> CarrierKind[Any]:
    broken = f"is {point.name!r}, and its plug-in, {_distribution(point)}, "
    try:
        kind = point.load()
    except Exception as error:  # importing a plug-in's modules may raise anything
        said = " ".join(str(error).split())
        raise ConfigError(f"{broken}can't be imported: {type(error).__name__}: {said}") from error
    if wrong := _wrong(kind, point.name):
        raise ConfigError(f"{broken}is invalid: {point.value} {wrong}")
    assert isinstance(kind, CarrierKind), "_wrong has checked it"
    return kind


def _wrong(kind: object, name: str) -> str:
    """Return what is wrong with an entry point's object; empty if nothing is."""
    if not isinstance(kind, CarrierKind):
        return f"is a {type(kind).__name__}, not a CarrierKind"
    if kind.name != name:
        return f"defines the kind {kind.name!r}"
    if not (isinstance(kind.settings, type) and issubclass(kind.settings, CarrierSettings)):
        return "has settings that are not a subclass of dtmf_server.config.CarrierSettings"
    if missing := undescribed(kind.settings):
        return f"has the setting {missing[0]} without a description: Annotated[…, setting('what it must be')]"
    return ""


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "dtmf-server"
