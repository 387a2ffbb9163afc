"""Persist attempt results: successes in one batch, retries in another, terminal results one by one.

Hundreds of attempts may fail at the same moment, when a host with many webhooks goes silent. That must not delay incoming
SMS or other deliveries.
"""

import asyncio
import random
from collections.abc import Callable, Container
from contextlib import suppress
from functools import partial

from dtmf_server.carriers.base import CarrierRefused
from dtmf_server.core.backoff import Verdict
from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.operations import deliver, doubt, submit
from dtmf_server.operations.deliver import FailedAttempt, LeasedDelivery
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage.db import Tx
from dtmf_server.storage.delivery_log import Attempt
from dtmf_server.webhooks.client import Outcome
from dtmf_server.workers.batcher import Batcher
from dtmf_server.workers.carrier_router import AcceptedSubmit
from dtmf_server.workers.waiting import WITHOUT_DATABASE_PAUSE_S

FAILED_AT_ONCE, FAILED_PAUSE_S = 64, 0.05  # per transaction, and pause between two; the next attempt is seconds away
ALONE_AT_ONCE = 4


class _TerminalResult(Exception):
    """A delivery used up its retries. The event that reports it must be durable."""


class ResultWriter:
    """Writes the results of one process's attempts."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._delivered = Batcher(self._write_delivered)
        self._failed = Batcher(self._write_failed, most=FAILED_AT_ONCE, pause_s=FAILED_PAUSE_S)
        self._alone = asyncio.Semaphore(ALONE_AT_ONCE)

    async def record_post(
        self, work: LeasedDelivery, outcome: Outcome, verdict: Verdict, *, answered: Container[int]
    ) -> None:
        """Record a POST. `answered`: deliveries whose destination returned 2xx to another delivery meanwhile."""
        with suppress(Exception):  # if a batch fails, its results are written one by one
            if verdict is Verdict.DELIVERED:
                await self._delivered.add((work, outcome))
                return
            if verdict is Verdict.RETRY:
                await self._failed.add((work, outcome, answered))
                return

        def write(tx: Tx) -> None:
            now_us = self._runtime.clock.now_us(tx)
            attempt = _attempt(outcome, at_us=now_us)
            if verdict is Verdict.DELIVERED:
                deliver.delivered(tx, [(work, attempt)], now_us=now_us)
            elif verdict is Verdict.GONE and work.kind in ("webhook", "event"):
                deliver.disable_webhook(tx, work, attempt=attempt, now_us=now_us)
            else:
                failed = _failed(work, verdict, attempt, outcome.retry_after_s, work.id in answered)
                deliver.not_delivered(tx, [failed], now_us=now_us)

        async with self._alone:
            await self._write(work, write)

    async def record_submit(
        self,
        work: LeasedDelivery,
        message_id: int,
        outcome: AcceptedSubmit | CarrierRefused,
        *,
        duration_us: int,
        has_recovered: Callable[[], bool],
    ) -> None:
        """Record the submission of an SMS to a carrier. `has_recovered`: whether a carrier came up since the attempt
        began, so that the SMS must not wait for its next scheduled attempt."""
        doubt_us = self._runtime.settings.doubt_us

        def write(tx: Tx) -> None:
            now_us, wall_us = self._runtime.clock.now_us(tx), self._runtime.clock.wall_us()
            reason = "accepted by the carrier" if isinstance(outcome, AcceptedSubmit) else outcome.reason
            attempt = Attempt(now_us, duration_us, None, reason, None)
            if isinstance(outcome, AcceptedSubmit):
                self._handed_over(tx, work, message_id, outcome, attempt)
            elif outcome.permanent:
                submit.refused_for_good(tx, work, message_id, attempt=attempt, now_us=now_us)
            else:
                failed = _failed(work, Verdict.RETRY, attempt, None, has_recovered())
                end = partial(doubt.begin, life_us=doubt_us) if outcome.in_doubt else submit.not_taken
                end(
                    tx,
                    failed,
                    message_id,
                    carrier=outcome.carrier,
                    segments=outcome.segments,
                    now_us=now_us,
                    wall_us=wall_us,
                )

        await self._write(work, write)

    async def drain(self) -> None:
        """Wait until all results are written."""
        await self._delivered.drain()
        await self._failed.drain()

    async def _write_delivered(self, arrived: list[tuple[LeasedDelivery, Outcome]]) -> None:
        """Write a batch of successes."""

        def write(tx: Tx) -> None:
            now_us = self._runtime.clock.now_us(tx)
            attempts = [(work, _attempt(outcome, at_us=now_us)) for work, outcome in arrived]
            deliver.delivered(tx, attempts, now_us=now_us)

        await self._runtime.db.write(write, durable=False)  # a lost result means a second POST with the same id

    async def _write_failed(self, failed: list[tuple[LeasedDelivery, Outcome, Container[int]]]) -> None:
        """Write a batch of failures that will be retried."""

        def write(tx: Tx, *, may_end: bool) -> None:
            now_us = self._runtime.clock.now_us(tx)
            attempts = [
                _failed(
                    work, Verdict.RETRY, _attempt(outcome, at_us=now_us), outcome.retry_after_s, work.id in answered
                )
                for work, outcome, answered in failed
            ]
            ended = deliver.not_delivered(tx, attempts, now_us=now_us)
            if ended and not may_end:
                raise _TerminalResult

        try:
            # A lost result means another attempt.
            await self._runtime.db.write(partial(write, may_end=False), durable=False)
        except _TerminalResult:
            await self._runtime.db.write(partial(write, may_end=True))

    async def _write(self, work: LeasedDelivery, write: Callable[[Tx], None]) -> None:
        """Write a result. While the database is unavailable, retry until the lease ends, so that a delivered SMS isn't
        delivered twice."""
        while True:
            try:
                return await self._runtime.db.write(write)
            except StorageUnavailable:
                if work.leased_until_us <= self._runtime.clock.wall_us():
                    raise
            await asyncio.sleep(WITHOUT_DATABASE_PAUSE_S)

    def _handed_over(
        self, tx: Tx, work: LeasedDelivery, message_id: int, taken: AcceptedSubmit, attempt: Attempt
    ) -> None:
        submit.handed_over(
            tx,
            work,
            message_id,
            carrier=taken.carrier,
            refs=taken.refs,
            attempt=attempt,
            now_us=attempt.at_us,
            wall_us=self._runtime.clock.wall_us(),
        )


def _failed(
    work: LeasedDelivery, verdict: Verdict, attempt: Attempt, retry_after_s: int | None, answered: bool
) -> FailedAttempt:
    return FailedAttempt(work, verdict, attempt, retry_after_s, random.random(), answered)  # noqa: S311 - jitter need not be secure


def _attempt(outcome: Outcome, *, at_us: int) -> Attempt:
    return Attempt(at_us, outcome.duration_us, outcome.status, outcome.reason, outcome.reply or None)
