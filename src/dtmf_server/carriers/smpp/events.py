"""What a session tells its link. Pure."""

from dataclasses import dataclass

from dtmf_server.carriers.smpp.pdu import DataSm, Sm


@dataclass(frozen=True, slots=True)
class Times:
    """How long a bind waits, in seconds."""

    response_s: float = 10.0
    submit_s: float = 30.0
    enquire_s: float = 30.0
    throttle_first_s: float = 0.25
    throttle_longest_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Bound:
    """The SMSC took the bind."""

    system_id: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message or receipt, to be answered once it is stored; `frame` is the PDU as it came."""

    command: int
    sequence: int
    body: Sm | DataSm
    frame: bytes


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a submit; `status` None: the SMSC never said, and may have taken it."""

    key: int
    status: int | None
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A PDU that could not be taken apart, and was answered so."""

    reason: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The bind is over: close the socket. `refused`: the SMSC did not want it."""

    reason: str
    refused: bool = False


Event = Bound | Arrived | Submitted | Unreadable | Closed
