"""Single changes of the catalog by the operator, checked like an import of one line; and its lists."""

import csv
import io
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from dtmf_server.operations import catalog_file, group_terms, import_catalog
from dtmf_server.operations.catalog_columns import GROUP
from dtmf_server.operations.import_catalog import Difference
from dtmf_server.operations.price_jumps import COLUMNS as PRICES
from dtmf_server.operations.price_jumps import PriceJump
from dtmf_server.storage import catalog_lists, instance, numbers
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
    tx: Tx, group_id: str, values: Mapping[str, str], *, accepted: Collection[PriceJump], allow_free: bool = False
) -> Edit:
    """Change columns of a group. Raises UnknownKey, ImportErrors, FreePrices and PriceJumps."""
    instance.lock(tx)  # first: a concurrent change of another column must not be undone
    stored = import_catalog.stored_groups(tx).get(group_id)
    if stored is None:
        raise UnknownKey(f"group {group_id!r} does not exist: dtmf-server groups list")
    file = _file("groups", {"id": group_id, **stored, **values})
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
    return [
        {
            "id": group_id,
            **values,
            **terms[group_id],
            "numbers": total[group_id],
            "free": free[group_id],
            "rented": live.get(group_id, 0),
        }
        for group_id, values in import_catalog.stored_groups(tx).items()
    ]


def prices(tx: Tx, group_id: str | None) -> list[dict[str, object]]:
    """Return the prices of all groups or of one, with the live rentals, and how many of these have other prices. Raises
    UnknownKey."""
    stored, live, others = import_catalog.stored_groups(tx), catalog_lists.live_rentals(tx), catalog_lists.repriced(tx)
    if group_id is not None and group_id not in stored:
        raise UnknownKey(f"group {group_id!r} does not exist: dtmf-server groups list")
    columns = [column for column in PRICE_COLUMNS if column != OF_DESTINATIONS]
    return [
        {
            "group": id_,
            **{column: int(values[column]) if values[column] else None for column in columns},
            "live_rentals": live.get(id_, 0),
            "live_rentals_at_other_prices": others.get(id_, 0),
        }
        for id_, values in stored.items()
        if group_id in (None, id_)
    ]


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
