"""What a session tells its link. Pure."""

from dataclasses import dataclass

from msgspec import Struct

from dtmf_server.carriers.smpp.pdu import DataSm, Sm


@dataclass(frozen=True, slots=True)
class Times:
    """How long a bind waits, in seconds."""

    response_s: float = 10.0
    submit_s: float = 30.0
    enquire_s: float = 30.0
    throttle_first_s: float = 0.25
    throttle_longest_s: float = 5.0


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


class Unreadable(Struct, frozen=True):
    """A PDU that could not be taken apart, and was answered so."""

    reason: str


class Closed(Struct, frozen=True):
    """The bind is over: close the socket. `refused`: the SMSC did not want it."""

    reason: str
    refused: bool = False


Event = Bound | Arrived | Submitted | Unreadable | Closed
