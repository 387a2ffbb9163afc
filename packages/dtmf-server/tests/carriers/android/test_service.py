"""A phone and the whole service, on both engines: what is acknowledged is stored, once, for the right renter."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from dtmf_server.carriers.android.carrier import AndroidCarrier
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations import rent, send
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import carriers as carrier_rows
from dtmf_server.storage.db import Database
from dtmf_server.workers import carrier_links
from harness import DAY_US, HOUR_US, MINUTE_US, START_US, FakeWall, give_coins, open_account, serving
from support.android_carrier import NUMBERS, carrier_for, connect
from support.providers.android import HTML, SimulatedPhone, post

TO = "+447700900999"


@pytest.fixture
def phone(wall: FakeWall) -> Iterator[SimulatedPhone]:
    with SimulatedPhone(wall) as simulated:
        yield simulated


@pytest.fixture
def carrier(phone: SimulatedPhone) -> AndroidCarrier:
    return carrier_for(phone)


@pytest.fixture
def url(runtime: Runtime, carrier: AndroidCarrier, phone: SimulatedPhone) -> Iterator[str]:
    """An API-only process: what it acknowledges needs nothing of the process with the links."""
    with serving(runtime, workers=False, carriers=[carrier]) as address:
        connect(phone, address)
        yield address


def renter(db: Database, seed: int = 0, *, from_us: int = START_US, until_us: int | None = None) -> int:
    account_id = open_account(db, seed=seed)
    give_coins(db, account_id, 10_000_000)
    started = db.write_blocking(lambda tx: rent.start(tx, account_id, "tiny", now_us=from_us, cooldown_us=0))
    assert started["e164"] == NUMBERS["1"]
    if until_us is not None:
        db.write_blocking(lambda tx: rent.end(tx, account_id, NUMBERS["1"], now_us=until_us))
    return account_id


def stored(db: Database) -> list[tuple[int, str]]:
    rows = db.read_blocking(lambda tx: tx.all("SELECT account_id, content FROM messages ORDER BY id"))
    return [(row["account_id"], row["content"]) for row in rows]


def strays(db: Database) -> dict[str, int]:
    rows = db.read_blocking(lambda tx: tx.all("SELECT destination, count FROM strays ORDER BY destination"))
    return {row["destination"]: row["count"] for row in rows}


def test_twins_are_shown_once_and_a_true_repeat_twice(
    db: Database, url: str, phone: SimulatedPhone, wall: FakeWall
) -> None:
    account_id = renter(db)
    phone.receive("Bank", "code 1", times=2)
    assert phone.post_due() == [200, 200]
    wall.advance(seconds=7)
    phone.receive("Bank", "code 1")
    phone.receive("Bank", "code 2\N{PILE OF POO}")
    assert phone.post_due() == [200, 200]
    assert stored(db) == [(account_id, text) for text in ("code 1", "code 1", "code 2\N{PILE OF POO}")]
    assert not phone.queue


def test_an_sms_for_a_sim_without_a_number_is_a_stray(db: Database, url: str, phone: SimulatedPhone) -> None:
    renter(db)
    phone.receive("Bank", "code", sim=3)
    phone.receive("Bank", "code", sim=None)
    phone.receive("Bank", "code", sim=2)
    assert phone.post_due() == [200] * 3
    assert stored(db) == []
    assert strays(db) == {"pixel, SIM 3": 1, "pixel, unknown SIM": 1, NUMBERS["2"]: 1}


def test_a_webhook_that_waited_for_a_day_reaches_the_renter_of_its_time(
    db: Database, runtime: Runtime, carrier: AndroidCarrier, phone: SimulatedPhone, wall: FakeWall
) -> None:
    first = renter(db, until_us=START_US + HOUR_US)
    connect(phone, "http://127.0.0.1:9")  # nothing listens there: the service is down
    wall.advance(us=HOUR_US // 2)
    phone.receive("Bank", "for the first")
    for _ in range(14):
        assert phone.post_due() == [0]
        wall.advance(us=phone.queue[0].next_us - wall())
    assert wall() > START_US + 20 * HOUR_US
    second = renter(db, 1, from_us=wall())
    with serving(runtime, workers=False, carriers=[carrier]) as address:
        phone.queue[0].url = f"{address}/callbacks/carriers/pixel"
        assert phone.post_due() == [200]
        replayed = phone.sign(b"")
        assert post(f"{address}/callbacks/carriers/pixel", b"{}", replayed) == 403
        connect(phone, address)
        wall.advance(us=5 * MINUTE_US)
        phone.receive("Bank", "for the second")
        assert phone.post_due() == [200]
    assert stored(db) == [(first, "for the first"), (second, "for the second")]


def test_a_replay_within_the_permitted_age_stores_nothing_and_a_late_one_is_refused(
    db: Database, url: str, phone: SimulatedPhone, wall: FakeWall
) -> None:
    account_id = renter(db)
    phone.receive("Bank", "code 1")
    event = phone.queue[0]
    headers = phone.sign(event.body)
    assert [post(event.url, event.body, headers) for _ in range(3)] == [200] * 3
    wall.advance(seconds=301)
    assert post(event.url, event.body, headers) == 403
    assert stored(db) == [(account_id, "code 1")]


@pytest.mark.parametrize(
    ("body", "status"), [(b"x" * 65_537, 413), (HTML, 400), (b"\xff", 400), (b"", 400), (b"[" * 60_000, 400)]
)
def test_bad_bodies_are_refused(db: Database, url: str, phone: SimulatedPhone, body: bytes, status: int) -> None:
    renter(db)
    target = f"{url}/callbacks/carriers/pixel"
    assert post(target, body, phone.sign(body)) == status
    assert post(target, body, phone.sign(body, key="another")) == (413 if status == 413 else 403)
    assert (stored(db), strays(db)) == ([], {})


def test_a_ping_is_a_heartbeat(db: Database, url: str, phone: SimulatedPhone, wall: FakeWall) -> None:
    wall.advance(seconds=5)
    phone.ping()
    assert phone.post_due() == [200]
    assert db.read_blocking(partial(carrier_rows.heartbeat_us, name="pixel")) == wall()


def until(done: Callable[[], object]) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if done():
            return
        pause.wait(0.02)
    raise AssertionError("the condition was not met in time")


@pytest.mark.parametrize("fault", ["", "lost", "500 after", "html lost"])
@pytest.mark.parametrize(("state", "status"), [("Delivered", "delivered"), ("Failed", "failed")])
def test_an_sms_is_sent_once_and_its_receipt_is_applied(
    db: Database,
    runtime: Runtime,
    carrier: AndroidCarrier,
    phone: SimulatedPhone,
    wall: FakeWall,
    fault: str,
    state: str,
    status: str,
) -> None:
    account_id = renter(db)
    phone.faults["POST /messages"].extend([fault] if fault else [])
    message = partial(send.send, account_id=account_id, sender=NUMBERS["1"], to=TO, content="Hi")

    def row() -> tuple[str, str | None]:
        found = db.read_blocking(lambda tx: tx.one("SELECT status, reason FROM messages"))
        assert found
        return found["status"], found["reason"]

    def is_sent() -> bool:
        wall.advance(seconds=1)  # an attempt on a busy machine may fail, and the next one waits for its time
        return row()[0] == "sent"

    with serving(runtime, carriers=[carrier]) as address:
        connect(phone, address)
        until(carrier.can_submit)
        db.write_blocking(lambda tx: message(tx, now_us=START_US, daily_limit=None))
        until(is_sent)
        (id_,) = phone.messages
        phone.report(id_, "Sent")
        phone.report(id_, state, "Send result: RESULT_ERROR_NO_SERVICE" if state == "Failed" else None)
        phone.report(id_, state, "again")
        assert phone.post_due() == [200] * 3
        assert row()[0] == status
    assert phone.radio == [(1, TO, "Hi")]
    assert (row()[1] or "").endswith("RESULT_ERROR_NO_SERVICE") == (state == "Failed")


def test_what_callbacks_missed_is_fetched_and_stored_once(
    db: Database, runtime: Runtime, carrier: AndroidCarrier, phone: SimulatedPhone, wall: FakeWall
) -> None:
    account_id = renter(db)
    connect(phone, "http://127.0.0.1:9")
    for number in range(150):
        phone.receive("Bank", f"code {number}")
    phone.receive_unseen("Bank", "while the app was off")
    wall.advance(us=DAY_US)
    for event in phone.queue:
        event.attempts = 15
    phone.post_due()

    async def catch_up() -> None:
        async for batch in carrier.arrived_since(START_US):
            assert all(isinstance(item, InboundMessage) and item.received_us == START_US for item in batch)
            desk = carrier_links._InboundStore(runtime, "pixel")
            await desk.receive(batch, ())

    asyncio.run(catch_up())
    asyncio.run(catch_up())
    assert {account for account, _ in stored(db)} == {account_id}
    texts = [text for _, text in stored(db)]
    assert sorted(texts) == sorted([*(f"code {number}" for number in range(150)), "while the app was off"])
    with serving(runtime, workers=False, carriers=[carrier]) as address:
        for event in (*phone.queue, *phone.given_up):
            event.url = f"{address}/callbacks/carriers/pixel"
        phone.queue.extend(phone.given_up)
        wall.advance(us=5 * DAY_US)
        assert set(phone.post_due()) == {200}
    assert len(stored(db)) == 151, "the webhook and the list name the same SMS"
