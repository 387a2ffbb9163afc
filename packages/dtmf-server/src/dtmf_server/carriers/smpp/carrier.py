"""A carrier reached over SMPP 3.4: manages its binds and splits each SMS into submit_sm PDUs."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from ssl import SSLContext
from typing import NamedTuple

from msgspec import structs

from dtmf_server.carriers.base import CarrierMessage, CarrierRefused, CheckResult, InboundSink, LinkStats
from dtmf_server.carriers.smpp import address, data_coding
from dtmf_server.carriers.smpp.check import check_host
from dtmf_server.carriers.smpp.concat import contents
from dtmf_server.carriers.smpp.delivery_receipt import PLAIN, is_receipt, receipt_of, unknown_word
from dtmf_server.carriers.smpp.events import AnsweredLate, Arrived, Times
from dtmf_server.carriers.smpp.link import Answer, Endpoint, Link
from dtmf_server.carriers.smpp.pdu import HEADER_SIZE, Bind, Sm
from dtmf_server.carriers.smpp.status import THROTTLED, Status, verdict, words
from dtmf_server.carriers.smpp.vendor import ReceiptRules
from dtmf_server.core.inbound import InboundMessage, Part, Receipt
from dtmf_server.core.sms_encoding import decode, gsm7_with
from dtmf_server.core.submission import LateAnswer, Retries, Segments, Verdict
from dtmf_server.core.trace import Trace

_DIGEST_SIZE = 16
_NUMBER_MAX = 21  # characters (SMPP 3.4 §5.2.9); a longer number is still covered by the digest
LATE_RETRY_INTERVAL_S = 0.5  # how long to wait before retrying to store a late answer
LATE_BATCH_MAX = 256
_UNKNOWN_WORDS_MAX = 100  # each is logged once per process
_unknown_words: set[tuple[str, str]] = set()

log = logging.getLogger("dtmf.smpp")


class _Tag(NamedTuple):
    """Identifies the segment that a submit_sm carries, out of how many, and its message."""

    message_id: int
    segment: int
    total: int


@dataclass(frozen=True, slots=True)
class Smsc:
    """The operator's settings for a carrier."""

    name: str
    host: str
    port: int
    system_id: str
    password: str
    binds: tuple[str, ...] = ("transceiver",)  # one link each
    system_type: str = ""
    address_range: str = ""
    service_type: str = ""
    validity_h: int = 72
    window: int = 50
    tls: SSLContext | None = None
    alphabet: data_coding.Alphabet = "gsm7"
    segmentation: data_coding.Segmentation = "udh8"
    country_code: str = ""
    source_ton: int = 1
    source_npi: int = 1
    dest_ton: int = 1
    dest_npi: int = 1
    receipts: bool = True
    times: Times = field(default_factory=Times)
    retry: Retries = field(default_factory=dict)  # by command_status: overrides of the default table
    backups: tuple[tuple[str, int], ...] = ()  # hosts and ports to try after the first
    submits_per_s: float = 0.0  # of each bind; 0: no limit
    codings: Mapping[int, str] = field(default_factory=dict)  # of received data_coding values
    sent_codings: Mapping[int, int] = field(default_factory=dict)  # the carrier's data_coding values for 0 and 8
    tlvs: dict[int, bytes] = field(default_factory=dict)  # of every submit_sm
    tlvs_by_sender: Mapping[str, dict[int, bytes]] = field(default_factory=dict)
    receipt_rules: ReceiptRules = PLAIN


class SmppCarrier:
    """An SMSC and its links."""

    def __init__(
        self,
        smsc: Smsc,
        *,
        new_id: Callable[[], int],
        uniform: Callable[[], float],
        wall_us: Callable[[], int],
        trace: Trace | None = None,
    ) -> None:
        self.name, self._smsc = smsc.name, smsc
        live: dict[int, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}
        self._links = [
            Link(
                _endpoint(smsc, bind),
                LinkStats(f"{smsc.name} {bind} {number}", since_us=wall_us()),
                reading=partial(read, smsc),
                late=self._answered_late,
                live=live,
                new_id=new_id,
                uniform=uniform,
                wall_us=wall_us,
                trace=trace or Trace(),
            )
            for number, bind in enumerate(smsc.binds, 1)
        ]
        self._late: asyncio.Queue[LateAnswer] = asyncio.Queue()

    async def run(self, sink: InboundSink) -> None:
        """Keep every bind up until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._store_late(sink))
            for link in self._links:
                group.create_task(link.run(sink), name=link.traffic.link)

    def can_submit(self) -> bool:
        """Return whether a transmitter or transceiver is bound."""
        return any(link.can_submit for link in self._links)

    def traffic(self) -> Sequence[LinkStats]:
        """Return the status of each bind."""
        return [link.traffic for link in self._links]

    async def check(self) -> Sequence[CheckResult]:
        """Connect to each host, bind with the first kind of bind, and unbind."""
        endpoint = _endpoint(self._smsc, self._smsc.binds[0])
        return [result for host in endpoint.hosts for result in await check_host(endpoint, *host)]

    async def submit(self, message_id: int, message: CarrierMessage) -> Sequence[str]:
        """Submit every segment not yet accepted; return the SMSC's message_id of each. Raises CarrierRefused."""
        smsc = self._smsc
        try:
            segments = data_coding.segments(
                message.text, ref=message_id, alphabet=smsc.alphabet, segmentation=smsc.segmentation
            )
        except ValueError as error:
            raise CarrierRefused(str(error), permanent=True) from error
        if not self.can_submit():
            raise CarrierRefused("the carrier's link is down", permanent=False, may_be_taken=bool(message.taken))
        # All segments over one bind: some SMSCs join them only then.
        link = min((link for link in self._links if link.can_submit), key=lambda link: link.load)
        left = [(number, segment) for number, segment in enumerate(segments, 1) if number not in message.taken]
        answers = await asyncio.gather(
            *(
                self._submit(link, _submit_sm(smsc, message, segment), _Tag(message_id, number, len(segments)))
                for number, segment in left
            )
        )
        answered = {number: answer for (number, _), answer in zip(left, answers, strict=True)}
        taken = {number: ref for number, ref in message.taken.items() if number <= len(segments)} | {
            number: answer.message_id for number, answer in answered.items() if answer.status == Status.ESME_ROK
        }
        if len(taken) < len(segments):
            raise self._refusal(answered, taken, total=len(segments))
        return [taken[number] for number in range(1, len(segments) + 1)]

    async def _submit(self, link: Link, body: Sm, tag: _Tag) -> Answer:
        """Submit over this bind. Restart the bind if the answer shows that the bind is at fault."""
        answer = await link.submit(body, tag)
        if answer.is_sent and answer.status and self._verdict(answer.status) is Verdict.LINK:
            link.restart(f"submit_sm was rejected because of the bind itself: {words(answer.status)}")
        return answer

    def _verdict(self, status: int) -> Verdict:
        return verdict(status, self._smsc.retry)

    def _refusal(self, answered: Mapping[int, Answer], taken: dict[int, str], *, total: int) -> CarrierRefused:
        """Explain why a message was not fully accepted: a permanent failure of any segment decides, then any in doubt."""
        refused = [answer for answer in answered.values() if answer.status != Status.ESME_ROK]
        for answer in refused:
            if answer.is_sent and answer.status and self._verdict(answer.status) is Verdict.FINAL:
                return CarrierRefused(f"the carrier refused the SMS: {words(answer.status)}", permanent=True)
        unanswered = tuple(number for number, answer in answered.items() if answer.status is None)
        segments = Segments(total, taken, unanswered)
        if unanswered:
            reason = "the carrier did not answer"
        elif all(not answer.is_sent for answer in refused):
            reason = "the SMS was not submitted: the link was throttled or full, or went down"
        else:
            reason = next(
                f"the carrier did not accept the SMS: {words(answer.status or 0)}"
                for answer in refused
                if answer.is_sent
            )
        return CarrierRefused(reason, permanent=False, may_be_taken=bool(unanswered or taken), segments=segments)

    def _answered_late(self, tag: _Tag | None, answer: AnsweredLate) -> None:
        """Handle an answer to a submit_sm that was in doubt."""
        if tag is None:
            return
        if answer.status == Status.ESME_ROK:
            late = LateAnswer(*tag, verdict=None, ref=answer.message_id)
        else:
            reason = f"the carrier refused the SMS: {words(answer.status)}"
            late = LateAnswer(*tag, verdict=self._verdict(answer.status), reason=reason)
        self._late.put_nowait(late)

    async def _store_late(self, sink: InboundSink) -> None:
        """Store late answers until cancelled; retry those that can't be stored yet."""
        while True:
            batch = [await self._late.get()]
            while not self._late.empty() and len(batch) < LATE_BATCH_MAX:
                batch.append(self._late.get_nowait())
            while batch:
                try:
                    batch = [*await sink.late(batch)]
                except Exception as error:
                    log.error("%s: late answers can't be stored now (%s)", self.name, type(error).__name__)
                if batch:
                    await asyncio.sleep(LATE_RETRY_INTERVAL_S)
                    while not self._late.empty() and len(batch) < LATE_BATCH_MAX:
                        batch.append(self._late.get_nowait())


def read(smsc: Smsc, arrived: Arrived, link_id: int) -> InboundMessage | Receipt | None:
    """Convert a deliver_sm or data_sm to an SMS, a part of one, or a receipt; None if there is nothing to store."""
    body = arrived.body
    if is_receipt(body, default=smsc.alphabet, rules=smsc.receipt_rules):
        if word := unknown_word(body, default=smsc.alphabet, rules=smsc.receipt_rules):
            _note_unknown(smsc.name, word)
        receipt = receipt_of(body, default=smsc.alphabet, rules=smsc.receipt_rules)
        to = address.recipient(body.dest_addr_ton, body.destination_addr, country_code=smsc.country_code)
        return structs.replace(receipt, to=to) if receipt else None
    found = contents(body)
    coding = smsc.codings.get(body.data_coding) or data_coding.coding_of(body.data_coding, default=smsc.alphabet)
    if coding == "gsm7":
        coding = gsm7_with(locking=found.locking, single=found.single)
    content: str | Part
    if found.place is None:
        content = decode(found.octets, coding)
    else:
        content = Part(found.place, found.octets, coding, body.data_coding, found.udh)
    return InboundMessage(
        sender=address.sender(body.source_addr_ton, body.source_addr),
        to=address.recipient(body.dest_addr_ton, body.destination_addr, country_code=smsc.country_code),
        content=content,
        digest=_digest(arrived),
        link=link_id,
    )


def _note_unknown(carrier: str, word: str) -> None:
    """Log an unknown status word once, so that the operator can ask the carrier what it means."""
    if (carrier, word) not in _unknown_words and len(_unknown_words) < _UNKNOWN_WORDS_MAX:
        _unknown_words.add((carrier, word))
        log.warning("carrier %s: a receipt has the unknown status word %s; such receipts change nothing", carrier, word)


def _digest(arrived: Arrived) -> str:
    """Digest of everything but the sequence number, which differs on each redelivery. The number comes first: with an
    index on digests alone, each row would touch a page of its own, in the write-ahead log too."""
    unsequenced = arrived.frame[4:8] + arrived.frame[HEADER_SIZE:]
    digest = hashlib.blake2b(unsequenced, digest_size=_DIGEST_SIZE).hexdigest()
    return f"{arrived.body.destination_addr[:_NUMBER_MAX]} {digest}"


def _endpoint(smsc: Smsc, bind: str) -> Endpoint:
    body = Bind(
        system_id=smsc.system_id,
        password=smsc.password,
        system_type=smsc.system_type,
        address_range=smsc.address_range,
    )
    throttled = frozenset(status for status in THROTTLED if verdict(status, smsc.retry) is Verdict.TEMPORARY)
    hosts = ((smsc.host, smsc.port), *smsc.backups)
    return Endpoint(hosts, smsc.tls, bind, body, smsc.window, smsc.times, throttled, smsc.submits_per_s)


def relative_time(*, hours: int) -> str:
    """Format a time this many hours after the SMSC receives it, at most 31 days. Source: SMPP 3.4 §7.1.1."""
    days, hours = divmod(hours, 24)
    assert days <= 31, "the format has months for more"
    return f"0000{days:02}{hours:02}0000000R"


def _submit_sm(smsc: Smsc, message: CarrierMessage, segment: data_coding.Segment) -> Sm:
    return Sm(
        service_type=smsc.service_type,
        source_addr_ton=smsc.source_ton,
        source_addr_npi=smsc.source_npi,
        source_addr=message.sender.removeprefix("+"),
        dest_addr_ton=smsc.dest_ton,
        dest_addr_npi=smsc.dest_npi,
        destination_addr=message.to.removeprefix("+"),
        esm_class=segment.esm_class,
        validity_period=relative_time(hours=smsc.validity_h),
        registered_delivery=1 if smsc.receipts else 0,
        data_coding=smsc.sent_codings.get(segment.dcs, segment.dcs),
        short_message=segment.octets,
        tlvs=(*segment.tlvs, *(smsc.tlvs | smsc.tlvs_by_sender.get(message.sender, {})).items()),
    )
