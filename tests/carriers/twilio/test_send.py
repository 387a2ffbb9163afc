"""An SMS is sent once and paid once, whatever happens to its submit, and its status is the last one that is final."""

from collections.abc import Callable

import pytest

from dtmf_server.workers import carrier_links, carrier_router
from support.providers import twilio
from support.twilio_carrier import PHONE
from support.twilio_line import Line

Start = Callable[..., Line]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask about doubts at once."""
    monkeypatch.setattr(carrier_router.CarrierRouter.__init__, "__kwdefaults__", {
        **carrier_router.CarrierRouter.__init__.__kwdefaults__, "find_after_s": 0.0,
    })  # fmt: skip
    monkeypatch.setattr(carrier_links, "SETTLE_DOUBTS_S", 0.2)


def test_statuses_in_any_order_end_with_the_final_one(start: Start) -> None:
    line = start()
    orders = [
        ["queued", "sent", "delivered"],
        ["delivered", "sent", "queued"],
        ["sent", "delivered", "undelivered", "sending"],
        ["undelivered", "sent", "delivered"],
        ["failed", "failed", "accepted"],
    ]
    for number, statuses in enumerate(orders):
        message_id = line.sends(f"text {number}")
        sms = line.submitted(f"text {number}")
        assert twilio.message_id_of(sms) == message_id
        line.until(message_id, "sent")
        for status in statuses:
            code = 30003 if status in ("undelivered", "failed") else None
            assert line.provider.report(sms, status, code) == 204
        final = next(status for status in statuses if status in twilio.FINAL)
        stored = line.until(message_id, "delivered" if final == "delivered" else "failed")
        assert (line.paid(message_id) > 0) == (final == "delivered")
        assert stored["reason"] == (None if final == "delivered" else "the phone can't be reached (Twilio 30003)")
    assert line.books_are_right()


def test_a_status_that_comes_before_the_reply_counts(start: Start) -> None:
    line = start()
    line.provider.on_submit = lambda sms: line.provider.report(sms, "delivered") and None
    line.until(line.sends("quick"), "delivered")


def test_a_refused_sms_fails_with_a_reason_and_is_refunded(start: Start) -> None:
    line = start()
    line.provider.opted_out.add(PHONE)
    message_id = line.sends("no")
    failed = line.until(message_id, "failed")
    assert failed["reason"] == "the recipient has opted out of SMS from this number (Twilio 21610)"
    assert line.paid(message_id) == 0
    assert line.provider.outbound() == []


@pytest.mark.parametrize("fault", twilio.AFTER[:-1])
def test_an_sms_whose_reply_was_lost_is_found_and_not_sent_twice(start: Start, fault: str) -> None:
    line = start()
    line.provider.faults.append(fault)
    message_id = line.sends("once")
    line.until(message_id, "sent")
    line.provider.report(line.submitted("once"), "delivered")
    line.until(message_id, "delivered")
    assert [sms.body for sms in line.provider.outbound()] == ["once"]
    assert line.paid(message_id) > 0


def test_an_sms_in_doubt_is_settled_by_its_status_callback_alone(start: Start) -> None:
    line = start()
    line.provider.faults.append("500_after")
    line.provider.lists_new = False
    message_id = line.sends("once")
    line.until(message_id, "in_doubt")
    line.provider.report(line.submitted("once"), "sent")
    line.until(message_id, "sent")
    line.provider.report(line.submitted("once"), "delivered")
    line.until(message_id, "delivered")
    assert len(line.provider.outbound()) == 1


def test_a_submit_that_twilio_surely_does_not_have_is_repeated(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    from dtmf_server.carriers.twilio import carrier

    monkeypatch.setattr(carrier, "SURE_AFTER_US", 0)
    line = start()
    line.provider.faults.append("500")
    message_id = line.sends("again")
    line.until(message_id, "sent")
    assert [sms.body for sms in line.provider.outbound()] == ["again"]
    assert line.paid(message_id) > 0


@pytest.mark.parametrize("fault", ["429", "revoked"])
def test_an_sms_waits_while_twilio_is_busy_or_refuses_the_credentials(start: Start, fault: str) -> None:
    line = start()
    line.provider.faults.append(fault)
    message_id = line.sends("later")
    line.until(message_id, "sent")
    assert line.paid(message_id) > 0
    assert len(line.provider.outbound()) == 1
