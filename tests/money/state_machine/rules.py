"""A state machine that performs the actions of renters, carriers, miners and clocks in any order, on a real database."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.rental import action_for
from dtmf_server.operations import limits as limits_of
from dtmf_server.operations import receive, rent, send, submit
from dtmf_server.operations.deliver import LeasedDelivery
from dtmf_server.storage import accounts
from harness import START_US
from money import carrier_work
from money.oracle.minutes import MINUTE_US, PlainRental
from money.oracle.service import PlainMessage
from money.state_machine.chain_and_clock import (
    ACCOUNTS,
    COOLDOWN_US,
    DAILY_LIMIT,
    E164S,
    GROUPS,
    HOUR_US,
    NOT_OURS,
    PHONES,
    WEBHOOK,
    moments_us,
    who,
)
from money.state_machine.operators import Operators

ACTIONS = [None, WEBHOOK, *PHONES]  # a number means forwarding
# Mostly a number of the account's own; occasionally any number.
numbers_tried = st.integers(0, 9)
lengths = st.sampled_from([0, 1, 140, 160, 161, 306, 307])

minutes_allowed = st.none() | st.integers(-1, 4) | st.sampled_from([0, 1, 60])
sats_allowed = st.none() | st.integers(-1, 40) | st.sampled_from([0, 705, 2000])
fortunes = st.integers(200, 3000) | st.integers(500, 30_000) | st.integers(30_000, 60_000)
reported = st.sampled_from(["sent", "delivered", "failed"])
texts = st.tuples(st.sampled_from(PHONES), lengths)


class Money(Operators):
    """Rentals and messages, on top of coins, Lightning, clocks and operators."""

    @initialize(
        coins=st.lists(fortunes, min_size=ACCOUNTS, max_size=ACCOUNTS),
        wishes=st.lists(st.tuples(who, st.sampled_from(GROUPS), st.sampled_from(ACTIONS)), min_size=2, max_size=6),
        few=st.sampled_from([0, 32]),
    )
    def everyone_begins(self, coins: list[int], wishes: list[tuple[int, str, str | None]], few: int) -> None:
        """`few`: up to how many rentals an account's sums are held in memory; with 0 the database computes them."""
        accounts.FEW = few
        self.coins_for_everyone(coins)
        for index, group, to in wishes:
            self.rent(index, group)
            self.set_action(index, 0, to)

    # --- rentals ----------------------------------------------------------------------------------------------

    @rule(who=who, group=st.sampled_from(GROUPS), back_us=st.sampled_from([0, 0, 1, 2 * MINUTE_US]))
    def rent_a_little_back_in_time(self, who: int, group: str, back_us: int) -> None:
        self.now_us = max(START_US, self.now_us - back_us)
        self.rent(who, group)

    @rule(who=who, group=st.sampled_from(GROUPS), max_minutes=minutes_allowed, more_sats=sats_allowed)
    def rent_with_limits(self, who: int, group: str, max_minutes: int | None, more_sats: int | None) -> None:
        """`more_sats`: above set-up, the first minute and one SMS."""
        prices = self.plain.groups[group]
        lowest = prices.setup_cost + prices.cost + prices.sms_cost
        self.rent(who, group, max_minutes=max_minutes, max_sats=None if more_sats is None else lowest + more_sats)

    @rule(who=who, nth=numbers_tried, more_minutes=minutes_allowed, more_sats=sats_allowed)
    def set_limits(self, who: int, nth: int, more_minutes: int | None, more_sats: int | None) -> None:
        """Set both limits, relative to what the rental has had so far."""
        id_, e164 = self.ids[who], self._number(who, nth)
        rental = self.plain.at(id_, self.now_us).rental(e164)
        begun = rental.paid_minutes if rental else 0
        spent = rental.setup + rental.paid() + self.plain.messages_cost(rental) + rental.sms_cost if rental else 0
        limits: dict[str, int | None] = {
            "max_minutes": None if more_minutes is None else begun + more_minutes,
            "max_sats": None if more_sats is None else spent + more_sats,
        }
        expected = self.plain.set_limits(id_, e164, self.now_us, **limits)
        answer = self._answer(lambda tx: limits_of.set_limits(tx, id_, e164, now_us=self.now_us, **limits))
        assert (answer if isinstance(answer, str) else "ok") == expected

    @rule(who=who, off_us=st.integers(-1, 1), swept=st.booleans())
    def until_a_limit(self, who: int, off_us: int, swept: bool) -> None:
        found = [
            at_us for rental in self.plain.accounts[self.ids[who]].live if (at_us := rental.limit_us()) is not None
        ]
        if found:
            self.now_us = min(found) + off_us
        if swept:
            self.the_meter_sweeps(0)

    def rent(self, who: int, group: str, **limits: int | None) -> None:
        id_, expected = self.ids[who], self.plain.rent(self.ids[who], group, self.now_us, **limits)
        row = self._answer(lambda tx: rent.start(tx, id_, group, now_us=self.now_us, cooldown_us=COOLDOWN_US, **limits))
        if isinstance(row, str):
            assert row == expected
        else:
            assert row["e164"] == expected
            self.plain.started(id_, expected, row["id"], self.now_us, **limits)

    @rule(who=who, nth=numbers_tried)
    def end(self, who: int, nth: int) -> None:
        self._end(self.ids[who], self._number(who, nth))

    def _end(self, id_: int, e164: str) -> None:
        expected = self.plain.end(id_, e164, self.now_us)
        answer = self._answer(lambda tx: rent.end(tx, id_, e164, now_us=self.now_us))
        assert (answer or "ok") == expected

    @rule(who=who, group=st.sampled_from(GROUPS), apart_us=moments_us, again=st.integers(1, 2))
    def give_back_and_rent_again(self, who: int, group: str, apart_us: int, again: int) -> None:
        own = [rental.e164 for rental in self.plain.accounts[self.ids[who]].live]
        for e164 in own:
            if self.plain.numbers[e164].group_id == group:
                self._end(self.ids[who], e164)
                self.now_us += apart_us
        for _ in range(again):
            self.rent(who, group)

    @rule(who=who, nth=numbers_tried, to=st.sampled_from(ACTIONS))
    def set_action(self, who: int, nth: int, to: str | None) -> None:
        id_, e164, action = self.ids[who], self._number(who, nth), action_for(to)
        live = self.plain.at(id_, self.now_us).rental(e164)
        answer = self._answer(lambda tx: rent.set_action(tx, id_, e164, action, now_us=self.now_us))
        if live is None:
            assert answer == "number_not_rented"
            return
        assert not isinstance(answer, str)
        rental = self.plain.settle(id_, self.now_us).rental(e164)
        assert rental is not None
        rental.action = None if action is None else (action.kind.value, action.destination)
        if rental.action is None or rental.action[0] != "forward":
            self.plain.give_up_forwards(rental.id, self.now_us)

    # --- messages ---------------------------------------------------------------------------------------------

    @rule(batch=st.lists(st.tuples(who, numbers_tried, lengths), min_size=1, max_size=6))
    def sms_arrive(self, batch: list[tuple[int, int, int]]) -> None:
        to = [self._number(who, nth) for who, nth, _ in batch]
        self._arrive(list(zip(to, (length for _, _, length in batch), strict=True)))

    @rule(who=who, lengths=st.lists(lengths, min_size=1, max_size=8))
    def sms_pour_in_for_one_number(self, who: int, lengths: list[int]) -> None:
        self._rents_something(who, len(lengths))
        self._arrive([(self._number(who, 0), length) for length in lengths])

    def _arrive(self, batch: list[tuple[str, int]]) -> None:
        inbound = [InboundMessage(e164, "+1234", "x" * length) for e164, length in batch]
        ids = self._write(lambda tx: receive.receive_many(tx, inbound, now_us=self.now_us))
        expected = self.plain.receive([e164 for e164, _ in batch], self.now_us)
        assert [id_ is None for id_ in ids] == [each is None for each in expected]
        for id_, booked in zip(ids, expected, strict=True):
            if booked is not None:
                self.plain.messages[id_] = PlainMessage(id_, booked[0], booked[1], "received", rental_id=booked[2])

    @rule(
        who=who, nth=numbers_tried, texts=st.lists(st.tuples(st.sampled_from(PHONES), lengths), min_size=1, max_size=4)
    )
    def send(self, who: int, nth: int, texts: list[tuple[str, int]]) -> None:
        self._rents_something(who, nth)
        for to, length in texts:
            self._send(self.ids[who], self._number(who, nth), to, "y" * length)

    def _send(self, id_: int, sender: str, to: str, content: str) -> None:
        rental = self.plain.at(id_, self.now_us).rental(sender)
        expected, cost = self.plain.send(id_, sender, to, content, self.now_us)
        answer = self._answer(
            lambda tx: send.send(
                tx,
                id_,
                sender=sender,
                to=to,
                content=content,
                now_us=self.now_us,
                daily_limit=DAILY_LIMIT,
            )
        )
        if isinstance(answer, str):
            assert answer == expected
        else:
            assert (expected, cost) == ("ok", answer["cost"])
            assert rental is not None
            self.plain.messages[answer["id"]] = PlainMessage(answer["id"], id_, cost, "queued", rental_id=rental.id)

    @rule(outcomes=st.lists(st.sampled_from(carrier_work.OUTCOMES), min_size=1, max_size=4))
    def the_carrier_works(self, outcomes: list[str]) -> None:
        self.wall_us += HOUR_US  # every lease of a crashed worker has expired
        for work, outcome in zip(self._write(self._claim(len(outcomes))), outcomes, strict=False):
            if work.kind == "webhook":
                self._write(lambda tx, work=work: carrier_work.posted(tx, work, now_us=self.now_us))
            else:
                self._work(work, outcome)
        self._write(lambda tx: carrier_work.look_after_doubts(tx, now_us=self.now_us, wall_us=self.wall_us))

    @rule(nth=st.integers(0, 9), verdict=st.sampled_from([None, *carrier_work.Verdict_]))
    def the_carrier_answers_late(self, nth: int, verdict: carrier_work.Verdict_ | None) -> None:
        doubts = sorted((m.id for m in self.plain.messages.values() if m.status == "in_doubt"), reverse=True)
        if doubts:
            id_, terms = doubts[nth % len(doubts)], {"now_us": self.now_us}
            status = self._write(lambda tx: carrier_work.answer_late(tx, id_, verdict, **terms))
            if status is not None:
                self.plain.move_on(id_, status, self.now_us)

    def _claim(self, limit: int) -> Any:
        return lambda tx: carrier_work.claim(tx, now_us=self.now_us, wall_us=self.wall_us, limit=limit)

    def _work(self, work: LeasedDelivery, outcome: str) -> None:
        """Process one SMS like the outbox, step by step; the oracle decides whether it may be sent at all."""
        terms = {"now_us": self.now_us}
        outgoing = self._write(lambda tx: submit.outgoing(tx, work, daily_limit=DAILY_LIMIT, **terms))
        message_id = work.message_id if work.kind == "send" else self._forwarded(work, outgoing)
        if message_id is None or self.plain.messages[message_id].status != "queued":
            assert outgoing is None, "an SMS was sent that must not be sent"
            return
        assert outgoing is not None and outgoing.message_id == message_id
        status = self._write(lambda tx: carrier_work.conclude(tx, work, message_id, outcome, **terms))
        if status is not None:
            self.plain.move_on(message_id, status, self.now_us)

    def _forwarded(self, work: LeasedDelivery, outgoing: Any) -> int | None:
        """Return the sent message of a forward, charged at the first attempt; None if it can't be paid."""
        sent = next((m.id for m in self.plain.messages.values() if m.forward_of == work.message_id), None)
        if sent is not None:
            return sent
        text = f"From {work.sender}: {work.text}"
        live = self.plain.at(work.account_id, self.now_us).live
        if all(rental.id != work.rental_id for rental in live):
            return None
        answer, cost = self.plain.send(work.account_id, work.e164, work.destination, text, self.now_us)
        if answer != "ok":
            return None
        assert outgoing is not None, "an affordable forward was not sent"
        self.plain.messages[outgoing.message_id] = PlainMessage(
            outgoing.message_id,
            work.account_id,
            cost,
            "queued",
            forward_of=work.message_id,
            forwarded_by=work.rental_id,
            rental_id=work.rental_id,
        )
        return int(outgoing.message_id)

    @rule(nth=st.integers(0, 9), statuses=st.lists(reported, min_size=1, max_size=3))
    def the_carrier_reports(self, nth: int, statuses: list[str]) -> None:
        others = ("received", "in_doubt")
        newest_first = sorted((m.id for m in self.plain.messages.values() if m.status not in others), reverse=True)
        for status in statuses if newest_first else []:
            self._report(newest_first[nth % len(newest_first)], status)

    def _report(self, id_: int, status: str) -> None:
        terms = {"now_us": self.now_us}
        if status == "failed":
            self._write(lambda tx: send.failed(tx, id_, reason="no", **terms))
        else:
            self._write(lambda tx: (send.accepted if status == "sent" else send.delivered)(tx, id_, **terms))
        self.plain.move_on(id_, status, self.now_us)

    def _rents_something(self, who: int, nth: int) -> None:
        """Usually give the account coins and a number, or most actions would be refused."""
        if nth < 8 and not self.plain.at(self.ids[who], self.now_us).live:
            self.coins_arrive(who, 6000)
            self.rent(who, GROUPS[nth % len(GROUPS)])

    def _number(self, who: int, nth: int) -> str:
        """Return a number that the account had when last settled; with a high `nth` any number, ours or not."""
        live: list[PlainRental] = self.plain.accounts[self.ids[who]].live
        return live[nth % len(live)].e164 if live and nth < 8 else [*E164S, NOT_OURS][(nth + who) % (len(E164S) + 1)]
