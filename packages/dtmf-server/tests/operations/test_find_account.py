"""Finding, showing and listing accounts reads no table from end to end, however many accounts there are."""

import re
from contextlib import suppress
from typing import Any

import pytest

from dtmf_server.core.errors import Refusal
from dtmf_server.operations import find_account
from dtmf_server.storage import accounts, deposits, operator_actions
from dtmf_server.storage.db import Database, Row, Tx
from harness import START_US, give_coins, open_account


class Explaining(Tx):
    """A transaction that notes the plan of each query."""

    __slots__ = ("plans",)

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx._dialect, tx._cursor)
        self.plans: list[str] = []

    def _note(self, statement: str, parameters: dict[str, Any]) -> None:
        explain = "EXPLAIN QUERY PLAN " if self._dialect.name == "sqlite" else "EXPLAIN "
        self.plans += [f"{dict(row)} of {statement}" for row in super().all(explain + statement, **parameters)]

    def all(self, statement: str, **parameters: Any) -> list[Row]:
        self._note(statement, parameters)
        return super().all(statement, **parameters)

    def one(self, statement: str, **parameters: Any) -> Row | None:
        self._note(statement, parameters)
        return super().one(statement, **parameters)


NAMES = ["+12025550123", "ab" * 32, f"{'ab' * 32}:0", "bcrt1qnobody", "first"]


@pytest.mark.parametrize("what", NAMES)
def test_finding_an_account_reads_no_whole_table(db: Database, what: str) -> None:
    account_id = open_account(db)

    def look(tx: Tx) -> list[str]:
        if tx._dialect.name == "postgresql":
            tx.run("SET LOCAL enable_seqscan = off")  # with few rows the planner would choose a table scan
        explaining = Explaining(tx)
        with suppress(Refusal):
            assert find_account.find(explaining, what) == account_id
        return explaining.plans

    assert scans(db.write_blocking(look)) == []


def test_showing_and_listing_accounts_reads_no_whole_table(db: Database) -> None:
    account_id = open_account(db)
    give_coins(db, account_id, 1000)

    def look(tx: Tx) -> list[str]:
        if tx._dialect.name == "postgresql":
            tx.run("SET LOCAL enable_seqscan = off")
        explaining = Explaining(tx)
        found = find_account.report(explaining, account_id, now_us=START_US, wall_us=START_US)
        assert (found.account_id, found.usage.balance) == (account_id, 1000)
        accounts.customers(explaining, after=0, limit=2)
        ids = deposits.accounts_of_network(explaining, bytes(16), after=0, limit=2)
        accounts.customers(explaining, after=0, limit=2, ids=ids)
        operator_actions.newest(explaining, before=10, limit=2)
        return explaining.plans

    plans = db.write_blocking(look)
    assert len(plans) > 12 and scans(plans) == []


def scans(plans: list[str]) -> list[str]:
    """Return the steps that read a whole table: neither through an index, nor only its first rows. `own`: a bounded
    subquery."""
    return [plan for plan in plans if re.search(r"Seq Scan|SCAN (?!json_each|CONSTANT|own)", plan.partition(" of ")[0])]
