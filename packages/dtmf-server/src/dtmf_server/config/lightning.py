"""`[lightning]`: the settings common to every kind of Lightning node, and how the table is typed by its kind."""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, TypeVar, cast

from msgspec import Meta, defstruct

from dtmf_server.config.section import Section, setting
from dtmf_server.config.source import ConfigError, KeyPath
from dtmf_server.core.lightning import DESCRIPTION_LENGTH_MAX

KEY = "lightning"

S = TypeVar("S", bound=Section)


class LightningSettings(Section, frozen=True, kw_only=True):
    """The Lightning node that receives deposits; without a kind, the sandbox's simulated one.

    A kind's own settings are a subclass whose fields are `Annotated` types with a `setting`.
    """

    kind: Annotated[str | None, setting("the kind of node, like 'phoenixd'")] = None
    description: Annotated[
        str,
        setting(
            f"a text of at most {DESCRIPTION_LENGTH_MAX} bytes",
            lambda text: len(text.encode()) <= DESCRIPTION_LENGTH_MAX,
        ),
    ] = "DTMF top-up"
    expiry_s: Annotated[int, Meta(ge=60, le=86_400, description="whole seconds from 60 to 86400")] = 3600
    poll_s: Annotated[float, Meta(ge=0.1, le=600, description="seconds from 0.1 to 600")] = 5.0

    def disagreements(self, *, is_sandbox: bool) -> Iterable[tuple[str, str]]:
        """Yield settings that are valid alone but not together, or not in this mode, each as its key and the
        complaint."""
        return ()


LightningSettingsOf = Callable[[str], type[LightningSettings]]


def no_lightning(kind: str) -> type[LightningSettings]:
    """Reject every kind: the default for a configuration without a Lightning node. Raises ConfigError."""
    raise ConfigError(f"is {kind!r}, and no kinds of Lightning nodes were passed to `load`")


def with_lightning(
    root: type[S],
    table: Mapping[str, Any],
    kind: str | None,
    settings_of: LightningSettingsOf,
    where: Callable[[KeyPath], str],
) -> type[S]:
    """Return the root section with `[lightning]` typed by its kind; `kind` is that of the environment, if it is set
    there. Raises ConfigError for an unknown kind."""
    found = table.get(KEY)
    kind = kind or (found.get("kind") if isinstance(found, dict) else None)
    if not isinstance(kind, str):
        return root
    try:
        settings = settings_of(kind)
    except ConfigError as error:
        raise ConfigError(f"{where((KEY, 'kind'))}: {KEY}.kind {error}") from None
    typed: Any = defstruct(root.__name__, [(KEY, settings, None)], bases=(root,), frozen=True)
    return cast(type[S], typed)
