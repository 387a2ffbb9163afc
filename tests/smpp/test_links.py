"""Links that break in every way: acknowledged messages are stored once, others are redelivered and then stored once."""

import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dtmf_server.carriers.smpp.codec import encode
from dtmf_server.carriers.smpp.pdu import Bind, Command, Pdu, Sm
from dtmf_server.carriers.smpp.status import Status
from dtmf_server.core.errors import StorageUnavailable
from smpp.conftest import QUICK, Bound
from smpp.smsc import Smsc
from support.certificates import address, authority, issue

Binding = Callable[..., Bound]


def deliver(bound: Bound, sequence: int, text: bytes = b"code 1") -> Pdu:
    body = Sm(
        source_addr_ton=1,
        source_addr="491511",
        dest_addr_ton=1,
        destination_addr=bound.number,
        short_message=text,
    )
    return Pdu(Command.DELIVER_SM, sequence, body)


def reason(bound: Bound) -> str:
    """Return the reason shown to the operator for the carrier's only link."""
    return str(bound.eventually(lambda: bound.carrier.traffic()[0].reason))


def test_a_deliver_sm_in_the_segment_of_the_bind_response_is_stored(bind: Binding) -> None:
    bound = bind()
    bound.smsc.do("set", after_bind=(encode(deliver(bound, 1)) + encode(deliver(bound, 2, b"code 2"))).hex())
    bound.smsc.do("close")
    assert [bound.smsc.answer(sequence).status for sequence in (1, 2)] == [0, 0]
    assert bound.received() == [("+491511", "code 1"), ("+491511", "code 2")]


@pytest.mark.parametrize("cut", [1, 8, 15, 16, 40])
def test_a_pdu_cut_off_by_a_broken_link_is_redelivered_whole(bind: Binding, cut: int) -> None:
    bound = bind()
    octets = encode(deliver(bound, 1))
    bound.smsc.send(octets[:cut])
    bound.smsc.do("close")
    bound.smsc.wait("bound")
    bound.smsc.send(octets)
    assert bound.smsc.answer(1).status == Status.ESME_ROK
    assert bound.received() == [("+491511", "code 1")]


@pytest.mark.parametrize("garbage", [b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(64), b"\xff" * 64])
def test_a_link_that_receives_garbage_reconnects(bind: Binding, garbage: bytes) -> None:
    bound = bind()
    bound.smsc.send(garbage)
    assert "data that is not SMPP" in reason(bound)
    bound.smsc.wait("bound")
    bound.smsc.send(deliver(bound, 1))
    assert bound.smsc.answer(1).status == Status.ESME_ROK


def test_a_server_that_is_not_an_smsc_is_reported(bind: Binding, smsc: Smsc) -> None:
    smsc.do("set", greeting=b"SSH-2.0-OpenSSH_9.2\r\n".hex())
    assert "data that is not SMPP" in reason(bind(wait=False))


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.ESME_RINVPASWD, "it refuses the password"),
        (Status.ESME_RINVSYSID, "it does not know the system_id"),
        (Status.ESME_RALYBND, "is another process using it?"),
    ],
)
def test_a_refused_bind_is_explained_and_retried(bind: Binding, smsc: Smsc, status: int, words: str) -> None:
    smsc.do("set", bind=status)
    bound = bind(wait=False)
    assert words in reason(bound)
    smsc.do("set", bind=0)
    smsc.wait("bound")
    bound.eventually(lambda: bound.carrier.traffic()[0].state == "bound")
    assert bound.carrier.traffic()[0].reason == ""


def test_an_unreachable_carrier_is_reported_and_bound_once_it_is_up(bind: Binding, smsc: Smsc) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    bound = bind(wait=False, port=free)
    assert f"can't connect to 127.0.0.1:{free}" in reason(bound)
    assert not bound.carrier.can_submit()
    with Smsc(free) as late:
        late.wait("bound")
        bound.eventually(bound.carrier.can_submit)


def test_a_silent_smsc_is_disconnected_and_redialled(bind: Binding, smsc: Smsc) -> None:
    smsc.do("set", answers=False)
    bound = bind(wait=False, times=replace(QUICK, response_s=0.2))
    assert "did not answer within 0.2 s while binding" in reason(bound)
    smsc.do("set", answers=True)
    smsc.wait("bound")


def test_a_link_that_falls_silent_is_detected_and_reconnected(bind: Binding) -> None:
    bound = bind(times=replace(QUICK, enquire_s=0.1, response_s=0.2))
    bound.smsc.pdu(lambda pdu: pdu.command == Command.ENQUIRE_LINK)
    bound.smsc.do("set", answers=False)
    assert "did not answer within 0.2 s while bound" in reason(bound)
    bound.smsc.do("set", answers=True)
    bound.smsc.wait("bound")


def test_the_smsc_s_unbind_is_answered_and_the_link_rebinds(bind: Binding) -> None:
    bound = bind()
    bound.smsc.send(Pdu(Command.UNBIND, 9))
    assert bound.smsc.answer(9).command == Command.UNBIND_RESP
    bound.smsc.wait("bound")


def test_a_service_that_stops_unbinds(bind: Binding, smsc: Smsc) -> None:
    bound = bind()
    bound.stop()
    smsc.pdu(lambda pdu: pdu.command == Command.UNBIND)
    smsc.wait("closed")


def test_a_bind_request_has_the_configured_fields(bind: Binding, smsc: Smsc) -> None:
    bind(wait=False, system_type="VMA", address_range="4477[0-9]*", binds=("transmitter", "receiver", "receiver"))
    asked = [smsc.pdu(lambda pdu: isinstance(pdu.body, Bind)) for _ in range(3)]
    assert sorted(pdu.command for pdu in asked) == [1, 1, 2]
    body = Bind(system_id="dtmf", password="secret", system_type="VMA", address_range="4477[0-9]*")
    assert {pdu.body for pdu in asked} == {body}


def test_an_unacknowledged_sms_is_stored_once_when_redelivered(bind_on_each_engine: Binding) -> None:
    bound = bind_on_each_engine()
    bound.db.write_blocking(lambda tx: tx.run("UPDATE service SET unrouted_messages = 0"))
    held, release = threading.Event(), threading.Event()

    def hold(tx) -> None:  # the next commit waits here: stored, but not acknowledged
        tx.run("UPDATE service SET unrouted_messages = 1")
        held.set()
        release.wait(30)

    if bound.db.dialect.name == "postgresql":
        release.set()
    blocker = threading.Thread(target=bound.db.write_blocking, args=(hold,))
    blocker.start()
    held.wait(30)
    bound.smsc.send(deliver(bound, 1), deliver(bound, 2, b"code 2"))
    bound.smsc.do("close")  # the link breaks before the acknowledgement can be sent
    bound.smsc.wait("closed")
    release.set()
    blocker.join()
    bound.smsc.wait("bound")
    bound.smsc.send(deliver(bound, 1), deliver(bound, 2, b"code 2"))
    assert [bound.smsc.answer(sequence).status for sequence in (1, 2)] == [0, 0]
    assert bound.received() == [("+491511", "code 1"), ("+491511", "code 2")]


def test_a_recently_acknowledged_sms_is_recognised_on_a_new_link(bind_on_each_engine: Binding) -> None:
    bound = bind_on_each_engine()
    bound.smsc.send(deliver(bound, 1))
    assert bound.smsc.answer(1).status == 0
    bound.smsc.do("close")
    bound.smsc.wait("bound")
    bound.smsc.send(
        deliver(bound, 55), deliver(bound, 56)
    )  # the same PDU again, and the same SMS sent again by the phone
    assert [bound.smsc.answer(sequence).status for sequence in (55, 56)] == [0, 0]
    assert bound.received() == [("+491511", "code 1")] * 2


def test_an_identical_sms_over_another_link_that_is_up_is_another_sms(bind: Binding) -> None:
    bound = bind(binds=("transceiver", "transceiver"))
    for connection in (1, 2):
        bound.smsc.send(deliver(bound, 10 + connection), connection=connection)
        assert bound.smsc.answer(10 + connection).status == 0
    assert bound.received() == [("+491511", "code 1")] * 2


def test_an_sms_stays_with_the_smsc_while_the_database_is_down(bind: Binding, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = bind()

    async def away(fn: object) -> None:
        raise StorageUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(bound.db, "write", away)
        bound.smsc.send(deliver(bound, 1), deliver(bound, 2))
        assert [bound.smsc.answer(n).status for n in (1, 2)] == [Status.ESME_RX_T_APPN] * 2
    assert bound.received() == []
    bound.smsc.send(deliver(bound, 3))
    assert bound.smsc.answer(3).status == Status.ESME_ROK
    assert bound.carrier.traffic()[0].errors == 2


def test_an_sms_that_cannot_be_stored_is_refused_alone(bind: Binding, monkeypatch: pytest.MonkeyPatch) -> None:
    from dtmf_server.operations import receive

    bound = bind()
    count = receive.count_segments
    monkeypatch.setattr(receive, "count_segments", lambda text: 1 / 0 if text == "poison" else count(text))
    bound.smsc.send(deliver(bound, 1, b"before"), deliver(bound, 2, b"poison"), deliver(bound, 3, b"after"))
    assert [bound.smsc.answer(n).status for n in (1, 2, 3)] == [0, Status.ESME_RX_T_APPN, 0]
    assert [text for _, text in bound.received()] == ["before", "after"]


def test_a_bind_over_tls_works(bind: Binding, tmp_path: Path) -> None:
    known = authority("known", key=0xCAFE)
    certificate = issue(tmp_path, known, names=[address(bytes((127, 0, 0, 1)))])
    with Smsc(0, str(certificate)) as behind_tls:
        bound = bind(smsc=behind_tls, tls=ssl.create_default_context(cadata=known.pem))
        behind_tls.send(deliver(bound, 1))
        assert behind_tls.answer(1).status == 0
        bound.stop()


def test_an_smsc_with_an_untrusted_certificate_is_not_bound(bind: Binding, tmp_path: Path) -> None:
    certificate = issue(tmp_path, authority("unknown", key=0xBAD), names=[address(bytes((127, 0, 0, 1)))])
    trusted = authority("known", key=0xCAFE).pem
    with Smsc(0, str(certificate)) as behind_tls:
        bound = bind(smsc=behind_tls, wait=False, tls=ssl.create_default_context(cadata=trusted))
        assert "certificate verify failed" in reason(bound)
        bound.stop()


def test_the_traffic_of_a_link_is_counted(bind: Binding) -> None:
    bound = bind()
    bound.smsc.send(*(deliver(bound, n) for n in range(1, 11)))
    for n in range(1, 11):
        bound.smsc.answer(n)
    traffic = bound.carrier.traffic()[0]
    bound.eventually(lambda: traffic.arrived == 10)
    assert traffic.link == "london transceiver 1"
    assert 0 < traffic.p95_us < 60_000_000
    assert traffic.last_seen_us >= traffic.since_us > 0
