"""Attempts that fail in the same moment, as when a host of many webhooks goes silent, hold up what is delivered as little
as one of them does."""

import asyncio
from dataclasses import replace
from typing import Any, TypeVar, cast

import pytest
from msgspec import structs

from dtmf_server.core.backoff import Verdict
from dtmf_server.operations import deliver
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import outbox
from dtmf_server.storage.db import Database, Fn
from dtmf_server.webhooks.client import Bounds, Outcome, WebhookClient
from dtmf_server.workers import delivery_results
from dtmf_server.workers.lease_budget import LEASE_US
from harness import START_US
from support.webhook_receiver import silent_ports
from support.webhook_steps import attempts, deliveries, delivering, receive, rent_now, settled

SILENT = 40
T = TypeVar("T")


class Counted:
    """The database, and how many transactions with attempt results ran at a time."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.waiting = self.most = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    async def write(self, fn: Fn[T], *, durable: bool = True) -> T:
        """Does it, counted."""
        counts = getattr(fn, "func", fn).__module__ == delivery_results.__name__
        self.waiting += counts
        self.most = max(self.most, self.waiting)
        try:
            return await self._db.write(fn, durable=durable)
        finally:
            self.waiting -= counts


async def test_those_that_fail_together_are_written_down_in_one_transaction_after_another(
    account: int, db: Database, runtime: Runtime
) -> None:
    with silent_ports(SILENT) as ports:
        numbers = [rent_now(runtime, account, f"http://127.0.0.1:{port}/") for port in ports]
        await receive(runtime, *((number, "in vain") for number in numbers))
        counted = Counted(db)
        watched = replace(runtime, db=cast(Database, counted))
        async with delivering(watched, WebhookClient(sandbox=True, bounds=Bounds(deadline_s=1.0))):
            await settled(runtime)
    assert [row["reason"] for row in attempts(db)] == ["no answer within 1 s"] * SILENT
    assert counted.most == 1


async def test_what_its_destination_answers_until_a_failure_is_written_counts(
    account: int, db: Database, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_results, "FAILED_PAUSE_S", 0.2)
    numbers = [rent_now(runtime, account, "http://127.0.0.1:9/") for _ in range(2)]
    await receive(runtime, *((number, "in vain") for number in numbers))
    works = db.write_blocking(
        lambda tx: [
            tx.run("UPDATE deliveries SET attempts = 4, first_attempt_us = :now_us", now_us=START_US),
            *deliver.claim(tx, now_us=START_US, wall_us=START_US, lease_us=LEASE_US, limit=9, except_destinations=[]),
        ]
    )[1:]
    answered, written, failure = (
        set[int](),
        delivery_results.ResultWriter(runtime),
        Outcome(None, "no answer within 15 s"),
    )
    await written.record_post(works[0], failure, Verdict.RETRY, answered=answered)
    waits = asyncio.create_task(written.record_post(works[1], failure, Verdict.RETRY, answered=answered))
    await asyncio.sleep(0)
    answered.add(works[1].id)
    await waits
    await written.drain()
    assert deliveries(db)[1]["due_at_us"] == START_US + outbox.RETRY_FLOOR_US, "not hours later, by the programme"


@pytest.mark.parametrize(("hours", "state", "written"), [(1, "waiting", [False]), (73, "parked", [False, True])])
async def test_the_end_of_a_programme_waits_for_the_disk_however_few_attempts_it_had(
    account: int, db: Database, runtime: Runtime, hours: int, state: str, written: list[bool]
) -> None:
    durable: list[bool] = []

    class Watched(Counted):
        async def write(self, fn: Fn[T], **options: Any) -> T:
            durable.append(options.get("durable", True))
            return await super().write(fn, **options)

    number = rent_now(runtime, account, "http://127.0.0.1:9/")
    await receive(runtime, (number, "in vain"))
    (work,) = db.write_blocking(
        lambda tx: deliver.claim(
            tx, now_us=START_US, wall_us=START_US, lease_us=LEASE_US, limit=9, except_destinations=[]
        )
    )
    begun_us = START_US - hours * 3_600_000_000
    watched = delivery_results.ResultWriter(replace(runtime, db=cast(Database, Watched(db))))
    await watched.record_post(
        structs.replace(work, first_attempt_us=begun_us), Outcome(None, "no answer"), Verdict.RETRY, answered=()
    )
    await watched.drain()
    assert (durable, [row["state"] for row in deliveries(db)], len(attempts(db))) == (written, [state], 1)
