"""Drive a session from a test: the PDUs it sends, and the octets it receives."""

from dtmf_server.carriers.smpp.codec import Frames, decode, encode
from dtmf_server.carriers.smpp.events import Bound, Times
from dtmf_server.carriers.smpp.pdu import (
    Bind,
    BindResp,
    Body,
    Command,
    Pdu,
    Sm,
)
from dtmf_server.carriers.smpp.session import Session

TIMES = Times(response_s=10, submit_s=30, enquire_s=60, throttle_first_s=1, throttle_max_s=4)
SMS = Sm(source_addr="12025550123", destination_addr="13105550123", short_message=b"hello")


def octets(command: int, sequence: int, body: Body | None = None, status: int = 0) -> bytes:
    return encode(Pdu(command, sequence, body or Body(), status))


def said(session: Session) -> list[Pdu]:
    return [decode(frame) for frame in Frames().feed(session.to_send())]


def connected(bind: str = "transceiver", window: int = 2) -> Session:
    session = Session(bind, Bind(system_id="me", password="secret"), window=window, times=TIMES)
    session.start(0)
    return session


def bound(window: int = 2) -> Session:
    session = connected(window=window)
    said(session)
    response = octets(Command.BIND_TRANSCEIVER_RESP, 1, BindResp(system_id="smsc"))
    assert session.receive(response, 0) == [Bound("smsc")]
    return session
