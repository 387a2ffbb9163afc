"""The capabilities of carriers, one small protocol each, and the values that carriers and the service exchange.

Every carrier is an `SmsCarrier`. The other capabilities are optional:
    ReceivesCallbacks  receives SMS and receipts over HTTP
    TellsArrival       can be asked when it received an SMS, where its callbacks do not say so
    HasHeartbeat       sends a callback regularly, so that its silence shows
    CatchesUp          can be asked for the SMS and receipts of a period in which the service was down
    FindsSubmits       can be asked whether it accepted an SMS, after a submit without a response
    ChecksItself       tests credentials, balance and connection for `dtmf-server carriers check`
    SellsNumbers       sells numbers and takes them back, for groups with a `supply`
`LooksUpNumbers` and `VoiceCarrier` are declared but not called yet.
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
    """An SMS for a carrier, from one of our numbers. `taken`: the segments that this carrier accepted in an earlier
    attempt, each with its reference. They must not be submitted again."""

    sender: str
    to: str
    text: str
    taken: Mapping[int, str] = field(default_factory=dict)


class CarrierRefused(Exception):
    """The carrier did not accept the SMS, or not all of it.

    `permanent`: it will never accept it. `may_be_taken`: it may have the SMS or a part of it, so the SMS must not be
    submitted to another carrier. `segments` has the outcome of each segment; without it, the whole SMS is in doubt if
    `may_be_taken`. The renter sees `reason`: one line of at most 200 characters; longer ones are cut.
    """

    def __init__(
        self, reason: str, *, permanent: bool, may_be_taken: bool = False, segments: Segments | None = None
    ) -> None:
        self.reason, self.permanent, self.may_be_taken = bounded(reason), permanent, may_be_taken
        self.segments, self.carrier = segments, ""  # the name of the carrier, if one was used
        super().__init__(self.reason)

    @classmethod
    def no_reply(cls, reason: str) -> "CarrierRefused":
        """The error for a carrier with one reference per SMS that did not respond: it may have the SMS."""
        return cls(reason, permanent=False, may_be_taken=True, segments=Segments(1, {}, (1,)))

    @property
    def in_doubt(self) -> bool:
        """Whether something was sent to the carrier that it has not answered."""
        if self.permanent or not self.may_be_taken:
            return False
        return self.segments is None or bool(self.segments.unanswered)


class NotStored(Exception):
    """Some items of a batch could not be stored and must not be acknowledged; the others are durable."""

    def __init__(self, places: Sequence[int], notes: Sequence[int] = ()) -> None:
        self.places, self.notes = places, notes  # positions in the batch, from 0; notes as returned by `receive`
        super().__init__(f"{len(places)} items of a batch could not be stored")


async def _drop(_answers: Sequence[LateAnswer]) -> Sequence[LateAnswer]:
    return ()


# A batch, and the links that are up: an acknowledgement on a link that is down may not have arrived.
Receive = Callable[[Sequence[InboundMessage | Receipt], Collection[int]], Awaitable[Sequence[int]]]


@dataclass(frozen=True, slots=True)
class InboundSink:
    """Stores what a carrier's links receive.

    `receive` returns once the batch is durable, with a note for each item. It raises NotStored with the positions of the
    items that were not stored; after any other error no item of the batch was stored. The link acknowledges the durable
    items, and then calls `answered` with their notes. A carrier without links passes `()` as the links that are up.
    `late` stores answers to submits that were in doubt, and returns the answers to pass again a moment later.
    """

    receive: Receive
    answered: Callable[[Sequence[int]], None]
    late: Callable[[Sequence[LateAnswer]], Awaitable[Sequence[LateAnswer]]] = _drop


@dataclass(slots=True)
class LinkStats:
    """The state of one link of a carrier, and its traffic since the process started. Times are wall time in µs."""

    link: str
    state: str = "connecting"
    submits: bool = True  # False for a link that only receives: it says nothing about whether SMS can be sent
    since_us: int = 0  # when it was last bound or unbound
    last_seen_us: int = 0
    arrived: int = 0
    submitted: int = 0
    errors: int = 0
    reason: str = ""  # why the link is down
    answer_us: deque[int] = field(default_factory=lambda: deque(maxlen=ANSWER_TIMES_KEPT))

    def move(self, state: str, *, at_us: int, reason: str = "") -> None:
        """Record a new state. The reason of a failure remains until the link is up again."""
        if (state == "bound") != (self.state == "bound"):
            self.since_us = at_us
        self.state = state
        if reason or state == "bound":
            self.reason = reason

    @property
    def p95_us(self) -> int:
        """The 95th percentile of the time that recent messages waited for their acknowledgement."""
        times = sorted(self.answer_us)
        return times[len(times) * 19 // 20] if times else 0


@runtime_checkable
class SmsCarrier(Protocol):
    """A carrier that sends SMS, with all its links. If it receives over its links, it passes what it receives to `sink`."""

    name: str  # of its [[carrier]]

    async def run(self, sink: InboundSink) -> None:
        """Keep the links up until cancelled. Only one process of the service runs a carrier at a time.
        A carrier without links opens its HTTP client here and waits. After an exception, the service logs it and runs
        the carrier again after a pause."""

    async def submit(self, message_id: int, message: CarrierMessage) -> Sequence[str]:
        """Submit an SMS. Return the carrier's reference of each segment, at least one, as its receipts will quote them.
        Called only while `run` runs, concurrently for different messages. Must not hang: use a timeout of at most 120 s.
        Raises CarrierRefused for every failure."""

    def can_submit(self) -> bool:
        """True while a link is up that accepts SMS. While it is False, the next carrier of the group is used."""

    def traffic(self) -> Sequence[LinkStats]:
        """The state of each link. State "bound" means up; any other is a failure that `doctor` and /readyz report."""


@dataclass(frozen=True, slots=True)
class CallbackRequest:
    """An HTTP request that claims to come from a carrier.

    `url` consists of `server.public_url`, the path and the query as received, and never uses the Host header, so that the
    signature can cover it; without a `public_url` it begins with the path. Names in `headers` are lower case; if a header
    is repeated, the last value applies. `wall_us` is the time of arrival, in microseconds since 1970.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    wall_us: int


@dataclass(frozen=True, slots=True)
class CallbackReply:
    """The success reply, sent once the whole content of the request is stored. `status` is 200 to 299."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class CallbackResult:
    """The content of a request. Each InboundMessage needs its `carrier_ref`, by which repetitions are recognized.

    `outcome` is one of a few fixed phrases, like "ignored: MMS": it labels a metric. `is_heartbeat`: the request only says
    that the carrier is alive (`HasHeartbeat`).
    """

    items: Sequence[InboundMessage | Receipt] = ()
    reply: CallbackReply = CallbackReply()
    outcome: str = "accepted"
    is_heartbeat: bool = False


class CallbackRefused(Exception):
    """The request can't be parsed. The service answers 400 and logs the reason, which must not quote texts."""


class BadSignature(CallbackRefused):
    """The request is not from the carrier, or is too old. The service answers 403 and counts it. `reason` labels a metric, so
    it must be one of a few fixed phrases, like "no signature", "wrong signature" or "expired timestamp"."""


@runtime_checkable
class ReceivesCallbacks(Protocol):
    """A carrier that sends SMS and receipts as HTTP requests to `/callbacks/carriers/NAME`, which any API process handles."""

    name: str
    callback_methods: Collection[str]  # "POST", "GET" or both

    def parse(self, request: CallbackRequest) -> CallbackResult:
        """Verify the signature, then parse the request. Pure: no I/O, no state, and no clock but `request.wall_us`, so that
        any process can parse it any number of times. Compare signatures with `hmac.compare_digest`.
        Raises BadSignature, or CallbackRefused if the request can't be parsed."""


@runtime_checkable
class TellsArrival(Protocol):
    """A carrier that can be asked when it received an SMS, because its callbacks lack the time."""

    async def arrived_at(self, carrier_ref: str) -> int | None:
        """Return the wall time, in microseconds, at which the carrier received this SMS; None if it does not know the SMS.
        Called in any API process, even while `run` is not running. Raises CarrierRefused."""


@runtime_checkable
class HasHeartbeat(Protocol):
    """A carrier that sends a callback regularly, even when there is nothing to report (`CallbackResult.is_heartbeat`)."""

    name: str

    def heard(self, wall_us: int | None) -> None:
        """Take the wall time of the last heartbeat that any process received; None if there was none yet.
        Called every few seconds while `run` runs, before `traffic`."""


@runtime_checkable
class CatchesUp(Protocol):
    """A carrier that can be asked what it received while callbacks failed."""

    name: str

    def arrived_since(self, since_us: int) -> AsyncIterator[Sequence[InboundMessage | Receipt]]:
        """Yield what the carrier received since this wall time, in batches, oldest first. Each InboundMessage has the
        same `carrier_ref` as in its callback, and `received_us`. Called while `run` runs: at its start, then every five
        minutes. Raises CarrierRefused."""


@runtime_checkable
class FindsSubmits(Protocol):
    """A carrier that can be asked whether it accepted an SMS."""

    name: str

    async def find_submit(self, message_id: int, message: CarrierMessage, *, since_us: int) -> Sequence[str] | None:
        """Return the references, as `submit` would have, of an SMS that was submitted at or after this wall time without a
        response; None if the carrier certainly does not have it. Raises CarrierRefused if that is unknown."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of `dtmf-server carriers check`. `is_ok` is None if nothing could be tested. `fix` says what to do."""

    name: str
    is_ok: bool | None
    detail: str
    fix: str = ""


@runtime_checkable
class ChecksItself(Protocol):
    """A carrier that can test its settings against the real service."""

    async def check(self) -> Sequence[CheckResult]:
        """Test credentials, balance and other common problems of this kind of carrier. Called without `run`."""


@dataclass(frozen=True, slots=True)
class NumberInfo:
    """Information from a carrier about a phone number. None means unknown."""

    e164: str
    country_code: str | None = None  # two letters, lower case
    type: Literal["mobile", "landline", "voip"] | None = None
    operator: str | None = None


@runtime_checkable
class LooksUpNumbers(Protocol):
    """A carrier that can look up the network of a number."""

    async def look_up(self, e164: str) -> NumberInfo:
        """Return the carrier's information about a number. Raises CarrierRefused."""


@dataclass(frozen=True, slots=True)
class NumberOffer:
    """A number that a carrier sells. Prices are in `currency` (ISO 4217, like USD), not in satoshis. `needs_address`: only to
    customers with an address or documents in its country."""

    e164: str
    setup_price: Decimal
    monthly_price: Decimal
    currency: str
    needs_address: bool = False


@dataclass(frozen=True, slots=True)
class OwnedNumber:
    """A number of the account at the carrier. `bought_us`: wall time of the purchase; None if unknown."""

    e164: str
    bought_us: int | None = None


@runtime_checkable
class SellsNumbers(Protocol):
    """A carrier that sells numbers and takes them back. Called while `run` runs. Every method raises CarrierRefused."""

    name: str

    async def offers(self, country_code: str, *, kind: Literal["mobile", "local"], limit: int) -> Sequence[NumberOffer]:
        """Return up to `limit` numbers of this kind for sale in a country (two letters, lower case)."""

    async def order(self, offer: NumberOffer, *, reference: str) -> None:
        """Order exactly this number; `reference` is ours, to be stored with the order. Returning does not prove that it was
        bought: `find` does. An error with `may_be_taken` leaves it in doubt; any other one means that it was certainly not
        bought: with `permanent` this number can't be bought, without it nothing can at present."""

    async def find(self, e164: str, *, reference: str) -> OwnedNumber | None:
        """Return this number if it belongs to the account; None if it does not, and no order of it is in progress.
        Raises CarrierRefused also while an order is in progress."""

    async def owned(self) -> Sequence[OwnedNumber]:
        """Return every number of the account."""

    async def release(self, e164: str) -> None:
        """Give a number back. Does nothing if the account no longer has it."""


@runtime_checkable
class VoiceCarrier(Protocol):
    """A carrier with voice calls. Every method raises CarrierRefused."""

    async def call(self, *, sender: str, to: str) -> str:
        """Call a phone from one of our numbers. Return the carrier's ID of the call."""

    async def hang_up(self, call_id: str) -> None:
        """End a call. Does nothing if it has already ended."""
