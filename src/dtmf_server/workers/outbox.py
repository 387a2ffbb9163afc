"""The outbox: takes due deliveries and hands each to its webhook or carrier, many at a time."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from dtmf_server import metrics
from dtmf_server.carriers.base import CarrierMessage, CarrierRefused
from dtmf_server.core import backoff, webhook_secret
from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.deliveries import webhook
from dtmf_server.deliveries.post import Outcome, Poster
from dtmf_server.operations import deliver, forward
from dtmf_server.operations.deliver import Work
from dtmf_server.runtime import Runtime
from dtmf_server.storage import due, outbox, service
from dtmf_server.storage.db import Tx
from dtmf_server.storage.delivery_log import Attempt
from dtmf_server.workers.pace import Pace, Turn
from dtmf_server.workers.routes import Routes, Taken
from dtmf_server.workers.together import Together
from dtmf_server.workers.wait import wait_for

log = logging.getLogger("dtmf.outbox")

IN_FLIGHT_MAX = 1500
CLAIM_MAX = 256
LEASE_US = 60_000_000  # well above the 15 s an attempt may take
LEASE_LEFT_US = 20_000_000  # what a lease must have left when an attempt begins
LOOK_AGAIN_S = 5.0
FULL_AGAIN_S = 0.5  # how soon to look again when all that is due goes to destinations that are full
DEFER_US = 1_000_000
WITHOUT_DATABASE_PAUSE_S = 0.5
SLOW_US = 1_000_000  # an attempt that took this long and had no answer was waited for in vain


class Outbox:
    """One process's deliveries."""

    def __init__(self, runtime: Runtime, poster: Poster, routes: Routes) -> None:
        self._runtime, self._poster, self._routes = runtime, poster, routes
        self._pace: Pace[Work] = Pace()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._posting: dict[str, set[int]] = {}  # deliveries under way, by destination
        self._answered_meanwhile: set[int] = set()  # those of them whose destination said 2xx to another
        self._delivered = Together(self._write_delivered)
        self._key = b""

    async def run(self) -> None:
        """Delivers until cancelled; what is under way then keeps its lease, which ends by itself."""
        db = self._runtime.db
        self._key = await db.read(service.webhook_key)
        self._woken = db.wakeups.listen("deliveries", "clock")
        try:
            while True:
                self._woken.clear()
                if len(self._in_flight) >= IN_FLIGHT_MAX:
                    await self._woken.wait()
                    continue
                try:
                    claimed = await self._claim()
                    self._start(claimed)
                    if not claimed:
                        await wait_for(self._woken, timeout_s=await self._until_due_s())
                except StorageUnavailable as error:  # what is under way goes on, and is written down later
                    log.error("nothing can be claimed now: %s", error)
                    await asyncio.sleep(WITHOUT_DATABASE_PAUSE_S)
        finally:
            db.wakeups.unlisten(self._woken)
            held = self._pace.release()
            for task in self._in_flight:
                task.cancel()
            await asyncio.gather(*self._in_flight, return_exceptions=True)
            await self._delivered.all_written()
            if held:
                await self._give_back(held, after_us=0)

    async def _claim(self) -> list[Work]:
        db, clock, rest_us = self._runtime.db, self._runtime.clock, self._runtime.settings.rest_us
        if not await db.glance(lambda tx: due.has_due(tx, now_us=clock.now_us(tx), wall_us=clock.wall_us())):
            return []
        room, full = min(CLAIM_MAX, IN_FLIGHT_MAX - len(self._in_flight)), self._pace.full()
        claimed = await db.write(
            lambda tx: deliver.claim(
                tx,
                now_us=clock.now_us(tx),
                wall_us=clock.wall_us(),
                lease_us=LEASE_US,
                limit=room,
                except_destinations=full,
                for_carriers=self._routes.here,
            ),
            durable=False,  # a claim that is forgotten is made again
        )
        if not any(work.is_erased for work in claimed):
            return claimed
        return await db.write(lambda tx: deliver.without_erased(tx, claimed, now_us=clock.now_us(tx), rest_us=rest_us))

    def _start(self, claimed: list[Work]) -> None:
        later = []
        for work in claimed:
            if work.kind not in ("webhook", "test", "event"):
                self._run(self._submit(work))
                continue
            turn = self._pace.begin(work.account_id, work.destination, work)
            if turn is Turn.NOW:
                self._run(self._post(work))
            elif turn is Turn.LATER:
                later.append(work)
        if later:
            self._run(self._give_back(later, after_us=DEFER_US))

    def _end(self, work: Work, *, answered: bool | None, in_vain: bool = False) -> None:
        """Tells the pace that a post is over, and lets those follow whose turn it is."""
        begun, later = self._pace.end(work.account_id, work.destination, answered=answered, in_vain=in_vain)
        for held in begun:
            self._run(self._post(held))
        if later:
            self._run(self._give_back(later, after_us=DEFER_US))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._in_flight.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._woken.set()
        self._runtime.db.wakeups.notify({"attempted"})
        if not task.cancelled() and (error := task.exception()):
            log.error("an attempt failed in our own code; its lease runs out", exc_info=error)

    async def _until_due_s(self) -> float:
        clock = self._runtime.clock
        due_us, now_us = await self._runtime.db.glance(lambda tx: (due.next_due_us(tx), clock.now_us(tx)))
        if due_us is None:
            return LOOK_AGAIN_S
        return min((due_us - now_us) / 1_000_000, LOOK_AGAIN_S) if due_us > now_us else FULL_AGAIN_S

    async def _give_back(self, unattempted: list[Work], *, after_us: int) -> None:
        """Returns leased deliveries that were not attempted; they are due a moment later."""
        clock, ids = self._runtime.clock, [(work.id, work.attempts) for work in unattempted]
        await self._runtime.db.write(lambda tx: outbox.give_back(tx, ids, due_at_us=clock.now_us(tx) + after_us))

    async def _post(self, work: Work) -> None:
        """One POST to the renter's webhook, and what it means."""
        if work.leased_until_us - self._runtime.clock.wall_us() < LEASE_LEFT_US:
            self._end(work, answered=None)
            await self._give_back([work], after_us=0)
            return
        under_way = self._posting.setdefault(work.destination, set())
        under_way.add(work.id)
        try:
            await self._note(work, await self._exchange(work))
        finally:
            under_way.discard(work.id)
            self._answered_meanwhile.discard(work.id)
            if not under_way:
                self._posting.pop(work.destination, None)

    async def _exchange(self, work: Work) -> Outcome:
        """What the receiver made of the POST, signed with the secrets of this moment."""
        wall_us = self._runtime.clock.wall_us()
        versions = webhook_secret.signing_versions(
            work.webhook_version, rotated_wall_us=work.webhook_rotated_wall_us, wall_us=wall_us
        )
        secrets = [webhook_secret.derive(self._key, account_id=work.account_id, version=v) for v in versions]
        answered, in_vain = False, False
        try:
            outcome = await webhook.post(
                self._poster,
                work,
                secrets=secrets,
                timestamp_s=wall_us // 1_000_000,
                sandbox=self._runtime.settings.sandbox,
            )
            answered = outcome.status is not None and outcome.status < 500 and outcome.status != 429
            in_vain = outcome.status is None and outcome.duration_us >= SLOW_US
        finally:
            self._end(work, answered=answered, in_vain=in_vain)
        return outcome

    async def _note(self, work: Work, outcome: Outcome) -> None:
        """Writes down what came of an attempt."""
        verdict = backoff.verdict(outcome.status, attempts=work.attempts - work.attempts_before)
        metrics.ATTEMPTS.labels(kind=work.kind, result=verdict.value).inc()
        if verdict is backoff.Verdict.DELIVERED:
            self._answered_meanwhile |= self._posting[work.destination]
            with suppress(Exception):  # whatever broke the batch, each of it is written on its own
                await self._delivered.add((work, outcome))
                return

        def write(tx: Tx) -> None:
            now_us = self._runtime.clock.now_us(tx)
            attempt = _attempt(outcome, at_us=now_us)
            if verdict is backoff.Verdict.DELIVERED:
                deliver.delivered(tx, work, attempt=attempt, now_us=now_us)
            elif verdict is backoff.Verdict.GONE and work.kind in ("webhook", "event"):
                rest_us = self._runtime.settings.rest_us
                deliver.switch_off(tx, work, attempt=attempt, now_us=now_us, rest_us=rest_us)
            else:
                self._retry_or_park(tx, work, verdict, attempt, retry_after_s=outcome.retry_after_s)

        await self._write(work, write)

    async def _write_delivered(self, arrived: list[tuple[Work, Outcome]]) -> None:
        """Writes down what arrived at the same time."""

        def write(tx: Tx) -> None:
            now_us = self._runtime.clock.now_us(tx)
            attempts = [(work, _attempt(outcome, at_us=now_us)) for work, outcome in arrived]
            deliver.all_delivered(tx, attempts, now_us=now_us)

        await self._runtime.db.write(write)

    async def _write(self, work: Work, write: Callable[[Tx], None]) -> None:
        """Writes down what came of an attempt; while the database is away it asks again until the lease ends, so that
        what was delivered is not delivered twice."""
        while True:
            try:
                return await self._runtime.db.write(write)
            except StorageUnavailable:
                if work.leased_until_us <= self._runtime.clock.wall_us():
                    raise
            await asyncio.sleep(WITHOUT_DATABASE_PAUSE_S)

    async def _submit(self, work: Work) -> None:
        """One SMS to the carrier, and what it means."""
        runtime, settings = self._runtime, self._runtime.settings
        outgoing = await runtime.db.write(
            lambda tx: forward.outgoing(
                tx,
                work,
                now_us=runtime.clock.now_us(tx),
                rest_us=settings.rest_us,
                daily_limit=settings.daily_limit,
            )
        )
        if outgoing is None:
            return
        message_id = outgoing.message_id
        started_ns = time.perf_counter_ns()
        message = CarrierMessage(outgoing.sender, outgoing.to, outgoing.text)
        refused, taken = CarrierRefused("nobody was asked", permanent=False), None
        try:
            taken = await self._routes.submit(message_id, message, order=outgoing.carriers)
        except CarrierRefused as error:
            refused = error
        duration_us = (time.perf_counter_ns() - started_ns) // 1000
        result = "delivered" if taken else "parked" if refused.permanent else "retry"
        metrics.ATTEMPTS.labels(kind=work.kind, result=result).inc()

        def write(tx: Tx) -> None:
            now_us = runtime.clock.now_us(tx)
            attempt = Attempt(now_us, duration_us, None, "the carrier took it" if taken else refused.reason, None)
            if taken:
                self._handed_over(tx, work, message_id, taken, attempt)
            elif refused.permanent:
                forward.refused_for_good(tx, work, message_id, attempt=attempt, now_us=now_us, rest_us=settings.rest_us)
            else:
                self._retry_or_park(tx, work, backoff.Verdict.RETRY, attempt, retry_after_s=None)

        await self._write(work, write)

    def _handed_over(self, tx: Tx, work: Work, message_id: int, taken: Taken, attempt: Attempt) -> None:
        forward.handed_over(
            tx,
            work,
            message_id,
            carrier=taken.carrier,
            refs=taken.refs,
            attempt=attempt,
            now_us=attempt.at_us,
            wall_us=self._runtime.clock.wall_us(),
            rest_us=self._runtime.settings.rest_us,
        )

    def _retry_or_park(
        self, tx: Tx, work: Work, verdict: backoff.Verdict, attempt: Attempt, *, retry_after_s: int | None
    ) -> None:
        deliver.not_delivered(
            tx,
            work,
            verdict=verdict,
            attempt=attempt,
            retry_after_s=retry_after_s,
            uniform=random.random(),  # noqa: S311 - jitter is no secret
            now_us=attempt.at_us,
            rest_us=self._runtime.settings.rest_us,
            answered_meanwhile=work.id in self._answered_meanwhile,
        )


def _attempt(outcome: Outcome, *, at_us: int) -> Attempt:
    return Attempt(at_us, outcome.duration_us, outcome.status, outcome.reason, outcome.reply or None)
