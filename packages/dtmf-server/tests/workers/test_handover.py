"""Incoming SMS are leased when stored: they are posted without being claimed, and nothing bypasses the order."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from dtmf import DTMF
from dtmf.errors import NotFoundError
from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations import deliver
from dtmf_server.operations.deliver import LeasedDelivery
from dtmf_server.operations.receive import receive_many
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage.db import Database, Tx
from dtmf_server.storage.leases import Lease
from dtmf_server.webhooks.client import Outcome, WebhookClient
from dtmf_server.webhooks.dispatcher import InProcessDispatcher, Payload
from dtmf_server.workers import delivery_worker
from dtmf_server.workers.adaptive_concurrency import Admission
from dtmf_server.workers.carrier_router import CarrierRouter
from dtmf_server.workers.delivery_worker import DeliveryWorker
from dtmf_server.workers.lease_budget import LeaseBudget
from harness import START_US, new_token, open_account
from support.webhook_receiver import Receiver
from support.webhook_steps import attempts, deliveries, delivering, rent, rent_now, settle, settled, states

Store = Callable[[Tx], list[int | None]]


def storing(runtime: Runtime, *inbound: tuple[str, str], until: threading.Event | None = None) -> Store:
    """A transaction that stores SMS, each (number, text), and commits only when released."""
    sms = [InboundMessage(e164, "+1234", text) for e164, text in inbound]

    def store(tx: Tx) -> list[int | None]:
        ids = receive_many(tx, sms, now_us=runtime.clock.now_us(tx))
        assert until is None or until.wait(20)
        return ids

    return store


async def open_for(worker: DeliveryWorker) -> DeliveryWorker:
    """The delivery worker, once it leases what is stored."""
    async with asyncio.timeout(20):
        while not worker.budget.is_open:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)
    return worker


async def under_way(runtime: Runtime, store: Store) -> asyncio.Task[list[int | None]]:
    """A transaction that has its lease, and goes on."""
    begun = threading.Event()

    def run(tx: Tx) -> list[int | None]:
        begun.set()
        return store(tx)

    asked = asyncio.create_task(runtime.db.write(run))
    assert await asyncio.to_thread(begun.wait, 20)
    return asked


async def test_what_is_stored_is_posted_without_being_claimed(
    account: int, db: Database, runtime: Runtime, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = rent_now(runtime, account, receiver.url)
    async with delivering(runtime, WebhookClient(sandbox=True)) as worker:
        await open_for(worker)
        monkeypatch.delattr(deliver, "claim")
        await runtime.db.write(storing(runtime, (number, "text")))
        await settled(runtime)
    assert receiver.contents == ["text"]
    (row,) = deliveries(db)
    assert (row["state"], row["attempts"], row["attempts_before"], row["first_attempt_us"]) == (
        *("delivered", 1, 0),
        START_US,
    )
    assert [(a["attempt"], a["status"]) for a in attempts(db)] == [(1, 200)]


def test_what_comes_through_the_sandbox_is_not_claimed_either(
    dtmf: DTMF, runtime: Runtime, db: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = rent(dtmf, "webhook", receiver.url)
    assert isinstance(db.lease_holder, LeaseBudget)
    deadline_s = time.monotonic() + 20
    while not db.lease_holder.is_open:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    monkeypatch.delattr(deliver, "claim")
    dtmf.sandbox.receive(number, "+1234", "text")
    settle(dtmf)
    assert receiver.contents == ["text"]
    assert [(row["state"], row["attempts"]) for row in deliveries(db)] == [("delivered", 1)]


def test_what_another_account_rents_is_neither_stored_nor_charged_nor_handed_over(
    dtmf: DTMF, url: str, db: Database, receiver: Receiver
) -> None:
    number = rent(dtmf, "webhook", receiver.url)
    open_account(db, seed=2)
    with DTMF(new_token(2), base_url=url) as other:
        for to in (number, "+12025559999"):
            with pytest.raises(NotFoundError, match="does not rent"):
                other.sandbox.receive(to, "+1234", "not theirs")
    assert ([*dtmf.messages(number)], deliveries(db), receiver.contents) == ([], [], [])
    stray = db.read_blocking(lambda tx: tx.one("SELECT unrouted_messages AS n FROM service"))
    assert stray is not None
    assert stray["n"] == 0


async def test_each_line_keeps_its_order(account: int, db: Database, runtime: Runtime, receiver: Receiver) -> None:
    one, other = (rent_now(runtime, account, receiver.url) for _ in range(2))
    async with delivering(runtime, WebhookClient(sandbox=True)) as worker:
        await open_for(worker)
        await runtime.db.write(storing(runtime, (one, "1"), (one, "2"), (other, "a"), (one, "3"), (other, "b")))
        await settled(runtime)
    assert [text for text in receiver.contents if text.isdigit()] == ["1", "2", "3"]
    assert [text for text in receiver.contents if text.isalpha()] == ["a", "b"]
    assert [(row["state"], row["attempts"]) for row in deliveries(db)] == [("delivered", 1)] * 5


async def test_what_fails_is_tried_again_by_the_programme(
    account: int, db: Database, runtime: Runtime, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 500
    number = rent_now(runtime, account, receiver.url)
    async with delivering(runtime, WebhookClient(sandbox=True)) as worker:
        await open_for(worker)
        await runtime.db.write(storing(runtime, (number, "text")))
        await settled(runtime)
        (row,) = deliveries(db)
        assert (row["state"], row["attempts"], row["leased_until_us"], row["last_status"]) == ("waiting", 1, None, 500)
        assert START_US < row["due_at_us"] <= START_US + 10_000_000
        receiver.answer = lambda _: 200
        runtime.clock.wall_us.advance(seconds=10)  # type: ignore[attr-defined]  # the test's FakeWall
        runtime.db.wakeups.notify({"clock"})
        await settled(runtime)
    assert [(a["attempt"], a["status"]) for a in attempts(db)] == [(1, 500), (2, 200)]


async def test_it_is_posted_even_if_who_asked_has_gone(
    account: int, db: Database, runtime: Runtime, receiver: Receiver
) -> None:
    number, go = rent_now(runtime, account, receiver.url), threading.Event()
    async with delivering(runtime, WebhookClient(sandbox=True)) as worker:
        await open_for(worker)
        asked = await under_way(runtime, storing(runtime, (number, "text"), until=go))
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        go.set()
        await asyncio.to_thread(receiver.wait_for, 1)
        await settled(runtime)
    assert (receiver.contents, states(db)) == (["text"], ["delivered"])


async def test_what_is_stored_while_the_process_stops_is_left_to_the_next(
    account: int, db: Database, runtime: Runtime, receiver: Receiver
) -> None:
    number, go = rent_now(runtime, account, receiver.url), threading.Event()
    async with delivering(runtime, WebhookClient(sandbox=True)) as worker:
        await open_for(worker)
        asked = await under_way(runtime, storing(runtime, (number, "text"), until=go))
        asyncio.get_running_loop().call_later(0.1, go.set)  # while the worker, cancelled here, waits for it
    assert await asked
    (row,) = deliveries(db)
    assert (receiver.posted, row["state"], row["attempts"], row["leased_until_us"]) == ([], "waiting", 0, None)
    assert (row["first_attempt_us"], row["due_at_us"]) == (None, START_US)
    async with delivering(runtime, WebhookClient(sandbox=True)):
        await settled(runtime)
    assert receiver.contents == ["text"]


async def test_what_cant_be_given_back_as_the_process_stops_is_stored_all_the_same(
    account: int, db: Database, runtime: Runtime, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, go = rent_now(runtime, account, receiver.url), threading.Event()

    async def fails(*_: object, **__: object) -> None:
        raise StorageUnavailable

    async with delivering(runtime, WebhookClient(sandbox=True)) as worker:
        await open_for(worker)
        monkeypatch.setattr(worker, "_release", fails)
        asked = await under_way(runtime, storing(runtime, (number, "text"), until=go))
        asyncio.get_running_loop().call_later(0.1, go.set)
    assert await asked, "else its carrier would bring it again"
    assert [row["state"] for row in deliveries(db)] == ["waiting"]


async def test_what_is_stored_while_older_ones_begin_to_wait_is_posted(
    account: int, db: Database, runtime: Runtime, receiver: Receiver
) -> None:
    number, go = rent_now(runtime, account, receiver.url), threading.Event()
    async with delivering(runtime, WebhookClient(sandbox=True)) as worker:
        await open_for(worker)
        asked = await under_way(runtime, storing(runtime, (number, "text"), until=go))
        worker.budget.is_open = False
        go.set()
        assert await asked
        await settled(runtime)
    assert [(row["state"], row["attempts"]) for row in deliveries(db)] == [("delivered", 1)]


async def test_transactions_that_run_together_begin_no_more_than_the_process_may(
    account: int, db: Database, runtime: Runtime, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_worker, "IN_FLIGHT_MAX", 3)
    numbers = [rent_now(runtime, account, receiver.url) for _ in range(10)]
    under_way_at_once = 0

    class Counting(InProcessDispatcher):
        async def post(self, sms: Payload, *, secrets: Sequence[str], timestamp_s: int) -> Outcome:
            nonlocal under_way_at_once
            under_way_at_once = max(under_way_at_once, len(worker._in_flight))
            return await super().post(sms, secrets=secrets, timestamp_s=timestamp_s)

    async with delivering(runtime, WebhookClient(sandbox=True)) as worker:
        await open_for(worker)
        monkeypatch.setattr(worker._attempts, "_webhooks", Counting(worker._attempts._webhooks.poster, sandbox=True))
        monkeypatch.setattr(
            worker._limiter, "begin", lambda *_: Admission.ADMITTED
        )  # else it holds some of one host back
        monkeypatch.setattr(worker._limiter, "end", lambda *_, **__: ([], []))
        await asyncio.gather(*(runtime.db.write(storing(runtime, (number, "text"))) for number in numbers))
        await settled(runtime)
    assert 1 <= under_way_at_once <= 3
    assert [(row["state"], row["attempts"]) for row in deliveries(db)] == [("delivered", 1)] * 10


async def test_a_transaction_that_breaks_hands_nothing_over(
    account: int, db: Database, runtime: Runtime, receiver: Receiver
) -> None:
    number = rent_now(runtime, account, receiver.url)

    def broken(tx: Tx) -> None:
        storing(runtime, (number, "text"))(tx)
        raise RuntimeError("broken")

    async with delivering(runtime, WebhookClient(sandbox=True)) as worker:
        await open_for(worker)
        with pytest.raises(RuntimeError, match="broken"):
            await runtime.db.write(broken)
        await runtime.db.write(storing(runtime, (number, "another")))
        await settled(runtime)
    assert (receiver.contents, states(db)) == (["another"], ["delivered"])


async def test_a_process_that_does_not_deliver_takes_nothing(account: int, db: Database, runtime: Runtime) -> None:
    number = rent_now(runtime, account, "http://127.0.0.1:9/")
    webhooks = InProcessDispatcher(WebhookClient(sandbox=True), sandbox=True)
    db.lease_holder = DeliveryWorker(runtime, webhooks, CarrierRouter([])).budget
    await runtime.db.write(storing(runtime, (number, "text")))
    assert [(row["state"], row["leased_until_us"], row["attempts"]) for row in deliveries(db)] == [("waiting", None, 0)]


def test_a_lease_takes_webhooks_that_have_room(account: int, db: Database, runtime: Runtime) -> None:
    numbers = [rent_now(runtime, account, f"http://127.0.0.1:9/{n}") for n in range(5)]
    forward = "UPDATE rentals SET action = 'forward', destination = '+447911000000' WHERE e164 = :e164"
    lease = Lease(START_US + 1, 2, frozenset({(account, "http://127.0.0.1:9/1")}))
    db.write_blocking(lambda tx: tx.run(forward, e164=numbers[0]))

    def store(tx: Tx) -> list[LeasedDelivery]:
        tx.lease = lease
        storing(runtime, *((number, "text") for number in numbers))(tx)
        return tx.leased

    leased = db.write_blocking(store)
    works = [(work.id, work.destination[-2:], work.e164, work.text) for work in leased]
    assert works == [(3, "/2", numbers[2], "text"), (4, "/3", numbers[3], "text")], "no forward, none that is full, two"
    assert [row["leased_until_us"] for row in deliveries(db)] == [None, None, START_US + 1, START_US + 1, None]
    assert [row["attempts"] for row in deliveries(db)] == [0, 0, 1, 1, 0]
