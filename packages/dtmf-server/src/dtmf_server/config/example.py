"""A commented configuration file with every setting, generated from the schema and from the meanings of the settings."""

import re
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any, get_args, get_origin

import msgspec

from dtmf_server.config.carrier import CarrierSettings
from dtmf_server.config.lightning import LightningSettings
from dtmf_server.config.meanings import MEANINGS
from dtmf_server.config.schema import Config
from dtmf_server.config.section import Section, description, fields, is_section, item_type
from dtmf_server.config.toml import toml_value

WIDTH = 100
HEAD = """\
# dtmf.toml: every setting of dtmf-server, with its default.
#
# To change a setting, remove the `#` directly before it, then run `dtmf-server config check --config FILE`.
# An environment variable overrides the file: DTMF_SERVER__PORT is `port` of [server].
# A secret can be in a file of its own: password_file = "secrets/phone" instead of password = "…".
"""


def example(carriers: Mapping[str, type[CarrierSettings]], lightning: Mapping[str, type[LightningSettings]]) -> str:
    """Return the text of the file, with the settings of these kinds of carriers and of Lightning nodes."""
    return "\n".join([HEAD, *_lines(carriers, lightning)]).rstrip() + "\n"


def _lines(
    carriers: Mapping[str, type[CarrierSettings]], lightning: Mapping[str, type[LightningSettings]]
) -> Iterator[str]:
    yield from _settings(Config, "", _plain(Config))
    for name, kind in fields(Config).items():
        if is_section(kind):
            yield from _table(kind, name)
        if name == "lightning":
            for node, settings in lightning.items():
                yield from _kind(settings, LightningSettings, name, node)
    for carrier, settings_ in carriers.items():
        yield from ("#[[carrier]]", *_kind(settings_, CarrierSettings, "carrier", carrier, names=True))


def _table(section: type[Section], path: str) -> Iterator[str]:
    yield from (*_comment(_summary(section)), f"[{path}]")
    yield from _settings(section, path, _plain(section))
    for name, kind in fields(section).items():
        if _is_list_of_tables(kind):
            item = item_type(kind, 0)
            yield from (*_comment(_summary(item)), f"#[[{path}.{name}]]")
            yield from _settings(item, f"{path}.{name}", _plain(item))


def _kind(section: type[Section], common: type[Section], path: str, kind: str, *, names: bool = False) -> Iterator[str]:
    """Yield the settings of one kind of carrier or node; those that all kinds have are only in the table itself."""
    own = {name: type_ for name, type_ in _plain(section).items() if name not in fields(common)}
    yield from _comment(_summary(section))
    if names:
        yield from (*_comment(MEANINGS["carrier.name"]), '#name = ""')
    yield from (f"#kind = {toml_value(kind)}", *_settings(section, f"{path}.{kind}", own))


def _settings(section: type[Section], path: str, kinds: Mapping[str, Any]) -> Iterator[str]:
    defaults = {each.name: each for each in msgspec.structs.fields(section)}
    for name, kind in kinds.items():
        meaning = MEANINGS.get(f"{path}.{name}".strip("."), "")  # a plug-in's settings have none here
        needed = " Required." if defaults[name].required else ""
        yield from _comment(f"{meaning} Value: {description(kind)}.{needed}")
        yield f"#{name} = {_default(defaults[name], kind)}"
    yield ""


def _default(field: msgspec.structs.FieldInfo, kind: Any) -> str:
    value = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
    if value is msgspec.NODEFAULT or value is None:
        return '""' if get_args(kind)[0] in (str, str | None) else "…"
    return toml_value(value)


def _plain(section: type[Section]) -> dict[str, Any]:
    """Return the settings of a section that are not tables themselves."""
    return {name: kind for name, kind in fields(section).items() if not (is_section(kind) or _is_list_of_tables(kind))}


def _is_list_of_tables(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _comment(text: str) -> list[str]:
    """Return a paragraph as comments, without the targets of its links."""
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", " ".join(text.split()))
    lines = wrap(plain, WIDTH - 2, break_long_words=False, break_on_hyphens=False)
    return [f"# {line}" for line in lines]


def _summary(section: type[Section]) -> str:
    """Return the first paragraph of a section's docstring."""
    return (section.__doc__ or "").partition("\n\n")[0]
