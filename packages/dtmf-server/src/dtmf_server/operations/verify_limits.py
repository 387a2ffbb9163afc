"""Verification of the limits of rentals, and of refunds: part of verify.py."""

from collections.abc import Iterator
from dataclasses import dataclass

from dtmf_server.storage import ledger_audit, rentals
from dtmf_server.storage.db import Tx


@dataclass(frozen=True, slots=True)
class WrongLimit:
    """A rental that cost more than its limit, whose messages cost something else than counted, or that would end at
    another instant."""

    rental_id: int
    expected: tuple[int, int, int | None]
    stored: tuple[int, int, int | None]


@dataclass(frozen=True, slots=True)
class WrongRefund:
    """A refund of a rental that the ledger does not have, or a refund in the ledger without one. `rental_id`: None for the
    day's total of a group."""

    rental_id: int | None
    refunded_sats: int
    booked_sats: int


@dataclass(frozen=True, slots=True)
class WrongNextLimit:
    """An account whose next limit is not that of its rentals."""

    account_id: int
    expected_us: int | None
    stored_us: int | None


def limits(tx: Tx) -> Iterator[WrongLimit | WrongNextLimit]:
    """Compare the limits of rentals with what they cost: the maximum, the messages' cost, and when it ends them."""
    for row in ledger_audit.limited(tx):
        limited, now_us, ends_us = rentals.with_limits(row), row["settled_at_us"], row["limit_at_us"]
        minutes = row["booked_minutes"]
        if row["ended_at_us"] is None:
            minutes = limited.minutes_at(now_us)
            ends_us = limited.ends_at_us(now_us) if row["closed_at_us"] is None else ends_us
        counted, cost = row["message_sats"] or 0, row["messages_cost"] if row["max_sats"] is not None else 0
        most = row["max_sats"] if row["max_sats"] is not None else limited.spent(minutes)
        expected = (min(most, limited.spent(minutes)), cost, ends_us)
        stored = (limited.spent(minutes), counted, row["limit_at_us"])
        if expected != stored:
            yield WrongLimit(row["id"], expected, stored)
    for row in ledger_audit.wrong_next_limits(tx):
        yield WrongNextLimit(row["id"], expected_us=row["expected"], stored_us=row["limit_at_us"])


def refunds(tx: Tx) -> Iterator[WrongRefund]:
    """Compare the refunds of unused rentals with the ledger, and the daily totals of groups with both."""
    for row in ledger_audit.wrong_refunds(tx):
        yield WrongRefund(row["rental_id"], refunded_sats=row["refunded"], booked_sats=row["booked"])
