"""Adds transfers to the daily sums of the ledger.

IDs are allocated before their transactions commit, so a transfer may appear after one with a higher ID. Only transfers
up to an ID that was the highest some time ago are added: the transactions with lower IDs have ended since.
`verify` compares the sums with the transfers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dtmf_server.storage import instance, ledger_days
from dtmf_server.storage.db import Tx

PORTION = 5000  # IDs in one transaction


def add(tx: Tx, *, through: int) -> bool:
    """Add a portion of the transfers with IDs up to `through`. Return True if there are more."""
    instance.lock(tx)
    after = ledger_days.summed_through(tx)
    if after >= through:
        return False
    end = min(after + PORTION, through)
    ledger_days.add(tx, after=after, through=end)
    return end < through


@dataclass(frozen=True, slots=True)
class WrongDailySum:
    """A daily sum of the ledger (days since 1970) that does not match its transfers."""

    day: int
    kind: str
    expected_sats: int
    stored_sats: int


def differences(tx: Tx) -> Iterator[WrongDailySum]:
    """Compare the sums with the transfers that they contain."""
    for row in ledger_days.differences(tx):
        yield WrongDailySum(row["day"], row["kind"], expected_sats=row["amount"], stored_sats=row["stored"])
