"""Numbers bought on demand: their states, what was spent, what they cost, and how they differ from the provider's list."""

from collections.abc import Iterable

from dtmf_server.core.number_supply import Spent
from dtmf_server.core.units import DAY_US, HOUR_US
from dtmf_server.storage import schema
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.schema.supply import LIVE

COMING = "state IN ('wanted', 'reserved', 'bought')"


def want(tx: Tx, *, group_id: str, carrier: str, account_id: int | None, now_us: int) -> None:
    """Add a number to be bought, for this account's rental or for the operator's stock."""
    tx.run(
        "INSERT INTO supply_numbers (group_id, carrier, state, account_id, wanted_at_us)"
        " VALUES (:group_id, :carrier, 'wanted', :account_id, :now_us)",
        group_id=group_id,
        carrier=carrier,
        account_id=account_id,
        now_us=now_us,
    )


def counts(tx: Tx, group_id: str) -> tuple[int, int]:
    """Return how many numbers of the group are coming, and how many are in stock or being given back."""
    row = tx.one(
        f"SELECT count(CASE WHEN {COMING} THEN 1 END) AS coming, count(*) AS live FROM supply_numbers"
        f" WHERE group_id = :group_id AND {LIVE}",
        group_id=group_id,
    )
    assert row is not None
    return int(row["coming"]), int(row["live"] - row["coming"])


def in_state(tx: Tx, state: str, *, limit: int) -> list[Row]:
    """Return numbers in this state, the oldest first, each with its group's country and type."""
    return tx.all(
        "SELECT s.*, g.country_code, g.type FROM supply_numbers s JOIN groups g ON g.id = s.group_id"
        f" WHERE s.state = :state AND s.{LIVE} ORDER BY s.id LIMIT :limit",
        state=state,
        limit=limit,
    )


def lock(tx: Tx, number_id: int) -> Row:
    """Lock a number and return it."""
    row = tx.one("SELECT * FROM supply_numbers WHERE id = :id FOR NO KEY UPDATE", id=number_id)
    assert row is not None
    return row


def live_by_e164(tx: Tx, e164: str) -> Row | None:
    """Return the number with this E.164 that is not gone."""
    return tx.one(f"SELECT * FROM supply_numbers WHERE e164 = :e164 AND e164 IS NOT NULL AND {LIVE}", e164=e164)


def releasing_among(tx: Tx, e164s: list[str]) -> set[str]:
    """Return those of the numbers that are being given back."""
    rows = tx.all("SELECT e164 FROM supply_numbers WHERE state = 'releasing' AND e164 = ANY(:e164s)", e164s=e164s)
    return {row["e164"] for row in rows}


def spent(tx: Tx, *, currency: str, now_us: int, except_id: int = 0) -> Spent:
    """Return what was reserved in a currency and not returned since. A repeated order counts when it was last sent.
    `except_id`: a number that is not counted."""
    row = tx.one(
        "SELECT coalesce(sum(CASE WHEN ordered_at_us > :hour_us THEN price ELSE 0 END), 0) AS hour,"
        " coalesce(sum(price), 0) AS day,"
        " coalesce(sum(CASE WHEN is_trusted THEN 0 ELSE price END), 0) AS untrusted FROM"
        " (SELECT ordered_at_us, is_trusted, setup_price + month_price AS price FROM supply_numbers"
        f"  WHERE (reserved_at_us IS NOT NULL AND reserved_at_us > :day_us OR {LIVE}) AND ordered_at_us > :day_us"
        "  AND currency = :currency AND id <> :except_id) reserved",
        hour_us=now_us - HOUR_US,
        day_us=now_us - DAY_US,
        currency=currency,
        except_id=except_id,
    )
    assert row is not None
    return Spent(int(row["hour"]), int(row["day"]), int(row["untrusted"]))


def reserve(
    tx: Tx,
    number_id: int,
    *,
    e164: str,
    setup_price: int,
    month_price: int,
    currency: str,
    is_trusted: bool,
    now_us: int,
) -> None:
    """Store the exact number that is about to be ordered, with its price."""
    tx.run(
        "UPDATE supply_numbers SET state = 'reserved', e164 = :e164, setup_price = :setup_price,"
        " month_price = :month_price, currency = :currency, is_trusted = :is_trusted, reserved_at_us = :now_us,"
        " ordered_at_us = :now_us WHERE id = :id",
        id=number_id,
        e164=e164,
        setup_price=setup_price,
        month_price=month_price,
        currency=currency,
        is_trusted=is_trusted,
        now_us=now_us,
    )


def ordered_again(tx: Tx, number_id: int, *, now_us: int) -> None:
    """Record that the number is about to be ordered again."""
    tx.run("UPDATE supply_numbers SET ordered_at_us = :now_us WHERE id = :id", id=number_id, now_us=now_us)


def refused_again(tx: Tx, number_id: int) -> None:
    """Record that the provider refused the last order of a reserved number."""
    tx.run("UPDATE supply_numbers SET refused_e164 = e164 WHERE id = :id", id=number_id)


def return_to_wanted(tx: Tx, number_id: int) -> None:
    """Return the price of a number that was provably not sold, and search for another one."""
    tx.run(
        "UPDATE supply_numbers SET state = 'wanted', refused_e164 = e164, e164 = NULL, setup_price = NULL,"
        " month_price = NULL, currency = NULL, is_trusted = NULL, reserved_at_us = NULL, ordered_at_us = NULL"
        " WHERE id = :id",
        id=number_id,
    )


def set_bought(tx: Tx, number_id: int, *, bought_at_us: int, renews_at_us: int) -> None:
    """Store that the provider has the number as ours."""
    tx.run(
        "UPDATE supply_numbers SET state = 'bought', bought_at_us = :bought_at_us, renews_at_us = :renews_at_us"
        " WHERE id = :id",
        id=number_id,
        bought_at_us=bought_at_us,
        renews_at_us=renews_at_us,
    )


def set_state(tx: Tx, number_id: int, state: str, *, gone_at_us: int | None = None) -> None:
    """Move a number to another state."""
    tx.run(
        "UPDATE supply_numbers SET state = :state, gone_at_us = :gone_at_us WHERE id = :id",
        id=number_id,
        state=state,
        gone_at_us=gone_at_us,
    )


def set_renewal(tx: Tx, number_id: int, renews_at_us: int) -> None:
    """Store when the provider charges the next month."""
    tx.run("UPDATE supply_numbers SET renews_at_us = :at_us WHERE id = :id", id=number_id, at_us=renews_at_us)


def renewing(tx: Tx, *, by_us: int) -> list[Row]:
    """Return paid numbers whose next month begins by then."""
    return tx.all(
        f"SELECT * FROM supply_numbers WHERE {LIVE} AND renews_at_us <= :by_us ORDER BY renews_at_us, id LIMIT 1000",
        by_us=by_us,
    )


def book_costs(tx: Tx, rows: list[tuple[int, str, int, int, int, str, int | None]]) -> None:
    """Book costs: number, kind, which month, time, amount, currency, satoshis."""
    columns = ("supply_number_id", "kind", "nth", "at_us", "amount", "currency", "sats")
    tx.insert(schema.supply_costs, columns, rows)


def of_account(tx: Tx, account_id: int, *, cooled_us: int, at_most: int) -> int:
    """Return how many bought numbers an account rents or had until a moment ago, counted up to `at_most` each."""
    row = tx.one(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM rentals r JOIN supply_numbers s ON s.e164 = r.e164"
        f" AND s.e164 IS NOT NULL AND s.{LIVE} WHERE r.account_id = :account_id AND r.ended_at_us IS NULL"
        " LIMIT :at_most) rented) + (SELECT count(*) FROM (SELECT 1 FROM numbers n JOIN supply_numbers s"
        f" ON s.e164 = n.e164 AND s.e164 IS NOT NULL AND s.{LIVE} WHERE n.last_account_id = :account_id"
        " AND NOT n.rented AND n.released_at_us > :cooled_us LIMIT :at_most) cooling) AS n",
        account_id=account_id,
        cooled_us=cooled_us,
        at_most=at_most,
    )
    assert row is not None
    return int(row["n"])


def is_wanted_by(tx: Tx, account_id: int) -> bool:
    """Return whether a number is wanted for this account already."""
    return (
        tx.one(
            "SELECT 1 FROM supply_numbers WHERE state = 'wanted' AND account_id IS NOT NULL AND account_id = :account_id",
            account_id=account_id,
        )
        is not None
    )


def wanted_by_others(tx: Tx, group_id: str, account_id: int, *, limit: int) -> list[Row]:
    """Return the numbers of a group that are wanted for other accounts, the oldest first."""
    return tx.all(
        "SELECT id, account_id FROM supply_numbers WHERE group_id = :group_id AND state = 'wanted'"
        " AND account_id <> :account_id ORDER BY id LIMIT :limit",
        group_id=group_id,
        account_id=account_id,
        limit=limit,
    )


def want_for(tx: Tx, number_id: int, account_id: int) -> None:
    """Want a number for another account."""
    tx.run(
        "UPDATE supply_numbers SET account_id = :account_id WHERE id = :id AND state = 'wanted'",
        id=number_id,
        account_id=account_id,
    )


def received_sms(tx: Tx, account_id: int) -> bool:
    """Return whether the account ever received an SMS from a sender that is not one of our numbers."""
    return (
        tx.one(
            "SELECT 1 FROM messages m WHERE m.account_id = :account_id AND m.inbound AND m.sender <> ''"
            " AND NOT EXISTS (SELECT 1 FROM numbers n WHERE n.e164 = m.sender) LIMIT 1",
            account_id=account_id,
        )
        is not None
    )


def paid_e164s(tx: Tx, carrier: str) -> list[Row]:
    """Return the numbers that we own at this carrier as far as we know."""
    return tx.all(
        f"SELECT id, e164, state FROM supply_numbers WHERE carrier = :carrier AND {LIVE}"
        " AND state IN ('bought', 'free', 'releasing') ORDER BY id",
        carrier=carrier,
    )


def put_differences(tx: Tx, carrier: str, rows: Iterable[tuple[str, str, bool, int]]) -> None:
    """Replace the numbers of a carrier that only one side knows: carrier, number, whether only we know it, time."""
    tx.run("DELETE FROM supply_differences WHERE carrier = :carrier", carrier=carrier)
    tx.insert(schema.supply_differences, ("carrier", "e164", "only_ours", "found_at_us"), [*rows])


def differences(tx: Tx) -> list[Row]:
    """Return the numbers that only one side knows."""
    return tx.all("SELECT * FROM supply_differences ORDER BY carrier, e164")


def is_stopped(tx: Tx) -> bool:
    """Return whether the operator stopped buying."""
    row = tx.one("SELECT supply_stopped FROM service")
    return bool(row and row["supply_stopped"])


def stop(tx: Tx, stopped: bool) -> None:
    """Stop or start buying."""
    tx.run("UPDATE service SET supply_stopped = :stopped", stopped=stopped)
