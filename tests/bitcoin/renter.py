"""A renter of the in-process service: an account, and the deposits it sees."""

import random

from dtmf_server.operations import account, deposit, verify
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import events
from harness import open_account


class Renter:
    """A separate account."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.id = open_account(runtime.db, seed=random.getrandbits(40))

    def address(self) -> str:
        """Return a new address."""
        derive, now_us = self._runtime.derive, self._runtime.clock.wall_us()
        assert derive is not None
        return self._runtime.db.write_blocking(
            lambda tx: deposit.new_address(tx, self.id, derive=derive, now_us=now_us)
        )

    def balance(self) -> int:
        """Return the spendable balance."""
        now_us = self._runtime.clock.wall_us()
        return self._runtime.db.read_blocking(lambda tx: account.balance(tx, self.id, now_us=now_us))

    def deposits(self) -> dict[str, tuple[str, int]]:
        """Return the status and confirmations of each deposit, by txid."""
        rows = self._runtime.db.read_blocking(lambda tx: deposit.deposits_of(tx, self.id))
        return {row["txid"]: (row["status"], depth) for row, depth in rows}

    def kinds(self) -> list[str]:
        """Return the kinds of the account's events."""
        rows = self._runtime.db.read_blocking(lambda tx: events.of_account(tx, self.id, after=0, limit=100))
        return [row["kind"] for row in rows]


def books_are_right(runtime: Runtime) -> bool:
    """Return whether `dtmf-server verify` finds no differences."""
    return runtime.db.read_blocking(verify.differences) == []
