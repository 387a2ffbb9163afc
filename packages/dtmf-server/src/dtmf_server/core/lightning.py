"""Lightning payments: the values exchanged with a node, what a payment credits, and when an invoice is looked up.

A node reports millisatoshis (msat). The renter is credited what the payer sent, in whole satoshis: what the node received
plus the fee that it deducted. The fee is an expense of the service, and the rest below one satoshi is rounding, so that
for every payment received = 1000 · credited - fee + rounding.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dtmf_server.core.units import DAY_US, HOUR_US, MINUTE_US, SECOND_US

MSAT = 1000  # of a satoshi
DESCRIPTION_LENGTH_MAX = 128  # bytes of an invoice's description; phoenixd refuses longer ones

# `unknown`: the node has no such invoice.
State = Literal["open", "settled", "expired", "unknown"]


def simulated_preimage(external_id: str) -> bytes:
    """Return the preimage of an invoice of the sandbox's node."""
    return hashlib.sha256(b"the preimage of " + external_id.encode()).digest()


@dataclass(frozen=True, slots=True)
class NodeInvoice:
    """An invoice as the node created it. `payment_hash` is 64 lower-case hexadecimal digits, `bolt11` the invoice."""

    payment_hash: str
    bolt11: str
    expires_us: int


@dataclass(frozen=True, slots=True)
class SettledPayment:
    """A settled invoice. `received_msat`: what the payer sent, less `fee_msat`, which the node deducted."""

    payment_hash: str
    received_msat: int
    fee_msat: int
    settled_us: int

    @property
    def credited_sats(self) -> int:
        """The whole satoshis that the payer sent."""
        return (self.received_msat + self.fee_msat) // MSAT

    @property
    def rounding_msat(self) -> int:
        """The rest below one satoshi."""
        return (self.received_msat + self.fee_msat) % MSAT


@dataclass(frozen=True, slots=True)
class SettledPage:
    """Payments settled after a cursor, oldest first, and the cursor after them. `more`: ask again at once."""

    payments: Sequence[SettledPayment]
    cursor: str
    more: bool


@dataclass(frozen=True, slots=True)
class InvoiceStatus:
    """The node's state of one invoice. `payment` is given if it is settled."""

    state: State
    payment: SettledPayment | None = None


LOOK_UP_FOR_US = DAY_US  # after an invoice has expired, its payment is still looked for that long
_AFTER_EXPIRY_US = HOUR_US  # at most, between two look-ups
# The first look-up and the longest pause before expiry: of a node whose cursor reports payments, and of one without.
_PAUSES_US = {True: (MINUTE_US, 10 * MINUTE_US), False: (SECOND_US // 4, MINUTE_US)}


def next_look_up_us(*, created_at_us: int, expires_at_us: int, now_us: int, has_cursor: bool) -> int | None:
    """Return when to look up an open invoice next: the older it is, the later. None once it is a day past its expiry."""
    if now_us >= expires_at_us + LOOK_UP_FOR_US:
        return None
    shortest_us, longest_us = _PAUSES_US[has_cursor]
    if now_us >= expires_at_us:
        longest_us = _AFTER_EXPIRY_US
    return now_us + min(longest_us, max(shortest_us, (now_us - created_at_us) // 4))
