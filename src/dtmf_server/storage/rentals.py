"""Rentals: who has a number, since when, at which prices, and what its SMS do."""

from collections.abc import Iterable

from dtmf_server.core.billing import Running
from dtmf_server.core.rental import Action, EndReason
from dtmf_server.storage import schema
from dtmf_server.storage.db import Row, Tx


def add(tx: Tx, *, account_id: int, e164: str, group: Row, now_us: int) -> int:
    """The id of a new rental with its first minute; the group's prices are its own from now on."""
    row = tx.one(
        "INSERT INTO rentals (account_id, e164, group_id, sms, setup_cost, cost_per_minute,"
        " cost_per_inbound_message, started_at_us, booked_minutes)"
        " VALUES (:account_id, :e164, :group_id, :sms, :setup_cost, :cost_per_minute,"
        " :cost_per_inbound_message, :now_us, 1) RETURNING id",
        account_id=account_id,
        e164=e164,
        group_id=group["id"],
        sms=bool(group["sms_support"]),
        setup_cost=group["setup_cost"],
        cost_per_minute=group["rental_cost_per_minute"],
        cost_per_inbound_message=group["cost_per_inbound_message"],
        now_us=now_us,
    )
    assert row is not None
    return int(row["id"])


def live(tx: Tx, account_id: int) -> list[Row]:
    """An account's live rentals, oldest first."""
    return tx.all(
        "SELECT * FROM rentals WHERE account_id = :account_id AND ended_at_us IS NULL ORDER BY started_at_us, id",
        account_id=account_id,
    )


def live_by_numbers(tx: Tx, e164s: list[str]) -> dict[str, Row]:
    """The live rental of each of these numbers that has one, with what its account signs webhooks with, and whether
    somebody stands in the line of its action."""
    rows = tx.all(
        "SELECT r.id, r.account_id, r.e164, r.cost_per_inbound_message, r.action, r.destination, a.webhook_version,"
        " a.webhook_rotated_wall_us, EXISTS (SELECT 1 FROM deliveries d WHERE d.rental_id = r.id AND d.kind = r.action"
        "  AND d.state = 'waiting' LIMIT 1 OFFSET 0) AS is_line_busy FROM rentals r JOIN accounts a ON a.id = r.account_id"
        " WHERE r.e164 IN @e164s AND r.ended_at_us IS NULL",
        e164s=e164s,
    )
    return {row["e164"]: row for row in rows}


def live_of_account(tx: Tx, account_id: int, e164: str) -> Row | None:
    """The account's live rental of this number."""
    return tx.one(
        "SELECT * FROM rentals WHERE e164 = :e164 AND ended_at_us IS NULL AND account_id = :account_id",
        e164=e164,
        account_id=account_id,
    )


def ids_of_number(tx: Tx, account_id: int, e164: str) -> list[int]:
    """Every rental, live or ended, that the account has had of this number."""
    rows = tx.all(
        "SELECT id FROM rentals WHERE account_id = :account_id AND e164 = :e164 ORDER BY id",
        account_id=account_id,
        e164=e164,
    )
    return [row["id"] for row in rows]


def numbers_of(tx: Tx, rental_ids: list[int]) -> dict[int, str]:
    """The number of each of these rentals."""
    if not rental_ids:
        return {}
    rows = tx.all("SELECT id, e164 FROM rentals WHERE id IN @ids", ids=rental_ids)
    return {row["id"]: row["e164"] for row in rows}


def set_action(tx: Tx, rental_id: int, action: Action | None) -> None:
    """Sets what the rental's SMS do besides being stored."""
    tx.run(
        "UPDATE rentals SET action = :action, destination = :destination WHERE id = :rental_id",
        rental_id=rental_id,
        action=action.kind.value if action else None,
        destination=action.destination if action else None,
    )


def store_booked(tx: Tx, running: Iterable[Running]) -> None:
    """Writes how many minutes the books have of each rental."""
    tx.update(schema.rentals, ("id", "booked_minutes"), [(r.rental_id, r.booked_minutes) for r in running])


def end(tx: Tx, ends: list[tuple[int, int]], reason: EndReason) -> None:
    """Ends rentals, each at its instant."""
    rows = [(rental_id, at_us, reason.value) for rental_id, at_us in ends]
    tx.update(schema.rentals, ("id", "ended_at_us", "end_reason"), rows)


def take_to_erase(tx: Tx, *, ended_before_us: int, now_us: int, limit: int) -> list[int]:
    """Rentals whose texts have been kept long enough, marked as erased: erase them in this transaction."""
    rows = tx.all(
        "UPDATE rentals SET erased_at_us = :now_us WHERE id IN (SELECT id FROM rentals WHERE"
        " ended_at_us IS NOT NULL AND erased_at_us IS NULL AND ended_at_us <= :ended_before_us"
        " ORDER BY ended_at_us LIMIT :limit) RETURNING id",
        now_us=now_us,
        ended_before_us=ended_before_us,
        limit=limit,
    )
    return [row["id"] for row in rows]


def by_id(tx: Tx, rental_id: int) -> Row:
    """One rental, live or ended."""
    row = tx.one("SELECT * FROM rentals WHERE id = :rental_id", rental_id=rental_id)
    assert row is not None
    return row


def clear_action(tx: Tx, rental_id: int, *, destination: str) -> bool:
    """Switches the action off if it still goes there."""
    return bool(
        tx.run(
            "UPDATE rentals SET action = NULL, destination = NULL WHERE id = :rental_id AND destination = :destination",
            rental_id=rental_id,
            destination=destination,
        )
    )
