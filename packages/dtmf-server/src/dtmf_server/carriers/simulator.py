"""The sandbox's carrier. It accepts every SMS, delivers it at once, and sends the receipt before it responds to the submit.
So an SMS is delivered as soon as its attempt ends, and a test need not wait for the receipt.

Numbers that fail on purpose, for testing:
    +15005550001  refused permanently: the message fails and its cost is refunded
    +15005550002  accepted, then reported as not delivered
    +15005550003  busy for the first two attempts, then accepted
An SMS to one of the service's own numbers arrives there like any other.

It also sells numbers that are reserved for fiction, in the United States and Canada: 555-01xx of every area code.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from decimal import Decimal
from typing import Literal

from dtmf_server.carriers.base import (
    CarrierMessage,
    CarrierRefused,
    InboundSink,
    LinkStats,
    NumberOffer,
    OwnedNumber,
)
from dtmf_server.carriers.registry import CarrierContext, CarrierKind
from dtmf_server.config import CarrierSettings
from dtmf_server.core.inbound import InboundMessage, Receipt

REFUSED_FOR_GOOD = "+15005550001"
NOT_DELIVERED = "+15005550002"
BUSY_TWICE = "+15005550003"
MONTHLY_PRICE = Decimal("1.15")
AREA_CODES = [code for code in range(201, 990) if code % 100 != 11 and code // 10 % 10 != 9]


SIMULATOR = "simulator"  # the carrier of a sandbox without configured ones


class SimulatedCarrier:
    """A carrier without a network. `is_ours` returns whether a number belongs to the service."""

    def __init__(self, *, is_ours: Callable[[str], Awaitable[bool]], name: str = SIMULATOR) -> None:
        self.name = name
        self._is_ours = is_ours
        self._attempts: dict[int, int] = {}  # of messages to the busy number that are not accepted yet
        self._intake: InboundSink | None = None
        self._bought: set[str] = set()

    async def run(self, sink: InboundSink) -> None:
        """Keep the simulated link up until cancelled."""
        self._intake = sink
        try:
            await asyncio.Event().wait()
        finally:
            self._intake = None

    def can_submit(self) -> bool:
        """Return whether `run` is running."""
        return self._intake is not None

    def traffic(self) -> Sequence[LinkStats]:
        """Return nothing: it has no links."""
        return ()

    async def submit(self, message_id: int, message: CarrierMessage) -> Sequence[str]:
        """Accept the SMS, unless its destination is one of the numbers that fail."""
        if self._intake is None:
            raise CarrierRefused("the carrier's link is down", permanent=False)
        if message.to == REFUSED_FOR_GOOD:
            raise CarrierRefused("the carrier does not know this number", permanent=True)
        if message.to == BUSY_TWICE and self._busy(message_id):
            raise CarrierRefused("the carrier is busy", permanent=False)
        ref = f"simulated-{message_id}"  # not a plain number, which might equal another one in the other base
        delivered = message.to != NOT_DELIVERED
        reason = "" if delivered else "the phone can't be reached"
        brought: list[InboundMessage | Receipt] = [Receipt(ref, delivered, reason, message.to, message.sender)]
        if await self._is_ours(message.to):
            brought.insert(0, InboundMessage(message.to, message.sender, message.text))
        await self._intake.receive(brought, ())
        return (ref,)

    async def offers(self, country_code: str, *, kind: Literal["mobile", "local"], limit: int) -> Sequence[NumberOffer]:
        """Return fictional numbers that are not in stock."""
        found: list[NumberOffer] = []
        for e164 in _fictional() if country_code in ("us", "ca") else ():
            if len(found) == limit:
                break
            if e164 not in self._bought and not await self._is_ours(e164):
                found.append(NumberOffer(e164, Decimal(0), MONTHLY_PRICE, "USD"))
        return found

    async def order(self, offer: NumberOffer, *, reference: str) -> None:
        """Sell a number at once."""
        self._bought.add(offer.e164)

    async def find(self, e164: str, *, reference: str) -> OwnedNumber | None:
        """Return a number that was sold by this process, or is in stock since an earlier one."""
        return OwnedNumber(e164) if e164 in self._bought or await self._is_ours(e164) else None

    async def owned(self) -> Sequence[OwnedNumber]:
        """Return the numbers sold by this process."""
        return [OwnedNumber(e164) for e164 in sorted(self._bought)]

    async def release(self, e164: str) -> None:
        """Take a number back."""
        self._bought.discard(e164)

    def _busy(self, message_id: int) -> bool:
        attempts = self._attempts.pop(message_id, 0) + 1
        if attempts <= 2:
            self._attempts[message_id] = attempts
        return attempts <= 2


def _fictional() -> Iterator[str]:
    for area in AREA_CODES:
        for number in range(100):
            yield f"+1{area}55501{number:02d}"


class SimulatorSettings(CarrierSettings, frozen=True, kw_only=True):
    """A simulated carrier next to others. A sandbox without carriers has one by default."""

    def disagreements(self, *, is_sandbox: bool) -> Iterator[tuple[str, str]]:
        """Yield an error unless this is a sandbox."""
        if not is_sandbox:
            yield "kind", "is 'simulator', which delivers nothing: it is allowed only in a sandbox"


def build(settings: SimulatorSettings, context: CarrierContext) -> SimulatedCarrier:
    """Return the simulated carrier of this table."""
    return SimulatedCarrier(is_ours=context.is_ours, name=settings.name)


KIND = CarrierKind("simulator", SimulatorSettings, build, sells_numbers=True)
