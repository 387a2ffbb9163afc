"""One bind's socket: connects, feeds the session, passes arriving messages on for storage, reconnects.

Everything that has arrived when the store is free is stored as one batch, so that one commit acknowledges many
messages; the socket is read in the meantime. An acknowledgement is sent only after `Intake.receive` has returned. If
the process dies before that, the SMSC redelivers the message, and the database recognises it.
"""

import asyncio
import contextlib
import logging
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from dtmf_server.carriers.base import InboundSink, LinkStats, NotStored
from dtmf_server.carriers.smpp import hints
from dtmf_server.carriers.smpp.events import (
    AnsweredLate,
    Arrived,
    Bound,
    Closed,
    Event,
    Submitted,
    Times,
    Unreadable,
)
from dtmf_server.carriers.smpp.pdu import Bind, Sm
from dtmf_server.carriers.smpp.session import LATE_MAX, Session, State
from dtmf_server.carriers.smpp.status import THROTTLED, Status
from dtmf_server.carriers.smpp.trace_text import pdu_text
from dtmf_server.core.inbound import InboundMessage, Receipt
from dtmf_server.core.repeats import Repeats
from dtmf_server.core.restart_policy import RestartPolicy
from dtmf_server.core.trace import Direction, Trace
from dtmf_server.core.units import SECOND_US

log = logging.getLogger("dtmf.smpp")

READ_SIZE = 1 << 17
BATCH_MAX = 500
UNSTORED_MAX = 2000  # above this the socket is not read, so the SMSC waits
CONNECT_S = 5.0
GOODBYE_S = 1.0
# Reconnect within seconds once the network is back, but do not hammer an SMSC that refuses the bind.
RESTARTS = RestartPolicy(first_s=0.5, max_s=2.0, steady_s=60.0)
REFUSED = RESTARTS.up_to(30.0)
RESTART_S = 60.0  # minimum interval between restarts (and warnings) of a link whose bind is rejected on submit


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a link binds, and with which credentials. `hosts`: in the order in which they are tried."""

    hosts: tuple[tuple[str, int], ...]
    tls: ssl.SSLContext | None
    bind: str
    body: Bind
    window: int
    times: Times
    throttled: frozenset[int] = THROTTLED
    submits_per_s: float = 0.0  # 0: no limit


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a submit_sm: the SMSC's status or None; `is_sent`: the SMSC may have received the PDU."""

    status: int | None
    message_id: str = ""
    is_sent: bool = True


NOT_SENT = Answer(Status.ESME_RMSGQFUL, is_sent=False)


# Converts a message for the service; None: acknowledge it and do nothing more.
Reading = Callable[[Arrived, int], InboundMessage | Receipt | None]
# Receives the answer to a submit that was in doubt, with the tag it was submitted with.
Late = Callable[[Any, AnsweredLate], None]


class Link:
    """One bind of a carrier, re-established whenever it ends. `live` holds all the carrier's connections by id."""

    def __init__(
        self,
        endpoint: Endpoint,
        traffic: LinkStats,
        *,
        reading: Reading,
        late: Late,
        live: dict[int, tuple[asyncio.StreamReader, asyncio.StreamWriter]],
        new_id: Callable[[], int],
        uniform: Callable[[], float],
        wall_us: Callable[[], int],
        trace: Trace,
    ) -> None:
        self.endpoint, self.traffic, self._trace = endpoint, traffic, trace
        self._reading, self._live, self._new_id = reading, live, new_id
        self.late = late
        self._restarted_s: float | None = None
        self._uniform, self._wall_us = uniform, wall_us
        self._connection: _Connection | None = None
        self._was_bound = False
        self._faults, self._unstored = Repeats(), Repeats()

    @property
    def can_submit(self) -> bool:
        """Return whether it is bound and can submit SMS."""
        connection = self._connection
        return connection is not None and connection.session.can_submit and connection.session.state is State.BOUND

    @property
    def load(self) -> float:
        """Return the pending submits as a fraction of the window."""
        return self._connection.session.load / self.endpoint.window if self._connection else 0.0

    async def submit(self, body: Sm, tag: Any) -> Answer:
        """Submit and return the answer. An answer after the timeout goes to `late`, with the tag."""
        if self._connection is None or not self.can_submit:
            return NOT_SENT
        answer = await self._connection.submit(body, tag)
        if answer.status == Status.ESME_ROK:
            self.traffic.submitted += 1
        else:
            self.traffic.errors += 1
        return answer

    def restart(self, reason: str) -> None:
        """Rebind once the pending submits are answered; at most once per `RESTART_S`."""
        now_s = time.monotonic()
        if self._connection is None or (self._restarted_s is not None and now_s < self._restarted_s + RESTART_S):
            return
        self._restarted_s = now_s
        log.warning("restarting %s: %s. Outgoing SMS stay queued", self.traffic.link, reason)
        self._connection.drain(reason)

    async def run(self, sink: InboundSink) -> None:
        """Bind, and rebind after each disconnect, until cancelled."""
        pause_s, host = 0.0, 0
        while True:
            started_s = time.monotonic()
            ended = await self._serve(sink, *self.endpoint.hosts[host])
            # After a bind that worked, the first host again; otherwise the next one.
            host = 0 if self._was_bound else (host + 1) % len(self.endpoint.hosts)
            self.traffic.errors += 1
            self.traffic.move("down", at_us=self._wall_us(), reason=ended.reason)
            if line := self._faults.failed(ended.reason, now_s=time.monotonic()):
                log.warning("%s is down: %s", self.traffic.link, line)
            policy = REFUSED if ended.refused else RESTARTS
            pause_s = policy.pause_s(pause_s, ran_s=time.monotonic() - started_s)
            # Wait between half and all of the pause, so that links that failed together don't reconnect together.
            await asyncio.sleep(pause_s * (0.5 + self._uniform() / 2))

    async def _serve(self, sink: InboundSink, host: str, port: int) -> Closed:
        """Serve one connection from connect to close; return how it ended."""
        endpoint, link_id = self.endpoint, self._new_id()
        self.traffic.move("connecting", at_us=self._wall_us())
        self._was_bound = False
        try:
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(host, port, ssl=endpoint.tls, limit=READ_SIZE)
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            said = f"can't connect to {host}:{port} ({_said(error)})"
            return Closed(hints.not_connected(error, said, with_tls=endpoint.tls is not None))
        self._live[link_id] = reader, writer
        self._connection = _Connection(self, reader, writer, sink, link_id)
        try:
            ended = await self._connection.run()
            reason = hints.ended(
                ended.reason,
                refusal=self._connection.session.refusal,
                bind=endpoint.bind,
                was_bound=self._was_bound,
                with_tls=endpoint.tls is not None,
            )
            return Closed(reason, ended.refused)
        finally:
            del self._live[link_id]
            self._connection = None
            writer.transport.abort()

    def note(self, event: Event) -> None:
        """Update the traffic statistics and log the event."""
        if isinstance(event, Bound):
            self._was_bound = True
            self.traffic.move("bound", at_us=self._wall_us())
            if lasted := self._faults.worked(now_s=time.monotonic()):
                log.warning("%s is bound to %s again, after %s", self.traffic.link, event.system_id, lasted)
            else:
                log.info("%s is bound to %s", self.traffic.link, event.system_id)
        elif isinstance(event, Unreadable):
            self.traffic.errors += 1
            log.error(
                "%s received a PDU that can't be decoded (%s); the SMSC keeps it", self.traffic.link, event.reason
            )

    def record(self, direction: Direction, frame: bytes) -> None:
        """Record a PDU while an operator watches."""
        if self._trace.is_on:
            self._trace.record(direction, f"{self.traffic.link}: {pdu_text(frame)}", at_us=self._wall_us())

    def heard(self) -> None:
        """Record that data arrived over the link."""
        self.traffic.last_seen_us = self._wall_us()

    def not_stored(self, error: Exception) -> None:
        """Log why nothing can be stored."""
        if line := self._unstored.failed(type(error).__name__, now_s=time.monotonic()):
            log.error("%s: nothing can be stored now: %s", self.traffic.link, line)

    def stored(self) -> None:
        """Log that messages can be stored again."""
        if lasted := self._unstored.worked(now_s=time.monotonic()):
            log.warning("%s: messages are stored again, after %s", self.traffic.link, lasted)

    def read(self, arrived: Arrived, link_id: int) -> InboundMessage | Receipt | None:
        """Convert a message for the service."""
        return self._reading(arrived, link_id)

    def links_up(self) -> Collection[int]:
        """Return the ids of the carrier's live connections. One that has just ended is excluded, even before its task has
        noticed: the SMSC may already have redelivered its messages over another one."""
        return frozenset(
            link_id for link_id, (reader, writer) in self._live.items() if not (reader.at_eof() or writer.is_closing())
        )


class _Connection:
    """One TCP connection and its session."""

    def __init__(
        self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sink: InboundSink, link_id: int
    ) -> None:
        self.session = Session(
            link.endpoint.bind,
            link.endpoint.body,
            window=link.endpoint.window,
            times=link.endpoint.times,
            throttled=link.endpoint.throttled,
            submits_per_s=link.endpoint.submits_per_s,
            trace=link.record,
        )
        self._link, self._reader, self._writer, self._intake, self._id = link, reader, writer, sink, link_id
        self._unstored: list[tuple[Arrived, float]] = []
        self._some, self._room, self._kick = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._room.set()
        self._submits: dict[int, tuple[asyncio.Future[Answer], Any]] = {}
        self._late: OrderedDict[int, Any] = OrderedDict()  # tags of submits that were not answered in time
        self._key = 0
        self._over: asyncio.Future[Closed] = asyncio.get_running_loop().create_future()

    async def run(self) -> Closed:
        """Serve until the session is closed; return how it ended."""
        self.session.start(time.monotonic())
        self._flush()
        tasks = [asyncio.create_task(work()) for work in (self._read, self._store, self._tick)]
        try:
            watched: list[asyncio.Future[Any]] = [self._over, *tasks]
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()  # a bug here ends the link, and the supervisor logs it
            return self._over.result()
        except asyncio.CancelledError:
            await self._say_goodbye()
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._handle(self.session.lost("the link ended"))

    async def submit(self, body: Sm, tag: Any) -> Answer:
        """Submit and return the answer."""
        self._key += 1
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._submits[self._key] = future, tag
        self._handle(self.session.submit(self._key, body, time.monotonic()))
        self._kick.set()
        return await future

    def drain(self, reason: str) -> None:
        """End the bind once the pending submits are answered."""
        self._handle(self.session.drain(time.monotonic(), reason))
        self._kick.set()

    async def _read(self) -> None:
        """Feed received octets to the session until the connection ends."""
        reason = "the SMSC closed the connection"
        try:
            while data := await self._reader.read(READ_SIZE):
                self._link.heard()
                self._handle(self.session.receive(data, time.monotonic()))
                self._kick.set()
                await self._room.wait()
        except OSError as error:
            reason = f"the connection broke ({_said(error)})"
        self._handle(self.session.lost(reason))

    async def _tick(self) -> None:
        """Run the session's timers."""
        while True:
            self._kick.clear()
            left_s = max(0.0, self.session.next_tick_s - time.monotonic())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._kick.wait()
            self._handle(self.session.tick(time.monotonic()))

    async def _store(self) -> None:
        """Store arrived messages, a batch at a time, and acknowledge each batch."""
        while True:
            await self._some.wait()
            batch, self._unstored = self._unstored[:BATCH_MAX], self._unstored[BATCH_MAX:]
            if not self._unstored:
                self._some.clear()
            if len(self._unstored) < UNSTORED_MAX:
                self._room.set()
            answers, notes = await self._stored([arrived for arrived, _ in batch])
            for (arrived, _), status in zip(batch, answers, strict=True):
                self.session.answer(arrived, status)
            self._flush()
            with contextlib.suppress(OSError):  # the reader reports it
                await self._writer.drain()
                self._intake.answered(notes)
            now_s = time.monotonic()
            self._link.traffic.arrived += len(batch)
            self._link.traffic.answer_us.extend(round((now_s - since_s) * SECOND_US) for _, since_s in batch)

    async def _stored(self, batch: list[Arrived]) -> tuple[list[int], list[int]]:
        """Return the status to answer each message of the batch with, and the notes of the stored ones."""
        read = [self._link.read(arrived, self._id) for arrived in batch]
        items = [item for item in read if item is not None]
        notes: list[int] = []
        refused: frozenset[int] = frozenset()
        try:
            notes = [*await self._intake.receive(items, self._link.links_up())] if items else []
            self._link.stored()
        except NotStored as error:
            refused, notes = frozenset(error.places), [*error.notes]
        except Exception as error:  # whatever the error is, the SMSC must keep the messages
            self._link.not_stored(error)
            refused = frozenset(range(len(items)))
        places = iter(range(len(items)))
        ok, not_now = int(Status.ESME_ROK), int(Status.ESME_RX_T_APPN)
        answers = [ok if item is None or next(places) not in refused else not_now for item in read]
        self._link.traffic.errors += len(refused)
        return answers, notes

    def _handle(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Arrived):
                self._unstored.append((event, time.monotonic()))
                self._some.set()
            elif isinstance(event, Submitted):
                self._submitted(event)
            elif isinstance(event, AnsweredLate):
                self._link.late(self._late.pop(event.key, None), event)
            elif isinstance(event, Closed) and not self._over.done():
                self._over.set_result(event)
            self._link.note(event)
        if len(self._unstored) >= UNSTORED_MAX:
            self._room.clear()
        self._flush()

    def _submitted(self, event: Submitted) -> None:
        future, tag = self._submits.pop(event.key)
        is_sent = event.key not in self.session.not_sent
        self.session.not_sent.discard(event.key)
        if event.status is None:
            self._late[event.key] = tag
            while len(self._late) > LATE_MAX:
                self._late.popitem(last=False)
        if not future.done():
            future.set_result(Answer(event.status, event.message_id, is_sent))

    def _flush(self) -> None:
        if data := self.session.to_send():
            self._writer.write(data)

    async def _say_goodbye(self) -> None:
        """Unbind, and briefly wait for the SMSC's response."""
        self._handle(self.session.stop(time.monotonic()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await asyncio.shield(self._over)


def _said(error: BaseException) -> str:
    """Return an error's message on one line."""
    return " ".join(str(getattr(error, "strerror", None) or error).split()) or type(error).__name__
