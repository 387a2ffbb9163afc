"""A carrier reached over SMPP 3.4: all its binds, and an SMS cut into the submit_sm it takes."""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from ssl import SSLContext

from dtmf_server.carriers.base import CarrierMessage, CarrierRefused, Intake, Traffic
from dtmf_server.carriers.smpp import address, text
from dtmf_server.carriers.smpp.concat import contents
from dtmf_server.carriers.smpp.events import Arrived, Submitted, Times
from dtmf_server.carriers.smpp.link import Endpoint, Link
from dtmf_server.carriers.smpp.pdu import HEADER_SIZE, Bind, Sm
from dtmf_server.carriers.smpp.receipt import is_receipt, receipt_of, unknown_word
from dtmf_server.carriers.smpp.status import FOR_GOOD, Status, words
from dtmf_server.core.arrival import Arrival, Part, Receipt
from dtmf_server.core.sms_text import decode, gsm7_with

_DIGEST_SIZE = 16
_NUMBER_MAX = 21  # characters (SMPP 3.4 §5.2.9); what an SMSC sends beyond is in the digest
_TAKEN_MAX = 10_000
_UNKNOWN_WORDS_MAX = 100  # logged once each, while the process runs
_unknown_words: set[tuple[str, str]] = set()

log = logging.getLogger("dtmf.smpp")


@dataclass(frozen=True, slots=True)
class Smsc:
    """What the operator says of a carrier."""

    name: str
    host: str
    port: int
    system_id: str
    password: str
    binds: tuple[str, ...] = ("transceiver",)  # one link each
    system_type: str = ""
    window: int = 50
    tls: SSLContext | None = None
    alphabet: text.Alphabet = "gsm7"
    segmentation: text.Segmentation = "udh8"
    country_code: str = ""
    source_ton: int = 1
    source_npi: int = 1
    dest_ton: int = 1
    dest_npi: int = 1
    receipts: bool = True
    times: Times = field(default_factory=Times)


class SmppCarrier:
    """An SMSC with its links."""

    def __init__(
        self,
        smsc: Smsc,
        *,
        new_id: Callable[[], int],
        uniform: Callable[[], float],
        wall_us: Callable[[], int],
    ) -> None:
        self.name, self._smsc = smsc.name, smsc
        live: dict[int, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}
        self._links = [
            Link(
                _endpoint(smsc, bind),
                Traffic(f"{smsc.name} {bind} {number}", since_us=wall_us()),
                reading=partial(read, smsc),
                live=live,
                new_id=new_id,
                uniform=uniform,
                wall_us=wall_us,
            )
            for number, bind in enumerate(smsc.binds, 1)
        ]
        # Segments that were taken of messages whose others were not: an attempt that follows sends only those.
        self._taken: OrderedDict[int, dict[int, str]] = OrderedDict()

    async def run(self, intake: Intake) -> None:
        """Keeps every bind up until cancelled."""
        async with asyncio.TaskGroup() as group:
            for link in self._links:
                group.create_task(link.run(intake), name=link.traffic.link)

    def can_submit(self) -> bool:
        """Whether a transmitter or transceiver is bound."""
        return any(link.can_submit for link in self._links)

    def traffic(self) -> Sequence[Traffic]:
        """How each bind stands."""
        return [link.traffic for link in self._links]

    async def submit(self, message_id: int, message: CarrierMessage) -> Sequence[str]:
        """Hands every segment over; the SMSC's message_id of each. Raises CarrierRefused."""
        smsc = self._smsc
        try:
            segments = text.segments(
                message.text, ref=message_id, alphabet=smsc.alphabet, segmentation=smsc.segmentation
            )
        except ValueError as error:
            raise CarrierRefused(str(error), permanent=True) from error
        if not self.can_submit():
            raise CarrierRefused("the carrier's link is down", permanent=False)
        taken = self._taken.pop(message_id, {})
        left = [(number, segment) for number, segment in enumerate(segments, 1) if number not in taken]
        results = await asyncio.gather(*(self._submit(_submit_sm(smsc, message, segment)) for _, segment in left))
        taken |= {
            number: result.message_id
            for (number, _), result in zip(left, results, strict=True)
            if result.status == Status.ESME_ROK
        }
        refused = [result for result in results if result.status != Status.ESME_ROK]
        if refused:
            if taken:
                self._taken[message_id] = taken
            while len(self._taken) > _TAKEN_MAX:
                self._taken.popitem(last=False)
            raise _refusal(refused, in_part=bool(taken))
        return [taken[number] for number in range(1, len(segments) + 1)]

    async def _submit(self, body: Sm) -> Submitted:
        """Over the bind with the most room."""
        links = [link for link in self._links if link.can_submit]
        if not links:
            return Submitted(0, None)
        return await min(links, key=lambda link: link.load).submit(body)


def read(smsc: Smsc, arrived: Arrived, link_id: int) -> Arrival | Receipt | None:
    """What a deliver_sm or data_sm is: an SMS, a part of one, a receipt, or nothing to keep (None)."""
    body = arrived.body
    if is_receipt(body, default=smsc.alphabet):
        if word := unknown_word(body, default=smsc.alphabet):
            _note_unknown(smsc.name, word)
        return receipt_of(body, default=smsc.alphabet)
    found = contents(body)
    coding = text.coding_of(body.data_coding, default=smsc.alphabet)
    if coding == "gsm7":
        coding = gsm7_with(locking=found.locking, single=found.single)
    content: str | Part
    if found.place is None:
        content = decode(found.octets, coding)
    else:
        content = Part(found.place, found.octets, coding, body.data_coding, found.udh)
    return Arrival(
        sender=address.sender(body.source_addr_ton, body.source_addr),
        to=address.recipient(body.dest_addr_ton, body.destination_addr, country_code=smsc.country_code),
        content=content,
        digest=_digest(arrived),
        link=link_id,
    )


def _note_unknown(carrier: str, word: str) -> None:
    """Logs a status word once, so that the operator can ask the carrier what it means."""
    if (carrier, word) not in _unknown_words and len(_unknown_words) < _UNKNOWN_WORDS_MAX:
        _unknown_words.add((carrier, word))
        log.warning("carrier %s: a receipt has the unknown status word %s; such receipts change nothing", carrier, word)


def _digest(arrived: Arrived) -> str:
    """Of all but the sequence number, which is another each time. The number comes first: in an index by nothing but
    digests each row would have a page to itself, and so in the log too."""
    unsequenced = arrived.frame[4:8] + arrived.frame[HEADER_SIZE:]
    digest = hashlib.blake2b(unsequenced, digest_size=_DIGEST_SIZE).hexdigest()
    return f"{arrived.body.destination_addr[:_NUMBER_MAX]} {digest}"


def _endpoint(smsc: Smsc, bind: str) -> Endpoint:
    body = Bind(system_id=smsc.system_id, password=smsc.password, system_type=smsc.system_type)
    return Endpoint(smsc.host, smsc.port, smsc.tls, bind, body, smsc.window, smsc.times)


def _submit_sm(smsc: Smsc, message: CarrierMessage, segment: text.Segment) -> Sm:
    return Sm(
        source_addr_ton=smsc.source_ton,
        source_addr_npi=smsc.source_npi,
        source_addr=message.sender.removeprefix("+"),
        dest_addr_ton=smsc.dest_ton,
        dest_addr_npi=smsc.dest_npi,
        destination_addr=message.to.removeprefix("+"),
        esm_class=segment.esm_class,
        registered_delivery=1 if smsc.receipts else 0,
        data_coding=segment.dcs,
        short_message=segment.octets,
        tlvs=segment.tlvs,
    )


def _refusal(refused: Sequence[Submitted], *, in_part: bool) -> CarrierRefused:
    """Why a message was not taken; one segment that never will be decides."""
    for result in refused:
        if result.status in FOR_GOOD:
            return CarrierRefused(f"the carrier refused the SMS: {words(result.status or 0)}", permanent=True)
    statuses = [result.status for result in refused]
    if None in statuses:
        return CarrierRefused("the carrier did not answer", permanent=False, may_be_taken=True)
    reason = f"the carrier did not take the SMS: {words(statuses[0] or 0)}"
    return CarrierRefused(reason, permanent=False, may_be_taken=in_part)
