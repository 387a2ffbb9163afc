"""Rentals: account, number, start, prices and SMS action."""

from dtmf_server.core.billing import LiveRental, NextPrice
from dtmf_server.core.limits import Limited
from dtmf_server.core.monthly_cap import effective
from dtmf_server.core.rental import Action, EndReason
from dtmf_server.core.units import DAY_US, MINUTE_US
from dtmf_server.storage import schema
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.schema.numbers import BOOKED_UNTIL_US, PAYING, PHASE_US

_RUNNING = (
    "id, account_id, started_at_us, cost_per_minute, booked_minutes, e164, monthly_cap, limit_at_us, reserved_sats,"
    " priced_minutes, priced_sats, change_at_us, next_cost_per_minute, next_cost_per_inbound_message, next_monthly_cap"
)


def add(
    tx: Tx,
    *,
    account_id: int,
    e164: str,
    group: Row,
    now_us: int,
    label: str | None = None,
    network: bytes | None = None,
    refunds_setup: bool = False,
    token_id: int | None = None,
    price_days: int | None = None,
) -> int:
    """Add a rental with its first minute and return its ID; the group's current prices and terms become its own.
    `token_id`: the restricted token that starts it. `price_days`: how long its prices apply; None: always."""
    row = tx.one(
        "INSERT INTO rentals (account_id, e164, group_id, sms, setup_cost, cost_per_minute,"
        " cost_per_inbound_message, started_at_us, booked_minutes, monthly_cap, label, refund_within_minutes,"
        " refund_percent, refunds_setup, network, token_id, price_days, price_until_us)"
        " VALUES (:account_id, :e164, :group_id, :sms, :setup_cost, :cost_per_minute,"
        " :cost_per_inbound_message, :now_us, 1, :monthly_cap, :label, :refund_within_minutes,"
        " :refund_percent, :refunds_setup, :network, :token_id, :price_days, :price_until_us) RETURNING id",
        account_id=account_id,
        e164=e164,
        group_id=group["id"],
        sms=bool(group["sms_support"]),
        setup_cost=group["setup_cost"],
        cost_per_minute=group["rental_cost_per_minute"],
        cost_per_inbound_message=group["cost_per_inbound_message"],
        monthly_cap=effective(group["monthly_cap"], group["rental_cost_per_minute"]),
        now_us=now_us,
        token_id=token_id,
        label=label,
        refund_within_minutes=group["refund_within_minutes"],
        refund_percent=group["refund_percent"],
        refunds_setup=refunds_setup,
        network=network,
        price_days=price_days,
        price_until_us=None if price_days is None else now_us + price_days * DAY_US,
    )
    assert row is not None
    tx.note("rentals", [row["id"]])
    return int(row["id"])


def live(tx: Tx, account_id: int) -> list[Row]:
    """Return an account's live rentals for display, oldest first."""
    return tx.all(
        "SELECT id, e164, group_id, sms, cost_per_minute, cost_per_inbound_message, started_at_us, destination, action,"
        " label, setup_cost, booked_minutes, monthly_cap, max_minutes, max_sats, message_sats, limit_at_us,"
        " reserved_sats, reserves, token_id, priced_minutes, priced_sats, change_at_us, next_cost_per_minute,"
        " next_cost_per_inbound_message, next_monthly_cap"
        " FROM rentals WHERE account_id = :account_id AND ended_at_us IS NULL ORDER BY started_at_us, id",
        account_id=account_id,
    )


def metered(tx: Tx, account_id: int) -> list[LiveRental]:
    """Return an account's live rentals that have a cost, or that a limit ends."""
    rows = tx.all(
        f"SELECT {_RUNNING} FROM rentals WHERE account_id = :account_id AND ended_at_us IS NULL"
        " AND (cost_per_minute > 0 OR limit_at_us IS NOT NULL)",
        account_id=account_id,
    )
    return [_running(row) for row in rows]


def paying(tx: Tx, account_ids: list[int]) -> dict[int, list[LiveRental]]:
    """Return the live rentals of these accounts that have a cost."""
    found: dict[int, list[LiveRental]] = {}
    for row in tx.all(f"SELECT {_RUNNING} FROM rentals WHERE account_id = ANY(:ids) AND {PAYING}", ids=account_ids):
        found.setdefault(row["account_id"], []).append(_running(row))
    return found


def capped(tx: Tx, account_ids: list[int]) -> dict[int, list[LiveRental]]:
    """Return the live rentals of these accounts that have a monthly cap, without their next prices."""
    found: dict[int, list[LiveRental]] = {}
    if account_ids:
        condition = "account_id = ANY(:ids) AND ended_at_us IS NULL AND monthly_cap IS NOT NULL"
        for row in tx.all(f"SELECT {_RUNNING} FROM rentals WHERE {condition} ORDER BY id", ids=account_ids):
            found.setdefault(row["account_id"], []).append(_running(row).until_change())
    return found


def paying_from(tx: Tx, account_id: int, from_us: int, *, limit: int) -> list[LiveRental]:
    """Return an account's live rentals that have a cost, in the order in which their minutes start from `from_us` on,
    the oldest first at equal instants. About `limit` of them: all of an instant or none."""
    phase_us = from_us % MINUTE_US
    found = _in_phase(tx, account_id, ">=", phase_us, limit + 1)
    if len(found) <= limit:
        found += _in_phase(tx, account_id, "<", phase_us, limit + 1 - len(found))
    if len(found) <= limit:
        return found
    last_us = found[-1].phase_us
    return [rental for rental in found if rental.phase_us != last_us] or _in_phase(
        tx, account_id, "=", last_us, limit=2**62
    )


def _in_phase(tx: Tx, account_id: int, compared: str, phase_us: int, limit: int) -> list[LiveRental]:
    rows = tx.all(
        f"SELECT {_RUNNING} FROM rentals WHERE account_id = :account_id AND {PHASE_US} {compared} :phase_us AND {PAYING}"
        f" ORDER BY {PHASE_US}, started_at_us, id LIMIT :limit",
        account_id=account_id,
        phase_us=phase_us,
        limit=limit,
    )
    return [_running(row) for row in rows]


def reaching_limit(tx: Tx, account_id: int, *, at_us: int, limit: int) -> list[LiveRental]:
    """Return an account's live rentals that a limit ends by then, the oldest first; at most `limit`."""
    rows = tx.all(
        f"SELECT {_RUNNING} FROM rentals WHERE account_id = :account_id AND ended_at_us IS NULL"
        " AND limit_at_us IS NOT NULL AND limit_at_us <= :at_us ORDER BY limit_at_us, id LIMIT :limit",
        account_id=account_id,
        at_us=at_us,
        limit=limit,
    )
    return [_running(row) for row in rows]


def first_limits(tx: Tx, account_ids: list[int]) -> dict[int, int | None]:
    """Return when the first of each account's live rentals reaches a limit or changes its price; None: never."""
    rows = tx.all(
        "SELECT a.id, (SELECT min(r.limit_at_us) FROM rentals r WHERE r.account_id = a.id AND r.ended_at_us IS NULL"
        " AND r.limit_at_us IS NOT NULL) AS limit_at_us, (SELECT min(r.change_at_us) FROM rentals r WHERE"
        " r.account_id = a.id AND r.ended_at_us IS NULL AND r.change_at_us IS NOT NULL) AS change_at_us"
        " FROM accounts a WHERE a.id = ANY(:ids)",
        ids=account_ids,
    )
    return {row["id"]: min(filter(None, (row["limit_at_us"], row["change_at_us"])), default=None) for row in rows}


def limited(tx: Tx, rental_ids: list[int]) -> dict[int, Limited]:
    """Return those of these rentals, live or ended, that have a `max_sats` or a `max_minutes`."""
    rows = tx.all(
        f"SELECT {_RUNNING}, setup_cost, cost_per_inbound_message, max_minutes, max_sats, message_sats, reserves,"
        " token_id FROM rentals WHERE id = ANY(:ids) AND (max_sats IS NOT NULL OR max_minutes IS NOT NULL)",
        ids=rental_ids,
    )
    return {row["id"]: with_limits(row) for row in rows}


def with_limits(row: Row) -> Limited:
    """Return a row of `rentals` with its limits."""
    return Limited(
        _running(row),
        row["setup_cost"],
        row["cost_per_inbound_message"] or 0,
        row["max_minutes"],
        row["max_sats"],
        row["message_sats"] or 0,
        row["reserves"],
        row["token_id"],
    )


def store_limits(tx: Tx, limits: list[tuple[Limited, int | None]]) -> None:
    """Write the limits of rentals, each with when they end it."""
    rows = [
        (
            each.rental.rental_id,
            each.max_minutes,
            None if each.max_sats is None else each.message_sats,
            each.max_sats,
            at,
            each.max_sats if each.reserves else None,
            each.reserves,
        )
        for each, at in limits
    ]
    columns = ("id", "max_minutes", "message_sats", "max_sats", "limit_at_us", "reserved_sats", "reserves")
    tx.update(schema.rentals, columns, rows)


def message_sats(tx: Tx, rental_id: int) -> int:
    """Return what the rental's messages have cost."""
    row = tx.one(
        "SELECT CAST(coalesce(sum(cost), 0) AS bigint) AS sats FROM messages WHERE rental_id = :rental_id",
        rental_id=rental_id,
    )
    assert row is not None
    return int(row["sats"])


def set_label(tx: Tx, rental_id: int, label: str | None) -> None:
    """Set or remove the renter's name for the rental."""
    tx.run("UPDATE rentals SET label = :label WHERE id = :rental_id", rental_id=rental_id, label=label)


def _running(row: Row) -> LiveRental:
    return LiveRental(
        row["id"],
        row["started_at_us"],
        row["cost_per_minute"],
        row["booked_minutes"],
        row["e164"],
        row["monthly_cap"],
        row["limit_at_us"],
        row["reserved_sats"],
        row["priced_minutes"],
        row["priced_sats"],
        None if row["change_at_us"] is None else next_price(row),
    )


def next_price(row: Row) -> NextPrice:
    """Return the next price of a row of `rentals` that has one."""
    minute, message = row["next_cost_per_minute"], row["next_cost_per_inbound_message"]
    return NextPrice(row["change_at_us"], minute, message, row["next_monthly_cap"])


def running(tx: Tx, rental_ids: list[int]) -> list[LiveRental]:
    """Return those of these rentals that are live."""
    rows = tx.all(
        f"SELECT {_RUNNING} FROM rentals WHERE id = ANY(:ids) AND ended_at_us IS NULL ORDER BY id", ids=rental_ids
    )
    return [_running(row) for row in rows]


def some_live(tx: Tx, account_id: int, *, limit: int) -> list[LiveRental]:
    """Return some of the account's live rentals, whatever they cost."""
    rows = tx.all(
        f"SELECT {_RUNNING} FROM rentals WHERE account_id = :account_id AND ended_at_us IS NULL LIMIT :limit",
        account_id=account_id,
        limit=limit,
    )
    return [_running(row) for row in rows]


def live_numbers(tx: Tx, account_ids: list[int]) -> list[Row]:
    """Return ID, account and number of each live rental of these accounts; for accounts with few rentals."""
    return tx.all(
        "SELECT id, account_id, e164 FROM rentals WHERE account_id = ANY(:ids) AND ended_at_us IS NULL", ids=account_ids
    )


def to_share(tx: Tx, *, booked_before_us: int, limit: int) -> list[Row]:
    """Return live rentals whose minutes were not booked since then, although their account has paid for some."""
    return tx.all(
        f"SELECT r.id, r.account_id FROM rentals r JOIN accounts a ON a.id = r.account_id WHERE {BOOKED_UNTIL_US} <="
        f" :booked_before_us AND {BOOKED_UNTIL_US} <= a.settled_at_us AND r.ended_at_us IS NULL"
        " AND r.cost_per_minute > 0 LIMIT :limit",
        booked_before_us=booked_before_us,
        limit=limit,
    )


def live_of_account(tx: Tx, account_id: int, e164: str) -> Row | None:
    """Return the account's live rental of this number."""
    return tx.one(
        "SELECT * FROM rentals WHERE e164 = :e164 AND ended_at_us IS NULL AND account_id = :account_id",
        e164=e164,
        account_id=account_id,
    )


def ids_of_number(tx: Tx, account_id: int, e164: str) -> list[int]:
    """Return every rental, live or ended, that the account has had of this number."""
    rows = tx.all(
        "SELECT id FROM rentals WHERE account_id = :account_id AND e164 = :e164 ORDER BY id",
        account_id=account_id,
        e164=e164,
    )
    return [row["id"] for row in rows]


def numbers_of(tx: Tx, rental_ids: list[int]) -> dict[int, str]:
    """Return the number of each of these rentals."""
    if not rental_ids:
        return {}
    rows = tx.all("SELECT id, e164 FROM rentals WHERE id = ANY(:ids)", ids=rental_ids)
    return {row["id"]: row["e164"] for row in rows}


def set_action(tx: Tx, rental_id: int, action: Action | None, *, token_id: int | None = None) -> None:
    """Set what happens to the rental's SMS besides being stored. `token_id`: the restricted token that does."""
    tx.run(
        "UPDATE rentals SET action = :action, destination = :destination, action_token_id = :token_id"
        " WHERE id = :rental_id",
        rental_id=rental_id,
        token_id=token_id,
        action=action.kind.value if action else None,
        destination=action.destination if action else None,
    )


def store_booked(tx: Tx, booked: list[tuple[int, int]]) -> None:
    """Write the number of booked minutes of each rental."""
    tx.update(schema.rentals, ("id", "booked_minutes"), booked)


def end(tx: Tx, ends: list[tuple[LiveRental, int, EndReason]]) -> None:
    """End rentals, each at its instant, with the minutes booked by then."""
    rows = [(rental.rental_id, at_us, reason.value, rental.booked_minutes) for rental, at_us, reason in ends]
    tx.update(schema.rentals, ("id", "ended_at_us", "end_reason", "booked_minutes"), rows)
    tx.note("rentals", [rental.rental_id for rental, _, _ in ends])


def take_to_erase(tx: Tx, *, ended_before_us: int, now_us: int, limit: int) -> list[int]:
    """Mark rentals whose texts were stored long enough as erased and return them; the caller must erase them in this
    transaction."""
    rows = tx.all(
        "UPDATE rentals SET erased_at_us = :now_us, label = NULL WHERE id IN (SELECT id FROM rentals WHERE"
        " ended_at_us IS NOT NULL AND erased_at_us IS NULL AND ended_at_us <= :ended_before_us"
        " ORDER BY ended_at_us LIMIT :limit) RETURNING id",
        now_us=now_us,
        ended_before_us=ended_before_us,
        limit=limit,
    )
    return [row["id"] for row in rows]


def by_id(tx: Tx, rental_id: int) -> Row:
    """Return one rental, live or ended."""
    row = tx.one("SELECT * FROM rentals WHERE id = :rental_id", rental_id=rental_id)
    assert row is not None
    return row


def clear_action(tx: Tx, rental_id: int, *, destination: str) -> bool:
    """Switch the action off if it still has that destination."""
    return bool(
        tx.run(
            "UPDATE rentals SET action = NULL, destination = NULL WHERE id = :rental_id AND destination = :destination",
            rental_id=rental_id,
            destination=destination,
        )
    )
