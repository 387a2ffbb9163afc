"""Posts webhooks from a separate process, so that signatures, requests and replies don't compete with incoming SMS for
the interpreter lock.

The processes exchange frames over a socket pair: a length, then that many bytes of MessagePack. Requests go one way,
results the other. The child exits when the socket closes, however the parent ended. If the child exits or stops
responding, its pending attempts count as failed and a new child is started.
"""

import asyncio
import gc
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, cast

import msgspec

from dtmf_server.core.errors import CannotStart
from dtmf_server.core.restart_policy import RestartPolicy
from dtmf_server.event_loop import new_event_loop
from dtmf_server.webhooks import dispatcher
from dtmf_server.webhooks.client import Outcome, WebhookClient

log = logging.getLogger("dtmf.outbox")

LENGTH_BYTES = 4
NICE = 5  # storing incoming SMS has priority, because carriers wait for it
ANSWERS_PAUSE_S = 0.002  # results aren't urgent, and each frame wakes the parent
START_S, STOP_S = 10.0, 5.0
RESTARTS = RestartPolicy(first_s=0.5, max_s=30.0, steady_s=60.0)
AWAITED_S = 4.0  # how long a post waits for the process to be ready
POLL_INTERVAL_S, SILENT_POLLS = (
    2.0,
    10,
)  # attempts end within 15 s; after 20 s of silence the process is hung
ABORTED = Outcome(None, "the attempt was interrupted")
# Logs like the service: masked, and rate limited where receivers can cause lines.
_START = (
    "import sys; from dtmf_server.runtime import logging as log; log.setup('WARNING'); log.limit_strangers();"
    "from dtmf_server.webhooks.subprocess_dispatcher import main; main(sandbox=sys.argv[1] == 'sandbox')"
)


class DispatcherUnavailable(Exception):
    """The dispatcher process is not running; nothing was posted."""


class DispatchRequest(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A request to post a delivery: its data and signing secrets."""

    place: int  # identifies the result
    id: int
    kind: str
    message_id: int
    e164: str
    sender: str
    text: str
    destination: str
    secrets: Sequence[str]
    timestamp_s: int


class DispatchResult(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The outcome, or the traceback of an unexpected exception. Place 0 means that the process is ready."""

    place: int
    outcome: Outcome | str


_encode = msgspec.msgpack.Encoder().encode
_asked = msgspec.msgpack.Decoder(DispatchRequest).decode
_answered = msgspec.msgpack.Decoder(DispatchResult).decode


class _Frames(asyncio.Protocol):
    """One end of the socket. Frames sent within `pause_s` are written together."""

    def __init__(self, received: Callable[[bytes], object], *, pause_s: float = 0.0) -> None:
        self._received, self._pause_s = received, pause_s
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._buffer = bytearray()
        self._out: list[bytes] = []

    def send(self, item: Any) -> None:
        """Queue an item to be sent within `pause_s`."""
        frame = _encode(item)
        if not self._out:
            self._loop.call_later(self._pause_s, self._flush)
        self._out += (len(frame).to_bytes(LENGTH_BYTES, "big"), frame)

    def _flush(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(b"".join(self._out))
        self._out.clear()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Split received data into frames."""
        self._buffer += data
        at = 0
        while len(self._buffer) - at >= LENGTH_BYTES:
            end = at + LENGTH_BYTES + int.from_bytes(self._buffer[at : at + LENGTH_BYTES], "big")
            if len(self._buffer) < end:
                break
            self._received(bytes(self._buffer[at + LENGTH_BYTES : end]))
            at = end
        del self._buffer[:at]

    def connection_lost(self, error: Exception | None) -> None:
        """Report that the other end has closed."""
        self.lost.set_result(None)


class SubprocessDispatcher:
    """Posts webhooks from a child process. An async context manager, otherwise like `InProcessDispatcher`."""

    def __init__(self, *, sandbox: bool) -> None:
        self._sandbox = sandbox
        self._process: subprocess.Popen[bytes]
        self._frames: _Frames
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        self._place = 0
        self._is_there = asyncio.Event()
        self._has_told = False  # since the last poll

    @property
    def pid(self) -> int:
        """The process ID of the current child."""
        return self._process.pid

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except DispatcherUnavailable:
            raise CannotStart("the process that posts webhooks did not start; its output says why") from None
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        self._frames.transport.abort()
        await asyncio.to_thread(_end, self._process)

    async def post(self, sms: dispatcher.Payload, *, secrets: Sequence[str], timestamp_s: int) -> Outcome:
        """Post an SMS or event to its webhook once. Raises DispatcherUnavailable."""
        if not self._is_there.is_set():
            try:
                async with asyncio.timeout(AWAITED_S):
                    await self._is_there.wait()
            except TimeoutError:
                raise DispatcherUnavailable from None
        self._place = place = self._place + 1
        what = (sms.id, sms.kind, sms.message_id, sms.e164, sms.sender, sms.text, sms.destination)
        self._frames.send(DispatchRequest(place, *what, secrets, timestamp_s))
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[place] = answer
        try:
            return await answer
        finally:
            del self._waiting[place]

    def _told(self, frame: bytes) -> None:
        """Pass a result to the waiting caller."""
        answered = _answered(frame)
        self._has_told = True
        if not answered.place:
            self._is_there.set()
        answer = self._waiting.get(answered.place)
        if answer is None or answer.done():
            return
        if isinstance(answered.outcome, str):
            answer.set_exception(RuntimeError(f"in the webhook process:\n{answered.outcome}"))
        else:
            answer.set_result(answered.outcome)

    async def _start(self) -> None:
        """Start the child. Raises OSError, or DispatcherUnavailable if it doesn't become ready."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                # -P: don't import from the working directory.
                command = [sys.executable, "-P", "-c", _START, "sandbox" if self._sandbox else "live"]
                # Takes 2 ms, not worth a thread.
                self._process = subprocess.Popen(command, stdin=theirs.fileno())  # noqa: ASYNC220, S603 - our own code
            loop = asyncio.get_running_loop()
            _, self._frames = await loop.create_connection(lambda: _Frames(self._told), sock=ours)
        except BaseException:
            ours.close()
            raise
        there: asyncio.Future[Any] = asyncio.create_task(self._is_there.wait())
        await asyncio.wait([there, self._frames.lost], timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        there.cancel()
        if not self._is_there.is_set():
            self._frames.transport.abort()
            raise DispatcherUnavailable

    async def _keep(self) -> None:
        """Restart the child whenever it ends, until cancelled."""
        pause_s = 0.0
        while True:
            started_s = time.monotonic()
            try:
                await self._until_lost()
                log.error("the process that posts webhooks ended (%s) and is being restarted", self._process.returncode)
                pause_s = RESTARTS.pause_s(pause_s, ran_s=time.monotonic() - started_s)
                await asyncio.sleep(pause_s)
                await self._start()
            except Exception:  # out of memory, files or threads: try again
                log.exception("cannot start the process that posts webhooks")
                pause_s = RESTARTS.pause_s(pause_s, ran_s=0.0)
                await asyncio.sleep(pause_s)

    async def _until_lost(self) -> None:
        """Return when the child has exited; kill it if it stops responding."""
        silent = 0
        while not (await asyncio.wait([self._frames.lost], timeout=POLL_INTERVAL_S))[0]:
            silent = 0 if self._has_told or not self._waiting else silent + 1
            self._has_told = False
            if silent >= SILENT_POLLS:
                self._process.kill()
        self._is_there.clear()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result(ABORTED)
        await asyncio.to_thread(_end, self._process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Wait for the child to exit after its socket was closed; kill it after STOP_S."""
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


async def _serve(*, sandbox: bool) -> None:
    under_way: set[asyncio.Task[None]] = set()

    def begin(frame: bytes) -> None:
        task = asyncio.create_task(post(_asked(frame)))
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    async def post(asked: DispatchRequest) -> None:
        outcome: Outcome | str
        try:
            outcome = await webhooks.post(asked, secrets=asked.secrets, timestamp_s=asked.timestamp_s)
        except Exception:  # whatever it is, the caller must get a result
            outcome = traceback.format_exc()
        frames.send(DispatchResult(asked.place, outcome))

    async with WebhookClient(sandbox=sandbox) as poster:
        webhooks = dispatcher.InProcessDispatcher(poster, sandbox=sandbox)
        frames = _Frames(begin, pause_s=ANSWERS_PAUSE_S)
        await asyncio.get_running_loop().create_connection(lambda: frames, sock=socket.socket(fileno=0))
        frames.send(DispatchResult(0, ""))
        await frames.lost


def main(*, sandbox: bool) -> None:
    """Run the child: read requests from stdin, which is a socket, until it closes."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the parent handles them; its exit closes our socket
        signal.signal(number, signal.SIG_IGN)
    with suppress(OSError):  # may be forbidden in a container
        os.nice(NICE)
    gc.freeze()  # as in the parent
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve(sandbox=sandbox))
