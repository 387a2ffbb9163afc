"""The service with one carrier and two renters of one number in turn, and what must hold whatever happens to it.

`kill(step)` ends the process at its next step of this name: it changes nothing in the database from then on, neither does
it submit, and `restart` starts another process. A test with `World` counts everything that arrived, was acknowledged, was
sent and was accepted; `broken` compares these with the database.
"""

import asyncio
import itertools
import os
import random
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from dtmf_server.callbacks import carriers as callbacks
from dtmf_server.carriers.base import SmsCarrier
from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.operations import ingest, rent, send, verify
from dtmf_server.storage.db import Database, Row
from dtmf_server.workers import carrier_links, carrier_router
from dtmf_server.workers.delivery_results import ResultWriter
from harness import START_US, FakeWall, give_coins, open_account, runtime_over, serving
from support.twilio_carrier import OURS, PHONE, PUBLIC_URL

CALLBACK_STEPS = ["parsed", "storing", "stored"]
SUBMIT_STEPS = ["before", "answered", "recorded"]
WITHIN_S = 60.0
# The net charge of each sent message, after refunds.
SENT = (
    "SELECT m.content, m.status, (SELECT coalesce(sum(CASE kind WHEN 'message_sent' THEN amount ELSE -amount END), 0)"
    " FROM transfers WHERE kind IN ('message_sent', 'message_refunded') AND ref = CAST(m.id AS TEXT)) AS sats"
    " FROM messages m WHERE NOT m.inbound"
)


ROUNDS = int(os.environ.get("DTMF_CARRIER_ROUNDS", "0"))
_run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(random.random())  # the same in all workers of a run
SEED = int(os.environ.get("DTMF_CARRIER_SEED") or zlib.crc32(_run.encode()))


def chosen(faults: Sequence[str], *, engine: str) -> list[str]:
    """Return the faults to try, in an order that the seed decides: all of them DTMF_CARRIER_ROUNDS times, or without that
    one half on each engine."""
    chance = random.Random(SEED)
    if ROUNDS:
        return [name for _ in range(ROUNDS) for name in chance.sample(faults, len(faults))]
    return chance.sample(faults, len(faults))[engine == "sqlite" :: 2]


class Killed(Exception):
    """The process was killed here."""


class Mortal:
    """The database as one process uses it: once the process is dead, it reads and changes nothing."""

    def __init__(self, db: Database) -> None:
        self.__dict__["_db"], self.__dict__["is_dead"] = db, False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._db, name)
        return partial(self._while_alive, found) if name in ("write", "read", "read_autocommit") else found

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._db, name, value)

    def die(self) -> None:
        """End the process that uses it."""
        self.__dict__["is_dead"] = True

    async def _while_alive(self, call: Callable[..., Any], fn: Any, **named: Any) -> Any:
        if self.is_dead:
            raise StorageUnavailable("this process is dead")
        return await call(fn, **named)


class World:
    """The service, its carrier, and everything that happened. `new_carrier` makes the carrier of a new process."""

    def __init__(self, db: Database, wall: FakeWall, new_carrier: Callable[[], SmsCarrier]) -> None:
        self.db, self.wall, self._new_carrier = db, wall, new_carrier
        self.accounts = [open_account(db, seed=seed) for seed in (1, 2)]
        for account_id in self.accounts:
            give_coins(db, account_id, 10**10)
        self.owner = self.accounts[0]
        self._rent()
        wall.advance(seconds=3600)
        self.arrived: dict[str, int] = {}  # the text of each true SMS, and who rented the number
        self.acknowledged: set[str] = set()
        self.forged: set[str] = set()
        self.sent: list[str] = []
        self.kills, self.last_status = 0, ""
        self.tick: Callable[[], None] = lambda: None  # what the provider does while time passes
        self._kill_at: str | None = None
        self._numbers = itertools.count(1)
        self._process = ExitStack()
        self.start()

    # The process.

    def start(self) -> None:
        """Start a process."""
        self._mortal, self.carrier = Mortal(self.db), self._new_carrier()
        submit = self.carrier.submit

        async def dying_submit(message_id: int, message: Any) -> Any:
            if self._mortal.is_dead:
                await asyncio.Event().wait()
            self.step("before")
            refs = await submit(message_id, message)
            self.step("answered")
            return refs

        self.carrier.submit = dying_submit  # type: ignore[method-assign]  # the kill
        runtime = runtime_over(self._mortal, wall=self.wall, public_url=PUBLIC_URL)  # type: ignore[arg-type]  # a proxy
        self.url = self._process.enter_context(serving(runtime, carriers=[self.carrier]))
        self.eventually(self.carrier.can_submit)

    def stop(self) -> None:
        """End the process."""
        self._process.close()

    def restart(self) -> None:
        """Replace the process."""
        self.stop()
        self.start()

    def kill(self, step: str) -> None:
        """Kill the process at its next step of this name."""
        self._kill_at = step

    def step(self, name: str) -> None:
        """Note that the process is at this step."""
        if self._kill_at == name and not self._mortal.is_dead:
            self._kill_at = None
            self.kills += 1
            self._mortal.die()
            raise Killed(name)

    def revive(self) -> None:
        """Wait until the process is killed, and start another one."""

        def is_dead() -> bool:
            self._pass_time(1)
            return bool(self._mortal.is_dead)

        self.eventually(is_dead)
        self.restart()

    # Receiving.

    def text(self, of: str) -> str:
        """Return a text that is used once."""
        return f"{of}: your code is {next(self._numbers):06d}"

    def arrives(self, text: str) -> str:
        """Note that an SMS arrived at the provider now."""
        self.arrived[text] = self.owner
        return text

    def is_stored(self, text: str) -> bool:
        """Return whether a renter has this text."""
        return bool(self.rows("SELECT 1 FROM messages WHERE content = :text", text=text))

    def change_renter(self, *, between: Callable[[], None] = lambda: None) -> None:
        """End the rental and let the other account rent the number, half an hour later."""
        self.wall.advance(seconds=900)
        self.db.write_blocking(lambda tx: rent.end(tx, self.owner, OURS, now_us=self.wall()))
        self.wall.advance(seconds=900)
        between()
        self.wall.advance(seconds=900)
        self.owner = next(account for account in self.accounts if account != self.owner)
        self._rent()
        self.wall.advance(seconds=900)

    # Sending.

    def sends(self, of: str) -> str:
        """Send an SMS as the renter. Return its text."""
        text = self.text(of)
        self.sent.append(text)
        terms: dict[str, Any] = {"now_us": self.wall(), "daily_limit": None}
        self.db.write_blocking(lambda tx: send.send(tx, self.owner, sender=OURS, to=PHONE, content=text, **terms))
        self.db.wakeups.notify({"deliveries"})
        return text

    def settles(self, text: str, *statuses: str) -> None:
        """Wait until a sent SMS has one of these statuses."""

        def is_settled() -> bool:
            self._pass_time(self._until_next_attempt_s())
            (row,) = self.rows("SELECT status FROM messages WHERE content = :text", text=text)
            self.last_status = row["status"]
            return row["status"] in statuses

        self.eventually(is_settled)

    # Promises.

    def broken(self, accepted: list[str]) -> dict[str, int]:
        """Return how often each promise was broken, given the texts that the provider accepted. An SMS in doubt is paid."""
        shown = Counter[str]()
        wrong = 0
        for row in self.rows("SELECT account_id, content FROM messages WHERE inbound"):
            shown[row["content"]] += 1
            wrong += self.arrived.get(row["content"], row["account_id"]) != row["account_id"]
        taken, found = Counter(accepted), {row["content"]: row for row in self.rows(SENT)}
        unpaid = unsent = 0
        for text in self.sent:
            status, sats = found[text]["status"], found[text]["sats"]
            print(f"{text!r}: {status}, {sats} sats, accepted {taken[text]} times")
            unpaid += bool(taken[text]) != (sats > 0) and status not in ("in_doubt", "unknown")
            unsent += status in ("sent", "delivered") and not taken[text]
            unsent += status == "failed" and bool(taken[text])
        return {
            "acknowledged but absent": len(self.acknowledged & set(self.arrived) - set(shown)),
            "shown twice": sum(count > 1 for count in shown.values()),
            "shown to a wrong renter": wrong,
            "forged but shown": len(set(shown) - set(self.arrived)),
            "sent twice": sum(taken[text] > 1 for text in self.sent),
            "taken but not paid, or paid but not taken": unpaid,
            "sent but not taken, or failed but taken": unsent,
            "wrong books": len(self.db.read_blocking(verify.differences)),
        }

    def rows(self, statement: str, **parameters: Any) -> list[Row]:
        """Return the rows of a statement."""
        return self.db.read_blocking(lambda tx: tx.all(statement, **parameters))

    def eventually(self, look: Callable[[], Any]) -> Any:
        """Wait until `look` finds something; return it."""
        until_s = time.monotonic() + WITHIN_S
        while not (found := look()):
            assert time.monotonic() < until_s, f"nothing found in time ({self.last_status})"
            self.tick()
            time.sleep(0.01)
        return found

    def _until_next_attempt_s(self) -> float:
        """Return how far the clock may advance now: to the next attempt if the carrier is up, and not while an attempt is in
        progress. A clock that ran ahead would use up the retry schedule, or end the lease of a slow attempt."""
        waiting = self.rows(
            "SELECT due_at_us, leased_until_us, submitted_at_us FROM deliveries WHERE state = 'waiting'"
        )
        if any(row["submitted_at_us"] is not None for row in waiting):
            return 0
        if any(row["leased_until_us"] is not None for row in waiting):
            return 1  # a process that was killed leaves a lease behind
        if not waiting:
            return 5
        due_us = min(row["due_at_us"] for row in waiting)
        return max(0.0, (due_us - self.wall()) / 1_000_000) if self.carrier.can_submit() else 0

    def _pass_time(self, seconds: float) -> None:
        """Let an SMS that is to be tried again be due."""
        self.wall.advance(seconds=seconds)
        self.db.wakeups.notify({"deliveries"})

    def _rent(self) -> None:
        now_us = max(self.wall(), START_US)
        self.db.write_blocking(lambda tx: rent.start(tx, self.owner, "tiny", now_us=now_us, cooldown_us=0))


def install(patch: pytest.MonkeyPatch, world: Callable[[], World]) -> None:
    """Install the steps at which a process can be killed, and shorten what the service waits for."""
    patch.setattr(carrier_links, "SETTLE_DOUBTS_S", 0.05)
    patch.setattr(carrier_links, "CATCH_UP_RETRY_S", 0.05)
    defaults = carrier_router.CarrierRouter.__init__.__kwdefaults__
    patch.setattr(carrier_router.CarrierRouter.__init__, "__kwdefaults__", defaults | {"find_after_s": 0.0})
    store, receive_many = callbacks.store, ingest.receive_many
    receive, record = carrier_links._InboundStore.receive, ResultWriter.record_submit

    async def dying_store(*arguments: Any) -> Any:
        world().step("parsed")
        numbers = await store(*arguments)
        world().step("stored")
        return numbers

    def dying_receive_many(*arguments: Any, **named: Any) -> Any:
        ids = receive_many(*arguments, **named)
        world().step("storing")
        return ids

    async def dying_receive(self: Any, batch: Any, live: Any) -> Any:
        world().step("read")
        notes = await receive(self, batch, live)
        world().step("kept")
        return notes

    async def dying_record(*arguments: Any, **named: Any) -> None:
        await record(*arguments, **named)
        world().step("recorded")

    patch.setattr(callbacks, "store", dying_store)
    patch.setattr(ingest, "receive_many", dying_receive_many)
    patch.setattr(carrier_links._InboundStore, "receive", dying_receive)
    patch.setattr(ResultWriter, "record_submit", dying_record)
