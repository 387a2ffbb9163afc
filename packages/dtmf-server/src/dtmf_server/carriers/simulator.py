"""The sandbox's carrier. It takes every SMS, delivers it to the other phone at once, and says so before it has answered:
what is sent is through with the attempt that sends it, and a test needs not wait for its receipt.

Numbers that behave badly on purpose, for trying out what happens then:
    +15005550001  refused for good: the message fails and its cost is refunded
    +15005550002  taken, then reported as not delivered
    +15005550003  busy for the first two attempts, then taken
An SMS to a number of the service's own arrives there like any other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

from dtmf_server.carriers.base import CarrierMessage, CarrierRefused, InboundSink, LinkStats
from dtmf_server.carriers.registry import CarrierContext, CarrierKind
from dtmf_server.config import CarrierSettings
from dtmf_server.core.inbound import InboundMessage, Receipt

REFUSED_FOR_GOOD = "+15005550001"
NOT_DELIVERED = "+15005550002"
BUSY_TWICE = "+15005550003"


class SimulatedCarrier:
    """A carrier without a network. `is_ours` tells the service's own numbers from phones elsewhere."""

    def __init__(self, *, is_ours: Callable[[str], Awaitable[bool]], name: str = "simulator") -> None:
        self.name = name
        self._is_ours = is_ours
        self._attempts: dict[int, int] = {}  # of messages to the busy number that were not taken yet
        self._intake: InboundSink | None = None

    async def run(self, sink: InboundSink) -> None:
        """Its link is up for as long as this runs."""
        self._intake = sink
        try:
            await asyncio.Event().wait()
        finally:
            self._intake = None

    def can_submit(self) -> bool:
        """Whether it runs."""
        return self._intake is not None

    def traffic(self) -> Sequence[LinkStats]:
        """It has no links."""
        return ()

    async def submit(self, message_id: int, message: CarrierMessage) -> Sequence[str]:
        """Takes the SMS, or behaves as its destination asks."""
        if self._intake is None:
            raise CarrierRefused("the carrier's link is down", permanent=False)
        if message.to == REFUSED_FOR_GOOD:
            raise CarrierRefused("the carrier does not know this number", permanent=True)
        if message.to == BUSY_TWICE and self._busy(message_id):
            raise CarrierRefused("the carrier is busy", permanent=False)
        ref = f"simulated-{message_id}"  # no number, which could be one in the other base
        delivered = message.to != NOT_DELIVERED
        reason = "" if delivered else "the phone can't be reached"
        brought: list[InboundMessage | Receipt] = [Receipt(ref, delivered, reason, message.to, message.sender)]
        if await self._is_ours(message.to):
            brought.insert(0, InboundMessage(message.to, message.sender, message.text))
        await self._intake.receive(brought, ())
        return (ref,)

    def _busy(self, message_id: int) -> bool:
        attempts = self._attempts.pop(message_id, 0) + 1
        if attempts <= 2:
            self._attempts[message_id] = attempts
        return attempts <= 2


class SimulatorSettings(CarrierSettings, frozen=True, kw_only=True):
    """A simulated carrier beside others; a sandbox without carriers has one anyway."""

    def disagreements(self, *, is_sandbox: bool) -> Iterator[tuple[str, str]]:
        """None in a sandbox."""
        if not is_sandbox:
            yield "kind", "is 'simulator', which delivers nothing: only a sandbox may have it"


def build(settings: SimulatorSettings, context: CarrierContext) -> SimulatedCarrier:
    """The simulated carrier of this name."""
    return SimulatedCarrier(is_ours=context.is_ours, name=settings.name)


KIND = CarrierKind("simulator", SimulatorSettings, build)
