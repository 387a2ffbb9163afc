"""The whole service with a modem: a renter receives a code, sends an SMS, and pays for what the network took."""

import time
from collections.abc import Callable, Iterator

import pytest

from dtmf import DTMF
from dtmf_server.carriers.gammu.carrier import GammuCarrier
from dtmf_server.operations import verify
from harness import new_token, runtime_over, serving

from .conftest import NUMBER, PHONE, World


@pytest.fixture
def carrier(world: World) -> GammuCarrier:
    return world.carrier()


@pytest.fixture
def renter(world: World, carrier: GammuCarrier) -> Iterator[DTMF]:
    """The renter's client, once the modem is up."""
    with serving(runtime_over(world.db, wall=world.wall), carriers=[carrier]) as url:
        wait(carrier.can_submit)
        with DTMF(new_token(), base_url=url) as client:
            yield client
    assert world.db.read_blocking(verify.differences) == []


def wait(done: Callable[[], bool]) -> None:
    for _ in range(3000):
        if done():
            return
        time.sleep(0.02)
    raise AssertionError("the condition was not met in time")


def status(renter: DTMF) -> str:
    (sent,) = renter.messages(NUMBER)
    return sent["status"]


def test_a_code_reaches_its_renter(renter: DTMF, world: World) -> None:
    world.smsd.receive("Your code is 314159", at_us=world.wall(), sender="Bank")
    assert renter.wait_for_code(NUMBER, timeout=60) == "314159"


def test_an_sms_is_paid_and_delivered(renter: DTMF, world: World) -> None:
    before = renter.account()["balance"]
    renter.send_message(NUMBER, PHONE, "hello")
    assert renter.account()["balance"] == before - 1000
    wait(lambda: world.smsd.send() == ["hello"])
    wait(lambda: status(renter) == "sent")
    world.smsd.report("DeliveryOK")
    wait(lambda: status(renter) == "delivered")
    assert renter.account()["balance"] == before - 1000


def test_an_sms_that_the_modem_cannot_send_is_refunded(renter: DTMF, world: World) -> None:
    before = renter.account()["balance"]
    renter.send_message(NUMBER, PHONE, "hello")
    wait(lambda: world.smsd.send("SendingError", status_code=38) == ["hello"])
    wait(lambda: status(renter) == "failed")
    assert renter.account()["balance"] == before
