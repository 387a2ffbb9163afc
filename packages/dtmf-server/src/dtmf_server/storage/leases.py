"""Leases for the delivery worker of this process: what it takes of the deliveries that a transaction adds.

Such a delivery need not be claimed: the worker gets it as soon as the transaction is committed.
"""

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Lease:
    """What may be leased in one transaction: so many webhooks, until this wall time, none to these destinations."""

    until_us: int
    room: int
    except_destinations: frozenset[tuple[int, str]]  # account, URL


class LeaseHolder(Protocol):
    """A delivery worker. The database calls it on the event loop, before and after each transaction of `Database.write`."""

    def lease(self) -> Lease | None:
        """What a transaction that begins now may lease; None: nothing."""

    def end_lease(self, leased: list[Any]) -> None:
        """Called once for each lease, after the transaction: with the deliveries it leased, none if it was rolled back."""
