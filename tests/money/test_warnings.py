"""`balance.low` at 24 hours and at 1 hour of runway: once each, at the exact minute, no matter what reads the account."""

import json
from collections import defaultdict
from functools import partial
from itertools import count

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from dtmf_server.core import low_balance
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations import account as account_operations
from dtmf_server.operations import meter, rent
from dtmf_server.operations.ledger import open_ledger
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage.db import Database, Tx
from effort import MONEY_EXAMPLES, MONEY_PROFILE, MONEY_SEED
from harness import DAY_US, HOUR_US, MINUTE_US, START_US, Group, initialise, open_account
from money import fresh
from money.oracle.warnings import PlainAccount, Told, live, started

CATALOG = {
    Group("one", rental_cost_per_minute=1, cost_per_inbound_message=40): [f"+120255501{n:02}" for n in range(4)],
    Group("ten", rental_cost_per_minute=10, cost_per_inbound_message=40): [f"+120255502{n:02}" for n in range(4)],
    Group("none", rental_cost_per_minute=0, cost_per_inbound_message=0): [f"+120255503{n:02}" for n in range(4)],
}
COST = {group.id: group.rental_cost_per_minute for group in CATALOG}

# Around the thresholds, around a minute, and any time up to two days.
spans_us = (
    st.sampled_from([0, 1, MINUTE_US - 1, MINUTE_US, HOUR_US, DAY_US - HOUR_US, DAY_US - 1, DAY_US, 2 * DAY_US])
    | st.integers(0, 200).map(lambda minutes: minutes * MINUTE_US)
    | st.integers(0, 2 * DAY_US)
)
coins = st.sampled_from([1, 59, 60, 61, 600, 1439, 1440, 1441, 3000, 14_400]) | st.integers(1, 5000)
steps = st.lists(
    st.tuples(st.just("passes"), spans_us)
    | st.tuples(st.just("sweep"), st.just(0))
    | st.tuples(st.just("deposit"), coins)
    | st.tuples(st.just("rent"), st.sampled_from(sorted(COST)))
    | st.tuples(st.just("end"), st.integers(0, 3))
    | st.tuples(st.just("receive"), st.integers(0, 3)),
    min_size=4,
    max_size=14,
)


class Service:
    """The service and the oracle's account, given the same inputs."""

    def __init__(self, db: Database) -> None:
        self.db, self.now_us, self.plain, self.refs = db, START_US, PlainAccount(), count()
        initialise(db, CATALOG)
        self.id = open_account(db)
        self.numbers: dict[int, str] = {}

    def passes(self, span_us: int) -> None:
        """Let time pass without a read, as if the service were down."""
        self.now_us += span_us
        self.plain.until(self.now_us)

    def sweep(self, _: int = 0) -> None:
        while self.db.write_blocking(lambda tx: meter.sweep(tx, now_us=self.now_us)):
            pass

    def deposit(self, amount: int) -> None:
        def book(tx: Tx) -> None:
            with open_ledger(tx, [self.id], now_us=self.now_us) as ledger:
                ledger.deposit(self.id, amount, unique_ref=str(next(self.refs)), reference="test")

        self.db.write_blocking(book)
        self.plain.balance += amount
        self.plain.changed(self.now_us)

    def rent(self, group: str) -> None:
        if self.plain.balance < COST[group] or len(live(self.plain.rentals)) == 4:
            return
        row = self.db.write_blocking(lambda tx: rent.start(tx, self.id, group, now_us=self.now_us, cooldown_us=DAY_US))
        started(self.plain, row["id"], at_us=self.now_us, cost=COST[group])
        self.numbers[row["id"]] = row["e164"]

    def end(self, nth: int) -> None:
        if not (rentals := live(self.plain.rentals)):
            return
        rental = rentals[nth % len(rentals)]
        self.db.write_blocking(lambda tx: rent.end(tx, self.id, self.numbers[rental.id], now_us=self.now_us))
        rental.ended_us = self.now_us
        self.plain.changed(self.now_us)

    def receive(self, nth: int) -> None:
        if not (rentals := live(self.plain.rentals)):
            return
        rental = rentals[nth % len(rentals)]
        sms = [InboundMessage(self.numbers[rental.id], "+1234", "x")]
        self.db.write_blocking(lambda tx: receive_many(tx, sms, now_us=self.now_us))
        self.plain.balance -= min(self.plain.balance, 40 if rental.cost else 0)
        self.plain.changed(self.now_us)

    def told(self) -> list[Told]:
        """Return the warnings written as events."""
        rows = self.db.read_blocking(
            lambda tx: tx.all("SELECT at_us, data FROM events WHERE kind = 'balance.low' ORDER BY id")
        )
        data = [(row["at_us"], json.loads(row["data"])) for row in rows]
        return [(each["hours"], at_us, each["balance"], each["runs_out_at_us"]) for at_us, each in data]

    def usage_is_exact(self) -> None:
        """Check that `GET /usage` matches counting by the minute."""
        usage = self.db.read_blocking(lambda tx: account_operations.usage(tx, self.id, now_us=self.now_us))
        rentals = live(self.plain.rentals)
        assert (usage.balance, usage.cost_per_minute) == (self.plain.balance, sum(r.cost for r in rentals))
        assert usage.runs_out_at_us == self.plain.runs_out_us()


def test_warnings_equal_those_of_checking_every_minute(database_url: str) -> None:
    examples = MONEY_EXAMPLES if database_url.startswith("sqlite") else MONEY_EXAMPLES // 6

    @seed(MONEY_SEED)
    @settings(MONEY_PROFILE, max_examples=examples)
    @given(steps)
    def check(steps: list[tuple[str, object]]) -> None:
        with fresh.fresh_database(database_url) as db:
            service = Service(db)
            for name, value in [("deposit", 3000), *steps]:
                getattr(service, name)(value)
                service.usage_is_exact()
            service.sweep()
            assert service.told() == service.plain.told

    try:
        check()
    finally:
        fresh.close_all()


def test_an_idle_account_is_found_at_its_minute_and_not_before(db: Database) -> None:
    """Run the meter's query at each threshold, and a microsecond before it."""
    id_ = open_account(db)
    service_has(db, id_, 2 * 1440 * 13)
    db.write_blocking(lambda tx: rent.start(tx, id_, "us-mobile", now_us=START_US, cooldown_us=DAY_US))
    runs_out_us = START_US + 2 * DAY_US
    sweep = partial(_sweep, db)
    for due_us in (runs_out_us - DAY_US, runs_out_us - HOUR_US, runs_out_us):
        assert sweep(due_us - 1) in (0, 1)  # a day since the last booking is another reason
        assert sweep(due_us - 1) == 0
        assert db.read_blocking(meter.next_due_us) == due_us
        assert sweep(due_us) == 1
        assert sweep(due_us) == 0
    assert db.read_blocking(meter.next_due_us) is None
    rows = db.read_blocking(lambda tx: tx.all("SELECT kind, at_us FROM events ORDER BY id"))
    assert [(row["kind"], row["at_us"]) for row in rows] == [
        ("balance.low", runs_out_us - DAY_US),
        ("balance.low", runs_out_us - HOUR_US),
        ("rental.ended", runs_out_us),
    ]


def _sweep(db: Database, now_us: int) -> int:
    return db.write_blocking(lambda tx: meter.sweep(tx, now_us=now_us))


def service_has(db: Database, account_id: int, amount: int) -> None:
    """Credit coins to an account."""

    def book(tx: Tx) -> None:
        with open_ledger(tx, [account_id], now_us=START_US) as ledger:
            ledger.deposit(account_id, amount, unique_ref=f"{account_id}", reference="test")

    db.write_blocking(book)


def test_the_warning_query_reads_only_the_accounts_to_warn(db: Database) -> None:
    """Check the query plan instead of timing: every part of the meter's query is answered from an index alone."""
    if db.dialect.name == "postgresql":
        db.write_blocking(lambda tx: tx.run("SET LOCAL enable_seqscan = off"))
    explain = "EXPLAIN QUERY PLAN " if db.dialect.name == "sqlite" else "EXPLAIN "
    asked: list[str] = []

    class Noted(Tx):
        def all(self, statement: str, **parameters: object):  # type: ignore[no-untyped-def]  # as in Tx
            asked.extend(str(dict(row)) for row in super().all(explain + statement, **parameters))
            return []

        def one(self, statement: str, **parameters: object):  # type: ignore[no-untyped-def]  # as in Tx
            self.all(statement, **parameters)
            return defaultdict(type(None))

    def look(tx: Tx) -> None:
        if db.dialect.name == "postgresql":
            tx.run("SET LOCAL enable_seqscan = off")  # with only a few accounts the planner would choose a table scan
        noted = Noted(tx._dialect, tx._cursor)
        meter.sweep(noted, now_us=START_US)
        meter.next_due_us(noted)

    db.write_blocking(look)
    plan = "\n".join(asked)
    assert plan.count("ix_accounts_warnings") >= 4 and plan.count("ix_accounts_depletes") >= 1
    assert "SCAN accounts'" not in plan and "Seq Scan" not in plan


@pytest.mark.parametrize(
    ("given_", "depletions", "from_us", "until_us", "expected", "left"),
    [
        (0, [None], 0, 0, [], 0),
        (2, [None], 0, 0, [], 0),
        (0, [DAY_US + 1], 0, 0, [], 0),
        (0, [DAY_US + 1], 0, 1, [(24, 1)], 1),
        (0, [DAY_US], 0, 0, [(24, 0)], 1),
        (1, [DAY_US], 0, 0, [], 1),
        (0, [HOUR_US], 0, 0, [(1, 0)], 2),
        (1, [HOUR_US + 1], 0, 0, [], 1),
        (1, [HOUR_US + 1], 0, 1, [(1, 1)], 2),
        (2, [HOUR_US + 1], 0, 0, [], 1),
        (2, [DAY_US + 1], 0, 0, [], 0),
        (0, [2 * DAY_US, None], 0, 3 * DAY_US, [(24, DAY_US), (1, 2 * DAY_US - HOUR_US)], 0),
        (0, [2 * DAY_US, 2 * DAY_US + 2 * HOUR_US], 0, 2 * DAY_US, [(24, DAY_US), (1, 2 * DAY_US - HOUR_US)], 1),
    ],
)
def test_thresholds_are_reached_at_their_microsecond(
    given_: int, depletions: list[int | None], from_us: int, until_us: int, expected: list[tuple[int, int]], left: int
) -> None:
    found, after = low_balance.due(given_, depletions, from_us=from_us, until_us=until_us)
    assert [(warning.hours, warning.at_us) for warning in found] == expected
    assert after == left
