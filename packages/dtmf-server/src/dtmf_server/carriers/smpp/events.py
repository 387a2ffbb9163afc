"""What a session tells its link. Pure."""

from dataclasses import dataclass

from msgspec import Struct

from dtmf_server.carriers.smpp.pdu import DataSm, Sm

LINK_RESPONSE_MAX_S = 20.0


@dataclass(frozen=True, slots=True)
class Times:
    """How long a bind waits, in seconds."""

    response_s: float = 10.0
    submit_s: float = 30.0
    enquire_s: float = 30.0
    throttle_first_s: float = 0.25
    throttle_max_s: float = 5.0

    @property
    def link_response_s(self) -> float:
        """How long an answer to a bind, enquire_link or unbind may take: a dead link is noticed soon, however long an
        SMSC may think about an SMS."""
        return min(self.response_s, LINK_RESPONSE_MAX_S)


class Bound(Struct, frozen=True):
    """The SMSC took the bind."""

    system_id: str


class Arrived(Struct, frozen=True):
    """A message or receipt, to be answered once it is stored; `frame` is the PDU as it came."""

    command: int
    sequence: int
    body: Sm | DataSm
    frame: bytes


class Submitted(Struct, frozen=True):
    """What became of a submit; `status` None: the SMSC never said, and may have taken it."""

    key: int
    status: int | None
    message_id: str = ""


class AnsweredLate(Struct, frozen=True):
    """The SMSC's answer to a submit for which `Submitted` had the status None."""

    key: int
    status: int
    message_id: str = ""


class Unreadable(Struct, frozen=True):
    """A PDU that could not be taken apart, and was answered so."""

    reason: str


class Closed(Struct, frozen=True):
    """The bind is over: close the socket. `refused`: the SMSC did not want it."""

    reason: str
    refused: bool = False


Event = Bound | Arrived | Submitted | AnsweredLate | Unreadable | Closed
