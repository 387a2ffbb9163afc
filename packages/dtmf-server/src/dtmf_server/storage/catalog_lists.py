"""Lists of the catalog for the operator."""

from collections.abc import Iterator

from dtmf_server.storage.db import Row, Tx

PAGE = 1000
STATES = ("free", "rented", "cooldown", "reserved", "held", "retired")

NUMBER_STATE = (
    "CASE WHEN rented THEN 'rented' WHEN retired_at_us IS NOT NULL THEN 'retired'"
    " WHEN coalesce(held_until_us, 0) > :now_us THEN 'held'"
    " WHEN coalesce(reserved_until_us, 0) > :now_us THEN 'reserved'"
    " WHEN released_at_us > :cooled_us THEN 'cooldown' ELSE 'free' END"
)


def numbers(tx: Tx, *, group_id: str | None, state: str | None, now_us: int, cooled_us: int) -> Iterator[Row]:
    """Yield numbers, of a group or in a state, in their order: `e164`, `group_id`, `state`."""
    after = ""
    while rows := tx.all(
        f"SELECT e164, group_id, {NUMBER_STATE} AS state FROM numbers WHERE e164 > :after"
        " AND (:group_id = '' OR group_id = :group_id) ORDER BY e164 LIMIT :page",
        after=after,
        group_id=group_id or "",
        now_us=now_us,
        cooled_us=cooled_us,
        page=PAGE,
    ):
        yield from (row for row in rows if state in (None, row["state"]))
        after = rows[-1]["e164"]


def live_rentals(tx: Tx) -> dict[str, int]:
    """Return the number of live rentals of each group that has any."""
    rows = tx.all("SELECT group_id, count(*) AS rentals FROM rentals WHERE ended_at_us IS NULL GROUP BY group_id")
    return {row["group_id"]: int(row["rentals"]) for row in rows}


def repriced(tx: Tx) -> dict[str, int]:
    """Return the number of live rentals of each group that started at other prices than a rental that starts now."""
    rows = tx.all(
        "SELECT r.group_id, count(*) AS rentals FROM rentals r JOIN groups g ON g.id = r.group_id"
        " WHERE r.ended_at_us IS NULL AND (r.cost_per_minute <> g.rental_cost_per_minute"
        " OR coalesce(r.cost_per_inbound_message, -1) <> coalesce(g.cost_per_inbound_message, -1)) GROUP BY r.group_id"
    )
    return {row["group_id"]: int(row["rentals"]) for row in rows}
