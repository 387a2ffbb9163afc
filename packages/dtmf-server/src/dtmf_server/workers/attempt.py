"""One attempt to deliver: POST to the renter's webhook or submit to the carrier, then record the result."""

import time
from collections.abc import Callable

from msgspec import structs

from dtmf_server.carriers.base import CarrierMessage, CarrierRefused
from dtmf_server.core import backoff, webhook_secret
from dtmf_server.core.units import SECOND_US
from dtmf_server.operations import submit
from dtmf_server.operations.deliver import LeasedDelivery
from dtmf_server.runtime import metrics
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import in_flight, instance
from dtmf_server.webhooks.client import Outcome
from dtmf_server.webhooks.dispatcher import InProcessDispatcher
from dtmf_server.webhooks.subprocess_dispatcher import SubprocessDispatcher
from dtmf_server.workers.carrier_router import AcceptedSubmit, CarrierRouter
from dtmf_server.workers.delivery_results import ResultWriter

SLOW_US = SECOND_US  # an attempt without an answer that took this long counts as timed out


class Attempts:
    """One process's attempts."""

    def __init__(
        self, runtime: Runtime, webhooks: InProcessDispatcher | SubprocessDispatcher, router: CarrierRouter
    ) -> None:
        self._runtime, self._webhooks, self._router = runtime, webhooks, router
        self._results = ResultWriter(runtime)
        self._key = b""
        self._posting: dict[str, set[int]] = {}  # ids of deliveries being posted, by destination
        self._answered_meanwhile: set[int] = set()  # those whose destination answered another one with 2xx

    async def load_key(self) -> None:
        """Read the key that webhook secrets are derived from."""
        self._key = await self._runtime.db.read(instance.webhook_key)

    async def post(self, delivery: LeasedDelivery, *, on_answer: Callable[[bool | None, bool], None]) -> None:
        """POST one delivery to its webhook and record the result.

        Calls `on_answer` exactly once, before the result is written, with whether the host works (None if unknown) and
        whether the attempt timed out. Raises DispatcherUnavailable if nothing was sent.
        """
        being_posted = self._posting.setdefault(delivery.destination, set())
        being_posted.add(delivery.id)
        try:
            outcome = await self._exchange(delivery, on_answer=on_answer)
            await self._record_post(delivery, outcome)
        finally:
            being_posted.discard(delivery.id)
            self._answered_meanwhile.discard(delivery.id)
            if not being_posted:
                self._posting.pop(delivery.destination, None)

    async def submit(self, delivery: LeasedDelivery) -> None:
        """Submit one SMS to its carrier and record the result."""
        clock, settings = self._runtime.clock, self._runtime.settings
        wall_us = clock.wall_us()
        outgoing = await self._runtime.db.write(
            lambda tx: submit.outgoing(
                tx,
                delivery,
                now_us=clock.now_us(tx),
                daily_limit=settings.daily_limit,
                wall_us=wall_us,
                first_up=self._router.first_up,
            )
        )
        if outgoing is None:
            return
        delivery = structs.replace(delivery, leased_until_us=wall_us + submit.SUBMIT_LEASE_US)
        started_ns, recoveries = time.perf_counter_ns(), self._router.recoveries
        message = CarrierMessage(outgoing.sender, outgoing.to, outgoing.text, outgoing.taken)
        outcome: AcceptedSubmit | CarrierRefused
        try:
            outcome = await self._router.submit(
                outgoing.message_id,
                message,
                order=outgoing.carriers,
                recorded=outgoing.carrier,
                record=lambda carrier: self._record_carrier(delivery, carrier),
            )
        except CarrierRefused as error:
            outcome = error
        duration_us = (time.perf_counter_ns() - started_ns) // 1000
        metrics.attempts(delivery.kind, _submit_label(outcome)).inc()
        await self._results.record_submit(
            delivery,
            outgoing.message_id,
            outcome,
            duration_us=duration_us,
            has_recovered=lambda: self._router.recoveries != recoveries,
        )

    async def _record_carrier(self, delivery: LeasedDelivery, carrier: str) -> bool:
        """Record the carrier that gets the SMS next. Return False if it must not get it."""
        return await self._runtime.db.write(
            lambda tx: in_flight.submit_to_another(tx, delivery.id, attempt=delivery.attempts, carrier=carrier)
        )

    async def drain(self) -> None:
        """Wait until every result is written."""
        await self._results.drain()

    async def _exchange(self, delivery: LeasedDelivery, *, on_answer: Callable[[bool | None, bool], None]) -> Outcome:
        """POST a delivery, signed with the account's current secrets."""
        wall_us = self._runtime.clock.wall_us()
        versions = webhook_secret.signing_versions(
            delivery.webhook_version, rotated_wall_us=delivery.webhook_rotated_wall_us, wall_us=wall_us
        )
        secrets = [webhook_secret.derive(self._key, account_id=delivery.account_id, version=v) for v in versions]
        answered: bool | None = None
        timed_out = False
        try:
            outcome = await self._webhooks.post(delivery, secrets=secrets, timestamp_s=wall_us // SECOND_US)
            answered = outcome.status is not None and outcome.status < 500 and outcome.status != 429
            timed_out = outcome.status is None and outcome.duration_us >= SLOW_US
        finally:
            on_answer(answered, timed_out)
        return outcome

    async def _record_post(self, delivery: LeasedDelivery, outcome: Outcome) -> None:
        verdict = backoff.verdict(outcome.status, attempts=delivery.attempts - delivery.attempts_before)
        metrics.attempts(delivery.kind, verdict).inc()
        if verdict is backoff.Verdict.DELIVERED:
            self._answered_meanwhile |= self._posting[delivery.destination]
        await self._results.record_post(delivery, outcome, verdict, answered=self._answered_meanwhile)


def _submit_label(outcome: AcceptedSubmit | CarrierRefused) -> str:
    """The `result` label of a submit in the metrics."""
    if isinstance(outcome, AcceptedSubmit):
        return "delivered"
    return "parked" if outcome.permanent else "in_doubt" if outcome.in_doubt else "retry"
