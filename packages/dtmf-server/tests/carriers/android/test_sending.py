"""Sending with a phone: each answer means what it should, and no fault makes an SMS leave twice."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pytest

from dtmf_server.carriers.android.carrier import AndroidCarrier
from dtmf_server.carriers.base import CarrierMessage, CarrierRefused
from dtmf_server.carriers.registry import CarrierContext
from dtmf_server.workers.carrier_router import CarrierRouter
from harness import MINUTE_US, FakeWall
from support.android_carrier import NUMBERS, carrier_for
from support.providers.android import SimulatedPhone

MESSAGE = CarrierMessage(NUMBERS["2"], "+447700900999", "Thank you!")
T = TypeVar("T")


def using(carrier: AndroidCarrier, work: Callable[[], Awaitable[T]]) -> T:
    """Do the work while the carrier's HTTP client is open."""

    async def run() -> T:
        async with carrier._phone.api.opened():
            await carrier._probe()
            return await work()

    return asyncio.run(run())


def submit(carrier: AndroidCarrier, message: CarrierMessage = MESSAGE) -> Sequence[str]:
    return using(carrier, lambda: carrier.submit(7, message))


def refused(carrier: AndroidCarrier, message: CarrierMessage = MESSAGE) -> CarrierRefused:
    with pytest.raises(CarrierRefused) as raised:
        submit(carrier, message)
    return raised.value


async def never(carrier: str) -> bool:
    raise AssertionError(f"{carrier} is not on record")


def routed(phone: SimulatedPhone) -> str:
    """Submit as the service does, with a new process, asking the phone after a doubt: "accepted", "refused" or "doubt"."""
    carrier = carrier_for(phone)
    router = CarrierRouter([carrier], find_after_s=0, wall_us=phone.wall)
    try:
        using(carrier, lambda: router.submit(7, MESSAGE, order=["pixel"], recorded="pixel", record=never))
    except CarrierRefused as error:
        return "doubt" if error.in_doubt else "refused"
    return "accepted"


def test_an_sms_leaves_by_the_sim_of_its_number(phone: SimulatedPhone) -> None:
    (ref,) = submit(carrier_for(phone))
    assert phone.radio == [(2, "+447700900999", "Thank you!")]
    (id_,) = phone.messages
    assert ref == f"={id_}"
    body = phone.messages[id_].body
    assert body["withDeliveryReport"]
    assert body["ttl"] == 72 * 3600


def test_a_phone_with_one_sim_chooses_it_itself(phone: SimulatedPhone) -> None:
    submit(carrier_for(phone, sims={"any": MESSAGE.sender}))
    assert phone.radio == [(None, "+447700900999", "Thank you!")]


def test_a_retry_by_a_new_process_sends_nothing_twice(phone: SimulatedPhone) -> None:
    assert submit(carrier_for(phone)) == submit(carrier_for(phone))
    assert len(phone.radio) == 1


def test_another_database_sends_its_own_sms(phone: SimulatedPhone) -> None:
    assert submit(carrier_for(phone)) != submit(carrier_for(phone, key=b"another"))
    assert len(phone.radio) == 2


@pytest.mark.parametrize("second", ["", "drop", "lost", "html", "html 404", "html lost", "500 after", 500, 429])
@pytest.mark.parametrize("first", ["drop", "lost", "html", "html lost", "500 after", 500, 503, 429, 404, 401])
def test_no_fault_of_two_attempts_sends_twice(local_phone: SimulatedPhone, first: str | int, second: str | int) -> None:
    phone = local_phone
    phone.faults["POST /messages"].append(first)
    phone.faults["GET /messages"].append(second)
    result = routed(phone)
    if result == "refused":
        assert phone.radio == [], "a refund or another carrier follows"
    if result == "accepted":
        assert len(phone.radio) == 1
    phone.faults.clear()
    assert routed(phone) == "accepted"
    assert len(phone.radio) == 1


@pytest.mark.parametrize("fault", ["drop", "lost", "html", "500 after", 500])
def test_a_conflict_is_looked_up_and_stays_in_doubt_if_that_fails(phone: SimulatedPhone, fault: str | int) -> None:
    submit(carrier_for(phone))
    phone.faults["GET /messages"].append(fault)
    assert refused(carrier_for(phone)).in_doubt
    submit(carrier_for(phone))
    assert len(phone.radio) == 1


@pytest.mark.parametrize(
    ("status", "permanent", "in_doubt", "can_submit"),
    [
        (400, True, False, True),
        (401, False, False, False),
        (403, False, False, False),
        (404, False, False, False),
        (422, True, False, True),
        (429, False, False, True),
        (500, False, True, True),
        (503, False, True, True),
    ],
)
def test_error_classes(phone: SimulatedPhone, status: int, permanent: bool, in_doubt: bool, can_submit: bool) -> None:
    carrier = carrier_for(phone)
    phone.faults["POST /messages"].append(status)

    async def work() -> None:
        with pytest.raises(CarrierRefused) as raised:
            await carrier.submit(7, MESSAGE)
        assert (raised.value.permanent, raised.value.in_doubt) == (permanent, in_doubt)
        assert carrier.can_submit() == can_submit
        if not can_submit:
            assert carrier.traffic()[0].state == "failing"
            await carrier._probe()
            assert carrier.can_submit(), "until the phone answers again"

    using(carrier, work)


def test_revoked_credentials_are_a_fault_of_the_link(phone: SimulatedPhone) -> None:
    carrier = carrier_for(phone)
    phone.password = "changed"
    error = refused(carrier)
    assert (error.permanent, error.may_be_taken) == (False, False)
    assert carrier.traffic()[0].reason == "the user name or the password is wrong"
    assert "phone-password" not in f"{error}"


def test_a_wrong_device_id_is_a_fault_of_the_link_and_not_of_the_sms(local_phone: SimulatedPhone) -> None:
    error = refused(carrier_for(local_phone, device_id="device-9"))
    assert (error.permanent, error.may_be_taken, error.reason) == (False, False, "the device_id is wrong")


def test_a_number_without_a_sim_can_leave_by_another_carrier(phone: SimulatedPhone) -> None:
    error = refused(carrier_for(phone), CarrierMessage("+447700900001", MESSAGE.to, "x"))
    assert (error.permanent, error.may_be_taken) == (False, False)
    assert phone.calls.count("POST /messages") == 0


def test_a_phone_that_is_off_gets_nothing_and_is_skipped(local_phone: SimulatedPhone) -> None:
    carrier = carrier_for(local_phone)
    local_phone.is_off = True

    async def work() -> None:
        assert not carrier.can_submit()
        assert carrier.traffic()[0].state == "failing"
        local_phone.is_off = False
        await carrier._probe()
        assert carrier.can_submit()
        assert carrier.traffic()[0].state == "bound"

    using(carrier, work)


def test_a_server_that_has_not_heard_of_the_phone_is_skipped(wall: FakeWall) -> None:
    with SimulatedPhone(wall, is_server=True) as phone:
        carrier = carrier_for(phone)
        wall.advance(us=11 * MINUTE_US)

        async def work() -> None:
            assert not carrier.can_submit()
            assert carrier.traffic()[0].reason == "the server last heard of the phone 11 minutes ago"
            phone.last_seen_us = wall()
            await carrier._probe()
            assert carrier.can_submit()

        using(carrier, work)


def test_the_silence_of_the_webhooks_is_a_fault_of_its_own_link(local_phone: SimulatedPhone, wall: FakeWall) -> None:
    carrier = carrier_for(local_phone)

    def webhooks() -> str:
        return carrier.traffic()[1].state

    carrier.heard(None)
    assert webhooks() == "connecting"
    wall.advance(us=11 * MINUTE_US)
    carrier.heard(None)
    assert webhooks() == "silent"
    carrier.heard(wall())
    assert webhooks() == "bound"
    wall.advance(us=11 * MINUTE_US)
    carrier.heard(wall() - 11 * MINUTE_US)
    assert webhooks() == "silent"
    assert "system:ping" in carrier.traffic()[1].reason
    assert len(carrier_for(local_phone, heartbeat_minutes=0).traffic()) == 1


def test_a_trace_shows_no_text_and_no_secret(phone: SimulatedPhone) -> None:
    carrier = carrier_for(phone)
    context: CarrierContext = carrier._context
    context.trace.is_on = True
    using(carrier, lambda: carrier.submit(7, MESSAGE))
    shown = "\n".join(entry.text for entry in context.trace.take())
    assert "POST" in shown
    assert "Thank you!" not in shown
    assert "phone-password" not in shown
