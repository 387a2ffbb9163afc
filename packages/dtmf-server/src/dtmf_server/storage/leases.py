"""Leases for this process's delivery worker: which of the deliveries added by a transaction it gets.

Such a delivery need not be claimed: the worker gets it as soon as the transaction is committed.
"""

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Lease:
    """The limits on leases in one transaction: up to `room` webhooks, until this wall time, none to these
    destinations."""

    until_us: int
    room: int
    except_destinations: frozenset[tuple[int, str]]  # account, URL


class LeaseHolder(Protocol):
    """A delivery worker. The database calls it on the event loop, before and after each transaction of
    `Database.write`."""

    def lease(self) -> Lease | None:
        """Return what a transaction that starts now may lease, or None for nothing."""

    def end_lease(self, leased: list[Any]) -> None:
        """Called once per lease after the transaction, with the deliveries it leased; empty if it was rolled back."""
