"""The address gap: how many addresses after the last one that was paid are given out and wait for coins.

A wallet, and `dtmf-server init` after the database was lost, look for coins until so many addresses in a row are unused.
"""

from dtmf_server.storage import deposits
from dtmf_server.storage.db import Tx

GAP_OF_INIT = 1000  # `--gap`, unless it is given
UNPAID_ALARM = 10_000  # addresses; a flood of sign-ups, or a wallet that is no longer watched


def lines(tx: Tx) -> list[str]:
    """The present gap as a line for `doctor`; nothing before the first address."""
    row = deposits.gap(tx)
    if not row["last"]:
        return []
    return [
        f"address gap: {row['last'] - row['paid']} (highest index given out {row['last']}, highest paid {row['paid']};"
        f" {row['unpaid']} addresses wait for their first deposit)"
    ]


def complaints(tx: Tx) -> list[str]:
    """What is wrong with the gap, and what to do about it."""
    row = deposits.gap(tx)
    found = []
    if row["last"] - row["paid"] >= GAP_OF_INIT:
        found.append(
            f"the address gap is {row['last'] - row['paid']}: raise your wallet's gap limit above it, and keep the highest"
            f" index, {row['last']}, for `dtmf-server init --index {row['last']}`"
        )
    if row["unpaid"] > UNPAID_ALARM:
        found.append(
            f"{row['unpaid']} addresses wait for their first deposit: if sign-up is open, somebody may be asking for many"
        )
    return found
