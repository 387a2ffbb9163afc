"""What a carrier is to the service: it takes SMS, brings SMS, and reports what became of those it took."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class CarrierMessage:
    """An SMS on a carrier's side. `sender` may be a name or short code where it arrives."""

    sender: str
    to: str
    text: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of an SMS that the carrier took; `ref` is the carrier's own reference."""

    ref: str
    delivered: bool
    reason: str = ""


class CarrierRefused(Exception):
    """The carrier did not take the SMS; `permanent`: it never will."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        self.reason, self.permanent = reason, permanent
        super().__init__(reason)


class NotStored(Exception):
    """Some SMS of a batch could not be stored and must not be acknowledged; the others are durable."""

    def __init__(self, places: Sequence[int]) -> None:
        self.places = places  # in the batch, from 0
        super().__init__(f"{len(places)} SMS of a batch could not be stored")


Receive = Callable[[Sequence[CarrierMessage]], Awaitable[None]]
Report = Callable[[Receipt], Awaitable[None]]


class Carrier(Protocol):
    """A link to a carrier."""

    name: str

    async def run(self, receive: Receive, report: Report) -> None:
        """Keeps the link up until cancelled. What arrives is acknowledged only after `receive` returned;
        of a batch for which it raised NotStored, all but those that it names. Any other error: none of it is stored.
        """

    async def submit(self, message_id: int, message: CarrierMessage) -> str:
        """Hands an SMS over and returns the carrier's reference. Raises CarrierRefused."""


class NoCarrier:
    """Where no carrier is configured: nothing arrives, and what should leave waits for one."""

    name = "none"

    async def run(self, receive: Receive, report: Report) -> None:
        """Nothing ever comes."""
        await asyncio.Event().wait()

    async def submit(self, message_id: int, message: CarrierMessage) -> str:
        """Takes nothing, for now."""
        raise CarrierRefused("no carrier is configured", permanent=False)
