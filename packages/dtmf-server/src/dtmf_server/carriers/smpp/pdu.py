"""The PDUs of SMPP 3.4 as values. Pure.

Rules:
1. A PDU is a header of 16 octets (§3.2: command_length, command_id, command_status, sequence_number) and a body:
   mandatory fields in a fixed order, then TLVs (§3.2.4.1).
2. Received PDUs are accepted leniently: strings longer than their field, unknown TLVs and unknown values are

      preserved, and so is anything after the last complete TLV. Strings are Latin-1, which maps every octet.
3. A PDU that can't be decoded raises `Malformed`, with the sequence number to answer; nothing else is raised.
4. Values sent must fit their fields; otherwise encoding raises ValueError.
5. A response without a body decodes to empty fields: most SMSCs omit the body on error (§4.1.2, §4.4.2).
"""

from enum import IntEnum
from typing import ClassVar

from msgspec import Struct

HEADER_SIZE = 16
# A message_payload may hold 64 KiB (§5.3.2.32). A greater length means that frame synchronisation was lost.
PDU_SIZE_MAX = 128 * 1024
RESPONSE = 0x8000_0000


class Command(IntEnum):
    """The supported command_ids (§5.1.2.1)."""

    GENERIC_NACK = 0x8000_0000
    BIND_RECEIVER = 0x01
    BIND_RECEIVER_RESP = 0x8000_0001
    BIND_TRANSMITTER = 0x02
    BIND_TRANSMITTER_RESP = 0x8000_0002
    SUBMIT_SM = 0x04
    SUBMIT_SM_RESP = 0x8000_0004
    DELIVER_SM = 0x05
    DELIVER_SM_RESP = 0x8000_0005
    UNBIND = 0x06
    UNBIND_RESP = 0x8000_0006
    BIND_TRANSCEIVER = 0x09
    BIND_TRANSCEIVER_RESP = 0x8000_0009
    OUTBIND = 0x0B
    ENQUIRE_LINK = 0x15
    ENQUIRE_LINK_RESP = 0x8000_0015
    ALERT_NOTIFICATION = 0x102
    DATA_SM = 0x103
    DATA_SM_RESP = 0x8000_0103


class Tag(IntEnum):
    """The tags of the TLVs that are read or written (§5.3.2)."""

    RECEIPTED_MESSAGE_ID = 0x001E
    SAR_MSG_REF_NUM = 0x020C
    SAR_TOTAL_SEGMENTS = 0x020E
    SAR_SEGMENT_SEQNUM = 0x020F
    NETWORK_ERROR_CODE = 0x0423
    MESSAGE_PAYLOAD = 0x0424
    MESSAGE_STATE = 0x0427


class Malformed(Exception):
    """A PDU that can't be decoded. `sequence` is 0 if even the header was unreadable."""

    def __init__(self, reason: str, *, command: int = 0, sequence: int = 0) -> None:
        self.reason, self.command, self.sequence = reason, command, sequence
        super().__init__(reason)


class LostFrames(Malformed):
    """An impossible command_length: the next PDU's start is unknown, and the link must be closed."""


Tlv = tuple[int, bytes]
INTEGER, OCTETS = 0, -1  # used as a field size: one octet; a length octet followed by that many octets
Fields = tuple[tuple[str, int], ...]


class Body(Struct, frozen=True, kw_only=True):
    """A PDU's body, one class per layout. `FIELDS` lists the mandatory fields and their maximum sizes, NUL included."""

    FIELDS: ClassVar[Fields] = ()
    tlvs: tuple[Tlv, ...] = ()
    rest: bytes = b""  # anything after the last complete TLV

    def tlv(self, tag: int) -> bytes | None:
        """Return the value of the first TLV with this tag."""
        return next((value for found, value in self.tlvs if found == tag), None)


class Raw(Body, frozen=True, kw_only=True):
    """The body of an unsupported command."""


class Bind(Body, frozen=True, kw_only=True):
    """bind_receiver, bind_transmitter, bind_transceiver (§4.1.1)."""

    FIELDS: ClassVar[Fields] = (
        # The specification's limits are 16, 9 and 13; carriers issue and accept longer names.
        ("system_id", 65),
        ("password", 65),
        ("system_type", 65),
        ("interface_version", INTEGER),
        ("addr_ton", INTEGER),
        ("addr_npi", INTEGER),
        ("address_range", 41),
    )
    system_id: str
    password: str
    system_type: str = ""
    interface_version: int = 0x34
    addr_ton: int = 0
    addr_npi: int = 0
    address_range: str = ""


class BindResp(Body, frozen=True, kw_only=True):
    """The response to a bind (§4.1.2)."""

    FIELDS: ClassVar[Fields] = (("system_id", 16),)
    system_id: str = ""


class Outbind(Body, frozen=True, kw_only=True):
    """The SMSC asks an ESME to bind (§4.1.7)."""

    FIELDS: ClassVar[Fields] = (("system_id", 16), ("password", 9))
    system_id: str
    password: str


class Sm(Body, frozen=True, kw_only=True):
    """submit_sm (§4.4.1) and deliver_sm (§4.6.1)."""

    FIELDS: ClassVar[Fields] = (
        ("service_type", 6),
        ("source_addr_ton", INTEGER),
        ("source_addr_npi", INTEGER),
        ("source_addr", 21),
        ("dest_addr_ton", INTEGER),
        ("dest_addr_npi", INTEGER),
        ("destination_addr", 21),
        ("esm_class", INTEGER),
        ("protocol_id", INTEGER),
        ("priority_flag", INTEGER),
        ("schedule_delivery_time", 17),
        ("validity_period", 17),
        ("registered_delivery", INTEGER),
        ("replace_if_present_flag", INTEGER),
        ("data_coding", INTEGER),
        ("sm_default_msg_id", INTEGER),
        ("short_message", OCTETS),
    )
    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    protocol_id: int = 0
    priority_flag: int = 0
    schedule_delivery_time: str = ""
    validity_period: str = ""
    registered_delivery: int = 0
    replace_if_present_flag: int = 0
    data_coding: int = 0
    sm_default_msg_id: int = 0
    short_message: bytes = b""


class DataSm(Body, frozen=True, kw_only=True):
    """data_sm (§4.7.1): its text is the TLV message_payload."""

    FIELDS: ClassVar[Fields] = (
        ("service_type", 6),
        ("source_addr_ton", INTEGER),
        ("source_addr_npi", INTEGER),
        ("source_addr", 65),
        ("dest_addr_ton", INTEGER),
        ("dest_addr_npi", INTEGER),
        ("destination_addr", 65),
        ("esm_class", INTEGER),
        ("registered_delivery", INTEGER),
        ("data_coding", INTEGER),
    )
    service_type: str = ""
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    dest_addr_ton: int = 0
    dest_addr_npi: int = 0
    destination_addr: str = ""
    esm_class: int = 0
    registered_delivery: int = 0
    data_coding: int = 0


class SmResp(Body, frozen=True, kw_only=True):
    """The response to submit_sm, deliver_sm and data_sm (§4.4.2, §4.6.2, §4.7.2)."""

    FIELDS: ClassVar[Fields] = (("message_id", 65),)
    message_id: str = ""


class AlertNotification(Body, frozen=True, kw_only=True):
    """A phone can be reached again (§4.12.1)."""

    FIELDS: ClassVar[Fields] = (
        ("source_addr_ton", INTEGER),
        ("source_addr_npi", INTEGER),
        ("source_addr", 65),
        ("esme_addr_ton", INTEGER),
        ("esme_addr_npi", INTEGER),
        ("esme_addr", 65),
    )
    source_addr_ton: int = 0
    source_addr_npi: int = 0
    source_addr: str = ""
    esme_addr_ton: int = 0
    esme_addr_npi: int = 0
    esme_addr: str = ""


class Pdu(Struct, frozen=True):
    """A PDU. `command` is an int, since a received command_id may not be in Command."""

    command: int
    sequence: int
    body: Body = Body()
    status: int = 0


SHAPES: dict[int, type[Body]] = {
    **dict.fromkeys((Command.BIND_RECEIVER, Command.BIND_TRANSMITTER, Command.BIND_TRANSCEIVER), Bind),
    Command.BIND_RECEIVER_RESP: BindResp,
    Command.BIND_TRANSMITTER_RESP: BindResp,
    Command.BIND_TRANSCEIVER_RESP: BindResp,
    Command.OUTBIND: Outbind,
    **dict.fromkeys((Command.SUBMIT_SM, Command.DELIVER_SM), Sm),
    Command.SUBMIT_SM_RESP: SmResp,
    Command.DELIVER_SM_RESP: SmResp,
    Command.DATA_SM: DataSm,
    Command.DATA_SM_RESP: SmResp,
    Command.ALERT_NOTIFICATION: AlertNotification,
    **dict.fromkeys((Command.UNBIND, Command.UNBIND_RESP, Command.GENERIC_NACK), Body),
    **dict.fromkeys((Command.ENQUIRE_LINK, Command.ENQUIRE_LINK_RESP), Body),
}
