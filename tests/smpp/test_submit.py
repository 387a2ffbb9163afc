"""A renter's SMS is sent as submit_sm, and the SMSC's answers and receipts update the renter's message."""

from collections.abc import Callable, Sequence

import pytest

from dtmf_server.carriers.base import CarrierMessage, CarrierRefused, InboundSink, LinkStats
from dtmf_server.carriers.smpp.concat import contents
from dtmf_server.carriers.smpp.pdu import Command, Pdu, Sm
from dtmf_server.carriers.smpp.status import Status
from dtmf_server.core.sms_encoding import decode, join
from dtmf_server.operations import account
from dtmf_server.workers.carrier_router import AcceptedSubmit, CarrierRouter
from harness import START_US
from smpp.conftest import COINS, Bound

Binding = Callable[..., Bound]
LONG = "Long ago, in a galaxy far away. " * 10


def is_submit(pdu: Pdu) -> bool:
    return pdu.command == Command.SUBMIT_SM


def submitted(bound: Bound) -> list[Sm]:
    return [pdu.body for pdu in bound.smsc.pdus_so_far(is_submit) if isinstance(pdu.body, Sm)]


def test_an_sms_is_submitted_with_international_numbers_and_requests_a_receipt(bind: Binding) -> None:
    bound = bind()
    bound.until(bound.sends("hello"), "sent")
    (body,) = submitted(bound)
    assert (body.source_addr_ton, body.source_addr_npi, body.source_addr) == (1, 1, bound.number)
    assert (body.dest_addr_ton, body.dest_addr_npi, body.destination_addr) == (1, 1, "31612345678")
    assert (body.data_coding, body.esm_class, body.registered_delivery, body.short_message) == (0, 0, 1, b"hello")


def test_types_of_number_and_receipts_are_as_configured(bind: Binding) -> None:
    bound = bind(source_ton=5, source_npi=0, dest_ton=2, dest_npi=8, receipts=False)
    bound.until(bound.sends("hello"), "sent")
    (body,) = submitted(bound)
    assert (body.source_addr_ton, body.source_addr_npi, body.dest_addr_ton, body.dest_addr_npi) == (5, 0, 2, 8)
    assert body.registered_delivery == 0


@pytest.mark.parametrize(
    ("settings", "service_type", "validity_period"),
    [
        ({}, "", "000003000000000R"),
        ({"service_type": "CMT", "validity_h": 1}, "CMT", "000000010000000R"),
        ({"validity_h": 168}, "", "000007000000000R"),
        ({"validity_h": 47}, "", "000001230000000R"),
    ],
)
def test_service_type_and_validity_period_are_as_configured(
    bind: Binding, settings: dict[str, object], service_type: str, validity_period: str
) -> None:
    bound = bind(**settings)
    bound.until(bound.sends("hello"), "sent")
    (body,) = submitted(bound)
    assert (body.service_type, body.validity_period) == (service_type, validity_period)


@pytest.mark.parametrize("segmentation", ["udh8", "udh16", "sar", "payload"])
def test_a_long_sms_is_segmented_as_configured(bind: Binding, segmentation: str) -> None:
    bound = bind(segmentation=segmentation)
    message = bound.until(bound.sends(LONG), "sent")
    found = [contents(body) for body in submitted(bound)]
    assert len(found) == (1 if segmentation == "payload" else message["segments"])
    parts = [(item.place.number if item.place else 1, item.octets, "gsm7") for item in found]
    assert join(parts, total=len(parts)) == LONG


def test_a_text_outside_gsm_7_bit_is_submitted_as_ucs_2(bind: Binding) -> None:
    bound = bind()
    bound.until(bound.sends("Příliš 😀"), "sent")
    (body,) = submitted(bound)
    assert body.data_coding == 8
    assert decode(body.short_message, "ucs2") == "Příliš 😀"


@pytest.mark.parametrize("decimal", [False, True])
@pytest.mark.parametrize("text", ["hello", LONG])
def test_receipts_turn_a_message_delivered(bind: Binding, text: str, decimal: bool) -> None:
    bound = bind()
    bound.smsc.do("set", receipts=True, decimal_receipts=decimal)
    bound.until(bound.sends(text), "delivered")


def test_a_receipt_over_another_bind_counts(bind_on_each_engine: Binding) -> None:
    bound = bind_on_each_engine(binds=("transmitter", "receiver"))
    bound.smsc.do("set", receipts=True)
    bound.until(bound.sends("hello"), "delivered")


def test_a_failure_receipt_refunds_the_message_and_stores_the_reason(bind: Binding) -> None:
    bound = bind()
    message_id = bound.sends("hello")
    bound.until(message_id, "sent")
    ref = bound.rows("SELECT ref FROM submissions")[0]["ref"]
    text = f"id:{ref} sub:001 dlvrd:000 submit date:2601010000 done date:2601010000 stat:UNDELIV err:027 text:".encode()
    bound.smsc.send(Pdu(Command.DELIVER_SM, 5, Sm(esm_class=4, source_addr="31612345678", short_message=text)))
    assert bound.smsc.answer(5).status == 0
    message = bound.until(message_id, "failed")
    assert (message["cost"], message["reason"]) == (0, "the phone can't be reached (error 027)")
    assert bound.db.read_blocking(lambda tx: account.balance(tx, bound.account_id, now_us=START_US)) == COINS


@pytest.mark.parametrize("status", [Status.ESME_RINVDSTADR, Status.ESME_RINVSRCADR, Status.ESME_RX_P_APPN])
def test_a_permanently_refused_sms_fails_and_is_refunded(bind: Binding, status: int) -> None:
    bound = bind()
    bound.smsc.do("set", submit=[int(status)])
    message = bound.until(bound.sends("hello"), "failed")
    assert message["cost"] == 0
    assert Status(status).name in message["reason"]


@pytest.mark.parametrize("status", [Status.ESME_RTHROTTLED, Status.ESME_RMSGQFUL])
def test_a_throttled_sms_is_submitted_again_without_counting_an_attempt(bind: Binding, status: int) -> None:
    bound = bind()
    bound.smsc.do("set", submit=[int(status)] * 3)
    message_id = bound.sends("hello")
    bound.until(message_id, "sent")
    assert len(submitted(bound)) == 4
    assert bound.rows("SELECT attempts FROM deliveries")[0]["attempts"] == 1


def test_a_system_error_of_the_smsc_is_retried_on_the_retry_schedule(bind: Binding) -> None:
    bound = bind()
    bound.smsc.do("set", submit=[int(Status.ESME_RSYSERR)])
    message_id = bound.sends("hello")
    waiting = "SELECT state, reason FROM deliveries WHERE reason IS NOT NULL"
    (row,) = bound.eventually(lambda: bound.rows(waiting))
    assert (row["state"], row["reason"]) == (
        "waiting",
        "the carrier did not accept the SMS: it has an internal error (ESME_RSYSERR)",
    )
    bound.db.write_blocking(lambda tx: tx.run("UPDATE deliveries SET due_at_us = 0"))
    bound.db.wakeups.notify({"deliveries"})
    bound.until(message_id, "sent")


def test_answers_in_reverse_order_are_matched(bind: Binding) -> None:
    bound = bind()
    bound.smsc.do("set", backwards=True)
    bound.until(bound.sends("a" * 200), "sent")  # the second of its two segments is answered first
    ids = [bound.sends(f"text {n}", to=f"+3161234567{n}") for n in range(2)]
    for message_id in ids:
        bound.until(message_id, "sent")
    refs = [row["ref"] for row in bound.rows("SELECT ref FROM submissions ORDER BY message_id, id")]
    assert len(set(refs)) == len(refs) == 4


def test_accepted_segments_are_not_sent_again(bind: Binding) -> None:
    bound = bind(window=1)
    bound.smsc.do("set", submit=[0, int(Status.ESME_RSYSERR), 0])
    message_id = bound.sends("a" * 400)
    bound.eventually(lambda: bound.rows("SELECT 1 FROM deliveries WHERE reason IS NOT NULL"))
    bound.db.write_blocking(lambda tx: tx.run("UPDATE deliveries SET due_at_us = 0"))
    bound.db.wakeups.notify({"deliveries"})
    bound.until(message_id, "sent")
    numbers = [place.number for body in submitted(bound) if (place := contents(body).place)]
    assert numbers == [1, 2, 3, 2]
    assert len(bound.rows("SELECT 1 FROM submissions")) == 3


def test_a_receiver_sends_nothing_and_reports_it(bind: Binding) -> None:
    bound = bind(binds=("receiver",))
    bound.sends("hello")
    (row,) = bound.eventually(lambda: bound.rows("SELECT reason FROM deliveries WHERE reason IS NOT NULL"))
    assert row["reason"] == "the carrier's link is down"
    assert submitted(bound) == []


class Fake:
    """A carrier that accepts, refuses, or is down."""

    def __init__(self, name: str, outcome: str | CarrierRefused = "taken") -> None:
        self.name, self.outcome, self.asked = name, outcome, 0

    async def run(self, sink: InboundSink) -> None:
        raise AssertionError("only submit is used here")

    async def submit(self, message_id: int, message: CarrierMessage) -> list[str]:
        self.asked += 1
        if isinstance(self.outcome, CarrierRefused):
            raise self.outcome
        return [f"{self.name}-{message_id}"]

    def can_submit(self) -> bool:
        return self.outcome != "down"

    def traffic(self) -> list[LinkStats]:
        return []


BUSY = CarrierRefused("busy", permanent=False)
NEVER = CarrierRefused("never", permanent=True)
SILENT = CarrierRefused("silent", permanent=False, may_be_taken=True)
MESSAGE = CarrierMessage("+12025550123", "+31612345678", "hello")


async def route(routes: CarrierRouter, *, order: Sequence[str] = ()) -> AcceptedSubmit:
    """Submit the message; every carrier that gets it must be on record by then."""
    recorded = routes.first_up(order)

    async def record(name: str) -> bool:
        nonlocal recorded
        assert name != recorded
        recorded = name
        return True

    for carrier in routes.carriers:
        submit = carrier.submit

        async def submit_recorded(*args: object, by: str = carrier.name, submit: Callable = submit) -> Sequence[str]:
            assert recorded == by
            return await submit(*args)

        carrier.submit = submit_recorded  # type: ignore[method-assign]  # to observe it
    return await routes.submit(7, MESSAGE, order=order, recorded=recorded, record=record)


async def test_an_sms_that_was_given_up_meanwhile_goes_to_no_other_carrier() -> None:
    carriers = [Fake("a", BUSY), Fake("b", "taken")]

    async def record(name: str) -> bool:
        return False

    with pytest.raises(CarrierRefused, match="busy"):
        await CarrierRouter(carriers).submit(7, MESSAGE, order=["a", "b"], recorded="a", record=record)
    assert carriers[1].asked == 0


@pytest.mark.parametrize(
    ("outcomes", "order", "by"),
    [
        (["taken", "taken"], [], "a"),
        (["taken", "taken"], ["b", "a"], "b"),
        (["down", "taken"], ["a", "b"], "b"),
        (["down", "taken"], [], "b"),
        ([BUSY, "taken"], ["a", "b"], "b"),
        (["taken", "taken"], ["gone", "b"], "b"),
    ],
)
async def test_the_first_carrier_of_the_group_that_is_up_sends_the_sms(outcomes: list, order: list, by: str) -> None:
    routes = CarrierRouter([Fake(name, outcome) for name, outcome in zip("ab", outcomes, strict=True)])
    assert await route(routes, order=order) == AcceptedSubmit(by, (f"{by}-7",))


@pytest.mark.parametrize(
    ("outcomes", "order", "refused"),
    [
        ([NEVER, "taken"], ["a", "b"], "never"),
        ([SILENT, "taken"], ["a", "b"], "silent"),  # it may have been accepted: another carrier might send it twice
        ([BUSY, BUSY], ["a", "b"], "busy"),
        ([BUSY, "down"], ["a", "b"], "busy"),
        (["down", "down"], [], "the carrier's link is down"),
        (["taken", "taken"], ["gone"], "no carrier of this number's group is configured"),
        (["down", "taken"], ["a"], "the carrier's link is down"),
    ],
)
async def test_an_sms_that_no_other_carrier_may_send_is_refused(outcomes: list, order: list, refused: str) -> None:
    carriers = [Fake(name, outcome) for name, outcome in zip("ab", outcomes, strict=True)]
    with pytest.raises(CarrierRefused, match=refused):
        await route(CarrierRouter(carriers), order=order)
    assert carriers[1].asked == (1 if outcomes == [BUSY, BUSY] else 0)


class Finder(Fake):
    """A carrier that does not respond to a submit, and can be asked about it."""

    def __init__(self, found: Sequence[str] | CarrierRefused | None) -> None:
        super().__init__("a", SILENT)
        self.found = found

    async def find_submit(self, message_id: int, message: CarrierMessage, *, since_us: int) -> Sequence[str] | None:
        assert (message_id, message, since_us) == (7, MESSAGE, 42)
        if isinstance(self.found, CarrierRefused):
            raise self.found
        return self.found


def finding(found: Sequence[str] | CarrierRefused | None) -> CarrierRouter:
    return CarrierRouter([Finder(found), Fake("b", "taken")], find_after_s=0, wall_us=lambda: 42)


async def test_a_carrier_that_has_an_sms_without_having_responded_is_believed() -> None:
    assert await route(finding(["SM1"])) == AcceptedSubmit("a", ("SM1",))


async def test_an_sms_that_a_carrier_surely_does_not_have_goes_to_the_next_one() -> None:
    assert await route(finding(None)) == AcceptedSubmit("b", ("b-7",))


async def test_an_sms_stays_in_doubt_while_its_carrier_cannot_be_asked() -> None:
    with pytest.raises(CarrierRefused, match="silent") as refused:
        await route(finding(BUSY))
    assert refused.value.in_doubt


async def test_without_carriers_an_outgoing_sms_waits() -> None:
    with pytest.raises(CarrierRefused, match="no carrier is configured") as refused:
        await route(CarrierRouter([]))
    assert not refused.value.permanent
