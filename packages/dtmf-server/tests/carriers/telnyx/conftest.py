"""A carrier of the kind "telnyx" and the simulated Telnyx that it uses."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from dtmf_server.carriers.base import CallbackRequest, CallbackResult, InboundSink
from dtmf_server.carriers.registry import CarrierContext
from dtmf_server.carriers.telnyx.kind import TelnyxCarrier
from dtmf_server.carriers.telnyx.settings import TelnyxSettings
from dtmf_server.carriers.trace import Trace
from dtmf_server.runtime.clock import wall_us
from support.providers.telnyx import Callback, Telnyx, telnyx

CALLBACK_URL = "https://sms.example/callbacks/carriers/telnyx"


@dataclass
class Line:
    """A carrier and its provider."""

    provider: Telnyx
    carrier: TelnyxCarrier
    trace: Trace

    def parse(self, callback: Callback) -> CallbackResult:
        """Read a callback that was signed now."""
        return self.parse_raw(*self.provider.signed(callback))

    def parse_raw(self, headers: dict[str, str], body: bytes) -> CallbackResult:
        """Read a request."""
        now_us = round(self.provider.clock() * 1e6)
        return self.carrier.parse(CallbackRequest("POST", CALLBACK_URL, headers, body, now_us))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[TelnyxCarrier]:
        """Run the carrier until the block ends."""
        task = asyncio.ensure_future(self.carrier.run(InboundSink(_nothing, lambda _: None)))
        for _ in range(10):  # turns of the loop, until `run` waits
            await asyncio.sleep(0)
        try:
            yield self.carrier
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _nothing(*_: object) -> list[int]:
    raise AssertionError("nothing comes over a link")


def carrier_of(
    provider: Telnyx,
    *,
    callback_url: str | None = CALLBACK_URL,
    wall: Callable[[], int] = wall_us,
    trace: Trace | None = None,
    is_ours: Callable[[str], Awaitable[bool]] | None = None,
) -> TelnyxCarrier:
    """Return a carrier that uses this provider, and repeats at once."""

    async def everything(_: str) -> bool:
        return True

    ids = itertools.count(1)
    settings = TelnyxSettings(
        name="telnyx",
        kind="telnyx",
        api_key=provider.api_key,
        public_key=provider.public_key,
        messaging_profile_id=provider.profile_id,
        base_url=provider.url,
    )
    context = CarrierContext(
        is_sandbox=True,
        callback_url=callback_url,
        is_ours=is_ours or everything,
        new_id=lambda: next(ids),
        uniform=lambda: 0.5,
        wall_us=wall,
        trace=trace or Trace(),
    )
    return TelnyxCarrier(settings, context, repeat_after_s=0)


@pytest.fixture
def provider() -> Iterator[Telnyx]:
    """Telnyx on loopback."""
    with telnyx(webhook_url=CALLBACK_URL) as found:
        yield found


@pytest.fixture
def line(provider: Telnyx) -> Line:
    """A carrier and its provider."""
    trace = Trace()
    return Line(provider, carrier_of(provider, trace=trace), trace)
