"""Compare the service with the oracle: everything that records where a satoshi is."""

from dtmf_server.core.money import FIRST_CUSTOMER
from dtmf_server.operations import account, rent, verify
from dtmf_server.storage import accounts, rental_owners
from dtmf_server.storage.db import Row, Tx
from money.oracle.chain import PlainChain
from money.oracle.minutes import PlainRental
from money.oracle.service import PlainAccount, PlainService

PAGE = 50


def check(tx: Tx, plain: PlainService, chain: PlainChain, *, now_us: int) -> None:
    """Fail unless the database agrees with the oracle in every respect."""
    for account_id in plain.accounts:
        _written(tx, plain, account_id, now_us=now_us)
        _computed(tx, plain, account_id, now_us=now_us)
        _transactions(tx, plain.accounts[account_id])
    _numbers(tx, plain)
    _messages(tx, plain)
    _deposits(tx, chain)
    assert tx.one("SELECT unrouted_messages AS n FROM service")["n"] == plain.strays  # type: ignore[index]  # the one row
    assert verify.differences(tx) == []


def _written(tx: Tx, plain: PlainService, account_id: int, *, now_us: int) -> None:
    """Compare stored values. The service may settle an account at any read, but its time never goes back."""
    stored, before = accounts.load(tx, account_id), plain.accounts[account_id].settled_us
    assert before <= stored.settled_at_us <= max(now_us, before), (
        "an account's time ran backwards, or ahead of the clock"
    )
    expected = plain.settle(account_id, stored.settled_at_us)
    assert (stored.balance, stored.debt) == (expected.balance, expected.debt)
    assert stored.live_rentals == len(expected.live)
    rows = tx.all("SELECT * FROM rentals WHERE account_id = :id ORDER BY id", id=account_id)
    every = sorted(expected.live + expected.ended, key=lambda rental: rental.id)
    assert [(row["id"], row["e164"], row["started_at_us"], row["ended_at_us"], row["end_reason"]) for row in rows] == [
        (r.id, r.e164, r.started_us, r.ended_us, r.reason) for r in every
    ]
    paid = {r.id: r.paid_minutes for r in every if r.cost}
    booked = {row["id"]: row["booked_minutes"] for row in rows if row["id"] in paid}
    over = {r.id for r in expected.ended}
    assert {id_: minutes for id_, minutes in booked.items() if id_ in over} == {
        id_: minutes for id_, minutes in paid.items() if id_ in over
    }, "an ended rental's share differs from its minutes"
    assert all(booked[id_] <= paid[id_] for id_ in paid), "more minutes are booked to rentals than were paid"
    _shared_out(tx, account_id, every)


def _shared_out(tx: Tx, account_id: int, rentals: list[PlainRental]) -> None:
    """Check that the payments for minutes equal what the rentals cost, however much is booked to each so far."""
    row = tx.one(
        "SELECT coalesce(sum(amount), 0) AS sats FROM transfers WHERE account_id = :id AND kind = 'rental_minutes'",
        id=account_id,
    )
    assert row is not None
    assert row["sats"] == sum(rental.paid() for rental in rentals)


def _computed(tx: Tx, plain: PlainService, account_id: int, *, now_us: int) -> None:
    """Compare what the renter sees."""
    expected = plain.at(account_id, now_us)
    usage = account.usage(tx, account_id, now_us=now_us)
    assert account.balance(tx, account_id, now_us=now_us) == expected.balance
    assert usage.balance == expected.balance
    assert usage.cost_per_minute == sum(rental.price(rental.paid_minutes - 1) for rental in expected.live)
    assert usage.runs_out_at_us == plain.run_out_us(account_id, now_us)
    shown = rent.live_rentals(tx, account_id, now_us=now_us)
    assert [row["e164"] for row in shown] == [rental.e164 for rental in expected.live]


def _transactions(tx: Tx, expected: PlainAccount) -> None:
    rows: list[Row] = []
    while len(rows) % PAGE == 0 and (
        page := account.transactions(tx, expected.id, after=rows[-1]["id"] if rows else 0, limit=PAGE)
    ):
        rows += page
    total = 0
    for row in rows:
        total += row["amount"] if row["credit"] == expected.id else -row["amount"]
        assert row["balance"] == total, "a transaction's balance is not the sum up to it"
    assert total == expected.balance


def _numbers(tx: Tx, plain: PlainService) -> None:
    rows = tx.all("SELECT e164, rented, released_at_us, last_account_id, reserved_until_us FROM numbers ORDER BY e164")
    columns = ("released_at_us", "last_account_id", "reserved_until_us")
    assert [(r["e164"], bool(r["rented"]), *(r[column] or 0 for column in columns)) for r in rows] == [
        (e164, number.rented, number.released_at_us or 0, number.last_account_id or 0, number.reserved_until_us)
        for e164, number in sorted(plain.numbers.items())
    ]
    live = rental_owners.live_by_numbers(tx, list(plain.numbers))
    assert {e164: row["account_id"] for e164, row in live.items()} == {
        rental.e164: account.id for account in plain.accounts.values() for rental in account.live
    }


def _messages(tx: Tx, plain: PlainService) -> None:
    rows = tx.all(
        "SELECT m.id, m.account_id, m.cost, m.forward_of, CASE WHEN m.status = 'unknown' OR EXISTS (SELECT 1 FROM"
        "  deliveries d WHERE d.submitted_at_us IS NOT NULL AND d.message_id = coalesce(m.forward_of, m.id)"
        "  AND d.kind <> 'webhook') AND NOT m.inbound THEN 'in_doubt' ELSE m.status END AS status"
        " FROM messages m ORDER BY m.id"
    )
    assert [(r["id"], r["account_id"], r["cost"], r["status"], r["forward_of"]) for r in rows] == [
        (m.id, m.account_id, m.cost, m.status, m.forward_of)
        for m in sorted(plain.messages.values(), key=lambda m: m.id)
    ]


def _deposits(tx: Tx, chain: PlainChain) -> None:
    rows = tx.all(f"SELECT * FROM deposits WHERE account_id >= {FIRST_CUSTOMER}")
    assert {
        (r["txid"], r["vout"]): (r["account_id"], r["amount"], r["status"] == "credited", r["alternations"])
        for r in rows
    } == {
        outpoint: (d.account_id, d.amount, d.status == "credited", d.times_moved)
        for outpoint, d in chain.deposits.items()
    }
