"""The rules of one bind: who sends what, when, and what each answer means. No sockets; the time is an argument."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtmf_server.carriers.smpp.events import Arrived, Bound, Closed, Submitted, Unreadable
from dtmf_server.carriers.smpp.pdu import (
    AlertNotification,
    Bind,
    BindResp,
    Body,
    Command,
    DataSm,
    Outbind,
    Pdu,
    Raw,
    Sm,
    SmResp,
)
from dtmf_server.carriers.smpp.session import State
from dtmf_server.carriers.smpp.status import Status

from .binds import SMS, bound, connected, octets, said


@pytest.mark.parametrize(
    ("bind", "command"),
    [
        ("receiver", Command.BIND_RECEIVER),
        ("transmitter", Command.BIND_TRANSMITTER),
        ("transceiver", Command.BIND_TRANSCEIVER),
    ],
)
def test_a_bind_request_is_as_configured(bind, command):
    (pdu,) = said(connected(bind))
    assert (pdu.command, pdu.sequence, pdu.status) == (command, 1, 0)
    assert pdu.body == Bind(system_id="me", password="secret", interface_version=0x34)


@pytest.mark.parametrize("status", [Status.ESME_RINVPASWD, Status.ESME_RALYBND, 0x400])
def test_a_refused_bind_is_closed_with_its_reason(status):
    session = connected()
    (closed,) = session.receive(octets(Command.BIND_TRANSCEIVER_RESP, 1, BindResp(), status), 0)
    assert isinstance(closed, Closed)
    assert closed.reason.startswith("the SMSC refused the bind: it ")
    assert session.state is State.CLOSED


def test_a_bind_answered_with_generic_nack_is_refused():
    (closed,) = connected().receive(octets(Command.GENERIC_NACK, 1, status=Status.ESME_RINVCMDID), 0)
    assert closed == Closed("the SMSC refused the bind: it does not know this command (ESME_RINVCMDID)", refused=True)


def test_a_bind_without_answer_is_closed():
    session = connected()
    assert session.tick(9.9) == []
    assert session.next_tick_s == 10
    assert session.tick(10) == [Closed("the SMSC did not answer within 10 s while binding")]


def deliver(sequence: int, text: bytes = b"hi") -> bytes:
    return octets(Command.DELIVER_SM, sequence, Sm(source_addr="Bank", destination_addr="1202", short_message=text))


def test_a_deliver_sm_in_the_segment_of_the_bind_response_is_accepted():
    session = connected()
    said(session)
    events = session.receive(octets(Command.BIND_TRANSCEIVER_RESP, 1, BindResp()) + deliver(9) + deliver(10), 0)
    assert [type(event) for event in events] == [Bound, Arrived, Arrived]
    assert said(session) == []  # nothing is acknowledged before it is stored


def test_a_deliver_sm_before_the_bind_response_is_accepted():
    events = connected().receive(deliver(9) + octets(Command.BIND_TRANSCEIVER_RESP, 1, BindResp()), 0)
    assert [type(event) for event in events] == [Arrived, Bound]


@pytest.mark.parametrize("step", [1, 3, 17, 1000])
def test_a_batch_is_received_however_it_is_split(step):
    session, stream = bound(), b"".join(deliver(sequence) for sequence in range(1, 21))
    found = []
    for at in range(0, len(stream), step):
        found += session.receive(stream[at : at + step], 0)
    assert [event.sequence for event in found] == list(range(1, 21))
    assert b"".join(event.frame for event in found) == stream


@pytest.mark.parametrize("command", [Command.DELIVER_SM, Command.DATA_SM])
@pytest.mark.parametrize("status", [Status.ESME_ROK, Status.ESME_RX_T_APPN])
def test_a_message_is_answered_as_the_caller_says(command, status):
    session = bound()
    body = Sm() if command == Command.DELIVER_SM else DataSm()
    (arrived,) = session.receive(octets(command, 77, body), 0)
    session.answer(arrived, status)
    assert said(session) == [Pdu(command | 0x8000_0000, 77, SmResp(), status)]


def test_messages_may_be_answered_in_any_order():
    session = bound()
    events = session.receive(deliver(5) + deliver(6), 0)
    for arrived in reversed(events):
        session.answer(arrived, 0)
    assert [pdu.sequence for pdu in said(session)] == [6, 5]


def test_the_smsc_s_enquire_link_is_answered_at_once():
    session = bound()
    assert session.receive(octets(Command.ENQUIRE_LINK, 42), 1) == []
    assert said(session) == [Pdu(Command.ENQUIRE_LINK_RESP, 42)]


def test_a_silent_link_is_probed_and_stays_up_if_it_answers():
    session = bound()
    assert session.next_tick_s == 60
    assert session.tick(60) == []
    (asked,) = said(session)
    assert asked.command == Command.ENQUIRE_LINK
    assert session.receive(octets(Command.ENQUIRE_LINK_RESP, asked.sequence), 61) == []
    assert session.tick(100) == []
    assert session.next_tick_s == 121


def test_a_silent_link_that_does_not_answer_is_closed():
    session = bound()
    session.tick(60)
    assert session.tick(69.9) == []
    assert session.tick(70) == [Closed("the SMSC did not answer within 10 s while bound")]


def test_an_smsc_without_enquire_link_stays_bound():
    session = bound()
    session.tick(60)
    (asked,) = said(session)
    session.receive(octets(Command.GENERIC_NACK, asked.sequence, status=Status.ESME_RINVCMDID), 61)
    assert session.tick(100) == []


@pytest.mark.parametrize(
    ("command", "body"),
    [
        (0x03, Raw(rest=b"id\0")),
        (0x08, Raw()),
        (0x21, Raw(rest=b"x")),
        (Command.BIND_RECEIVER, Bind(system_id="", password="")),
    ],
)
def test_a_request_invalid_from_an_smsc_is_answered_with_esme_rinvcmdid(command, body):
    session = bound()
    assert session.receive(octets(command, 5, body), 0) == []
    assert said(session) == [Pdu(Command.GENERIC_NACK, 5, status=Status.ESME_RINVCMDID)]


@pytest.mark.parametrize(
    ("command", "body"),
    [
        (Command.ALERT_NOTIFICATION, AlertNotification()),
        (Command.OUTBIND, Outbind(system_id="", password="")),
        (0x8000_0003, Raw()),
        (Command.SUBMIT_SM_RESP, SmResp()),
        (Command.UNBIND_RESP, Body()),
        (Command.GENERIC_NACK, Body()),
    ],
)
def test_a_command_without_response_is_not_answered(command, body):
    session = bound()
    assert session.receive(octets(command, 999, body), 0) == []
    assert said(session) == []
    assert session.state is State.BOUND


def test_a_message_that_cannot_be_decoded_stays_with_the_smsc():
    session = bound()
    frame = deliver(8)[:30]
    assert session.receive(len(frame).to_bytes(4, "big") + frame[4:], 0) == [Unreadable("destination_addr has no end")]
    assert said(session) == [Pdu(Command.DELIVER_SM_RESP, 8, SmResp(), Status.ESME_RX_T_APPN)]
    assert isinstance(session.receive(deliver(9), 0)[0], Arrived)


@pytest.mark.parametrize("size", [0, 15, 2**31])
def test_a_stream_that_lost_its_frames_is_nacked_and_closed(size):
    session = bound()
    first, closed = session.receive(deliver(1) + size.to_bytes(4, "big") + bytes(12), 0)
    assert isinstance(first, Arrived)
    assert closed == Closed(f"the SMSC sent data that is not SMPP: a PDU of {size} octets can't be")
    assert said(session) == [Pdu(Command.GENERIC_NACK, 0, status=Status.ESME_RINVCMDLEN)]


def test_the_smsc_s_unbind_is_answered_and_closes():
    session = bound()
    assert session.receive(octets(Command.UNBIND, 5), 0) == [Closed("the SMSC ended the bind")]
    assert said(session) == [Pdu(Command.UNBIND_RESP, 5)]


def test_our_unbind_waits_for_its_response_and_accepts_no_more_messages():
    session = bound()
    assert session.stop(5) == []
    (unbind,) = said(session)
    assert unbind.command == Command.UNBIND
    assert session.receive(deliver(1), 6) == []
    assert said(session) == []
    assert session.receive(octets(Command.UNBIND_RESP, unbind.sequence), 6) == [Closed("the service is stopping")]


def test_an_unanswered_unbind_closes_after_a_timeout():
    session = bound()
    session.stop(5)
    assert session.tick(15) == [Closed("the SMSC did not answer within 10 s while unbinding")]
    assert session.stop(16) == []


def test_a_stop_before_the_bind_is_answered_closes():
    assert connected().stop(1) == [Closed("the service is stopping")]


STEPS = st.one_of(
    st.tuples(st.just("receive"), st.binary(max_size=80)),
    st.tuples(
        st.just("receive"),
        st.builds(octets, st.sampled_from(list(Command)), st.integers(0, 9), status=st.sampled_from([0, 8, 0x58])),
    ),
    st.tuples(st.just("submit"), st.just(b"")),
    st.tuples(st.just("tick"), st.just(b"")),
    st.tuples(st.just("stop"), st.just(b"")),
)


@given(st.lists(STEPS, max_size=30))
def test_every_submit_is_decided_once_and_nothing_undeclared_is_raised(steps):
    session, now_s, keys = connected(), 0.0, 0
    events = []
    for step, data in steps:
        now_s += 1.5
        if step == "receive":
            events += session.receive(data, now_s)
        elif step == "submit" and session.state in (State.BINDING, State.BOUND):
            keys += 1
            events += session.submit(keys, SMS, now_s)
        elif step == "tick":
            events += session.tick(now_s)
        elif step == "stop":
            events += session.stop(now_s)
        said(session)
    events += session.lost("the end")
    assert sorted(event.key for event in events if isinstance(event, Submitted)) == list(range(1, keys + 1))
    assert sum(isinstance(event, Closed) for event in events) == 1
