"""A renter of the service in this process: an account, and what it sees of its deposits."""

import random

from dtmf_server.operations import account, deposit, verify
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import events
from harness import open_account


class Renter:
    """An account of its own."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.id = open_account(runtime.db, seed=random.getrandbits(40))

    def address(self) -> str:
        """A new one."""
        derive, now_us = self._runtime.derive, self._runtime.clock.wall_us()
        assert derive is not None
        return self._runtime.db.write_blocking(
            lambda tx: deposit.new_address(tx, self.id, derive=derive, now_us=now_us)
        )

    def balance(self) -> int:
        """What can be spent."""
        now_us = self._runtime.clock.wall_us()
        return self._runtime.db.read_blocking(lambda tx: account.balance(tx, self.id, now_us=now_us))

    def deposits(self) -> dict[str, tuple[str, int]]:
        """Status and confirmations of each, by transaction."""
        rows = self._runtime.db.read_blocking(lambda tx: deposit.deposits_of(tx, self.id))
        return {row["txid"]: (row["status"], depth) for row, depth in rows}

    def kinds(self) -> list[str]:
        """What the account was told."""
        rows = self._runtime.db.read_blocking(lambda tx: events.of_account(tx, self.id, after=0, limit=100))
        return [row["kind"] for row in rows]


def books_are_right(runtime: Runtime) -> bool:
    """Whether `dtmf-server verify` finds nothing."""
    return runtime.db.read_blocking(verify.differences) == []
