"""Run the carriers' links: store incoming SMS before acknowledging them, and apply receipts to sent SMS.

One process at a time runs all links (`alone` in process.py), because redeliveries, the parts of one SMS and its receipts
may arrive on any link of a carrier, and an SMS is submitted to the first carrier that is up.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import aclosing
from functools import partial

from dtmf_server.carriers.base import (
    CarrierMessage,
    CarrierRefused,
    CatchesUp,
    FindsSubmits,
    HasHeartbeat,
    InboundSink,
    NotStored,
    SmsCarrier,
)
from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.core.inbound import InboundMessage, Receipt
from dtmf_server.core.repeats import Repeats
from dtmf_server.core.submission import LateAnswer, Verdict
from dtmf_server.core.units import DAY_US, MINUTE_US, SECOND_US
from dtmf_server.operations import doubt, ingest, receipts, strays
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import carrier_answers, carriers, in_flight, inbound_log, message_parts
from dtmf_server.storage import strays as storage_strays
from dtmf_server.storage.db import Row, Tx
from dtmf_server.workers.canaries import run_canaries
from dtmf_server.workers.carrier_recovery import retry_when_up
from dtmf_server.workers.carrier_router import CarrierRouter
from dtmf_server.workers.supervisor import supervise

log = logging.getLogger("dtmf.carriers")

Item = InboundMessage | Receipt
Store = Callable[[Sequence[Item]], Awaitable[Sequence[int]]]

ANSWERS_NOTED_S = 0.25  # acknowledgements are recorded at most this long after they were sent
POLL_INTERVAL_S = 1.0
NOTE_LINKS_S = 5.0
_away = Repeats()  # failures of the database, shared by all carriers of this process
FORGET_S = 60.0
CATCH_UP_S, CATCH_UP_RETRY_S = 300.0, 30.0
CATCH_UP_MAX_US = 30 * DAY_US  # SMS IDs are stored for longer, so no SMS is stored twice
CATCH_UP_OVERLAP_US = 10 * MINUTE_US  # a carrier may list an SMS late, and its clock may differ from ours
SETTLE_DOUBTS_S, DOUBTS_AT_ONCE, REFUSALS_MAX = 60.0, 50, 5
SUBMIT_MAX_US = 3 * MINUTE_US  # the longest that a submit may take
NOT_ACCEPTED = "the carrier does not have the SMS"
REPORT_STRAYS_S, REPORTED_STRAYS_MAX = 3600.0, 5


async def run_carriers(runtime: Runtime, routes: CarrierRouter) -> None:
    """Run every carrier's links until cancelled."""
    names = [carrier.name for carrier in routes.carriers]
    await runtime.db.write(lambda tx: carriers.forget_links(tx, except_carriers=names))
    await _abandon_submits(runtime, routes)
    routes.owns_links = True
    runtime.db.wakeups.notify({"deliveries"})  # this process may now claim SMS for carriers
    workers = {f"carrier {c.name}": partial(run_carrier, runtime, c, routes) for c in routes.carriers}
    try:
        more = {"strays": partial(report_strays, runtime), "canaries": partial(run_canaries, runtime, routes)}
        await supervise({**workers, **more})
    finally:
        routes.owns_links = False


async def _abandon_submits(runtime: Runtime, routes: CarrierRouter) -> None:
    """Put in doubt the submits that the previous process had pending when it lost the carriers' links."""
    clock, settings = runtime.clock, runtime.settings
    while await runtime.db.write(
        lambda tx: doubt.abandon(
            tx,
            now_us=clock.now_us(tx),
            wall_us=clock.wall_us(),
            life_us=settings.doubt_us,
            everything=True,
            queryable=routes.queryable,
        )
    ):
        pass


async def run_carrier(runtime: Runtime, carrier: SmsCarrier, routes: CarrierRouter) -> None:
    """Keep the carrier's links up until cancelled."""
    await runtime.db.write(lambda tx: carriers.add(tx, carrier.name))
    desk = _InboundStore(runtime, carrier.name)
    works = (
        desk.record_acks(),
        desk.expire_parts(),
        _note(runtime, carrier, routes),
        retry_when_up(runtime, carrier, routes),
    )
    chores = [asyncio.ensure_future(work) for work in works]
    if isinstance(carrier, CatchesUp):
        chores.append(asyncio.ensure_future(catch_up(runtime, carrier, desk)))
    if isinstance(carrier, FindsSubmits):
        chores.append(asyncio.ensure_future(settle_doubts(runtime, carrier)))
    links = asyncio.ensure_future(carrier.run(InboundSink(desk.receive, desk.answered, desk.late)))
    try:
        await asyncio.wait([links, *chores], return_when=asyncio.FIRST_COMPLETED)
        for task in (links, *chores):
            if task.done():
                task.result()
    finally:
        # Stop the links first: they unbind, and messages that arrive meanwhile are still stored.
        for tasks in ([links], chores):
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def catch_up(runtime: Runtime, carrier: CatchesUp, desk: "_InboundStore") -> None:
    """Fetch SMS and receipts that the carrier received while its callbacks failed: at the start, then every CATCH_UP_S."""
    faults = Repeats()
    while True:
        await asyncio.sleep(0)  # let `run` start first
        started_us = runtime.clock.wall_us()
        try:
            since_us = await runtime.db.read(partial(carriers.caught_up_us, name=carrier.name))
            since_us = max(since_us or 0, started_us - CATCH_UP_MAX_US) - CATCH_UP_OVERLAP_US
            async with aclosing(carrier.arrived_since(since_us)) as batches:  # type: ignore[type-var]  # a generator
                async for batch in batches:
                    if batch:
                        await desk.receive(batch, ())
            await runtime.db.write(partial(carriers.set_caught_up, name=carrier.name, wall_us=started_us))
        except (CarrierRefused, NotStored, StorageUnavailable) as error:
            if line := faults.failed(str(error), now_s=time.monotonic()):
                log.warning("carrier %s: can't fetch the SMS that callbacks missed: %s", carrier.name, line)
            await asyncio.sleep(CATCH_UP_RETRY_S)
        else:
            faults.worked(now_s=time.monotonic())
            await asyncio.sleep(CATCH_UP_S)


async def settle_doubts(runtime: Runtime, carrier: FindsSubmits) -> None:
    """Every SETTLE_DOUBTS_S, ask the carrier whether it accepted the submits that it did not respond to.

    Each round continues where the last one ended: an SMS that the carrier can't answer for must not hold up the others.
    """
    after = 0
    while True:
        await asyncio.sleep(SETTLE_DOUBTS_S)
        after = await _settle_some(runtime, carrier, after=after)


async def _settle_some(runtime: Runtime, carrier: FindsSubmits, *, after: int) -> int:
    """Ask about the next messages in doubt. Return the ID to continue after; 0 to begin again."""
    in_doubt = partial(in_flight.in_doubt_at, carrier=carrier.name, after=after, limit=DOUBTS_AT_ONCE)
    rows, refusals = await runtime.db.read(in_doubt), 0
    for row in rows:
        after = row["id"]
        try:
            await _settle_doubt(runtime, carrier, row)
        except CarrierRefused:
            refusals += 1
            if refusals == REFUSALS_MAX:
                return after  # the carrier is probably down
        except StorageUnavailable:
            return after
    return after if len(rows) == DOUBTS_AT_ONCE else 0


async def _settle_doubt(runtime: Runtime, carrier: FindsSubmits, row: Row) -> None:
    clock = runtime.clock
    message = CarrierMessage(row["sender"], row["recipient"], row["content"])
    since_us = row["submitted_wall_us"] - SUBMIT_MAX_US
    refs = await carrier.find_submit(row["id"], message, since_us=since_us)
    verdict, ref = (None, refs[0]) if refs else (Verdict.TEMPORARY, "")
    answer = LateAnswer(row["id"], row["segment"], row["total"], verdict, ref, NOT_ACCEPTED)
    await runtime.db.write(
        lambda tx: doubt.answered(tx, carrier.name, [answer], now_us=clock.now_us(tx), wall_us=clock.wall_us())
    )


async def report_strays(runtime: Runtime) -> None:
    """Log SMS for numbers without a renter, at most once in REPORT_STRAYS_S."""
    db = runtime.db
    reported = await db.read(storage_strays.total)
    while True:
        await asyncio.sleep(NOTE_LINKS_S)
        new = await db.read(partial(strays.since, total=reported, shown_max=REPORTED_STRAYS_MAX))
        if new.total > reported:
            log.warning(
                "%d SMS arrived for numbers without a renter, the last for %s: see dtmf-server doctor",
                new.total - reported,
                ", ".join(map(_masked, new.last_destinations)),
            )
            reported = new.total
            await asyncio.sleep(REPORT_STRAYS_S)


def _masked(destination: str) -> str:
    """Return a destination without its middle digits: `+447…23`."""
    shown = (destination[:4], destination[-2:]) if len(destination) > 8 else ("", "")
    return "…".join("".join(one if one.isprintable() else "?" for one in part) for part in shown)


class _InboundStore:
    """Stores the SMS and receipts of one carrier's links."""

    def __init__(self, runtime: Runtime, carrier: str) -> None:
        self._runtime, self._carrier = runtime, carrier
        self._answered: list[int] = []
        self._faults = Repeats()
        self._some_answered = asyncio.Event()

    async def receive(self, batch: Sequence[Item], live: Collection[int]) -> Sequence[int]:
        """Store a batch; see `InboundSink`."""

        async def store(items: Sequence[Item]) -> Sequence[int]:
            notes, self._answered = self._answered, []
            try:
                return await self._runtime.db.write(partial(self._store, items=items, live=live, answered=notes))
            except BaseException:
                self._answered = notes + self._answered
                raise

        return await store_batch(batch, store, self._faults)

    def answered(self, notes: Sequence[int]) -> None:
        """Note acknowledgements that were sent. The next transaction records them."""
        self._answered += [note for note in notes if note]
        if self._answered:
            self._some_answered.set()

    async def late(self, answers: Sequence[LateAnswer]) -> Sequence[LateAnswer]:
        """Store answers to submits that were in doubt; see `InboundSink`."""
        clock = self._runtime.clock
        return await self._runtime.db.write(
            lambda tx: doubt.answered(tx, self._carrier, answers, now_us=clock.now_us(tx), wall_us=clock.wall_us())
        )

    async def record_acks(self) -> None:
        """Record the acknowledgements that were sent, if no batch does so first."""
        while True:
            await self._some_answered.wait()
            self._some_answered.clear()
            await asyncio.sleep(ANSWERS_NOTED_S)
            if self._answered:
                await _unless_away(self._write_answers)

    async def expire_parts(self) -> None:
        """Deliver long SMS that stay incomplete, and delete the records of SMS that can't be redelivered any more."""
        clock, forgotten_us = self._runtime.clock, 0
        while True:
            await asyncio.sleep(POLL_INTERVAL_S)
            await _unless_away(self._give_up_parts)
            if clock.wall_us() - forgotten_us > FORGET_S * SECOND_US:
                forgotten_us = clock.wall_us()
                await _unless_away(self._forget)

    def _store(
        self,
        tx: Tx,
        *,
        items: Sequence[Item],
        live: Collection[int],
        answered: Sequence[int],
    ) -> list[int]:
        clock = self._runtime.clock
        wall_us = clock.wall_us()
        if answered:
            inbound_log.answered(tx, answered, wall_us=wall_us)
        return ingest.ingest_batch(
            tx,
            self._carrier,
            items,
            live=live,
            now_us=clock.now_us(tx),
            wall_us=wall_us,
        )

    async def _forget(self) -> None:
        clock = self._runtime.clock
        wall_us = clock.wall_us()
        # Not durable: rows that a power cut brings back are deleted again.
        while await self._runtime.db.write(
            lambda tx: _forget(tx, wall_us=wall_us, now_us=clock.now_us(tx)), durable=False
        ):
            pass

    async def _write_answers(self) -> None:
        notes, self._answered = self._answered, []
        try:
            await self._runtime.db.write(
                lambda tx: inbound_log.answered(tx, notes, wall_us=self._runtime.clock.wall_us())
            )
        except BaseException:
            self._answered = notes + self._answered
            self._some_answered.set()
            raise

    async def _give_up_parts(self) -> None:
        db, clock, settings = self._runtime.db, self._runtime.clock, self._runtime.settings
        oldest_us = await db.read_autocommit(message_parts.oldest_wall_us)
        if oldest_us is None or oldest_us > clock.wall_us() - settings.parts_patience_us:
            return
        given_up = await db.write(
            lambda tx: ingest.flush_incomplete(
                tx,
                self._carrier,
                patience_us=settings.parts_patience_us,
                now_us=clock.now_us(tx),
                wall_us=clock.wall_us(),
            )
        )
        if given_up:
            log.warning("%d long SMS of carrier %s were delivered incomplete", given_up, self._carrier)


async def store_batch(batch: Sequence[Item], store: Store, faults: Repeats | None = None) -> Sequence[int]:
    """Store a batch in one transaction and return the note of each item. If an item makes the transaction fail, store
    each item in a transaction of its own.

    Raises NotStored with the items that can't be stored, StorageUnavailable if the database is unavailable.
    """
    faults = faults or Repeats()
    try:
        return await store(batch)
    except StorageUnavailable:
        raise
    except Exception as error:
        if line := faults.failed(f"a batch can't be stored ({type(error).__name__})", now_s=time.monotonic()):
            log.error("%s: storing each item on its own", line)
    notes = [await _note_of(item, store, faults) for item in batch]
    if refused := [place for place, note in enumerate(notes) if note is None]:
        raise NotStored(refused, [note for note in notes if note])
    return [note or 0 for note in notes]


async def _note_of(item: Item, store: Store, faults: Repeats) -> int | None:
    """Store one item and return its note; None if it can't be stored."""
    try:
        (note,) = await store([item])
    except Exception as error:
        # Don't log the error's message: the database may quote the SMS in it.
        refused = f"an item from a carrier can't be stored and is not acknowledged ({type(error).__name__})"
        if line := faults.failed(refused, now_s=time.monotonic()):
            log.error("%s", line)
        return None
    return note


async def _note(runtime: Runtime, carrier: SmsCarrier, routes: CarrierRouter) -> None:
    """Record the state of the links and the answer times for /readyz and the operator's commands."""
    while True:
        if times := routes.take_answer_times(carrier.name):
            count = partial(carrier_answers.count, carrier=carrier.name, rows=times)
            await _unless_away(partial(runtime.db.write, count, durable=False))
        if isinstance(carrier, HasHeartbeat):
            await _unless_away(partial(_pass_heartbeat, runtime, carrier))
        if traffic := carrier.traffic():
            rows = [
                (t.link, t.state, t.since_us, t.last_seen_us, t.arrived, t.submitted, t.errors, t.p95_us, t.reason)
                for t in traffic
            ]
            wall_us = runtime.clock.wall_us()
            note = partial(carriers.note_links, rows=rows, carrier=carrier.name, wall_us=wall_us)
            await _unless_away(partial(runtime.db.write, note))
            states = [t.state for t in traffic]
        for _ in range(round(NOTE_LINKS_S / POLL_INTERVAL_S)):
            await asyncio.sleep(POLL_INTERVAL_S)
            if traffic and [t.state for t in carrier.traffic()] != states:
                break


async def _pass_heartbeat(runtime: Runtime, carrier: HasHeartbeat) -> None:
    """Pass on the last heartbeat, which any process may have received."""
    carrier.heard(await runtime.db.read(partial(carriers.heartbeat_us, name=carrier.name)))


async def _unless_away(work: Callable[[], Awaitable[object]]) -> None:
    """Do work that can wait while the database is unavailable."""
    try:
        await work()
    except StorageUnavailable as error:
        if line := _away.failed(str(error), now_s=time.monotonic()):
            log.warning("postponed: %s", line)
    else:
        if lasted := _away.worked(now_s=time.monotonic()):
            log.warning("postponed work continues, after %s", lasted)


def _forget(tx: Tx, *, wall_us: int, now_us: int) -> int:
    forgotten = storage_strays.forget(tx, now_us=now_us)
    return forgotten + ingest.forget(tx, wall_us=wall_us) + receipts.forget(tx, wall_us=wall_us)
