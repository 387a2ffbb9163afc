"""The two loops that run a call's attempts until there is an answer or an error.

All decisions are in retry.py; only this module reads clocks and draws random numbers and keys."""

from __future__ import annotations

import logging
import os
from random import random
from time import monotonic, sleep, time
from typing import TYPE_CHECKING

from . import long_polling
from .errors import DTMFError
from .retry import RetryState

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .cursors import Cursors
    from .operation import Answer, Call
    from .settings import Settings
    from .transport import AsyncTransport, Reply, Request, Transport
    from .types import Event
    from .waiters import Wait

log = logging.getLogger("dtmf")


def perform(call: Call[Answer], settings: Settings, transport: Transport, *, key: str = "") -> Answer:
    """Perform a call and return its answer. Raises a DTMFError. Calls with the same `key` take effect once."""
    operation, read = call
    return _answer(RetryState(operation, settings, key=key or new_key(), now_s=monotonic()), read, transport)


def wait(wanted: Wait[Answer], settings: Settings, cursors: Cursors, transport: Transport) -> Answer:
    """Return the result that ends the wait. Raises TimedOutError, or another DTMFError for a permanent failure."""
    awaited, found_in = wanted
    messages = long_polling.of_messages(awaited, settings, cursors, now_s=monotonic())
    while True:
        for message in poll(messages, transport):
            found = found_in(message)
            if found is not None:
                if awaited.key:
                    cursors.move(awaited.key, message["id"])
                return found


def events(after: int, settings: Settings) -> long_polling.LongPoll[Event]:
    """Return a stream of events for poll()."""
    return long_polling.of_events(after, settings, now_s=monotonic())


def poll(items: long_polling.LongPoll[Answer], transport: Transport) -> list[Answer]:
    """Return the next items, at least one. Raises a DTMFError."""
    return _answer(items, items.read, transport)


def _answer(attempts: RetryState, read: Callable[[Any], Answer], transport: Transport) -> Answer:
    while True:
        request = attempts.request(now_s=monotonic())
        try:
            reply = transport.send(request)
        except (DTMFError, OSError) as failure:
            _log_failure(request, failure)
            pause_s = attempts.pause_after_failure_s(
                failure, now_s=monotonic(), uniform=_uniform(), via=_via(transport)
            )
        else:
            attempts.note(request, reply)
            if not attempts.is_answer(reply):
                pause_s = attempts.pause_after_reply_s(reply, now_s=monotonic(), wall_s=time(), uniform=_uniform())
            else:
                answer = _read(attempts, reply, read)
                rest_s = attempts.pause_after_answer_s(answer, now_s=monotonic(), uniform=_uniform())
                if rest_s is None:
                    return answer
                pause_s = rest_s
        sleep(pause_s)


async def perform_async(call: Call[Answer], settings: Settings, transport: AsyncTransport, *, key: str = "") -> Answer:
    """perform() for asyncio."""
    operation, read = call
    attempts = RetryState(operation, settings, key=key or new_key(), now_s=monotonic())
    return await _answer_async(attempts, read, transport)


async def wait_async(wanted: Wait[Answer], settings: Settings, cursors: Cursors, transport: AsyncTransport) -> Answer:
    """wait() for asyncio."""
    awaited, found_in = wanted
    messages = long_polling.of_messages(awaited, settings, cursors, now_s=monotonic())
    while True:
        for message in await poll_async(messages, transport):
            found = found_in(message)
            if found is not None:
                if awaited.key:
                    cursors.move(awaited.key, message["id"])
                return found


async def poll_async(items: long_polling.LongPoll[Answer], transport: AsyncTransport) -> list[Answer]:
    """poll() for asyncio."""
    return await _answer_async(items, items.read, transport)


async def _answer_async(attempts: RetryState, read: Callable[[Any], Answer], transport: AsyncTransport) -> Answer:
    import asyncio  # noqa: PLC0415  # 30 ms that a blocking client does not need

    while True:
        request = attempts.request(now_s=monotonic())
        try:
            async with asyncio.timeout(request.timeout_s):
                reply = await transport.send(request)
        except (DTMFError, OSError) as failure:
            _log_failure(request, failure)
            pause_s = attempts.pause_after_failure_s(
                failure, now_s=monotonic(), uniform=_uniform(), via=_via(transport)
            )
        else:
            attempts.note(request, reply)
            if not attempts.is_answer(reply):
                pause_s = attempts.pause_after_reply_s(reply, now_s=monotonic(), wall_s=time(), uniform=_uniform())
            else:
                answer = _read(attempts, reply, read)
                rest_s = attempts.pause_after_answer_s(answer, now_s=monotonic(), uniform=_uniform())
                if rest_s is None:
                    return answer
                pause_s = rest_s
        await _sleep_async(pause_s)


def _log_failure(request: Request, failure: Exception) -> None:
    log.debug("%s %s: %s", request.method, request.path.partition("?")[0], failure)


def _read(attempts: RetryState, reply: Reply, read: Callable[[Any], Answer]) -> Answer:
    answer = attempts.answer(reply)
    try:
        return read(answer)
    except ValueError as cause:
        raise attempts.unreadable(reply, str(cause)) from cause


def _via(transport: object) -> str:
    """Return the route of this package's own transports, if the environment decides it."""
    return getattr(transport, "via", "")


def new_key() -> str:
    """Return a unique idempotency key."""
    return os.urandom(16).hex()


async def _sleep_async(pause_s: float) -> None:
    import asyncio  # noqa: PLC0415  # as above

    await asyncio.sleep(pause_s)


def _uniform() -> float:
    return random()  # noqa: S311  # spreads out retries; not for security
