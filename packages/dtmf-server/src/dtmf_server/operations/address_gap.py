"""The address gap: how many addresses after the last one that was paid are given out and wait for coins.

A wallet, and `dtmf-server init` after the database was lost, look for coins until so many addresses in a row are unused.
"""

from dataclasses import dataclass

from dtmf_server.storage import deposits
from dtmf_server.storage.db import Tx

GAP_OF_INIT = 1000  # `--gap`, unless it is given
UNPAID_ALARM = 10_000  # addresses; a flood of sign-ups, or a wallet that is no longer watched


@dataclass(frozen=True, slots=True)
class AddressGap:
    """The highest index given out, the highest that was paid, and how many addresses nothing has paid yet."""

    last: int
    paid: int
    unpaid: int

    @property
    def size(self) -> int:
        """How many indexes were given out after the highest that was paid."""
        return self.last - self.paid

    @property
    def is_wide(self) -> bool:
        """Whether `dtmf-server init` would stop within it."""
        return self.size >= GAP_OF_INIT

    @property
    def has_many_unpaid(self) -> bool:
        """Whether somebody may be asking for many addresses."""
        return self.unpaid > UNPAID_ALARM


def address_gap(tx: Tx) -> AddressGap:
    """The present gap; its `last` is 0 before the first address."""
    row = deposits.gap(tx)
    return AddressGap(row["last"], row["paid"], row["unpaid"])
