"""Cursors for nodes that list settled payments by time.

A payment may become visible after one that settled later: its time is taken before it is stored. So each page is read from
some time before the newest payment, the overlap, and the cursor names the payments already returned from it:
`<time of the newest payment in µs>:<first digits of a hash>,…`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from dtmf_server.payments.lightning.base import CursorLost, SettledPage, SettledPayment

DIGITS = 16  # of a hash: 64 bits


@dataclass(frozen=True, slots=True)
class TimeCursor:
    """A position: the time of the newest payment, 0 if there was none, and the payments in the overlap before it."""

    newest_us: int
    seen: frozenset[str]

    @classmethod
    def parse(cls, cursor: str) -> "TimeCursor":
        """Return the position of a cursor. Raises CursorLost for one of another kind of node."""
        newest, separator, seen = cursor.partition(":")
        if not separator or not newest.isdecimal():
            raise CursorLost("the stored cursor is one of another kind of node")
        return cls(int(newest), frozenset(filter(None, seen.split(","))))

    def page(self, payments: Iterable[SettledPayment], *, overlap_us: int) -> SettledPage:
        """Return the payments after this position, given all that settled since `newest_us - overlap_us`. Raises
        CursorLost if the newest payment of this position is not among them."""
        found = sorted(payments, key=lambda payment: payment.settled_us)
        newest_us = max((payment.settled_us for payment in found), default=0)
        if newest_us < self.newest_us:
            raise CursorLost("the node no longer has the newest payment that was read from it")
        return SettledPage(
            [payment for payment in found if payment.payment_hash[:DIGITS] not in self.seen],
            position(found, newest_us, overlap_us=overlap_us),
            more=False,
        )


def position(payments: Iterable[SettledPayment], newest_us: int, *, overlap_us: int) -> str:
    """Return the cursor after all of these payments."""
    seen = sorted(p.payment_hash[:DIGITS] for p in payments if p.settled_us >= newest_us - overlap_us)
    return f"{newest_us}:{','.join(seen)}"
