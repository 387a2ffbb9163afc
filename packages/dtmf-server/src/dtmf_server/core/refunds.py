"""Refunds of rentals that received nothing: the operator's caps, and the amounts.

Pure; amounts are satoshis. docs/internals/billing.md#refunds has the rules.
"""

from dataclasses import dataclass

SHARE_MAX_PERCENT = 90  # an unused rental always costs something


@dataclass(frozen=True, slots=True)
class RefundCaps:
    """The most that is refunded on a UTC day: in one network (/24, /48), and in one group."""

    network_sats: int = 20_000
    group_sats: int = 200_000


DEFAULT_CAPS = RefundCaps()


def share_of(sats: int, percent: int) -> int:
    """Return this share of what was paid, rounded down."""
    return sats * percent // 100
