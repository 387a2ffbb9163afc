"""Verification of suspended accounts: nothing of theirs waits to be delivered."""

from collections.abc import Iterator
from dataclasses import dataclass

from dtmf_server.storage import suspended_deliveries
from dtmf_server.storage.db import Tx


@dataclass(frozen=True, slots=True)
class WaitsWhileSuspended:
    """A delivery of a suspended account that is not parked."""

    account_id: int
    delivery_id: int


def differences(tx: Tx) -> Iterator[WaitsWhileSuspended]:
    """Find deliveries that would be attempted although their account is suspended."""
    for row in suspended_deliveries.waiting(tx):
        yield WaitsWhileSuspended(row["account_id"], row["id"])
