"""A charge stands while a carrier may have the SMS, and a refused SMS is refunded, whatever happens in the meantime."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from dtmf_server import config
from dtmf_server.carriers.smpp.pdu import Body, Command, Pdu, Sm, SmResp
from dtmf_server.cli import carriers as commands
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.rental import Action, ActionKind
from dtmf_server.operations import close_account, meter, receive, rent, replay, verify
from dtmf_server.runtime import metrics
from dtmf_server.runtime.clock import wall_us
from harness import DAY_US, runtime_over
from smpp.conftest import QUICK, Bound

Binding = Callable[..., Bound]
PHONE = "+31612345678"
FINAL, BUSY, FAULT, RECEIVER = 0x0B, 0x58, 0x08, 0x04
HURRIED = replace(QUICK, response_s=0.2)
THREE_DAYS_US = 72 * 3_600_000_000


def is_submit(pdu: Pdu) -> bool:
    return pdu.command == Command.SUBMIT_SM


def held(bound: Bound) -> Pdu:
    """Return the next submit_sm, which the SMSC does not answer by itself."""
    return bound.smsc.pdu(is_submit)


def submits(bound: Bound) -> int:
    return len(bound.smsc.pdus_so_far(is_submit))


def answer(bound: Bound, pdu: Pdu, status: int = 0, ref: str = "A1") -> None:
    body = Body() if status else SmResp(message_id=ref)
    bound.smsc.send(Pdu(Command.SUBMIT_SM_RESP, pdu.sequence, body, status))


def forwarded(bound: Bound, text: str = "hello") -> None:
    """Receive an SMS at a number that forwards."""
    action = Action(ActionKind.FORWARD, PHONE)
    set_action(bound, action)
    inbound = [InboundMessage(bound.e164, "+1234", text)]
    bound.db.write_blocking(lambda tx: receive.receive_many(tx, inbound, now_us=wall_us()))
    bound.db.wakeups.notify({"deliveries"})


def set_action(bound: Bound, action: Action | None) -> None:
    bound.db.write_blocking(lambda tx: rent.set_action(tx, bound.account_id, bound.e164, action, now_us=wall_us()))


def sent(bound: Bound) -> tuple[str, int]:
    """Return status and net charge, in satoshis, of the only sent message."""
    (row,) = bound.rows("SELECT id, status FROM messages WHERE NOT inbound")
    (booked,) = bound.rows(
        "SELECT coalesce(sum(CASE kind WHEN 'message_sent' THEN amount ELSE -amount END), 0) AS sats FROM transfers"
        " WHERE kind IN ('message_sent', 'message_refunded') AND ref = CAST(:id AS TEXT)",
        id=row["id"],
    )
    return row["status"], booked["sats"]


def delivery(bound: Bound) -> dict:
    (row,) = bound.rows("SELECT * FROM deliveries WHERE kind IN ('send', 'forward')")
    return row


def logged(bound: Bound, n: int = 1) -> list[str]:
    """Return the reasons in the delivery log, once it has this many attempts."""
    statement = "SELECT reason FROM attempts ORDER BY delivery_id, attempt"
    rows = bound.eventually(lambda: found if len(found := bound.rows(statement)) >= n else None)
    return [row["reason"] for row in rows]


def parks(bound: Bound) -> None:
    set_action(bound, None)


def goes_elsewhere(bound: Bound) -> None:
    set_action(bound, Action(ActionKind.FORWARD, "+31687654321"))


def goes_to_a_webhook(bound: Bound) -> None:
    set_action(bound, Action(ActionKind.WEBHOOK, "https://example.org/"))


def ends(bound: Bound) -> None:
    bound.db.write_blocking(lambda tx: rent.end(tx, bound.account_id, bound.e164, now_us=wall_us()))


def runs_out(bound: Bound) -> None:
    bound.db.write_blocking(lambda tx: meter.sweep(tx, now_us=wall_us() + 400 * DAY_US))


def deletes(bound: Bound) -> None:
    bound.db.write_blocking(
        lambda tx: close_account.close_account(
            tx, bound.account_id, given_up_max=10**9, now_us=wall_us(), wall_us=wall_us()
        )
    )


def replays(bound: Bound) -> None:
    id_ = delivery(bound)["id"]
    bound.db.write_blocking(lambda tx: replay.one(tx, bound.account_id, id_, now_us=wall_us()))


def parks_and_replays(bound: Bound) -> None:
    parks(bound)
    replays(bound)


DISTURBANCES = [parks, goes_elsewhere, goes_to_a_webhook, ends, runs_out, deletes, replays, parks_and_replays]


@pytest.mark.regression("free-sms")
@pytest.mark.parametrize("disturb", DISTURBANCES)
def test_an_accepted_sms_is_charged_whatever_the_renter_does_meanwhile(
    bind_on_each_engine: Binding, disturb: Callable[[Bound], None]
) -> None:
    bound = bind_on_each_engine()
    bound.smsc.do("set", submit=[-1] * 9)
    forwarded(bound)
    pdu = held(bound)
    price = sent(bound)[1]
    assert price > 0
    disturb(bound)
    answer(bound, pdu)
    logged(bound)
    assert sent(bound) == ("sent", price)
    assert delivery(bound)["state"] == "delivered"
    assert submits(bound) == 1
    assert bound.db.read_blocking(verify.differences) == []


@pytest.mark.parametrize("disturb", DISTURBANCES)
def test_a_refused_sms_is_refunded_whatever_the_renter_does_meanwhile(
    bind_on_each_engine: Binding, disturb: Callable[[Bound], None]
) -> None:
    bound = bind_on_each_engine()
    bound.smsc.do("set", submit=[-1] * 9)
    forwarded(bound)
    pdu = held(bound)
    disturb(bound)
    answer(bound, pdu, FINAL)
    logged(bound)
    assert sent(bound) == ("failed", 0)
    assert delivery(bound)["state"] == "parked"
    assert bound.db.read_blocking(verify.differences) == []


@pytest.mark.parametrize("disturb", [parks, goes_to_a_webhook])
def test_a_forward_switched_off_is_not_retried_after_the_carrier_was_busy(
    bind: Binding, disturb: Callable[[Bound], None]
) -> None:
    bound = bind()
    bound.smsc.do("set", submit=[-1])
    forwarded(bound)
    pdu = held(bound)
    disturb(bound)
    answer(bound, pdu, FAULT)
    logged(bound)
    assert sent(bound) == ("failed", 0)
    assert (delivery(bound)["state"], delivery(bound)["reason"]) == ("parked", rent.ACTION_CHANGED)


def in_doubt(bound: Bound, text: str = "hello") -> tuple[int, Pdu]:
    """Send an SMS that the SMSC does not answer in time."""
    bound.smsc.do("set", submit=[-1] * 9)
    message_id = bound.sends(text)
    pdu = held(bound)
    logged(bound)
    return message_id, pdu


@pytest.mark.regression("late-submit-sm-resp")
def test_an_sms_not_answered_in_time_is_in_doubt_until_a_late_answer(bind_on_each_engine: Binding) -> None:
    bound = bind_on_each_engine(times=HURRIED)
    message_id, pdu = in_doubt(bound)
    assert sent(bound)[0] == "in_doubt"
    price = sent(bound)[1]
    assert price > 0
    assert delivery(bound)["state"] == "in_doubt"
    answer(bound, pdu, ref="LATE")
    bound.until(message_id, "sent")
    assert sent(bound) == ("sent", price)
    assert (delivery(bound)["state"], delivery(bound)["reason"]) == ("delivered", None)
    assert [row["ref"] for row in bound.rows("SELECT ref FROM submissions")] == ["late"]
    assert submits(bound) == 1
    assert bound.db.read_blocking(verify.differences) == []


def test_a_late_refusal_refunds(bind_on_each_engine: Binding) -> None:
    bound = bind_on_each_engine(times=HURRIED)
    message_id, pdu = in_doubt(bound)
    answer(bound, pdu, FINAL)
    bound.until(message_id, "failed")
    assert sent(bound) == ("failed", 0)
    assert delivery(bound)["state"] == "parked"
    assert "ESME_RINVDSTADR" in delivery(bound)["reason"]
    assert bound.db.read_blocking(verify.differences) == []


def test_a_late_temporary_refusal_requeues_the_sms(bind: Binding) -> None:
    bound = bind(times=HURRIED)
    message_id, pdu = in_doubt(bound)
    bound.smsc.do("set", submit=[])
    answer(bound, pdu, BUSY)
    bound.until(message_id, "queued", "sent")
    bound.db.write_blocking(lambda tx: tx.run("UPDATE deliveries SET due_at_us = 0"))
    bound.db.wakeups.notify({"deliveries"})
    bound.until(message_id, "sent")
    assert submits(bound) == 2


@pytest.mark.parametrize(("stat", "status"), [("DELIVRD", "delivered"), ("UNDELIV", "failed")])
def test_a_receipt_settles_an_sms_in_doubt_whose_reference_is_unknown(
    bind_on_each_engine: Binding, stat: str, status: str
) -> None:
    bound = bind_on_each_engine(times=HURRIED)
    message_id, _ = in_doubt(bound)
    text = f"id:77AA sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:{stat} err:000 text:".encode()
    receipt = Sm(
        esm_class=4, source_addr="31612345678", dest_addr_ton=1, destination_addr=bound.number, short_message=text
    )
    bound.smsc.send(Pdu(Command.DELIVER_SM, 5, receipt))
    bound.until(message_id, status)
    assert (sent(bound)[1] == 0) is (status == "failed")
    assert delivery(bound)["finished_at_us"] is not None
    assert bound.db.read_blocking(verify.differences) == []


def gauge(bound: Bound) -> float:
    """Return the Prometheus gauge of SMS in doubt."""
    families = metrics.QueueCollector(runtime_over(bound.db)).collect()
    (found,) = (f.samples[0].value for f in families if f.name == "dtmf_deliveries_in_doubt")
    return found


def test_sms_in_doubt_are_counted_by_metrics_and_doctor(bind_on_each_engine: Binding) -> None:
    bound = bind_on_each_engine(times=HURRIED)

    def said() -> str:
        return "\n".join(commands.doctor(bound.db, config.Config())[1])

    assert (gauge(bound), "in doubt" in said()) == (0, False)
    _, pdu = in_doubt(bound)
    assert gauge(bound) == 1
    assert "1 SMS is in doubt: its carrier has not confirmed the submission" in said()
    answer(bound, pdu)
    bound.eventually(lambda: sent(bound)[0] == "sent")
    assert (gauge(bound), "in doubt" in said()) == (0, False)


def test_an_answer_is_awaited_for_a_validity_period_longer_than_72_hours(
    bind_on_each_engine: Binding,
) -> None:
    from dtmf_server.operations import doubt

    bound = bind_on_each_engine(times=HURRIED, settings={"doubt_us": 2 * THREE_DAYS_US})
    in_doubt(bound)
    bound.db.write_blocking(lambda tx: doubt.give_up(tx, now_us=wall_us() + THREE_DAYS_US))
    assert sent(bound)[0] == "in_doubt"
    bound.db.write_blocking(lambda tx: doubt.give_up(tx, now_us=wall_us() + 2 * THREE_DAYS_US))
    assert sent(bound)[0] == "unknown"


def test_without_an_answer_the_status_is_unknown_after_72_hours_and_the_charge_stands(
    bind_on_each_engine: Binding,
) -> None:
    from dtmf_server.operations import doubt

    bound = bind_on_each_engine(times=HURRIED)
    in_doubt(bound)
    _, price = sent(bound)
    bound.db.write_blocking(lambda tx: doubt.give_up(tx, now_us=wall_us() + THREE_DAYS_US - 60_000_000))
    assert sent(bound) == ("in_doubt", price)
    bound.db.write_blocking(lambda tx: doubt.give_up(tx, now_us=wall_us() + THREE_DAYS_US))
    assert sent(bound) == ("unknown", price)
    assert delivery(bound)["state"] == "unknown"
    with pytest.raises(replay.MayBeTaken):
        replays(bound)
    assert submits(bound) == 1
    assert bound.db.read_blocking(verify.differences) == []


def test_an_sms_in_doubt_is_not_replayed(bind: Binding) -> None:
    bound = bind(times=HURRIED)
    in_doubt(bound)
    with pytest.raises(replay.MayBeTaken):
        replays(bound)
    assert sent(bound)[0] == "in_doubt"


def test_a_link_that_breaks_while_the_carrier_holds_the_sms_leaves_it_in_doubt(bind: Binding) -> None:
    bound = bind()
    bound.smsc.do("set", submit=[-1])
    message_id = bound.sends("hello")
    held(bound)
    bound.smsc.do("close")
    bound.until(message_id, "in_doubt")
    bound.smsc.wait("bound")
    assert submits(bound) == 1


def test_only_segments_certainly_not_accepted_are_sent_again(bind: Binding) -> None:
    bound = bind(times=HURRIED)
    bound.smsc.do("set", submit=[-1] * 3)
    message_id = bound.sends("a" * 400)
    first, second, third = (held(bound) for _ in range(3))
    logged(bound)
    answer(bound, third, ref="C3")
    answer(bound, second, BUSY)
    answer(bound, first, ref="C1")
    bound.until(message_id, "queued")
    bound.db.write_blocking(lambda tx: tx.run("UPDATE deliveries SET due_at_us = 0"))
    bound.db.wakeups.notify({"deliveries"})
    bound.until(message_id, "sent")
    assert submits(bound) == 4
    assert bound.db.read_blocking(verify.differences) == []


def test_a_long_sms_with_one_refused_segment_fails_and_is_fully_refunded(bind: Binding) -> None:
    bound = bind()
    bound.smsc.do("set", submit=[0, FINAL, 0])
    message_id = bound.sends("a" * 400)
    bound.until(message_id, "failed")
    assert sent(bound) == ("failed", 0)
    assert submits(bound) == 3


@pytest.mark.regression("final-statuses")
@pytest.mark.parametrize("status", [0x45, 0x61, 0x400, 0x4FF, 0xFF, 0x65])
def test_a_status_that_is_not_temporary_fails_the_sms_at_once(bind: Binding, status: int) -> None:
    bound = bind()
    bound.smsc.do("set", submit=[status])
    bound.sends("hello")
    logged(bound)
    assert sent(bound) == ("failed", 0)
    assert delivery(bound)["state"] == "parked"


@pytest.mark.regression("retry-delays-no-other")
def test_an_sms_awaiting_its_retry_does_not_delay_the_next_of_its_number(bind_on_each_engine: Binding) -> None:
    bound = bind_on_each_engine()
    bound.smsc.do("set", submit=[FAULT])
    bound.sends("one")
    logged(bound)
    second = bound.sends("two", to="+31687654321")
    (row,) = bound.rows("SELECT created_at_us, due_at_us FROM deliveries WHERE message_id = :id", id=second)
    assert row["due_at_us"] <= row["created_at_us"]
    bound.until(second, "sent")
    assert submits(bound) == 2


def test_an_sms_awaiting_its_answer_does_not_delay_the_next_of_its_number(bind: Binding) -> None:
    bound = bind()
    bound.smsc.do("set", submit=[-1])
    first = bound.sends("one")
    pdu = held(bound)
    bound.until(bound.sends("two"), "sent")
    answer(bound, pdu, ref="ONE")
    bound.until(first, "sent")


def test_the_operator_configures_which_statuses_are_temporary(bind: Binding) -> None:
    from dtmf_server.core.submission import retries

    bound = bind(retry=retries({"0x45": "temporary", "0x58": "final"}))
    bound.smsc.do("set", submit=[0x45, 0x58])
    first = bound.sends("one")
    logged(bound)
    assert sent(bound)[0] == "queued"
    assert delivery(bound)["message_id"] == first
    bound.until(bound.sends("two"), "failed")


def test_a_faulty_link_is_restarted_and_the_sms_stays_queued(bind: Binding, caplog: pytest.LogCaptureFixture) -> None:
    bound = bind()
    bound.smsc.do("set", submit=[RECEIVER])
    message_id = bound.sends("hello")
    bound.smsc.wait("bound")
    assert sent(bound)[0] == "queued"
    bound.smsc.do("set", submit=[RECEIVER])
    bound.db.write_blocking(lambda tx: tx.run("UPDATE deliveries SET due_at_us = 0"))
    bound.db.wakeups.notify({"deliveries"})
    logged(bound, 2)
    bound.db.write_blocking(lambda tx: tx.run("UPDATE deliveries SET due_at_us = 0"))
    bound.db.wakeups.notify({"deliveries"})
    bound.until(message_id, "sent")
    warned = [record for record in caplog.records if "restarting" in record.getMessage()]
    assert len(warned) == 1  # not repeated within a minute
