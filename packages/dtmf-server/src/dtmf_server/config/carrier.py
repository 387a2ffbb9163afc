"""`[[carrier]]`: the settings common to every kind of carrier, and how each table is typed by its kind."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, TypeVar, cast

from msgspec import defstruct

from dtmf_server.config.section import Section, setting
from dtmf_server.config.source import ConfigError, KeyPath

DEFAULT_KIND = "smpp"
DELIVERY_MAX_H = 72  # how long a carrier tries to deliver an SMS, unless its settings say otherwise
KEY = "carrier"

S = TypeVar("S", bound=Section)


class CarrierSettings(Section, frozen=True, kw_only=True):
    """The settings common to every kind of carrier. A kind's own settings are a subclass whose fields are `Annotated`
    types with a `setting`."""

    name: Annotated[str, setting("1 to 40 of a-z, 0-9, - and _", re.compile(r"[a-z0-9_-]{1,40}\Z").match)]
    kind: Annotated[str, setting(f"the kind of carrier, like '{DEFAULT_KIND}'")] = DEFAULT_KIND

    def disagreements(self, *, is_sandbox: bool) -> Iterable[tuple[str, str]]:
        """Yield settings that are valid alone but not together, or not in this mode, each as its key and the
        complaint."""
        return ()

    def warnings(self) -> Iterable[str]:
        """Yield warnings about settings that only work with some carriers, without the carrier's name."""
        return ()

    def delivery_max_h(self) -> int:
        """Return for how many hours the carrier tries to deliver an SMS, and may send its receipt."""
        return DELIVERY_MAX_H


SettingsOf = Callable[[str], type[CarrierSettings]]


def no_kinds(kind: str) -> type[CarrierSettings]:
    """Reject every kind: the default for a configuration without carriers. Raises ConfigError."""
    raise ConfigError(f"is {kind!r}, and no kinds of carriers were passed to `load`")


def with_kinds(
    root: type[S],
    table: Mapping[str, Any],
    kinds: Mapping[int, str],
    settings_of: SettingsOf,
    where: Callable[[KeyPath], str],
) -> type[S]:
    """Return the root section with each `[[carrier]]` of the file's table typed by its kind.

    `kinds` maps the index of each table that the environment extends or creates to the kind it sets ("": none). Raises
    ConfigError for an unknown kind.
    """
    found = table.get(KEY, [])
    if not isinstance(found, list):
        return root  # the type check reports it
    count = max(len(found), *(index + 1 for index in kinds), 0)
    types = []
    for index in range(count):
        item = found[index] if index < len(found) else None
        kind = kinds.get(index) or (item.get("kind", DEFAULT_KIND) if isinstance(item, dict) else DEFAULT_KIND)
        try:
            types.append(settings_of(kind if isinstance(kind, str) else DEFAULT_KIND))
        except ConfigError as error:
            raise ConfigError(f"{where((KEY, index, 'kind'))}: {KEY}[{index}].kind {error}") from None
    return _typed(root, tuple(types)) if types else root


def _typed(root: type[S], types: tuple[type[CarrierSettings], ...]) -> type[S]:
    """Return the root section with a list of exactly these carriers."""
    typed: Any = defstruct(root.__name__, [(KEY, tuple[types], ())], bases=(root,), frozen=True)  # type: ignore[valid-type]  # built at run time
    return cast(type[S], typed)
