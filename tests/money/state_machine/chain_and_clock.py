"""The state machine's service, coins and clocks. After every step each account is compared with the oracle
(oracle/service.py, oracle/chain.py). The actions of renters and carriers are in rules.py."""

from contextlib import ExitStack
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dtmf_server.core.errors import InsufficientFunds, Refusal
from dtmf_server.operations import account, deposit, meter
from dtmf_server.operations.ledger import open_ledger
from dtmf_server.storage import accounts, numbers
from dtmf_server.storage.db import Tx
from harness import START_US, Group
from harness import initialise as initialise_service
from money import invariants
from money.fresh import fresh_database
from money.oracle.chain import PlainChain
from money.oracle.minutes import MINUTE_US
from money.oracle.service import DAY_US, PlainAccount, PlainGroup, PlainService

HOUR_US = 60 * MINUTE_US
COOLDOWN_US = 90 * MINUTE_US
DAILY_LIMIT = 3
CONFIRMATIONS = 2
ACCOUNTS = 3
FEW = accounts.FEW

CATALOG = {
    Group("cheap", rental_cost_per_minute=1, cost_per_inbound_message=3): ["+12025550100", "+12025550101"],
    Group("setup", setup_cost=50, rental_cost_per_minute=7, cost_per_inbound_message=0): ["+12025550110"],
    Group("dear", rental_cost_per_minute=269, cost_per_inbound_message=601): ["+12025550120", "+12025550121"],
    Group("usual", rental_cost_per_minute=13, cost_per_inbound_message=705): ["+12025550130", "+12025550131"],
    Group("capped", rental_cost_per_minute=20, cost_per_inbound_message=2, monthly_cap=130, reclaim_days=2): [
        "+12025550150",
        "+12025550151",
    ],
    Group("high cap", rental_cost_per_minute=3, cost_per_inbound_message=5, monthly_cap=4000): ["+12025550160"],
    Group("pegged", rental_cost_per_minute=20, cost_per_inbound_message=3): ["+12025550170", "+12025550171"],
    Group("capped and pegged", rental_cost_per_minute=20, cost_per_inbound_message=2): ["+12025550180"],
    Group("free", setup_cost=5, rental_cost_per_minute=0, cost_per_inbound_message=1): ["+12025550140"],
}
GROUPS = [group.id for group in CATALOG]
E164S = sorted(e164 for stocked in CATALOG.values() for e164 in stocked)
NOT_OURS = "+12025550199"
DESTINATIONS = {"1": 20, "44": 300, "4477": 2000, "49": 0}
PHONES = [
    "+13005550000",
    "+442071838750",
    "+447700900123",
    "+4930123456",
    "+33123456789",
]  # never an SMS's sender: the last
WEBHOOK = "https://example.org/hook"

who = st.integers(0, ACCOUNTS - 1)
# Mostly moments and minutes, since a day or a year ends nearly every rental.
moments_us = st.integers(0, 3 * MINUTE_US) | st.integers(0, 30).map(lambda minutes: minutes * MINUTE_US)
long_us = st.sampled_from([HOUR_US, 3 * HOUR_US, DAY_US, DAY_US + 1, 30 * DAY_US, 366 * DAY_US])
spans_us = st.integers(0, 9).flatmap(lambda die: long_us if die == 9 else moments_us)
amounts = st.integers(1, 500) | st.integers(500, 20_000) | st.sampled_from([1, 7, 13, 269, 705])


class CoinsAndClocks(RuleBasedStateMachine):
    """One run: a fresh service with three accounts, with coins that come and go and clocks that jump."""

    template_url: ClassVar[str]
    steps_done: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.now_us = START_US
        self.wall_us = 0
        self.leave = ExitStack()
        self.db = self.leave.enter_context(fresh_database(self.template_url))
        self.chain = PlainChain()
        self.plain = PlainService(
            groups={
                g.id: PlainGroup(
                    g.setup_cost,
                    g.rental_cost_per_minute,
                    g.cost_per_inbound_message or 0,
                    g.monthly_cap,
                    g.reclaim_days,
                    "pegged" in g.id,
                )
                for g in CATALOG
            },
            numbers={e164: group.id for group, stocked in CATALOG.items() for e164 in stocked},
            destinations=DESTINATIONS,
            cooldown_us=COOLDOWN_US,
            daily_limit=DAILY_LIMIT,
        )
        initialise_service(self.db, CATALOG)
        self.db.write_blocking(self._open)
        self.ids = list(self.plain.accounts)
        self.scripts = [bytes([index]) for index in range(ACCOUNTS)]
        self.owners = dict(zip(self.scripts, self.ids, strict=True))

    def _open(self, tx: Tx) -> None:
        tx.run("DELETE FROM destinations")
        for prefix, cost in DESTINATIONS.items():
            numbers.set_destination(tx, prefix, cost)
        self.plain.accounts.clear()  # the function may be retried
        for index in range(ACCOUNTS):
            id_ = account.open_account(tx, token_sha256=bytes([index]) * 32, now_us=START_US)
            self.plain.accounts[id_] = PlainAccount(id_, START_US)
            deposit.new_address(
                tx, id_, derive=lambda _, index=index: (f"address {index}", bytes([index])), now_us=START_US
            )

    def teardown(self) -> None:
        accounts.FEW = FEW
        self.leave.close()

    # --- money ------------------------------------------------------------------------------------------------

    def coins_for_everyone(self, first: list[int]) -> None:
        self.chain.broadcast(self.scripts, first)
        self.chain.mine(CONFIRMATIONS)
        self.follow(blocks=20)

    @rule(who=who, amount=amounts)
    def coins_arrive(self, who: int, amount: int) -> None:
        self.chain.broadcast([self.scripts[who]], [amount])
        self.chain.mine(CONFIRMATIONS)
        self.follow(blocks=20)

    @rule(outputs=st.lists(st.tuples(st.integers(0, ACCOUNTS), st.integers(0, 1) | amounts), min_size=1, max_size=4))
    def broadcast(self, outputs: list[tuple[int, int]]) -> None:
        scripts = [*self.scripts, b"somebody else's"]
        self.chain.broadcast([scripts[who] for who, _ in outputs], [amount for _, amount in outputs])

    @rule(count=st.integers(1, 3))
    def mine(self, count: int) -> None:
        self.chain.mine(count)

    @rule(depth=st.integers(1, 6), keep=st.sampled_from(["waiting", "mined", "spent elsewhere"]))
    def reorganise(self, depth: int, keep: str) -> None:
        self.chain.reorganise(depth, keep=keep)

    @rule(depth=st.integers(1, 6))
    def coins_are_spent_elsewhere(self, depth: int) -> None:
        self.chain.reorganise(depth, keep="spent elsewhere")
        self.follow(blocks=20)

    @rule(blocks=st.integers(0, 3) | st.just(20))
    def follow(self, blocks: int) -> None:
        step = self.chain.step(blocks)
        self._write(lambda tx: deposit.follow(tx, step, depths=((0, CONFIRMATIONS),), now_us=self.now_us))
        for account_id, sats in self.chain.follow(step, self.owners, required=CONFIRMATIONS):
            self.plain.move_coins(account_id, sats, self.now_us)

    # --- time -------------------------------------------------------------------------------------------------

    @rule(span_us=spans_us)
    def time_passes(self, span_us: int) -> None:
        self.now_us += span_us

    @rule(span_us=spans_us)
    def the_clock_goes_back(self, span_us: int) -> None:
        self.now_us = max(START_US, self.now_us - span_us)

    @rule(who=who, nth=st.integers(0, 3), minutes=st.integers(0, 5), off_us=st.integers(-1, 1))
    def until_a_minute_begins(self, who: int, nth: int, minutes: int, off_us: int) -> None:
        live = self.plain.accounts[self.ids[who]].live
        if live:
            self.now_us = live[nth % len(live)].next_tick_us() + minutes * MINUTE_US + off_us

    @rule(who=who, off_us=st.integers(-1, 1), swept=st.booleans())
    def until_the_money_runs_out(self, who: int, off_us: int, swept: bool) -> None:
        at_us = self.plain.run_out_us(self.ids[who], self.now_us)
        if at_us is not None:
            self.now_us = at_us + off_us
        if swept:
            self.the_meter_sweeps(0)

    @rule(after_us=st.sampled_from([0, 0, MINUTE_US, DAY_US - 1, DAY_US, DAY_US]))
    def the_meter_sweeps(self, after_us: int) -> None:
        self.now_us += after_us
        due = self.plain.due(self.now_us)
        assert self._write(lambda tx: meter.sweep(tx, now_us=self.now_us)) == len(due)
        for account_id in due:
            self.plain.settle(account_id, self.now_us)
        assert self._write(lambda tx: meter.sweep(tx, now_us=self.now_us)) == 0
        assert self.db.read_blocking(meter.next_due_us) == self.plain.next_due_us()

    @rule(apart_us=st.sampled_from([0, 0, HOUR_US, DAY_US]))
    def minutes_are_shared_out(self, apart_us: int) -> None:
        """Book to each live rental what it has cost so far; no money moves."""
        while self._write(lambda tx: meter.share_out(tx, now_us=self.now_us + 2 * DAY_US - apart_us)):
            pass

    @rule(who=who, first=amounts, second=amounts)
    def coins_are_used_up_and_then_lost(self, who: int, first: int, second: int) -> None:
        """Make the debt of one reversal meet that of the next."""
        self.coins_arrive(who, first)
        self.coins_arrive(who, second)
        self.until_the_money_runs_out(who, 0, swept=True)
        self.coins_are_spent_elsewhere(CONFIRMATIONS)  # the second coins
        self.coins_are_spent_elsewhere(2 * CONFIRMATIONS + 1)  # the first coins

    @rule(who=who, off_us=st.sampled_from([-1, 0, 0, 1]))
    def a_day_passes_for_somebody_with_coins(self, who: int, off_us: int) -> None:
        self.coins_arrive(who, 25_000)
        self.the_meter_sweeps(DAY_US + off_us)

    @rule(several=st.sets(who))
    def books_are_opened_for_nothing(self, several: set[int]) -> None:
        ids = [self.ids[index] for index in several]

        def look(tx: Tx) -> None:
            with open_ledger(tx, ids, now_us=self.now_us):
                pass

        self._write(look)
        for id_ in ids:
            self.plain.settle(id_, self.now_us)

    @rule(who=who, span_us=spans_us)
    def the_balance_is_read_at_another_time(self, who: int, span_us: int) -> None:
        at_us = self.now_us + span_us
        read = self.db.read_blocking(lambda tx: account.balance(tx, self.ids[who], now_us=at_us))
        assert read == self.plain.at(self.ids[who], at_us).balance

    # --- after every step -------------------------------------------------------------------------------------

    @invariant()
    def everything_agrees(self) -> None:
        type(self).steps_done += 1
        self.db.read_blocking(lambda tx: invariants.check(tx, self.plain, self.chain, now_us=self.now_us))

    def _write(self, fn: Any) -> Any:
        return self.db.write_blocking(fn)

    def _answer(self, fn: Any) -> Any:
        """Return the result of a request, or its refusal's code."""
        try:
            return self.db.write_blocking(fn)
        except InsufficientFunds as refusal:
            assert 0 <= refusal.members["balance"] < refusal.members["required"]  # type: ignore[operator]  # ints
            return refusal.code
        except Refusal as refusal:
            return refusal.code
