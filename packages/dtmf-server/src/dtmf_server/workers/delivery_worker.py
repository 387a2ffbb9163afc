"""Claim due deliveries and attempt each, many at a time.

Claiming leases due deliveries in a transaction of its own. An SMS that arrives through this process is leased in the
transaction that stores it (`lease_budget.py`); after that, both are handled alike.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from dtmf_server.core import backoff
from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.core.repeats import Repeats
from dtmf_server.core.units import SECOND_US
from dtmf_server.operations import deliver, doubt
from dtmf_server.operations.deliver import LeasedDelivery
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import in_flight, outbox
from dtmf_server.webhooks.dispatcher import InProcessDispatcher
from dtmf_server.webhooks.subprocess_dispatcher import DispatcherUnavailable, SubprocessDispatcher
from dtmf_server.workers.adaptive_concurrency import Admission, ConcurrencyLimiter
from dtmf_server.workers.attempt import Attempts
from dtmf_server.workers.carrier_router import CarrierRouter
from dtmf_server.workers.lease_budget import LEASE_US, LeaseBudget
from dtmf_server.workers.waiting import WITHOUT_DATABASE_PAUSE_S, wait_for

log = logging.getLogger("dtmf.outbox")

IN_FLIGHT_MAX = 1500
SUBMITS_MAX = 500  # not counted in IN_FLIGHT_MAX: a carrier that answers late must not hold up webhooks
CLAIM_MAX = 256
BEGIN_MAX = 8  # per turn of the event loop, so that no acknowledgement waits for a hundred signatures
LEASE_LEFT_US = 20 * SECOND_US  # the least time a lease must have left when an attempt begins
POLL_INTERVAL_S = float(backoff.POLL_INTERVAL_S)
# The poll interval when everything due waits for a destination or for the delivery before it.
BLOCKED_POLL_INTERVAL_S = 0.5
SUBMITS_END_S = 5.0  # how long submits may take at shutdown; closing their links decides each of them
DEFER_US = SECOND_US


class DeliveryWorker:
    """The deliveries of one process."""

    def __init__(
        self, runtime: Runtime, webhooks: InProcessDispatcher | SubprocessDispatcher, router: CarrierRouter
    ) -> None:
        self._runtime, self._router = runtime, router
        self._limiter: ConcurrencyLimiter[LeasedDelivery] = ConcurrencyLimiter()
        self._attempts = Attempts(runtime, webhooks, router)
        self.budget = LeaseBudget(
            wall_us=runtime.clock.wall_us, room=self._room, saturated=self._limiter.saturated, begin=self._begin
        )
        self._waiting: deque[LeasedDelivery] = deque()  # leased, not begun
        self._in_flight: set[asyncio.Task[None]] = set()
        self._submits: set[asyncio.Task[None]] = set()  # a subset: submits to carriers
        self._is_beginning = False
        self._is_stopping = False
        self._is_blocked = True  # due deliveries may have to wait for an attempt in progress

    async def run(self) -> None:
        """Deliver until cancelled.

        On cancellation, the leases of attempts in progress are left to expire. Submits end first, so that the carrier's
        answers are recorded.
        """
        db = self._runtime.db
        await self._attempts.load_key()
        self._woken = db.wakeups.listen("deliveries", "clock")
        self._is_stopping = False
        db.lease_holder = self.budget
        try:
            await self._work()
        finally:
            db.wakeups.unlisten(self._woken)
            await self._stop()

    async def _work(self) -> None:
        """Claim and start due deliveries until cancelled."""
        away, loop = Repeats(), asyncio.get_running_loop()
        while True:
            self._woken.clear()
            try:
                timeout_s = await self._start_due()
            except StorageUnavailable as error:  # attempts in progress continue, and record their results later
                if line := away.failed(str(error), now_s=loop.time()):
                    log.error("can't claim deliveries: %s", line)
                await asyncio.sleep(WITHOUT_DATABASE_PAUSE_S)
                continue
            if lasted := away.worked(now_s=loop.time()):
                log.warning("claiming deliveries again, after %s", lasted)
            if timeout_s > 0:
                await wait_for(self._woken, timeout_s=timeout_s)

    async def _stop(self) -> None:
        """End every attempt, and release deliveries that were leased but not attempted."""
        self.budget.is_open, self._is_stopping = False, True
        unattempted = self._limiter.release()
        for task in self._in_flight - self._submits:
            task.cancel()
        if self._submits:
            await asyncio.wait(self._submits, timeout=SUBMITS_END_S)
        for task in self._in_flight:
            task.cancel()
        await asyncio.gather(*self._in_flight, return_exceptions=True)
        await self._attempts.drain()
        self._runtime.db.lease_holder = None
        await self.budget.drain()
        unattempted += self._waiting
        self._waiting.clear()
        if unattempted:
            with suppress(StorageUnavailable):  # their leases expire
                await self._release(unattempted, after_us=0)

    async def _start_due(self) -> float:
        """Claim and start due deliveries. Return the number of seconds until there may be more to do."""
        self._is_blocked = True
        await self._settle_doubts()
        room = self._room()
        if room <= 0:
            self.budget.is_open = False
            return POLL_INTERVAL_S
        wait_s = await self._until_due_s()
        if wait_s <= 0:
            claimed, more = await self._claim(room)
            self._begin(claimed)
            if more:
                self.budget.is_open = False
                return 0
            wait_s = await self._until_due_s()
        self.budget.is_open, self._is_blocked = True, wait_s <= 0
        return BLOCKED_POLL_INTERVAL_S if self._is_blocked else wait_s

    async def _settle_doubts(self) -> None:
        """Put in doubt the submits of a dead process, and close doubts for which no answer is expected any more."""
        db, clock, settings = self._runtime.db, self._runtime.clock, self._runtime.settings
        wall_us = clock.wall_us()
        if not await db.read_autocommit(lambda tx: in_flight.is_due(tx, now_us=clock.now_us(tx), wall_us=wall_us)):
            return
        while await db.write(
            lambda tx: doubt.abandon(
                tx,
                now_us=clock.now_us(tx),
                wall_us=wall_us,
                life_us=settings.doubt_us,
                queryable=self._router.queryable,
            )
        ):
            pass
        while await db.write(lambda tx: doubt.give_up(tx, now_us=clock.now_us(tx))):
            pass

    async def _claim(self, room: int) -> tuple[list[LeasedDelivery], bool]:
        """Claim up to `room` deliveries. Return them, and whether there may be more."""
        db, clock = self._runtime.db, self._runtime.clock
        saturated = self._limiter.saturated()
        claimed = await db.write(
            lambda tx: deliver.claim(
                tx,
                now_us=clock.now_us(tx),
                wall_us=clock.wall_us(),
                lease_us=LEASE_US,
                limit=room,
                except_destinations=saturated,
                for_carriers=self._router.owns_links and len(self._submits) < SUBMITS_MAX,
            ),
            durable=False,  # a lost claim is repeated
        )
        if not any(delivery.is_erased for delivery in claimed):
            return claimed, len(claimed) == room
        whole = await db.write(lambda tx: deliver.without_erased(tx, claimed, now_us=clock.now_us(tx)))
        return whole, True

    async def _until_due_s(self) -> float:
        """Return the seconds until a delivery is due, at most the poll interval; 0 if one is due now."""
        clock = self._runtime.clock
        due_us, offset_us = await self._runtime.db.read_autocommit(
            lambda tx: outbox.first_due(tx, wall_us=clock.wall_us())
        )
        if due_us is None:
            return POLL_INTERVAL_S
        return max(0.0, min((due_us - clock.after_us(offset_us)) / SECOND_US, POLL_INTERVAL_S))

    def _room(self) -> int:
        """Return how many more deliveries may be leased."""
        return min(CLAIM_MAX, self._posts_left() - len(self._waiting))

    def _posts_left(self) -> int:
        return IN_FLIGHT_MAX - (len(self._in_flight) - len(self._submits))

    def _begin(self, leased: list[LeasedDelivery]) -> None:
        """Attempt leased deliveries, a few in each turn of the event loop."""
        self._waiting += leased
        self._begin_soon()

    def _begin_soon(self) -> None:
        if self._waiting and not self._is_beginning and not self._is_stopping:
            self._is_beginning = True
            asyncio.get_running_loop().call_soon(self._begin_some)

    def _begin_some(self) -> None:
        self._is_beginning = False
        if self._is_stopping:
            return
        rejected = []
        room = self._posts_left()  # transactions that ran together share it
        for delivery in [self._waiting.popleft() for _ in range(min(BEGIN_MAX, room, len(self._waiting)))]:
            if delivery.kind not in ("webhook", "test", "event"):
                self._submits.add(self._run(self._attempts.submit(delivery)))
                continue
            admission = self._limiter.begin(delivery.account_id, delivery.destination, delivery)
            if admission is Admission.ADMITTED:
                self._run(self._post(delivery))
            elif admission is Admission.REJECTED:
                rejected.append(delivery)
        if rejected:
            self._run(self._release(rejected, after_us=DEFER_US))
        if room > 0:
            self._begin_soon()

    async def _post(self, delivery: LeasedDelivery) -> None:
        """Attempt one POST, or release the delivery if its lease is too short or the dispatcher is down."""
        if delivery.leased_until_us - self._runtime.clock.wall_us() < LEASE_LEFT_US:
            self._end_post(delivery, None, False)
            await self._release([delivery], after_us=0)
            return
        try:
            await self._attempts.post(delivery, on_answer=partial(self._end_post, delivery))
        except DispatcherUnavailable:
            await self._release([delivery], after_us=DEFER_US)

    def _end_post(self, delivery: LeasedDelivery, answered: bool | None, timed_out: bool) -> None:
        """Report the end of a POST to the limiter, and start the deliveries that it admits."""
        admitted, rejected = self._limiter.end(
            delivery.account_id, delivery.destination, answered=answered, in_vain=timed_out
        )
        for held in admitted:
            self._run(self._post(held))
        if rejected:
            self._run(self._release(rejected, after_us=DEFER_US))

    async def _release(self, unattempted: list[LeasedDelivery], *, after_us: int) -> None:
        """Release leased deliveries that were not attempted; they are due again after a moment."""
        clock, ids = self._runtime.clock, [(delivery.id, delivery.attempts) for delivery in unattempted]
        await self._runtime.db.write(lambda tx: outbox.release(tx, ids, due_at_us=clock.now_us(tx) + after_us))

    def _run(self, attempt: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(attempt)
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
            log.error("a bug in this service made an attempt fail; its lease will expire", exc_info=error)
