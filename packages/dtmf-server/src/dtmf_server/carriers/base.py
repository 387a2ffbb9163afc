"""What a carrier is to the service: it takes SMS, brings SMS, and reports what became of those it took."""

from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dtmf_server.core.inbound import InboundMessage, Receipt
from dtmf_server.core.submission import LateAnswer, Segments

ANSWER_TIMES_KEPT = 1000


@dataclass(frozen=True, slots=True)
class CarrierMessage:
    """An SMS for a carrier, from one of our numbers. `taken`: the segments that this carrier took in an earlier attempt,
    each with its reference; they must not be submitted again."""

    sender: str
    to: str
    text: str
    taken: Mapping[int, str] = field(default_factory=dict)


class CarrierRefused(Exception):
    """The carrier did not take the SMS, or did not take all of it.

    `permanent`: it never will. `may_be_taken`: it may have the SMS or a part of it, so no other carrier may get it.
    `segments` says what happened to each segment; without it, the whole SMS is in doubt if it may be taken.
    """

    def __init__(
        self, reason: str, *, permanent: bool, may_be_taken: bool = False, segments: Segments | None = None
    ) -> None:
        self.reason, self.permanent, self.may_be_taken = reason, permanent, may_be_taken
        self.segments, self.carrier = segments, ""  # the carrier's name, where one was asked
        super().__init__(reason)

    @property
    def in_doubt(self) -> bool:
        """Whether something was written to the carrier's connection that it has not answered."""
        if self.permanent or not self.may_be_taken:
            return False
        return self.segments is None or bool(self.segments.unanswered)


class NotStored(Exception):
    """Some of a batch could not be stored and must not be acknowledged; the others are durable."""

    def __init__(self, places: Sequence[int], notes: Sequence[int] = ()) -> None:
        self.places, self.notes = places, notes  # places in the batch, from 0; notes as `receive` returns them
        super().__init__(f"{len(places)} of a batch could not be stored")


async def _drop(_answers: Sequence[LateAnswer]) -> Sequence[LateAnswer]:
    return ()


# A batch, and the links that are up: one that is not may have been asked for an answer that it never got.
Receive = Callable[[Sequence[InboundMessage | Receipt], Collection[int]], Awaitable[Sequence[int]]]


@dataclass(frozen=True, slots=True)
class InboundSink:
    """Where a carrier's link puts what it brings.

    `receive` returns once the batch is durable, with a note for each of it. It raises NotStored with the places of
    those that are not; after any other error nothing of the batch is. What is durable is acknowledged to the carrier,
    and then `answered` is told its notes. `late` stores answers to submits that were in doubt, and returns those to offer
    again a moment later.
    """

    receive: Receive
    answered: Callable[[Sequence[int]], None]
    late: Callable[[Sequence[LateAnswer]], Awaitable[Sequence[LateAnswer]]] = _drop


@dataclass(slots=True)
class LinkStats:
    """How one link of a carrier stands, and what it carried since the process began. Times are wall µs."""

    link: str
    state: str = "connecting"
    since_us: int = 0  # when it was last bound, or last ceased to be
    last_seen_us: int = 0
    arrived: int = 0
    submitted: int = 0
    errors: int = 0
    reason: str = ""  # of the last fault, in words
    answer_us: deque[int] = field(default_factory=lambda: deque(maxlen=ANSWER_TIMES_KEPT))

    def move(self, state: str, *, at_us: int, reason: str = "") -> None:
        """Notes a new state; a fault's reason stays until the link is up again."""
        if (state == "bound") != (self.state == "bound"):
            self.since_us = at_us
        self.state = state
        if reason or state == "bound":
            self.reason = reason

    @property
    def p95_us(self) -> int:
        """How long the last messages waited for their acknowledgement, all but the slowest twentieth."""
        times = sorted(self.answer_us)
        return times[len(times) * 19 // 20] if times else 0


class Carrier(Protocol):
    """A carrier, with all its links."""

    name: str

    async def run(self, sink: InboundSink) -> None:
        """Keeps the links up until cancelled."""

    async def submit(self, message_id: int, message: CarrierMessage) -> Sequence[str]:
        """Hands an SMS over; the carrier's reference of each segment. Raises CarrierRefused."""

    def can_submit(self) -> bool:
        """Whether a link is up that takes SMS."""

    def traffic(self) -> Sequence[LinkStats]:
        """How each link stands."""
