"""What a carrier can do, one small protocol per capability, and the values that pass between it and the service.

Every carrier is an `SmsCarrier`. The other capabilities are optional:
    ReceivesCallbacks  receives SMS and receipts over HTTP
    TellsArrival       can be asked when it received an SMS, where its callbacks do not say so
    CatchesUp          can be asked for the SMS and receipts of a period that the service was down
    FindsSubmits       can be asked whether it accepted an SMS, after a submit without a response
    ChecksItself       tests credentials, balance and connection for `dtmf-server carriers check`
`LooksUpNumbers`, `SellsNumbers` and `VoiceCarrier` are declared; nothing calls them yet.
"""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, Protocol, runtime_checkable

from dtmf_server.core.carrier_words import bounded
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
    `segments` says what happened to each segment; without it, the whole SMS is in doubt if it may be taken. The renter
    sees `reason`: one line of at most 200 characters, longer ones are cut.
    """

    def __init__(
        self, reason: str, *, permanent: bool, may_be_taken: bool = False, segments: Segments | None = None
    ) -> None:
        self.reason, self.permanent, self.may_be_taken = bounded(reason), permanent, may_be_taken
        self.segments, self.carrier = segments, ""  # the carrier's name, where one was asked
        super().__init__(self.reason)

    @classmethod
    def no_reply(cls, reason: str) -> "CarrierRefused":
        """For a carrier with one reference for a whole SMS: it may have the SMS, and has not said so."""
        return cls(reason, permanent=False, may_be_taken=True, segments=Segments(1, {}, (1,)))

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
    """Stores what a carrier's links receive.

    `receive` returns once the batch is durable, with a note for each item. It raises NotStored with the positions of the
    items that were not stored; after any other error nothing of the batch was stored. The link acknowledges what is
    durable, and then calls `answered` with the notes. A carrier without links passes `()` as the links that are up.
    `late` stores answers to submits that were in doubt, and returns those to offer again a moment later.
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
    reason: str = ""  # why the link is down, in words
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


@runtime_checkable
class SmsCarrier(Protocol):
    """A carrier that sends SMS, with all its links. One that receives over its links hands them to the sink of `run`."""

    name: str  # of its [[carrier]]

    async def run(self, sink: InboundSink) -> None:
        """Keep the links up until cancelled. One process of the service runs a carrier at a time.
        A carrier without links opens its HTTP client here and waits. An exception makes the service log it and run the
        carrier again after a pause."""

    async def submit(self, message_id: int, message: CarrierMessage) -> Sequence[str]:
        """Hand over an SMS: the carrier's reference of each segment, at least one, as its receipts will name them.
        Called only while `run` runs, concurrently for different messages. Must not hang: bound the request in time, to
        120 s at most. Raises CarrierRefused for everything that goes wrong."""

    def can_submit(self) -> bool:
        """True while a link is up that takes SMS; while it is False the next carrier of the group is asked."""

    def traffic(self) -> Sequence[LinkStats]:
        """The state of each link. State "bound" means up; any other is a fault that `doctor` and /readyz report."""


@dataclass(frozen=True, slots=True)
class CallbackRequest:
    """An HTTP request that claims to come from a carrier.

    `url` is made of `server.public_url`, the path and the query as they came, never of the Host header, so that it can
    be signed; without a `public_url` it begins with the path. Names of `headers` are lower case; of a header that came
    several times, the last. `wall_us` is when it came, in microseconds since 1970.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    wall_us: int


@dataclass(frozen=True, slots=True)
class CallbackReply:
    """The success reply, sent once everything the request brought is stored. `status` is 200 to 299."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class CallbackResult:
    """What a request brought. Give each InboundMessage its `carrier_ref`, by which it is known when the carrier repeats it."""

    items: Sequence[InboundMessage | Receipt] = ()
    reply: CallbackReply = CallbackReply()


class CallbackRefused(Exception):
    """The request cannot be read. The service answers 400 and logs the reason, which must not quote texts."""


class BadSignature(CallbackRefused):
    """The request is not the carrier's, or too old: the service answers 403 and counts it. `reason` is one of a few fixed
    phrases, like "no signature", "wrong signature" or "expired timestamp": it labels a metric."""


@runtime_checkable
class ReceivesCallbacks(Protocol):
    """A carrier that brings SMS and receipts by HTTP requests to `/callbacks/carriers/NAME`, at any API process."""

    name: str
    callback_methods: Collection[str]  # "POST", "GET" or both

    def parse(self, request: CallbackRequest) -> CallbackResult:
        """Verify the signature, then read the request. Pure: no I/O, no state, no clock but `request.wall_us`, so that any
        process may do it, again and again. Compare signatures by `hmac.compare_digest`.
        Raises BadSignature, or CallbackRefused for what can't be read."""


@runtime_checkable
class TellsArrival(Protocol):
    """A carrier whose callbacks do not say when it received an SMS, and which can be asked."""

    async def arrived_at(self, carrier_ref: str) -> int | None:
        """The wall time, in microseconds, at which the carrier received this SMS; None if it does not know the SMS.
        Called at any API process, also while `run` does not run. Raises CarrierRefused."""


@runtime_checkable
class CatchesUp(Protocol):
    """A carrier that can be asked what it received while callbacks failed."""

    name: str

    def arrived_since(self, since_us: int) -> AsyncIterator[Sequence[InboundMessage | Receipt]]:
        """Yield what the carrier received since this wall time, in batches, oldest first. Each InboundMessage has the
        same `carrier_ref` as in its callback, and `received_us`. Called while `run` runs, at its start and every five
        minutes. Raises CarrierRefused."""


@runtime_checkable
class FindsSubmits(Protocol):
    """A carrier that can be asked whether it accepted an SMS."""

    name: str

    async def find_submit(self, message_id: int, message: CarrierMessage, *, since_us: int) -> Sequence[str] | None:
        """The references of an SMS that was submitted at or after this wall time without a response, as `submit` would
        have returned them; None if the carrier surely does not have it. Raises CarrierRefused if that is unknown."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of `dtmf-server carriers check`. `is_ok` is None where nothing could be tested. `fix` says what to do."""

    name: str
    is_ok: bool | None
    detail: str
    fix: str = ""


@runtime_checkable
class ChecksItself(Protocol):
    """A carrier that can test its settings live."""

    async def check(self) -> Sequence[CheckResult]:
        """Test credentials, balance and whatever else goes wrong at this kind of carrier. Called without `run`."""


@dataclass(frozen=True, slots=True)
class NumberInfo:
    """What a carrier knows of a phone number. None: it does not say."""

    e164: str
    country_code: str | None = None  # two letters, lower case
    type: Literal["mobile", "landline", "voip"] | None = None
    operator: str | None = None


@runtime_checkable
class LooksUpNumbers(Protocol):
    """A carrier that can say whose network a number is in."""

    async def look_up(self, e164: str) -> NumberInfo:
        """What the carrier knows of a number. Raises CarrierRefused."""


@dataclass(frozen=True, slots=True)
class NumberOffer:
    """A number that a carrier sells. Prices are in `currency` (ISO 4217, like USD), not in satoshis."""

    e164: str
    setup_price: Decimal
    monthly_price: Decimal
    currency: str


@runtime_checkable
class SellsNumbers(Protocol):
    """A carrier that numbers can be bought from and given back to. Every method raises CarrierRefused."""

    async def offers(self, country_code: str, *, kind: Literal["mobile", "local"], limit: int) -> Sequence[NumberOffer]:
        """Up to `limit` numbers of this kind for sale in a country (two letters, lower case)."""

    async def order(self, offer: NumberOffer) -> None:
        """Buy this number. After `may_be_taken`, ask `owned` before ordering again: nothing may be paid twice."""

    async def owned(self) -> Sequence[str]:
        """The E.164 of every number that this account has."""

    async def release(self, e164: str) -> None:
        """Give a number back. One that the account does not have any more is no error."""


@runtime_checkable
class VoiceCarrier(Protocol):
    """A carrier with voice calls. Every method raises CarrierRefused."""

    async def call(self, *, sender: str, to: str) -> str:
        """Call a phone from one of our numbers: the carrier's id of the call."""

    async def hang_up(self, call_id: str) -> None:
        """End a call. One that has ended is no error."""
