"""Run a mass run-out in a process that kills itself with SIGKILL.

    python -m money.dying_run_out URL ACCOUNT NOW_US NTH PLACE WHO

NTH: the batch at which it dies. PLACE: `before` the batch starts, or `inside`: after its last statement, before its commit.
WHO settles the account: the `meter`, or arriving `coins`, whose transaction comes after the batches committed before it.
"""

import os
import signal
import sys
from itertools import count
from typing import Any

from dtmf_server.operations import ledger, meter
from dtmf_server.storage.open import open_database
from harness import give_coins
from money.large_accounts import sweep

COINS = 10**6


def main(url: str, account_id: str, now_us: str, nth: str, place: str, who: str) -> None:
    """Settle the account, and die."""
    portions = count(1)
    settle_portion = ledger.settle_portion

    def dying(*arguments: Any, **named: Any) -> bool:
        is_last = next(portions) == int(nth)
        if is_last and place == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        more = settle_portion(*arguments, **named)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return more

    ledger.settle_portion = meter.settle_portion = dying  # type: ignore[attr-defined]  # the meter imports it
    db = open_database(url)
    if who == "coins":
        give_coins(db, int(account_id), COINS, now_us=int(now_us))
    while sweep(db, now_us=int(now_us)):
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
