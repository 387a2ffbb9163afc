"""Import groups, numbers and prices from the operator's files: a file is imported whole or not at all.

Existing items are updated: the prices of a group apply to rentals that start afterwards. catalog_file.py reads the files.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from dtmf_server.core.pegged import Peg
from dtmf_server.operations import group_terms, pegged_columns, price_jumps
from dtmf_server.operations.catalog_entries import Complaint, Entry, ImportErrors, place
from dtmf_server.operations.catalog_file import CatalogFile
from dtmf_server.operations.pegged_columns import InSats
from dtmf_server.operations.price_jumps import Change, PriceJump
from dtmf_server.storage import instance, numbers, supply_numbers
from dtmf_server.storage.db import Row, Tx

DEAR_SATS = 10_000_000
NO_RATE = "prices in cents need [prices] with a currency and a usable rate: dtmf-server doctor shows what is missing"
_KEYS = {"groups": "id", "numbers": "e164", "prices": "prefix"}
_PRICES = {
    "groups": ("setup_cost", "rental_cost_per_minute", "cost_per_inbound_message"),
    "numbers": (),
    "prices": ("cost_per_segment",),
}
# A price of 0 in these columns has to be allowed.
_FREE = {"groups": "rental_cost_per_minute", "prices": "cost_per_segment"}


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
class Difference:
    """The changes of an import. `absent`: items in the catalog that the file does not have, or, of numbers, their count;
    they stay unless `removes` is true."""

    kind: str
    added: list[str] = field(default_factory=list)
    changed: list[Change] = field(default_factory=list)
    unchanged: int = 0
    absent: Sequence[str] = ()
    absent_count: int = 0
    removes: bool = False

    @property
    def count(self) -> int:
        """Return how many items the file has."""
        return len(self.added) + self.unchanged + len({change.key for change in self.changed})


def apply(
    tx: Tx,
    file: CatalogFile,
    *,
    allow_free: bool = False,
    removes: bool = False,
    accepted: Collection[PriceJump] = price_jumps.EVERY,
) -> Difference:
    """Import a file, and return what that changed. `removes`: delete prices that the file does not have.

    Raises ImportErrors, FreePrices for prices of 0 per minute or segment unless `allow_free`, and PriceJumps for prices that
    change by a factor of 10 or more and are not `accepted`.
    """
    instance.lock(tx)  # two concurrent imports would read the same catalog
    difference = compare(tx, file, removes=removes)
    free = _free(file, _FREE[file.kind]) if file.kind in _FREE else []
    if free and not allow_free:
        raise FreePrices(free)
    price_jumps.require(difference.changed, accepted)
    write = {*difference.added, *(change.key for change in difference.changed)}
    key = _KEYS[file.kind]
    wanted = [each.values for each in file.entries if each.values[key] in write]
    groups = pegged_columns.all_in_sats(tx) if file.kind == "groups" else {}
    try:
        _WRITERS[file.kind](tx, wanted, file.peg)
    except pegged_columns.NoRate:
        raise ImportErrors([Complaint(file.name, None, NO_RATE)]) from None
    if groups:
        price_jumps.require(_changes_of_unit(groups, pegged_columns.all_in_sats(tx)), accepted)
    if removes:
        numbers.delete_destinations(tx, list(difference.absent))
    return difference


def _changes_of_unit(before: Mapping[str, InSats], after: Mapping[str, InSats]) -> list[Change]:
    """Return the changes in satoshis of the groups whose prices have changed from satoshis to cents or back."""
    return [
        Change(group_id, column, str(sats or ""), str(after[group_id].sats[column] or ""))
        for group_id, group in before.items()
        if group.currency != after[group_id].currency
        for column, sats in group.sats.items()
    ]


def compare(tx: Tx, file: CatalogFile, *, removes: bool = False) -> Difference:
    """Return what an import of the file would change. Raises ImportErrors."""
    assert not removes or file.kind == "prices", "groups and numbers have rentals: an import never removes them"
    _refuse_repeated(file, _KEYS[file.kind])
    if file.kind == "groups":
        _refuse_terms(file)
    if file.kind == "numbers":
        return _compare_numbers(tx, file)
    stored = stored_groups(tx) if file.kind == "groups" else _stored_prices(tx)
    return _compare(file, stored, removes=removes)


def warnings(file: CatalogFile) -> list[PriceWarning]:
    """Return what the operator should double-check in a valid file: prices of 0, and prices so high that another unit
    may have been intended."""
    free = {"groups": ("rental_cost_per_minute", "cost_per_inbound_message"), "prices": ("cost_per_segment",)}
    found = [warning for column in free.get(file.kind, ()) for warning in _free(file, column)]
    return found + _dear(file)


def _free(file: CatalogFile, column: str) -> list[PriceWarning]:
    return _priced(file, column, lambda sats: sats == 0)


def _dear(file: CatalogFile) -> list[PriceWarning]:
    return [
        warning for column in _PRICES[file.kind] for warning in _priced(file, column, lambda sats: sats >= DEAR_SATS)
    ]


def _priced(file: CatalogFile, column: str, matches: Callable[[int], bool]) -> list[PriceWarning]:
    key = _KEYS[file.kind]
    return [
        PriceWarning(file.where(each), each.values[key], column, int(each.values[column]))
        for each in file.entries
        if each.values[column] and matches(int(each.values[column]))
    ]


def _refuse_repeated(file: CatalogFile, key: str) -> None:
    first: dict[str, Entry] = {}
    wrong = []
    for entry in file.entries:
        value = entry.values[key]
        if value in first:
            message = f"{value!r} is already at {place(file.name, first[value].line)}"
            wrong.append(Complaint(file.name, entry.line, message, key, value))
        first.setdefault(value, entry)
    if wrong:
        raise ImportErrors(wrong)


def _refuse_terms(file: CatalogFile) -> None:
    wrong = [
        Complaint(file.name, entry.line, message)
        for entry in file.entries
        for message in (*pegged_columns.complaints(entry.values), *group_terms.complaints(entry.values))
    ]
    if wrong:
        raise ImportErrors(wrong)


def _compare(file: CatalogFile, stored: Mapping[str, Mapping[str, str]], *, removes: bool) -> Difference:
    key = _KEYS[file.kind]
    added, changed, unchanged = list[str](), list[Change](), 0
    for entry in file.entries:
        name = entry.values[key]
        before = stored.get(name)
        if before is None:
            added.append(name)
            continue
        values = _canonical(entry.values) if file.kind == "groups" else entry.values
        changes = [
            Change(name, column, before[column], values[column])
            for column in before
            if before[column] != values[column]
        ]
        changed += changes
        unchanged += not changes
    present = {entry.values[key] for entry in file.entries}
    absent = sorted(name for name in stored if name not in present)
    return Difference(file.kind, added, changed, unchanged, absent, len(absent), removes)


def _canonical(values: Mapping[str, str]) -> dict[str, str]:
    return {**values, **group_terms.canonical(values), **pegged_columns.canonical(values)}


def _compare_numbers(tx: Tx, file: CatalogFile) -> Difference:
    known = numbers.groups_of(tx, [each.values["e164"] for each in file.entries])
    groups = numbers.group_ids(tx)
    releasing = supply_numbers.releasing_among(tx, [each.values["e164"] for each in file.entries])
    wrong: list[Complaint] = []
    added: list[str] = []
    for entry in file.entries:
        e164, group_id = entry.values["e164"], entry.values["group_id"]
        if e164 in releasing:
            message = f"{e164} is being given back to its carrier: wait until it is no longer owned"
            wrong.append(Complaint(file.name, entry.line, message, "e164", e164))
        elif group_id not in groups:
            message = f"group {group_id!r} does not exist: import it first"
            wrong.append(Complaint(file.name, entry.line, message, "group_id", group_id))
        elif known.get(e164, group_id) != group_id:
            message = f"{e164} is already in the group {known[e164]!r}"
            wrong.append(Complaint(file.name, entry.line, message, "e164", e164))
        elif e164 not in known:
            added.append(e164)
    if wrong:
        raise ImportErrors(wrong)
    absent = numbers.count(tx) - len(known)
    return Difference(file.kind, added, unchanged=len(known), absent_count=absent)


def stored_groups(tx: Tx) -> dict[str, dict[str, str]]:
    """Return every group as a file has it, without its ID, by its ID."""
    terms = group_terms.stored(tx)
    return {row["id"]: _group_values(row) | terms[row["id"]] | pegged_columns.stored(row) for row in numbers.groups(tx)}


def _group_values(row: Row) -> dict[str, str]:
    """Return a stored group as a file has it."""
    columns = ("type", "name", "country_code", "setup_cost", "rental_cost_per_minute", "carriers")
    sms = row["cost_per_inbound_message"] if row["sms_support"] else None
    values = {column: str(row[column]) for column in columns}
    return values | {"cost_per_inbound_message": "" if sms is None else str(sms)}


def _stored_prices(tx: Tx) -> dict[str, dict[str, str]]:
    return {prefix: {"cost_per_segment": str(sats)} for prefix, sats in numbers.destinations(tx).items()}


def _write_groups(tx: Tx, wanted: Sequence[Mapping[str, str]], peg: Peg | None) -> None:
    for values in wanted:
        before = numbers.group(tx, values["id"])
        in_sats = pegged_columns.in_sats(values, peg, before)
        numbers.put_group(tx, _group_row(in_sats), carriers=values["carriers"])
        group_terms.store(tx, in_sats)
        pegged_columns.store(tx, values, peg, before)


def _group_row(values: Mapping[str, str]) -> tuple[object, ...]:
    sms = values["cost_per_inbound_message"]
    return (
        values["id"],
        values["type"],
        values["name"],
        values["country_code"],
        bool(sms),
        False,  # reserved for voice
        int(values["setup_cost"]),
        int(values["rental_cost_per_minute"]),
        int(sms) if sms else None,
        None,
    )


def _write_numbers(tx: Tx, wanted: Sequence[Mapping[str, str]], _: Peg | None) -> None:
    groups: dict[str, list[str]] = {}
    for values in wanted:
        groups.setdefault(values["group_id"], []).append(values["e164"])
    for group_id, e164s in groups.items():
        returning = numbers.retired_among(tx, e164s)
        for e164 in sorted(returning):
            numbers.put_in_stock(tx, e164, group_id)
        numbers.add_numbers(tx, group_id, [e164 for e164 in e164s if e164 not in returning])


def _write_prices(tx: Tx, wanted: Sequence[Mapping[str, str]], _: Peg | None) -> None:
    for values in wanted:
        numbers.set_destination(tx, values["prefix"], int(values["cost_per_segment"]))


_WRITERS = {"groups": _write_groups, "numbers": _write_numbers, "prices": _write_prices}
