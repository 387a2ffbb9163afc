"""Verification of what operators credited, debited and refunded: the ledger and the audit log agree."""

from collections.abc import Iterator
from dataclasses import dataclass

from dtmf_server.storage import operator_bookings
from dtmf_server.storage.db import Tx


@dataclass(frozen=True, slots=True)
class WrongAdjustments:
    """An account whose credits and debits by operators are not those of the audit log."""

    account_id: int
    recorded_sats: int
    booked_sats: int


@dataclass(frozen=True, slots=True)
class WrongOperatorRefund:
    """A message whose refund by an operator is not in the ledger."""

    message_id: int
    refunded_sats: int
    booked_sats: int


def differences(tx: Tx) -> Iterator[WrongAdjustments | WrongOperatorRefund]:
    """Compare the ledger with the audit log and the stored refunds; those of rentals are compared with all others."""
    for row in operator_bookings.wrong_sums(tx):
        yield WrongAdjustments(row["account_id"], row["recorded"], row["booked"])
    for row in operator_bookings.wrong_message_refunds(tx):
        yield WrongOperatorRefund(row["message_id"], row["sats"], row["booked"])
