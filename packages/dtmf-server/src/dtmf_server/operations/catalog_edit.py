"""Single changes of the catalog by the operator, checked like an import of one line; and its lists."""

import csv
import io
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from dtmf_server.core.pegged import Peg
from dtmf_server.core.timestamps import iso
from dtmf_server.operations import catalog_file, group_terms, import_catalog, pegged_columns
from dtmf_server.operations.catalog_columns import GROUP
from dtmf_server.operations.import_catalog import Difference
from dtmf_server.operations.price_jumps import COLUMNS as PRICES
from dtmf_server.operations.price_jumps import PriceJump
from dtmf_server.storage import catalog_lists, instance, numbers, rental_prices
from dtmf_server.storage.db import Row, Tx

NAME = "command line"
OF_DESTINATIONS = "cost_per_segment"
GROUP_COLUMNS = [column for column in GROUP if column not in ("id", "type")]
PRICE_COLUMNS = sorted(PRICES)


class UnknownKey(Exception):
    """There is no such group or price. The text names it."""


class CannotRetire(Exception):
    """Nothing was retired. `wrong`: why, by number."""

    def __init__(self, wrong: Mapping[str, str]) -> None:
        super().__init__(*wrong)
        self.wrong = wrong


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of the catalog. `live_rentals`: of the group, which keep the prices that they started with."""

    difference: Difference
    live_rentals: int


def set_group(
    tx: Tx,
    group_id: str,
    values: Mapping[str, str],
    *,
    accepted: Collection[PriceJump],
    allow_free: bool = False,
    peg: Peg | None = None,
    currency: str | None = None,
) -> Edit:
    """Change columns of a group. `peg`: the current rate. `currency`: convert all its prices to it first, or to satoshis
    (SATS). Raises UnknownKey, ImportErrors, FreePrices and PriceJumps."""
    instance.lock(tx)  # first: a concurrent change of another column must not be undone
    stored = import_catalog.stored_groups(tx).get(group_id)
    if stored is None:
        raise UnknownKey(f"group {group_id!r} does not exist: dtmf-server groups list")
    if currency is not None:
        stored |= pegged_columns.converted(tx, group_id, currency, peg)
    file = replace(_file("groups", {"id": group_id, **stored, **values}), peg=peg)
    difference = import_catalog.apply(tx, file, allow_free=allow_free, accepted=accepted)
    return Edit(difference, catalog_lists.live_rentals(tx).get(group_id, 0))


def set_destination(
    tx: Tx, prefix: str, sats: str, *, accepted: Collection[PriceJump], allow_free: bool = False
) -> Edit:
    """Change the price of a destination prefix, with or without its +; "" stands for every other destination. Raises
    ImportErrors, FreePrices and PriceJumps."""
    file = _file("prices", {"prefix": prefix.removeprefix("+"), OF_DESTINATIONS: sats})
    return Edit(import_catalog.apply(tx, file, allow_free=allow_free, accepted=accepted), 0)


def _file(kind: str, values: Mapping[str, str]) -> catalog_file.CatalogFile:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([values.keys(), values.values()])
    return catalog_file.read(kind, text.getvalue().encode(), name=NAME)


def groups(tx: Tx, *, now_us: int, cooldown_us: int) -> list[dict[str, object]]:
    """Return every group as a file has it, with its numbers by state and its live rentals."""
    terms, live = group_terms.stored(tx), catalog_lists.live_rentals(tx)
    free = numbers.free_by_group(tx, now_us=now_us, cooldown_us=cooldown_us, at_most=1 << 31)
    total = {row["id"]: row["numbers"] for row in numbers.inventory(tx)}
    rows = {row["id"]: row for row in numbers.groups(tx)}
    return [
        {
            "id": group_id,
            **values,
            **terms[group_id],
            **{column: "" if sats is None else str(sats) for column, sats in _in_sats(rows[group_id]).items()},
            "numbers": total[group_id],
            "free": free[group_id],
            "rented": live.get(group_id, 0),
        }
        for group_id, values in import_catalog.stored_groups(tx).items()
    ]


def prices(tx: Tx, group_id: str | None) -> list[dict[str, object]]:
    """Return the prices of all groups or of one, with the live rentals, how many of these have other prices, and how many have
    an announced price. Raises UnknownKey."""
    stored, live, others = import_catalog.stored_groups(tx), catalog_lists.live_rentals(tx), catalog_lists.repriced(tx)
    if group_id is not None and group_id not in stored:
        raise UnknownKey(f"group {group_id!r} does not exist: dtmf-server groups list")
    rows, announced = {row["id"]: row for row in numbers.groups(tx)}, rental_prices.announced_by_group(tx)
    return [
        {
            "group": id_,
            **{
                column: sats or None if column == "monthly_cap" else sats
                for column, sats in _in_sats(rows[id_]).items()
            },
            **{column: values[column] or None for column in pegged_columns.PRICES},
            "currency": rows[id_]["currency"],
            "rate": rows[id_]["rate"],
            "rate_at": None if rows[id_]["rate_at_wall_us"] is None else iso(rows[id_]["rate_at_wall_us"]),
            "announced_changes": announced.get(id_, 0),
            "live_rentals": live.get(id_, 0),
            "live_rentals_at_other_prices": others.get(id_, 0),
        }
        for id_, values in stored.items()
        if group_id in (None, id_)
    ]


def _in_sats(row: Row) -> dict[str, int | None]:
    """Return the current prices of a group in satoshis."""
    return {column: row[column] for _, column in pegged_columns.PRICES.values()}


def rental_prices_of(tx: Tx, group_id: str | None) -> Iterator[dict[str, object]]:
    """Yield the live rentals in pegged groups, or in one group: their prices, until when these apply, the next prices that
    were announced, and those that would be announced now."""
    for row in rental_prices.live(tx, group_id=group_id):
        has_next = row["change_at_us"] is not None
        yield {
            "e164": row["e164"],
            "group": row["group_id"],
            "account": row["account_id"],
            "cost_per_minute": row["cost_per_minute"],
            "cost_per_inbound_message": row["cost_per_inbound_message"],
            "until": None if row["price_until_us"] is None else iso(row["change_at_us"] or row["price_until_us"]),
            "is_announced": has_next,
            "next_cost_per_minute": row["next_cost_per_minute"] if has_next else row["group_minute"],
            "next_cost_per_inbound_message": row["next_cost_per_inbound_message"] if has_next else row["group_sms"],
        }


def list_numbers(tx: Tx, *, group_id: str | None, state: str | None, now_us: int, cooldown_us: int) -> Iterator[Row]:
    """Yield numbers in their order: `e164`, `group_id`, `state`. `state`: see `catalog_lists.STATES`."""
    return catalog_lists.numbers(
        tx, group_id=group_id, state=state, now_us=now_us, cooled_us=numbers.cooled_us(now_us, cooldown_us)
    )


def retire(tx: Tx, e164s: Collection[str], *, now_us: int) -> None:
    """Take numbers out of stock, all or none. Raises CannotRetire."""
    known = numbers.groups_of(tx, sorted(e164s))
    wrong = {e164: "is not in stock" for e164 in e164s if e164 not in known}
    for e164 in sorted(known):
        if not numbers.retire(tx, e164, now_us=now_us, cooldown_us=None):
            wrong[e164] = "is rented: retire it when its rental has ended"
    if wrong:
        raise CannotRetire(wrong)
