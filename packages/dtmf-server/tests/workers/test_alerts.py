"""Alerts fire after their duration, are posted at each change of state, and once an hour while they are firing."""

import asyncio
import json
import re
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from dtmf.webhook import sign
from dtmf_server.operations import alerts
from dtmf_server.runtime.context import AlertSettings, Runtime
from dtmf_server.storage import alerts as stored
from dtmf_server.storage import numbers
from dtmf_server.storage.db import Database, Row
from dtmf_server.webhooks.client import WebhookClient
from dtmf_server.workers import alerts as worker
from harness import FakeWall
from support.paths import ROOT
from support.webhook_receiver import receiving

SECRET = "whsec_" + "A" * 32
MINUTE_S, HOUR_S = 60, 3600
FAILING = ("DTMFWorkerFailing", "meter")


class Alerting:
    """The worker of a service whose meter fails or not, and what was posted."""

    def __init__(self, runtime: Runtime, wall: FakeWall) -> None:
        self.runtime, self.wall = runtime, wall
        self.watch = worker.Watch(wall())
        self.posted: list[tuple[str, str, str]] = []
        self.ids: list[str] = []
        self.arrives = True

    def step(self, *, after_s: float = 0, fails: bool = True) -> list[tuple[str, str, str]]:
        """Look once, and return the posts: state, alert and subject."""
        self.wall.advance(seconds=after_s)
        self.runtime.troubles.clear()
        self.runtime.troubles.update({"meter": "no reason"} if fails else {})
        self.posted.clear()

        async def post(row: Row) -> bool:
            data = json.loads(worker.body(row))["data"]
            self.posted.append((data["state"], data["alert"], data["subject"]))
            self.ids.append(worker.identity(row))
            return self.arrives

        asyncio.run(worker.step(self.runtime, self.watch, post))
        return list(self.posted)


@pytest.fixture
def alerting(runtime: Runtime, wall: FakeWall) -> Alerting:
    return Alerting(runtime, wall)


def rows(db: Database) -> list[Row]:
    return db.read_blocking(stored.all_of)


def test_an_alert_fires_after_its_duration_and_is_resolved(alerting: Alerting, db: Database) -> None:
    assert alerting.step() == alerting.step(after_s=5 * MINUTE_S - 1) == []
    assert alerting.step(after_s=1) == [("firing", *FAILING)]
    assert alerting.step(after_s=MINUTE_S) == []
    assert alerting.step(after_s=MINUTE_S, fails=False) == [("resolved", *FAILING)]
    assert alerting.step(after_s=HOUR_S, fails=False) == [] and rows(db) == []


def test_a_restart_of_the_service_does_not_resolve_an_alert(alerting: Alerting) -> None:
    alerting.step()
    assert alerting.step(after_s=5 * MINUTE_S) == [("firing", *FAILING)]
    alerting.watch = worker.Watch(alerting.wall())  # a new process, whose workers have not failed yet
    assert alerting.step(fails=False) == [] == alerting.step(after_s=4 * MINUTE_S, fails=False)
    assert alerting.step(after_s=MINUTE_S) == [] == alerting.step(after_s=10 * MINUTE_S)
    assert alerting.step(after_s=MINUTE_S, fails=False) == [("resolved", *FAILING)]


def test_a_short_trouble_is_not_posted(alerting: Alerting) -> None:
    for _ in range(4):
        assert alerting.step(after_s=4 * MINUTE_S) == []
        assert alerting.step(after_s=MINUTE_S, fails=False) == []


def test_a_firing_alert_is_posted_once_an_hour_and_at_each_change(alerting: Alerting) -> None:
    alerting.step()
    assert alerting.step(after_s=5 * MINUTE_S) == [("firing", *FAILING)]
    posts = [post for _ in range(59) for post in alerting.step(after_s=MINUTE_S)]
    assert posts == []
    assert alerting.step(after_s=MINUTE_S) == [("firing", *FAILING)]
    assert alerting.step(after_s=MINUTE_S, fails=False) == [("resolved", *FAILING)]
    alerting.step()
    assert alerting.step(after_s=6 * MINUTE_S) == [("firing", *FAILING)]  # the receiver's last word was "resolved"
    assert alerting.step(after_s=MINUTE_S, fails=False) == [("resolved", *FAILING)]
    assert len(alerting.ids) == len({*alerting.ids}) == 5


def test_a_failed_post_is_repeated_at_growing_intervals_with_the_same_id(alerting: Alerting) -> None:
    alerting.arrives = False
    alerting.step()
    assert alerting.step(after_s=5 * MINUTE_S) == [("firing", *FAILING)]
    assert alerting.step(after_s=29) == [] and alerting.step(after_s=1) == [("firing", *FAILING)]
    assert alerting.step(after_s=59) == []
    alerting.arrives = True
    assert alerting.step(after_s=1) == [("firing", *FAILING)] and len({*alerting.ids}) == 1
    assert alerting.step(after_s=HOUR_S - 1) == []


def test_a_slow_receiver_delays_no_look_and_gets_urgent_alerts_first(
    alerting: Alerting, monkeypatch: pytest.MonkeyPatch
) -> None:
    alerting.runtime.db.write_blocking(lambda tx: tx.run("UPDATE numbers SET retired_at_us = 0"))
    alerting.step()
    times = iter((0.0, 0.0, 1e9))  # the first post takes too long
    monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=lambda: next(times)))
    assert alerting.step(after_s=30 * MINUTE_S) == [("firing", *FAILING)]
    times = iter([0.0] * 99)
    assert {name for _, name, _ in alerting.step()} == {"DTMFNoFreeNumbers"}


def test_an_alert_that_never_arrived_is_not_resolved(alerting: Alerting, db: Database) -> None:
    alerting.arrives = False
    alerting.step()
    alerting.step(after_s=5 * MINUTE_S)
    assert alerting.step(after_s=MINUTE_S, fails=False) == [] and rows(db) == []


def test_stock_and_backups_are_looked_at(runtime: Runtime, db: Database, wall: FakeWall) -> None:
    def found(**changed: Any) -> set[alerts.Key]:
        around = {
            "now_us": wall(),
            "wall_us": wall(),
            "cooldown_us": 0,
            "is_production": True,
            "troubles": {},
            "disk": (50, 100),
        } | changed
        return set(db.read_blocking(lambda tx: alerts.conditions(tx, alerts.Surroundings(**around))))

    assert found() == set()
    group_id = min(db.read_blocking(numbers.group_ids))
    db.write_blocking(lambda tx: tx.run("UPDATE numbers SET retired_at_us = 0 WHERE group_id = :id", id=group_id))
    assert found() == {("DTMFNoFreeNumbers", group_id)}
    assert found(disk=(9, 100)) == {("DTMFNoFreeNumbers", group_id), ("DTMFDiskAlmostFull", "")}
    wall.advance(seconds=49 * HOUR_S)
    assert found() == {("DTMFNoFreeNumbers", group_id), ("DTMFBackupOld", "")}
    assert found(is_production=False) == {("DTMFNoFreeNumbers", group_id)}


def test_names_durations_and_severities_are_those_of_prometheus() -> None:
    rules = yaml.safe_load((ROOT / "deploy/monitoring/alerts.yaml").read_text())["groups"][0]["rules"]
    prometheus = {rule["alert"]: (rule.get("for", "0m"), rule["labels"]["severity"]) for rule in rules}
    ours = {name: (f"{us // 60_000_000}m", severity) for name, (us, severity) in alerts.RULES.items()}
    assert {name: prometheus[name] for name in ours} == ours
    page = (ROOT / "docs/operations/monitoring.md").read_text().partition("## Alerts without Prometheus")[2]
    assert {*re.findall(r"DTMF[A-Z]\w+", page.partition("```json")[0])} == {*ours}


@pytest.mark.parametrize("status", [204, 500])
def test_a_post_is_signed_and_only_2xx_counts_as_delivered(runtime: Runtime, status: int) -> None:
    row = {
        "name": "DTMFBackupOld",
        "subject": "",
        "is_firing": True,
        "changed_wall_us": 0,
        "fired_wall_us": None,
        "text": "old",
    }
    with receiving(lambda _: status) as receiver:
        settings = AlertSettings(receiver.url, SECRET, allow_loopback=True)

        async def post() -> bool:
            async with WebhookClient(sandbox=True) as client:
                return await worker._post(client, settings, runtime, row)

        assert asyncio.run(post()) == (status == 204)
        (found,) = receiver.posted
    assert found.json["data"] == {
        "alert": "DTMFBackupOld",
        "subject": "",
        "state": "firing",
        "severity": "ticket",
        "summary": "old",
    }
    timestamp = int(found.headers["webhook-timestamp"])
    signed = sign(SECRET, id=found.headers["webhook-id"], timestamp=timestamp, body=found.body)
    assert found.headers["webhook-signature"] == signed
