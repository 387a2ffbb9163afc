"""Callbacks without a receive time: the carrier is asked before an SMS reaches a number that changed hands."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from http.client import HTTPConnection

import pytest

from dtmf_server.carriers.base import (
    BadSignature,
    CallbackRequest,
    CallbackResult,
    CarrierMessage,
    CarrierRefused,
    InboundSink,
    LinkStats,
)
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations import rent
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage.db import Database
from harness import DAY_US, HOUR_US, START_US, FakeWall, give_coins, open_account, runtime_over, serving

E164 = "+12025550200"  # the one number of its group
PATH = "/callbacks/carriers/pigeon"


class Pigeon:
    """Reads the text of an SMS; knows when it received each."""

    name = "pigeon"
    callback_methods = ("POST",)

    def __init__(self) -> None:
        self.arrivals: dict[str, int] = {}
        self.asked: list[str] = []
        self.is_down = False

    async def run(self, sink: InboundSink) -> None:
        await asyncio.Event().wait()

    async def submit(self, message_id: int, message: CarrierMessage) -> Sequence[str]:
        raise AssertionError("nothing is sent here")

    def can_submit(self) -> bool:
        return True

    def traffic(self) -> Sequence[LinkStats]:
        return ()

    def parse(self, request: CallbackRequest) -> CallbackResult:
        text = request.body.decode()
        if text == "forged":
            raise BadSignature("wrong signature")
        return CallbackResult([InboundMessage(E164, "Bank", text, carrier_ref=text)])

    async def arrived_at(self, carrier_ref: str) -> int | None:
        self.asked.append(carrier_ref)
        if self.is_down:
            raise CarrierRefused("down", permanent=False)
        return self.arrivals.get(carrier_ref)


@pytest.fixture
def pigeon() -> Pigeon:
    return Pigeon()


@pytest.fixture
def url(runtime: Runtime, pigeon: Pigeon) -> Iterator[str]:
    with serving(runtime, workers=False, carriers=[pigeon]) as address:
        yield address


def rented_by(db: Database, seed: int, *, from_us: int, until_us: int | None = None) -> int:
    account_id = open_account(db, seed=seed)
    give_coins(db, account_id, 10_000_000)
    db.write_blocking(lambda tx: rent.start(tx, account_id, "tiny", now_us=from_us, cooldown_us=0))
    if until_us is not None:
        db.write_blocking(lambda tx: rent.end(tx, account_id, E164, now_us=until_us))
    return account_id


def post(url: str, text: str, *, path: str = PATH) -> int:
    with closing(HTTPConnection(url.removeprefix("http://"), timeout=30)) as connection:
        connection.request("POST", path, text.encode())
        return connection.getresponse().status


def stored(db: Database) -> list[tuple[int, str]]:
    rows = db.read_blocking(lambda tx: tx.all("SELECT account_id, content FROM messages ORDER BY id"))
    return [(row["account_id"], row["content"]) for row in rows]


def test_a_number_with_one_renter_needs_no_question(db: Database, url: str, pigeon: Pigeon) -> None:
    only = rented_by(db, 0, from_us=START_US)
    assert post(url, "hello") == 200
    assert stored(db) == [(only, "hello")]
    assert pigeon.asked == []


def test_a_delayed_or_replayed_callback_reaches_the_renter_of_its_time(
    db: Database, url: str, pigeon: Pigeon, wall: FakeWall
) -> None:
    first = rented_by(db, 0, from_us=START_US, until_us=START_US + HOUR_US)
    second = rented_by(db, 1, from_us=START_US + DAY_US)
    wall.advance(us=2 * DAY_US)
    pigeon.arrivals = {"late": START_US + HOUR_US // 2, "new": START_US + 2 * DAY_US}
    for text in ("late", "new", "never sent by the carrier"):
        assert post(url, text) == 200
    assert stored(db) == [(first, "late"), (second, "new")]


def test_a_carrier_that_cannot_be_asked_gets_503_and_tries_again(
    db: Database, url: str, pigeon: Pigeon, wall: FakeWall
) -> None:
    rented_by(db, 0, from_us=START_US, until_us=START_US + HOUR_US)
    second = rented_by(db, 1, from_us=START_US + DAY_US)
    wall.advance(us=2 * DAY_US)
    pigeon.arrivals, pigeon.is_down = {"new": START_US + 2 * DAY_US}, True
    assert post(url, "new") == 503
    assert stored(db) == []
    pigeon.is_down = False
    assert post(url, "new") == 200
    assert stored(db) == [(second, "new")]


@pytest.mark.parametrize(("path", "text", "status"), [(PATH, "forged", 403), ("/callbacks/carriers/dove", "x", 404)])
def test_refused_callbacks_are_limited_per_address_and_accepted_ones_are_not(
    db: Database, wall: FakeWall, pigeon: Pigeon, path: str, text: str, status: int
) -> None:
    rented_by(db, 0, from_us=START_US)
    limited = runtime_over(db, wall=wall, requests_per_second=0.001, request_burst=3)
    with serving(limited, workers=False, carriers=[pigeon]) as url:
        assert [post(url, f"sms {number}") for number in range(6)] == [200] * 6
        assert [post(url, text, path=path) for _ in range(5)] == [status] * 3 + [429] * 2
