"""One bind's rules: who says what, when, and what each answer means. No socket, and the time is an argument."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtmf_server.carriers.smpp.codec import Frames, decode, encode
from dtmf_server.carriers.smpp.events import Arrived, Bound, Closed, Submitted, Times, Unreadable
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
from dtmf_server.carriers.smpp.session import Session, State
from dtmf_server.carriers.smpp.status import Status

TIMES = Times(response_s=10, submit_s=30, enquire_s=60, throttle_first_s=1, throttle_longest_s=4)
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


@pytest.mark.parametrize(
    ("bind", "command"),
    [
        ("receiver", Command.BIND_RECEIVER),
        ("transmitter", Command.BIND_TRANSMITTER),
        ("transceiver", Command.BIND_TRANSCEIVER),
    ],
)
def test_a_bind_is_asked_for_as_configured(bind, command):
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
    assert closed == Closed("the SMSC refused the bind: it does not know this command (ESME_RINVCMDID)")


def test_a_bind_without_answer_is_closed():
    session = connected()
    assert session.tick(9.9) == []
    assert session.next_tick_s == 10
    assert session.tick(10) == [Closed("the SMSC did not answer within 10 s while binding")]


def deliver(sequence: int, text: bytes = b"hi") -> bytes:
    return octets(Command.DELIVER_SM, sequence, Sm(source_addr="Bank", destination_addr="1202", short_message=text))


def test_a_deliver_sm_in_the_segment_of_the_bind_response_is_taken():
    session = connected()
    said(session)
    events = session.receive(octets(Command.BIND_TRANSCEIVER_RESP, 1, BindResp()) + deliver(9) + deliver(10), 0)
    assert [type(event) for event in events] == [Bound, Arrived, Arrived]
    assert said(session) == []  # nothing is acknowledged before it is stored


def test_a_deliver_sm_before_the_bind_response_is_taken():
    events = connected().receive(deliver(9) + octets(Command.BIND_TRANSCEIVER_RESP, 1, BindResp()), 0)
    assert [type(event) for event in events] == [Arrived, Bound]


@pytest.mark.parametrize("step", [1, 3, 17, 1000])
def test_a_batch_arrives_whole_however_it_is_cut(step):
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


def test_a_silent_link_is_asked_and_lives_when_it_answers():
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


def test_an_smsc_that_does_not_know_enquire_link_lives_all_the_same():
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
def test_a_request_that_no_smsc_should_make_is_answered_esme_rinvcmdid(command, body):
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
def test_what_asks_for_no_answer_gets_none(command, body):
    session = bound()
    assert session.receive(octets(command, 999, body), 0) == []
    assert said(session) == []
    assert session.state is State.BOUND


def test_a_message_that_cannot_be_taken_apart_stays_with_the_smsc():
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
    assert closed == Closed(f"the SMSC sent what is no SMPP: a PDU of {size} octets can't be")
    assert said(session) == [Pdu(Command.GENERIC_NACK, 0, status=Status.ESME_RINVCMDLEN)]


def test_the_smsc_s_unbind_is_answered_and_closes():
    session = bound()
    assert session.receive(octets(Command.UNBIND, 5), 0) == [Closed("the SMSC ended the bind")]
    assert said(session) == [Pdu(Command.UNBIND_RESP, 5)]


def test_our_unbind_waits_for_its_answer_and_takes_no_more_messages():
    session = bound()
    assert session.stop(5) == []
    (unbind,) = said(session)
    assert unbind.command == Command.UNBIND
    assert session.receive(deliver(1), 6) == []
    assert said(session) == []
    assert session.receive(octets(Command.UNBIND_RESP, unbind.sequence), 6) == [Closed("we stop")]


def test_an_unbind_without_answer_closes_all_the_same():
    session = bound()
    session.stop(5)
    assert session.tick(15) == [Closed("the SMSC did not answer within 10 s while unbinding")]
    assert session.stop(16) == []


def test_a_stop_before_the_bind_is_there_closes():
    assert connected().stop(1) == [Closed("we stop")]


def submitted(session: Session, *keys: int, now_s: float = 0) -> list[Pdu]:
    for key in keys:
        session.submit(key, SMS, now_s)
    return said(session)


def taken(pdu: Pdu, message_id: str = "id") -> bytes:
    return octets(Command.SUBMIT_SM_RESP, pdu.sequence, SmResp(message_id=message_id))


def refused(pdu: Pdu, status: int) -> bytes:
    return octets(Command.SUBMIT_SM_RESP, pdu.sequence, Body(), status)


def test_no_more_than_the_window_is_unanswered_and_the_rest_follow_in_order():
    session = bound(window=2)
    first, second = submitted(session, 1, 2, 3, 4)
    assert session.load == 4
    assert session.receive(taken(second), 1) == [Submitted(2, 0, "id")]
    (third,) = said(session)
    assert session.receive(taken(first) + taken(third), 1) == [Submitted(1, 0, "id"), Submitted(3, 0, "id")]
    assert len(said(session)) == 1
    assert session.load == 1


def test_nothing_is_submitted_before_the_bind_is_there():
    session = connected()
    said(session)
    assert submitted(session, 1) == []
    session.receive(octets(Command.BIND_TRANSCEIVER_RESP, 1, BindResp()), 1)
    assert [pdu.command for pdu in said(session)] == [Command.SUBMIT_SM]


@pytest.mark.parametrize("status", [Status.ESME_RINVDSTADR, Status.ESME_RSYSERR, 0x4FF])
def test_a_refusal_comes_with_its_status(status):
    session = bound()
    (pdu,) = submitted(session, 1)
    assert session.receive(refused(pdu, status), 1) == [Submitted(1, status)]


def test_a_generic_nack_of_a_submit_is_its_refusal():
    session = bound()
    one, two = submitted(session, 1, 2)
    events = session.receive(octets(Command.GENERIC_NACK, one.sequence, status=Status.ESME_RINVCMDID), 1)
    assert events == [Submitted(1, Status.ESME_RINVCMDID)]
    events = session.receive(octets(Command.GENERIC_NACK, two.sequence), 1)
    assert events == [Submitted(2, Status.ESME_RSYSERR)]  # a nack of status 0 took nothing


def test_a_submit_without_answer_is_given_up_and_the_bind_lives():
    session = bound(window=1)
    (first,) = submitted(session, 1, 2)
    assert session.next_tick_s == 10
    assert session.tick(10) == [Submitted(1, None)]
    (second,) = said(session)
    assert session.receive(taken(first), 11) == []  # too late: it is tried again elsewhere
    assert session.receive(taken(second), 11) == [Submitted(2, 0, "id")]


def test_what_waits_too_long_for_room_is_given_up_as_never_sent():
    session = bound(window=1)
    (first,) = submitted(session, 1)
    for now_s in (9, 18, 27):
        session.submit(100 + now_s, SMS, now_s)
    session.receive(taken(first), 9.5)
    assert Submitted(118, Status.ESME_RMSGQFUL) in [*session.tick(48), *session.tick(57)]


@pytest.mark.parametrize("status", [Status.ESME_RTHROTTLED, Status.ESME_RMSGQFUL])
def test_a_throttled_submit_goes_first_after_a_pause(status):
    session = bound(window=2)
    one, two = submitted(session, 1, 2, 3)
    assert session.receive(refused(one, status), 0) == []
    assert session.receive(taken(two), 0) == [Submitted(2, 0, "id")]
    assert said(session) == []
    assert session.next_tick_s == 1
    session.tick(1)
    again = said(session)
    assert [pdu.body for pdu in again] == [one.body, one.body]
    assert session.receive(taken(again[0]), 1) == [Submitted(1, 0, "id")]


def test_the_pause_doubles_while_it_is_throttled_and_one_at_a_time_asks():
    session, now_s, pauses = bound(window=5), 0.0, []
    sent = submitted(session, 1, 2, 3)
    for pdu in sent:
        session.receive(refused(pdu, Status.ESME_RTHROTTLED), now_s)
    for _ in range(4):
        pauses.append(session.next_tick_s - now_s)
        now_s = session.next_tick_s
        session.tick(now_s)
        (pdu,) = said(session)
        session.receive(refused(pdu, Status.ESME_RTHROTTLED), now_s)
    assert pauses == [1, 2, 4, 4]


def test_a_throttled_window_comes_again_in_its_order():
    session = bound(window=3)
    sent = submitted(session, 1, 2, 3, 4)
    session.receive(b"".join(refused(pdu, Status.ESME_RTHROTTLED) for pdu in sent), 0)
    order, now_s = [], 1.0
    session.tick(now_s)
    while pdus := said(session):
        for pdu in pdus:
            order += [event.key for event in session.receive(taken(pdu), now_s)]
    assert order == [1, 2, 3, 4]


def test_a_pause_begins_small_and_ends_with_the_first_that_is_taken():
    session = bound(window=5)
    (pdu,) = submitted(session, 1)
    session.receive(refused(pdu, Status.ESME_RTHROTTLED), 0)
    assert session.next_tick_s == 1
    session.tick(1)
    (pdu,) = said(session)
    session.receive(taken(pdu), 1)
    assert len(submitted(session, 2, 3, 4, now_s=1)) == 3


def test_a_submit_throttled_for_too_long_is_given_up_as_throttled():
    session, now_s, events = bound(window=1), 0.0, []
    (pdu,) = submitted(session, 1)
    while not events and now_s < 100:
        session.receive(refused(pdu, Status.ESME_RTHROTTLED), now_s)
        now_s = session.next_tick_s
        events = session.tick(now_s)
        (pdu,) = said(session) or [pdu]
    assert events == [Submitted(1, Status.ESME_RTHROTTLED)]
    assert now_s == 30


def test_a_lost_link_decides_every_submit():
    session = bound(window=1)
    submitted(session, 1, 2)
    events = session.lost("the connection was reset")
    assert events == [
        Submitted(1, None),  # it may have been taken
        Submitted(2, Status.ESME_RMSGQFUL),  # it never left
        Closed("the connection was reset"),
    ]
    assert session.lost("again") == []
    assert session.tick(1000) == []


def test_responses_out_of_order_find_their_submits():
    session = bound(window=50)
    sent = submitted(session, *range(50))
    events = session.receive(b"".join(taken(pdu, f"m{pdu.sequence}") for pdu in reversed(sent)), 1)
    assert [event.key for event in events] == list(reversed(range(50)))
    assert len({event.message_id for event in events}) == 50


def test_sequence_numbers_begin_again_before_the_reserved_half():
    session = bound()
    session._sequence = 0x7FFF_FFFE
    assert [pdu.sequence for pdu in submitted(session, 1, 2)] == [0x7FFF_FFFF, 1]


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
def test_whatever_happens_every_submit_is_decided_once_and_nothing_undeclared_is_raised(steps):
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
