"""The events that a session reports to its link. Pure."""

from dataclasses import dataclass

from msgspec import Struct

from dtmf_server.carriers.smpp.pdu import DataSm, Sm

LINK_RESPONSE_MAX_S = 20.0


@dataclass(frozen=True, slots=True)
class Times:
    """Timeouts of a bind, in seconds."""

    response_s: float = 10.0
    submit_s: float = 30.0
    enquire_s: float = 30.0
    throttle_first_s: float = 0.25
    throttle_max_s: float = 5.0

    @property
    def link_response_s(self) -> float:
        """Timeout of a bind, enquire_link or unbind. Shorter than that of an SMS, so that a dead link is noticed soon even
        if the SMSC may take long to accept an SMS."""
        return min(self.response_s, LINK_RESPONSE_MAX_S)


class Bound(Struct, frozen=True):
    """The SMSC accepted the bind."""

    system_id: str


class Arrived(Struct, frozen=True):
    """A message or receipt, to be acknowledged once it is stored; `frame` is the PDU as received."""

    command: int
    sequence: int
    body: Sm | DataSm
    frame: bytes


class Submitted(Struct, frozen=True):
    """The outcome of a submit. A `status` of None means no answer: the SMSC may have accepted it."""

    key: int
    status: int | None
    message_id: str = ""


class AnsweredLate(Struct, frozen=True):
    """The SMSC's answer to a submit whose `Submitted` had the status None."""

    key: int
    status: int
    message_id: str = ""


class Unreadable(Struct, frozen=True):
    """A PDU that could not be decoded, and was answered with an error."""

    reason: str


class Closed(Struct, frozen=True):
    """The bind has ended: close the socket. `refused` is true if the SMSC refused it."""

    reason: str
    refused: bool = False


Event = Bound | Arrived | Submitted | AnsweredLate | Unreadable | Closed
