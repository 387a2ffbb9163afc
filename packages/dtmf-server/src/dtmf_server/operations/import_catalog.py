"""Imports groups, numbers and prices from the operator's files: every line is checked, and a file is imported whole or
not at all.

A file is CSV with a header line, or TOML with one table per item ([[group]], [[number]], [[price]]). Existing items are
updated: the prices of a group apply to rentals that start afterwards.
"""

import csv
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dtmf.e164 import is_e164
from dtmf_server.operations import group_terms
from dtmf_server.storage import instance, numbers
from dtmf_server.storage.db import Tx

SATS_MAX = 2_100_000_000_000_000
DEAR_SATS = 10_000_000
COMPLAINTS_MAX = 20
Item = Mapping[str, str]
Check = Callable[[str], object]


class ImportErrors(Exception):
    """Nothing of the file was imported; one line per problem."""

    def __init__(self, complaints: list[str]) -> None:
        more = [f"and {len(complaints) - COMPLAINTS_MAX} more"] if len(complaints) > COMPLAINTS_MAX else []
        self.complaints = complaints[:COMPLAINTS_MAX] + more
        super().__init__("\n".join(self.complaints))


@dataclass(frozen=True, slots=True)
class PriceWarning:
    """A price to check: it is 0, or very high. `key`: the group or prefix that it is of."""

    where: str  # file and line
    key: str
    column: str
    sats: int


class FreePrices(Exception):
    """Nothing of the file was taken: it has prices of 0, which need `allow_free`."""

    def __init__(self, prices: list[PriceWarning]) -> None:
        super().__init__(*prices)
        self.prices = prices


@dataclass(frozen=True, slots=True)
class Column:
    """A column: a description of its valid values, the check, and whether it is required."""

    words: str
    works: Check
    needed: bool = True


def _matches(pattern: str) -> Check:
    return re.compile(rf"(?:{pattern})\Z").match


def _is_sats(text: str) -> bool:
    return re.fullmatch("[0-9]{1,16}", text) is not None and int(text) <= SATS_MAX


_SATS = Column("whole satoshis", _is_sats)
_ID = Column("1 to 40 of a-z, 0-9 and -", _matches("[a-z0-9-]{1,40}"))
GROUP = {
    "id": _ID,
    "type": Column("mobile or local", _matches("mobile|local")),
    "name": Column("a name of up to 80 characters", lambda text: text.isprintable() and len(text) <= 80),
    "country_code": Column("two small letters like cz", _matches("[a-z]{2}")),
    "setup_cost": _SATS,
    "rental_cost_per_minute": _SATS,
    "cost_per_inbound_message": Column("whole satoshis, or empty if the group has no SMS", _is_sats, needed=False),
    "carriers": Column(
        "carrier names separated by spaces, or empty for any",
        _matches("[a-z0-9_-]{1,40}(?: [a-z0-9_-]{1,40})*"),
        needed=False,
    ),
    **{name: Column(words, _matches(text), needed=False) for name, (words, text) in group_terms.COLUMNS.items()},
}
NUMBER = {"e164": Column("a number like +4207000000", is_e164), "group_id": _ID}
PRICE = {
    "prefix": Column("digits, or empty for every destination", _matches(r"\+?[0-9]{0,15}"), needed=False),
    "cost_per_segment": _SATS,
}


def import_groups(tx: Tx, text: str, *, name: str, allow_free: bool = False) -> int:
    """Import groups. Return how many the file has. Raises ImportErrors, and FreePrices for a price of 0 per minute unless
    `allow_free`."""
    instance.lock(tx)  # two concurrent imports would read the same catalog
    items = _items(text, name, "group", GROUP)
    _unique(items, "id")
    if wrong := [f"{where}: {complaint}" for where, item in items for complaint in group_terms.complaints(item)]:
        raise ImportErrors(wrong)
    _refuse_free(_free_groups(items), allow_free=allow_free)
    for _, item in items:
        numbers.put_group(tx, _group_row(item), carriers=item["carriers"])
        group_terms.store(tx, item)
    return len(items)


def warnings(kind: str, text: str, *, name: str) -> list[PriceWarning]:
    """Return what the operator should double-check in a valid file: prices of 0, and prices so high that another unit
    may have been intended."""
    if kind == "groups":
        items = _items(text, name, "group", GROUP)
        found = _free_groups(items) + _free(items, "id", "cost_per_inbound_message")
        return found + _dear(items, "id", ("setup_cost", "rental_cost_per_minute", "cost_per_inbound_message"))
    if kind == "prices":
        items = _items(text, name, "price", PRICE)
        return _free_prices(items) + _dear(items, "prefix", ("cost_per_segment",))
    return []


def _free_groups(items: list[tuple[str, dict[str, str]]]) -> list[PriceWarning]:
    return _free(items, "id", "rental_cost_per_minute")


def _free_prices(items: list[tuple[str, dict[str, str]]]) -> list[PriceWarning]:
    return _free(items, "prefix", "cost_per_segment")


def _free(items: list[tuple[str, dict[str, str]]], key: str, column: str) -> list[PriceWarning]:
    return [
        PriceWarning(where, item[key], column, 0) for where, item in items if item[column] and int(item[column]) == 0
    ]


def _refuse_free(free: list[PriceWarning], *, allow_free: bool) -> None:
    """Raise FreePrices for free items, unless they are allowed."""
    if free and not allow_free:
        raise FreePrices(free)


def _dear(items: list[tuple[str, dict[str, str]]], key: str, columns: Sequence[str]) -> list[PriceWarning]:
    return [
        PriceWarning(where, item[key], column, int(item[column]))
        for where, item in items
        for column in columns
        if item[column] and int(item[column]) >= DEAR_SATS
    ]


def _group_row(item: Item) -> tuple[object, ...]:
    sms = item["cost_per_inbound_message"]
    return (
        item["id"],
        item["type"],
        item["name"],
        item["country_code"],
        bool(sms),
        False,  # reserved for voice
        int(item["setup_cost"]),
        int(item["rental_cost_per_minute"]),
        int(sms) if sms else None,
        None,
    )


def import_numbers(tx: Tx, text: str, *, name: str) -> int:
    """Import numbers. Return how many are new. Raises ImportErrors."""
    instance.lock(tx)
    items = _items(text, name, "number", NUMBER)
    _unique(items, "e164")
    known = numbers.groups_of(tx, [item["e164"] for _, item in items])
    groups = numbers.group_ids(tx)
    wrong, new = [], dict[str, list[str]]()
    for where, item in items:
        e164, group_id = item["e164"], item["group_id"]
        if group_id not in groups:
            wrong.append(f"{where}: group {group_id!r} does not exist: import it first")
        elif known.get(e164, group_id) != group_id:
            wrong.append(f"{where}: {e164} is already in the group {known[e164]!r}")
        elif e164 not in known:
            new.setdefault(group_id, []).append(e164)
    if wrong:
        raise ImportErrors(wrong)
    for group_id, e164s in new.items():
        numbers.add_numbers(tx, group_id, e164s)
    return sum(map(len, new.values()))


def import_prices(tx: Tx, text: str, *, name: str, allow_free: bool = False) -> int:
    """Import prices. Return how many destinations the file has. Raises ImportErrors, and FreePrices for a price of 0 unless
    `allow_free`."""
    items = _items(text, name, "price", PRICE)
    _unique(items, "prefix")
    _refuse_free(_free_prices(items), allow_free=allow_free)
    for _, item in items:
        numbers.set_destination(tx, item["prefix"], int(item["cost_per_segment"]))
    return len(items)


def _items(text: str, name: str, kind: str, columns: Mapping[str, Column]) -> list[tuple[str, dict[str, str]]]:
    """Return every item with its location, all its columns present and valid. Raises ImportErrors."""
    found = list(_from_toml(text, name, kind) if name.endswith(".toml") else _from_csv(text, name))
    wrong = [f"{where}: {complaint}" for where, item in found for complaint in _complaints(item, columns)]
    if wrong:
        raise ImportErrors(wrong)
    if not found:
        raise ImportErrors([f"{name}: the file contains no {kind}"])
    taken = [(where, {column: item.get(column, "") for column in columns}) for where, item in found]
    if kind == "price":
        return [(where, {**item, "prefix": item["prefix"].removeprefix("+")}) for where, item in taken]
    return taken


def _complaints(item: Item, columns: Mapping[str, Column]) -> Iterator[str]:
    for key in item:
        if key not in columns:
            yield f"{key!r} is not a column; the columns are {', '.join(columns)}"
    for key, column in columns.items():
        value = item.get(key, "")
        if (value or column.needed) and not column.works(value):
            yield f"{key} must be {column.words}, not {value!r}" if value else f"{key} is missing: {column.words}"


def _unique(items: list[tuple[str, dict[str, str]]], key: str) -> None:
    first: dict[str, str] = {}
    wrong = []
    for where, item in items:
        if item[key] in first:
            wrong.append(f"{where}: {item[key]!r} is already at {first[item[key]]}")
        first.setdefault(item[key], where)
    if wrong:
        raise ImportErrors(wrong)


def _from_csv(text: str, name: str) -> Iterator[tuple[str, Item]]:
    reader = csv.DictReader(text.removeprefix("\ufeff").splitlines(), strict=True)
    try:
        for row in reader:
            where = f"{name}:{reader.line_num}"
            if None in row or None in row.values():
                raise ImportErrors([f"{where}: this line does not have as many columns as the first"])
            yield where, {str(key).strip(): str(value).strip() for key, value in row.items()}
    except csv.Error as error:
        raise ImportErrors([f"{name}:{reader.line_num}: not valid CSV: {error}"]) from None


def _from_toml(text: str, name: str, kind: str) -> Iterator[tuple[str, Item]]:
    try:
        table = tomllib.loads(text.removeprefix("\ufeff"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ImportErrors([f"{name}: not valid TOML: {error}"]) from None
    found: Any = table.pop(kind, [])
    if table or not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise ImportErrors([f"{name}: it must consist of [[{kind}]] tables"])
    lines = [at for at, line in enumerate(text.splitlines(), 1) if line.split("#")[0].strip() == f"[[{kind}]]"]
    for index, item in enumerate(found):
        where = f"{name}:{lines[index]}" if len(lines) == len(found) else f"{name}: {kind} {index + 1}"
        yield where, {key: _plain(value) for key, value in item.items()}


def _plain(value: Any) -> str:
    """Return a TOML value as a CSV file would contain it; the items of a list are separated by spaces."""
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
