"""The address gap: the number of addresses issued after the last one that was paid.

A wallet, and `dtmf-server init` after the database was lost, stop scanning after a number of consecutive unused
addresses.
"""

from dataclasses import dataclass

from dtmf_server.storage import deposits
from dtmf_server.storage.db import Tx

GAP_OF_INIT = 1000  # default of `--gap`
UNPAID_ALARM = 10_000  # addresses; suggests a flood of sign-ups, or a wallet that is no longer watched


@dataclass(frozen=True, slots=True)
class AddressGap:
    """The highest index issued, the highest index paid, and the number of unpaid addresses."""

    last: int
    paid: int
    unpaid: int

    @property
    def size(self) -> int:
        """The number of indexes issued above the highest paid one."""
        return self.last - self.paid

    @property
    def is_wide(self) -> bool:
        """True if `dtmf-server init` would stop within the gap."""
        return self.size >= GAP_OF_INIT

    @property
    def has_many_unpaid(self) -> bool:
        """True if someone may be requesting too many addresses."""
        return self.unpaid > UNPAID_ALARM


def address_gap(tx: Tx) -> AddressGap:
    """Return the current gap; its `last` is 0 before the first address."""
    row = deposits.gap(tx)
    return AddressGap(row["last"], row["paid"], row["unpaid"])
