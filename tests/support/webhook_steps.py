"""Steps shared by delivery tests: rent, receive, wait, and read results."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest

import effort
from dtmf import DTMF
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.rental import Action, ActionKind
from dtmf_server.operations import rent as rent_operations
from dtmf_server.operations.receive import receive_many
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import outbox
from dtmf_server.storage.db import Database, Tx
from dtmf_server.webhooks.client import WebhookClient
from dtmf_server.webhooks.dispatcher import InProcessDispatcher
from dtmf_server.workers.carrier_router import CarrierRouter
from dtmf_server.workers.delivery_worker import DeliveryWorker
from harness import Group
from support.webhook_receiver import Posted, Receiver

FREE = Group("free", "local", "Free of charge", "xx", rental_cost_per_minute=0, cost_per_inbound_message=0)
CATALOG = {FREE: [f"+1212555{n:04d}" for n in range(effort.WEBHOOKS_SHELF)]}
ELSEWHERE = "+447911000000"
# Texts that must arrive as they were sent.
TEXTS = [
    "SMS text",
    "",
    'quotes " \\ / and \n breaks \t\r',
    "\u20ac \u00fc \u4f60\u597d \U0001f642",
    "</script>\u2028\u2029",
    "x" * 1600,
    "\x01\x1f\x7f",
]
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
# For tests in whose outcome the engine has no part: once is enough.
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def rent(dtmf: DTMF, action: Any = None, destination: str | None = None) -> str:
    """A number that costs nothing."""
    e164 = dtmf.start_rental("free")["e164"]
    if action is not None:
        dtmf.set_sms_action(e164, action, destination)
    return e164


def settle(dtmf: DTMF) -> None:
    """Returns once nothing is due and nothing is under way."""
    dtmf.sandbox.advance(0)


def deliveries(db: Database) -> list[Any]:
    """Every delivery's row, oldest first."""
    return db.read_blocking(lambda tx: [dict(row) for row in tx.all("SELECT * FROM deliveries ORDER BY id")])


def attempts(db: Database) -> list[Any]:
    """Every attempt's row, by delivery and number."""
    statement = "SELECT * FROM attempts ORDER BY delivery_id, attempt"
    return db.read_blocking(lambda tx: [dict(row) for row in tx.all(statement)])


def states(db: Database) -> list[str]:
    """The state of every delivery, oldest first."""
    return [row["state"] for row in deliveries(db)]


def events(db: Database, kind: str) -> list[Any]:
    """Every event of a kind, oldest first."""
    statement = "SELECT * FROM events WHERE kind = :kind ORDER BY id"
    return db.read_blocking(lambda tx: [dict(row) for row in tx.all(statement, kind=kind)])


def plan_of(db: Database, ask: Callable[[Tx], object]) -> str:
    """How the database would find what `ask` reads, in its own words."""
    found: list[str] = []

    class Explained(Tx):
        def all(self, statement: str, **parameters: object) -> list[Any]:
            explain = "EXPLAIN QUERY PLAN " if db.dialect.name == "sqlite" else "EXPLAIN "
            found.extend(str(dict(row)) for row in super().all(explain + statement, **parameters))
            return []

        def one(self, statement: str, **parameters: object) -> Any:
            return self.all(statement, **parameters) or None

        def run(self, statement: str, **parameters: object) -> int:
            return len(self.all(statement, **parameters))

    def look(tx: Tx) -> None:
        if db.dialect.name == "postgresql":
            tx.run("SET LOCAL enable_seqscan = off")  # a handful of rows would be read one by one
        ask(Explained(tx._dialect, tx._cursor))

    db.write_blocking(look)
    return "\n".join(found)


def post_one(dtmf: DTMF, receiver: Receiver, number: str, text: str = "signed") -> Posted:
    """The webhook of a new SMS, as it arrived."""
    dtmf.sandbox.receive(number, "+1234", text)
    settle(dtmf)
    return receiver.posted[-1]


def changed(posted: Posted, part: str, random: Random) -> Posted:
    """The webhook with one bit of its body or of a header changed."""
    text = bytearray(posted.body if part == "body" else posted.headers[part].encode())
    text[random.randrange(len(text))] ^= 1 << random.randrange(8)
    if part == "body":
        return Posted(posted.method, posted.path, posted.headers, bytes(text))
    return Posted(posted.method, posted.path, posted.headers | {part: text.decode("latin-1")}, posted.body)


def storable(urls: list[str]) -> list[str]:
    """Those that a database takes at all."""
    return [url for url in urls if "\0" not in url and url.encode("utf-8", "replace").decode() == url]


# --- the delivery worker alone, in the test's own event loop ------------------------------------------------------


def rent_now(runtime: Runtime, account_id: int, url: str | None) -> str:
    """A number whose SMS go to the URL, without validation."""

    def start(tx: Tx) -> str:
        now_us = runtime.clock.now_us(tx)
        e164 = str(rent_operations.start(tx, account_id, "free", now_us=now_us, cooldown_us=0)["e164"])
        if url is not None:
            action = Action(ActionKind.WEBHOOK, url)
            rent_operations.set_action(tx, account_id, e164, action, now_us=now_us)
        return e164

    return runtime.db.write_blocking(start)


async def receive(runtime: Runtime, *inbound: tuple[str, str]) -> None:
    """Lets SMS arrive, each (number, text), in one transaction."""
    sms = [InboundMessage(e164, "+1234", text) for e164, text in inbound]
    await runtime.db.write(lambda tx: receive_many(tx, sms, now_us=runtime.clock.now_us(tx)))


@asynccontextmanager
async def delivering(runtime: Runtime, poster: WebhookClient) -> AsyncIterator[DeliveryWorker]:
    """Run the delivery worker until the block ends."""
    delivery_worker = DeliveryWorker(
        runtime, InProcessDispatcher(poster, sandbox=runtime.settings.sandbox), CarrierRouter([])
    )
    async with poster:
        worker = asyncio.create_task(delivery_worker.run())
        try:
            yield delivery_worker
        finally:
            worker.cancel()
            with pytest.raises(asyncio.CancelledError):
                await worker


async def settled(runtime: Runtime, *, within_s: float = 30.0) -> None:
    """Returns once nothing is due and nothing is under way."""
    woken = runtime.db.wakeups.listen("attempted")
    async with asyncio.timeout(within_s):
        while True:
            woken.clear()
            if not await runtime.db.read(lambda tx: outbox.is_due(tx, now_us=runtime.clock.now_us(tx))):
                break
            await woken.wait()
    runtime.db.wakeups.unlisten(woken)
