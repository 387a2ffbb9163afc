"""Submits over a bind: the window, throttling, and what each answer means."""

import pytest

from dtmf_server.carriers.smpp.events import AnsweredLate, Closed, Submitted
from dtmf_server.carriers.smpp.pdu import (
    Bind,
    BindResp,
    Body,
    Command,
    Pdu,
    SmResp,
)
from dtmf_server.carriers.smpp.session import Session
from dtmf_server.carriers.smpp.status import Status

from .binds import SMS, TIMES, bound, connected, octets, said


def submitted(session: Session, *keys: int, now_s: float = 0) -> list[Pdu]:
    for key in keys:
        session.submit(key, SMS, now_s)
    return said(session)


def taken(pdu: Pdu, message_id: str = "id") -> bytes:
    return octets(Command.SUBMIT_SM_RESP, pdu.sequence, SmResp(message_id=message_id))


def refused(pdu: Pdu, status: int) -> bytes:
    return octets(Command.SUBMIT_SM_RESP, pdu.sequence, Body(), status)


def test_at_most_a_window_is_unanswered_and_the_rest_follow_in_order():
    session = bound(window=2)
    first, second = submitted(session, 1, 2, 3, 4)
    assert session.load == 4
    assert session.receive(taken(second), 1) == [Submitted(2, 0, "id")]
    (third,) = said(session)
    assert session.receive(taken(first) + taken(third), 1) == [Submitted(1, 0, "id"), Submitted(3, 0, "id")]
    assert len(said(session)) == 1
    assert session.load == 1


def test_nothing_is_submitted_before_the_bind_is_answered():
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
    assert events == [Submitted(2, Status.ESME_RSYSERR)]  # a nack with status 0 accepted nothing


def test_an_unanswered_submit_times_out_and_a_late_answer_still_counts():
    session = bound(window=1)
    (first,) = submitted(session, 1, 2)
    assert session.next_tick_s == 10
    assert session.tick(10) == [Submitted(1, None)]
    (second,) = said(session)
    assert session.receive(taken(first), 11) == [AnsweredLate(1, 0, "id")]
    assert session.receive(taken(first), 11) == []  # reported once
    assert session.receive(taken(second), 11) == [Submitted(2, 0, "id")]


def test_a_submit_queued_for_too_long_is_given_up_as_never_sent():
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


def test_the_pause_doubles_while_throttled_and_one_submit_at_a_time_probes():
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


def test_a_throttled_window_is_resubmitted_in_order():
    session = bound(window=3)
    sent = submitted(session, 1, 2, 3, 4)
    session.receive(b"".join(refused(pdu, Status.ESME_RTHROTTLED) for pdu in sent), 0)
    order, now_s = [], 1.0
    session.tick(now_s)
    while pdus := said(session):
        for pdu in pdus:
            order += [event.key for event in session.receive(taken(pdu), now_s)]
    assert order == [1, 2, 3, 4]


def test_a_pause_starts_short_and_ends_with_the_first_accepted_submit():
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
        Submitted(1, None),  # it may have been accepted
        Submitted(2, Status.ESME_RMSGQFUL),  # it was never sent
        Closed("the connection was reset"),
    ]
    assert session.lost("again") == []
    assert session.tick(1000) == []


def test_responses_out_of_order_match_their_submits():
    session = bound(window=50)
    sent = submitted(session, *range(50))
    events = session.receive(b"".join(taken(pdu, f"m{pdu.sequence}") for pdu in reversed(sent)), 1)
    assert [event.key for event in events] == list(reversed(range(50)))
    assert len({event.message_id for event in events}) == 50


def test_sequence_numbers_wrap_before_the_reserved_half():
    session = bound()
    session._sequence = 0x7FFF_FFFE
    assert [pdu.sequence for pdu in submitted(session, 1, 2)] == [0x7FFF_FFFF, 1]


def at_a_rate(submits_per_s: float, window: int = 100) -> Session:
    session = Session(
        "transceiver", Bind(system_id="me", password="x"), window=window, times=TIMES, submits_per_s=submits_per_s
    )
    session.start(0)
    session.receive(octets(Command.BIND_TRANSCEIVER_RESP, 1, BindResp()), 0)
    said(session)
    return session


@pytest.mark.parametrize(("rate", "burst", "period_s"), [(3, 3, 1.0), (0.5, 1, 2.0), (2.5, 2, 0.8)])
def test_a_rate_is_never_exceeded_in_any_period_and_the_timer_does_not_spin(rate, burst, period_s):
    session = at_a_rate(rate)
    sent_at_s = [10.0] * len(submitted(session, *range(1, 10), now_s=10))
    assert len(sent_at_s) == burst
    while len(sent_at_s) < 9:
        due_s = session.next_tick_s
        session.tick(due_s)
        found = said(session)
        assert found or due_s >= 20, "only a response's deadline may send nothing"
        sent_at_s += [due_s] * len(found)
    for first, later in zip(sent_at_s, sent_at_s[burst:], strict=False):
        assert later - first >= period_s - 1e-9


def test_a_full_window_does_not_make_the_timer_spin():
    session = at_a_rate(1, window=1)
    (first,) = submitted(session, 1, 2, now_s=0)
    assert session.next_tick_s == 10, "the response's deadline, not the rate"
    assert session.receive(taken(first), 0.25) == [Submitted(1, 0, "id")]
    assert said(session) == []
    assert session.next_tick_s == 1
    session.tick(1)
    assert len(said(session)) == 1


def test_what_the_rate_holds_back_for_too_long_is_given_up_as_never_sent():
    session = at_a_rate(0.01)
    submitted(session, 1, 2)
    assert session.tick(30) == [Submitted(1, None), Submitted(2, Status.ESME_RMSGQFUL)]
    assert session.not_sent == {2}
