"""The outbox: takes due deliveries and hands each to its webhook or carrier, many at a time.

What is due is claimed: leased in a transaction of its own. An SMS that comes through this process is leased as it is
stored (`lease`), which spares that; it goes the same way from there on.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from msgspec import structs

from dtmf_server.carriers.base import CarrierMessage, CarrierRefused
from dtmf_server.core import backoff, webhook_secret
from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.core.repeats import Repeats
from dtmf_server.core.units import MINUTE_US, SECOND_US
from dtmf_server.operations import deliver, doubt, submit
from dtmf_server.operations.deliver import LeasedDelivery
from dtmf_server.runtime import metrics
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import in_flight, instance, outbox
from dtmf_server.storage.leases import Lease
from dtmf_server.webhooks.client import Outcome
from dtmf_server.webhooks.dispatcher import InProcessDispatcher
from dtmf_server.webhooks.subprocess_dispatcher import DispatcherUnavailable, SubprocessDispatcher
from dtmf_server.workers.adaptive_concurrency import Admission, ConcurrencyLimiter
from dtmf_server.workers.carrier_router import AcceptedSubmit, CarrierRouter
from dtmf_server.workers.delivery_results import ResultWriter
from dtmf_server.workers.waiting import WITHOUT_DATABASE_PAUSE_S, wait_for

log = logging.getLogger("dtmf.outbox")

T = TypeVar("T")

IN_FLIGHT_MAX = 1500
SUBMITS_MAX = 500  # beside them: a carrier that answers late must not hold up webhooks
CLAIM_MAX = 256
BEGUN_AT_ONCE = 8  # before the event loop turns to others: an acknowledgement must not wait for a hundred signatures
LEASE_US = MINUTE_US  # well above the 15 s an attempt may take
LEASE_LEFT_US = 20 * SECOND_US  # what a lease must have left when an attempt begins
POLL_INTERVAL_S = float(backoff.POLL_INTERVAL_S)
# How soon to look again when all that is due waits for a destination or for who is before it.
BLOCKED_POLL_INTERVAL_S = 0.5
LEASES_END_S, LEASES_POLL_INTERVAL_S = 5.0, 0.01  # at the end, how long transactions with a lease may take
SUBMITS_END_S = 5.0  # at the end, how long submits may take: their links are being closed, which decides each
DEFER_US = SECOND_US
SLOW_US = SECOND_US  # an attempt that took this long and had no answer was waited for in vain


class Outbox:
    """One process's deliveries."""

    def __init__(
        self, runtime: Runtime, webhooks: InProcessDispatcher | SubprocessDispatcher, routes: CarrierRouter
    ) -> None:
        self._runtime, self._webhooks, self._routes = runtime, webhooks, routes
        self._pace: ConcurrencyLimiter[LeasedDelivery] = ConcurrencyLimiter()
        self._leased: deque[LeasedDelivery] = deque()  # to be begun
        self._in_flight: set[asyncio.Task[None]] = set()
        self._submits: set[asyncio.Task[None]] = set()  # those of them that a carrier may have
        self._posting: dict[str, set[int]] = {}  # deliveries under way, by destination
        self._answered_meanwhile: set[int] = set()  # those of them whose destination said 2xx to another
        self._results = ResultWriter(runtime)
        self._key = b""
        self._lent = 0  # leases of transactions under way
        self._is_beginning = False
        self._is_open = False  # takes what is stored now, since nothing older waits
        self._is_stopping = False
        self._is_blocked = True  # what is due may have to wait until something under way is over

    async def run(self) -> None:
        """Delivers until cancelled; what is under way then keeps its lease, which ends by itself. Submits end first: what
        the carrier answered is written down."""
        db = self._runtime.db
        self._key = await db.read(instance.webhook_key)
        self._woken = db.wakeups.listen("deliveries", "clock")
        self._is_stopping = False
        db.lease_holder = self
        away = Repeats()
        try:
            while True:
                self._woken.clear()
                try:
                    timeout_s = await self._take_what_is_due()
                except StorageUnavailable as error:  # what is under way goes on, and is written down later
                    if line := away.failed(str(error), now_s=asyncio.get_running_loop().time()):
                        log.error("nothing can be claimed now: %s", line)
                    await asyncio.sleep(WITHOUT_DATABASE_PAUSE_S)
                    continue
                if lasted := away.worked(now_s=asyncio.get_running_loop().time()):
                    log.warning("deliveries are claimed again, after %s", lasted)
                if timeout_s > 0:
                    await wait_for(self._woken, timeout_s=timeout_s)
        finally:
            db.wakeups.unlisten(self._woken)
            self._is_open, self._is_stopping = False, True
            held = self._pace.release()
            for task in self._in_flight - self._submits:
                task.cancel()
            if self._submits:
                await asyncio.wait(self._submits, timeout=SUBMITS_END_S)
            for task in self._in_flight:
                task.cancel()
            await asyncio.gather(*self._in_flight, return_exceptions=True)
            await self._results.drain()
            db.lease_holder = None
            for _ in range(round(LEASES_END_S / LEASES_POLL_INTERVAL_S)):
                if not self._lent:
                    break
                await asyncio.sleep(LEASES_POLL_INTERVAL_S)
            held += self._leased
            self._leased.clear()
            if held:
                with suppress(StorageUnavailable):  # their leases end by themselves
                    await self._give_back(held, after_us=0)

    def lease(self) -> Lease | None:
        """What may be leased of what is stored now; nothing while older ones wait."""
        room = self._room()
        if not self._is_open or room <= 0:
            return None
        self._lent += 1
        return Lease(self._runtime.clock.wall_us() + LEASE_US, room, frozenset(self._pace.saturated()))

    async def _take_what_is_due(self) -> float:
        """Claims and starts what is due. For how long there is nothing more to do, in seconds."""
        self._is_blocked = True
        await self._settle_doubts()
        room = self._room()
        if room <= 0:
            self._is_open = False
            return POLL_INTERVAL_S
        wait_s = await self._until_due_s()
        if wait_s <= 0:
            claimed, left = await self._claim(room)
            self._start(claimed)
            if left:
                self._is_open = False
                return 0
            wait_s = await self._until_due_s()
        self._is_open, self._is_blocked = True, wait_s <= 0
        return BLOCKED_POLL_INTERVAL_S if self._is_blocked else wait_s

    async def _settle_doubts(self) -> None:
        """Puts in doubt what a dead process had submitted, and ends the doubts that no answer is expected for."""
        db, clock, settings = self._runtime.db, self._runtime.clock, self._runtime.settings
        wall_us = clock.wall_us()
        if not await db.read_autocommit(lambda tx: in_flight.is_due(tx, now_us=clock.now_us(tx), wall_us=wall_us)):
            return
        while await db.write(
            lambda tx: doubt.abandon(tx, now_us=clock.now_us(tx), wall_us=wall_us, life_us=settings.doubt_us)
        ):
            pass
        while await db.write(lambda tx: doubt.give_up(tx, now_us=clock.now_us(tx))):
            pass

    async def _claim(self, room: int) -> tuple[list[LeasedDelivery], bool]:
        """Those that can be delivered, and whether there may be more."""
        db, clock = self._runtime.db, self._runtime.clock
        saturated = self._pace.saturated()
        claimed = await db.write(
            lambda tx: deliver.claim(
                tx,
                now_us=clock.now_us(tx),
                wall_us=clock.wall_us(),
                lease_us=LEASE_US,
                limit=room,
                except_destinations=saturated,
                for_carriers=self._routes.owns_links and len(self._submits) < SUBMITS_MAX,
            ),
            durable=False,  # a claim that is forgotten is made again
        )
        if not any(work.is_erased for work in claimed):
            return claimed, len(claimed) == room
        whole = await db.write(lambda tx: deliver.without_erased(tx, claimed, now_us=clock.now_us(tx)))
        return whole, True

    def _room(self) -> int:
        posts = len(self._in_flight) - len(self._submits)
        return min(CLAIM_MAX, IN_FLIGHT_MAX - posts - len(self._leased))

    def end_lease(self, leased: list[LeasedDelivery]) -> None:
        """Begins with what was leased; leaves it to the next worker if this one stops."""
        self._lent -= 1
        self._start(leased)

    def _start(self, leased: list[LeasedDelivery]) -> None:
        self._leased += leased
        self._begin_soon()

    def _begin_soon(self) -> None:
        if self._leased and not self._is_beginning and not self._is_stopping:
            self._is_beginning = True
            asyncio.get_running_loop().call_soon(self._begin_some)

    def _begin_some(self) -> None:
        self._is_beginning = False
        if self._is_stopping:
            return
        later = []
        room = IN_FLIGHT_MAX - (len(self._in_flight) - len(self._submits))  # transactions that ran together share it
        for work in [self._leased.popleft() for _ in range(min(BEGUN_AT_ONCE, room, len(self._leased)))]:
            if work.kind not in ("webhook", "test", "event"):
                self._submits.add(self._run(self._submit(work)))
                continue
            turn = self._pace.begin(work.account_id, work.destination, work)
            if turn is Admission.ADMITTED:
                self._run(self._post(work))
            elif turn is Admission.REJECTED:
                later.append(work)
        if later:
            self._run(self._give_back(later, after_us=DEFER_US))
        if room > 0:
            self._begin_soon()

    def _end(self, work: LeasedDelivery, *, answered: bool | None, in_vain: bool = False) -> None:
        """Tells the pace that a post is over, and lets those follow whose turn it is."""
        begun, later = self._pace.end(work.account_id, work.destination, answered=answered, in_vain=in_vain)
        for held in begun:
            self._run(self._post(held))
        if later:
            self._run(self._give_back(later, after_us=DEFER_US))

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._in_flight.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._submits.discard(task)
        self._begin_soon()
        if self._is_blocked:
            self._woken.set()
        self._runtime.db.wakeups.notify({"attempted"})
        if not task.cancelled() and (error := task.exception()):
            log.error("an attempt failed in our own code; its lease runs out", exc_info=error)

    async def _until_due_s(self) -> float:
        """Until when nothing is due, in seconds from now; 0 if something is."""
        clock = self._runtime.clock
        due_us, offset_us = await self._runtime.db.read_autocommit(
            lambda tx: outbox.first_due(tx, wall_us=clock.wall_us())
        )
        if due_us is None:
            return POLL_INTERVAL_S
        return max(0.0, min((due_us - clock.after_us(offset_us)) / SECOND_US, POLL_INTERVAL_S))

    async def _give_back(self, unattempted: list[LeasedDelivery], *, after_us: int) -> None:
        """Returns leased deliveries that were not attempted; they are due a moment later."""
        clock, ids = self._runtime.clock, [(work.id, work.attempts) for work in unattempted]
        await self._runtime.db.write(lambda tx: outbox.release(tx, ids, due_at_us=clock.now_us(tx) + after_us))

    async def _post(self, work: LeasedDelivery) -> None:
        """One POST to the renter's webhook, and what it means."""
        if work.leased_until_us - self._runtime.clock.wall_us() < LEASE_LEFT_US:
            self._end(work, answered=None)
            await self._give_back([work], after_us=0)
            return
        under_way = self._posting.setdefault(work.destination, set())
        under_way.add(work.id)
        try:
            await self._note(work, await self._exchange(work))
        except DispatcherUnavailable:  # for the moment
            await self._give_back([work], after_us=DEFER_US)
        finally:
            under_way.discard(work.id)
            self._answered_meanwhile.discard(work.id)
            if not under_way:
                self._posting.pop(work.destination, None)

    async def _exchange(self, work: LeasedDelivery) -> Outcome:
        """What the receiver made of the POST, signed with the secrets of this moment."""
        wall_us = self._runtime.clock.wall_us()
        versions = webhook_secret.signing_versions(
            work.webhook_version, rotated_wall_us=work.webhook_rotated_wall_us, wall_us=wall_us
        )
        secrets = [webhook_secret.derive(self._key, account_id=work.account_id, version=v) for v in versions]
        answered: bool | None = None
        in_vain = False
        try:
            outcome = await self._webhooks.post(work, secrets=secrets, timestamp_s=wall_us // SECOND_US)
            answered = outcome.status is not None and outcome.status < 500 and outcome.status != 429
            in_vain = outcome.status is None and outcome.duration_us >= SLOW_US
        finally:
            self._end(work, answered=answered, in_vain=in_vain)
        return outcome

    async def _note(self, work: LeasedDelivery, outcome: Outcome) -> None:
        """Has what came of a POST written down."""
        verdict = backoff.verdict(outcome.status, attempts=work.attempts - work.attempts_before)
        metrics.attempts(work.kind, verdict).inc()
        if verdict is backoff.Verdict.DELIVERED:
            self._answered_meanwhile |= self._posting[work.destination]
        await self._results.record_post(work, outcome, verdict, answered=self._answered_meanwhile)

    async def _submit(self, work: LeasedDelivery) -> None:
        """One SMS to the carrier, and what it means."""
        clock, settings = self._runtime.clock, self._runtime.settings
        wall_us = clock.wall_us()
        outgoing = await self._runtime.db.write(
            lambda tx: submit.outgoing(
                tx,
                work,
                now_us=clock.now_us(tx),
                daily_limit=settings.daily_limit,
                wall_us=wall_us,
            )
        )
        if outgoing is None:
            return
        work = structs.replace(work, leased_until_us=wall_us + submit.SUBMIT_LEASE_US)
        started_ns = time.perf_counter_ns()
        message = CarrierMessage(outgoing.sender, outgoing.to, outgoing.text, outgoing.taken)
        outcome: AcceptedSubmit | CarrierRefused
        try:
            outcome = await self._routes.submit(outgoing.message_id, message, order=outgoing.carriers)
        except CarrierRefused as error:
            outcome = error
        duration_us = (time.perf_counter_ns() - started_ns) // 1000
        result = "delivered" if isinstance(outcome, AcceptedSubmit) else _result(outcome)
        metrics.attempts(work.kind, result).inc()
        await self._results.record_submit(work, outgoing.message_id, outcome, duration_us=duration_us)


def _result(refused: CarrierRefused) -> str:
    """How the metrics name a submit that was not taken."""
    return "parked" if refused.permanent else "in_doubt" if refused.in_doubt else "retry"
