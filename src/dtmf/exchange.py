"""The two loops that drive a call's attempts until there is an answer or an error.

Everything they decide is in attempts.py; only here are clocks, chance and keys drawn."""

from __future__ import annotations

import os
from random import random
from time import monotonic, sleep, time
from typing import TYPE_CHECKING

from .attempts import Attempts
from .errors import DTMFError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .calls import Answer, Call
    from .settings import Settings
    from .transport import AsyncTransport, Reply, Transport


def perform(call: Call[Answer], settings: Settings, transport: Transport) -> Answer:
    """The answer to the call. Raises a DTMFError."""
    operation, read = call
    attempts = Attempts(operation, settings, key=_new_key(), now_s=monotonic())
    while True:
        request = attempts.request(now_s=monotonic())
        try:
            reply = transport.send(request)
        except (DTMFError, OSError) as failure:
            pause_s = attempts.pause_after_failure_s(failure, now_s=monotonic(), chance=_chance())
        else:
            if reply.is_success:
                return _read(attempts, reply, read)
            pause_s = attempts.pause_after_reply_s(reply, now_s=monotonic(), wall_s=time(), chance=_chance())
        sleep(pause_s)


async def perform_async(call: Call[Answer], settings: Settings, transport: AsyncTransport) -> Answer:
    """The same, awaited."""
    import asyncio  # noqa: PLC0415  # 30 ms that a blocking client does not need

    operation, read = call
    attempts = Attempts(operation, settings, key=_new_key(), now_s=monotonic())
    while True:
        request = attempts.request(now_s=monotonic())
        try:
            async with asyncio.timeout(request.timeout_s):
                reply = await transport.send(request)
        except (DTMFError, OSError) as failure:
            pause_s = attempts.pause_after_failure_s(failure, now_s=monotonic(), chance=_chance())
        else:
            if reply.is_success:
                return _read(attempts, reply, read)
            pause_s = attempts.pause_after_reply_s(reply, now_s=monotonic(), wall_s=time(), chance=_chance())
        await _sleep_async(pause_s)


def _read(attempts: Attempts, reply: Reply, read: Callable[[Any], Answer]) -> Answer:
    answer = attempts.answer(reply)
    try:
        return read(answer)
    except ValueError as cause:
        raise attempts.unreadable(reply, str(cause)) from cause


def _new_key() -> str:
    return os.urandom(16).hex()


async def _sleep_async(pause_s: float) -> None:
    import asyncio  # noqa: PLC0415  # as above

    await asyncio.sleep(pause_s)


def _chance() -> float:
    return random()  # noqa: S311  # spreads retries out, guards nothing
