"""Tables of settings, and the metadata in the type of a setting."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct

from dtmf_server.config.source import KeyPath


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file. Its repr hides secrets."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        values = [(name, getattr(self, name), kind) for name, kind in fields(type(self)).items()]
        return [(name, _Hidden() if v is not None and extra(kind).get("secret") else v) for name, v, kind in values]


class _Hidden:
    def __repr__(self) -> str:
        return "…"


def setting(description: str, works: Callable[[str], object] | None = None, *, secret: bool = False) -> Meta:
    """Describe a setting: what a value must be, and a check for each string in it that its type does not cover."""
    return Meta(description=description, extra={"works": works, "secret": secret})


def leaves(section: Section, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """Yield every setting below a section, with its path and value."""
    for name, kind in fields(type(section)).items():
        value = getattr(section, name)
        if isinstance(value, Section):
            yield from leaves(value, (*path, name))
        elif get_origin(kind) is tuple:
            for index, item in enumerate(value):
                yield from leaves(item, (*path, name, index))
        else:
            yield (*path, name), value


def known(section: type[Section], path: KeyPath) -> Iterator[KeyPath]:
    """Yield the paths of a section's settings. A list of items of one type has the paths of its first item."""
    for name, kind in fields(section).items():
        if is_section(kind):
            yield from known(kind, (*path, name))
        elif get_origin(kind) is tuple:
            for index in range(max(1, len(get_args(kind)) - (... in get_args(kind)))):
                yield from known(item_type(kind, index), (*path, name, index))
        else:
            yield (*path, name)


def type_at(root: type[Section], path: KeyPath) -> Any:
    """Return a Section, a tuple of Sections, the Annotated type of a setting, or None if the path does not exist."""
    kind: Any = root
    for key in path:
        if isinstance(key, int):
            kind = item_type(kind, key) if get_origin(kind) is tuple else None
        else:
            kind = fields(kind).get(key) if is_section(kind) else None
    return kind


def undescribed(section: type[Section]) -> list[str]:
    """Return the settings of a section that have no description."""
    return [name for name, kind in fields(section).items() if not _is_described(kind)]


def _is_described(kind: Any) -> bool:
    return get_origin(kind) is Annotated and bool(getattr(kind.__metadata__[0], "description", None))


def item_type(kind: Any, index: int) -> Any:
    """Return the type of a list's item: its own if each has one; beyond the end, the last one's."""
    types = [type_ for type_ in get_args(kind) if type_ is not ...]
    return types[min(index, len(types) - 1)]


@cache
def fields(section: type[Section]) -> dict[str, Any]:
    """Return the keys of a section and the types of their values."""
    return get_type_hints(section, include_extras=True)


def is_section(kind: Any) -> bool:
    """Return True if this is the type of a table."""
    return isinstance(kind, type) and issubclass(kind, Section)


def extra(kind: Any) -> dict[str, Any]:
    """Return the metadata that `setting` attached to this type: `works` and `secret`."""
    return (kind.__metadata__[0].extra or {}) if get_origin(kind) is Annotated else {}


def description(kind: Any) -> str:
    """Return a description of what a value of this type must be."""
    if get_origin(kind) is Annotated:
        return str(kind.__metadata__[0].description)
    return "a table" if is_section(kind) else "a list of tables"
