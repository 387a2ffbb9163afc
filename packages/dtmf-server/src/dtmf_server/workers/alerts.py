"""Posts the operator's alerts to one webhook, signed as Standard Webhooks."""

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any

import msgspec

from dtmf.webhook import sign
from dtmf_server.core import webhook_url
from dtmf_server.core.timestamps import iso
from dtmf_server.core.units import SECOND_US
from dtmf_server.operations import alerts
from dtmf_server.operations.alerts import Key, Surroundings
from dtmf_server.runtime.context import AlertSettings, Runtime
from dtmf_server.storage.db import Row
from dtmf_server.webhooks.client import WebhookClient

log = logging.getLogger("dtmf.alerts")

INTERVAL_S = 30.0

Post = Callable[[Row], Awaitable[bool]]


async def run_alerts(runtime: Runtime, settings: AlertSettings) -> None:
    """Look at the service every 30 s, and post every change."""
    watch = Watch(runtime.clock.wall_us())
    async with WebhookClient(sandbox=settings.allow_loopback) as client:
        while True:
            await step(runtime, watch, partial(_post, client, settings, runtime))
            await asyncio.sleep(INTERVAL_S)


@dataclass
class Watch:
    """Since when a process watches, and since when each condition has held."""

    started_wall_us: int
    since: dict[Key, int] = field(default_factory=dict)


async def step(runtime: Runtime, watch: Watch, post: Post) -> None:
    """Look once: store which alerts are firing, and post those that are due, as far as there is time before the next look."""
    db, clock = runtime.db, runtime.clock
    wall_us = clock.wall_us()
    disk = None if runtime.folder is None else shutil.disk_usage(runtime.folder)
    now_us = await db.read(clock.now_us)
    around = Surroundings(
        now_us=now_us,
        wall_us=wall_us,
        cooldown_us=runtime.settings.cooldown_us,
        is_production=not runtime.settings.sandbox,
        troubles=dict(runtime.troubles),
        disk=None if disk is None else (disk.free, disk.total),
    )
    found = await db.read(partial(alerts.conditions, around=around))
    firing = alerts.lasting(found, watch.since, wall_us=wall_us)
    watched_us, until_s = wall_us - watch.started_wall_us, time.monotonic() + INTERVAL_S
    for row in await db.write(
        partial(alerts.update, firing=firing, found=found, watched_us=watched_us, wall_us=wall_us)
    ):
        if time.monotonic() > until_s:
            break
        has_arrived = await post(row)
        await db.write(partial(alerts.posted, row=row, has_arrived=has_arrived, wall_us=clock.wall_us()))


async def _post(client: WebhookClient, settings: AlertSettings, runtime: Runtime, row: Row) -> bool:
    """Post an alert once. Return whether the receiver has it."""
    reason = await post(client, settings, row, wall_us=runtime.clock.wall_us())
    if reason is not None:
        log.warning("the alert %s was not delivered: %s", row["name"], reason)
    return reason is None


async def post(client: WebhookClient, settings: AlertSettings, row: Mapping[str, Any], *, wall_us: int) -> str | None:
    """Post an alert once. Return why it was not delivered; None if the receiver has it."""
    content, id_ = body(row), identity(row)
    timestamp_s = wall_us // SECOND_US
    try:
        destination = webhook_url.parse(settings.webhook, sandbox=settings.allow_loopback)
    except ValueError as error:
        return f"alerts.webhook can't be used: {error}"
    outcome = await client.post(
        destination,
        content,
        {
            "webhook-id": id_,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": sign(settings.secret, id=id_, timestamp=timestamp_s, body=content),
        },
    )
    has_arrived = outcome.status is not None and 200 <= outcome.status < 300
    return None if has_arrived else outcome.reason


def test_alert(*, wall_us: int) -> dict[str, Any]:
    """Return an alert that an operator posts to test the receiver."""
    text = "A test by dtmf-server alerts test: nothing is wrong"
    return {
        "name": "DTMFTest",
        "subject": "",
        "is_firing": True,
        "text": text,
        "changed_wall_us": wall_us,
        "fired_wall_us": None,
    }


def body(row: Mapping[str, Any]) -> bytes:
    """Return the JSON body of an alert."""
    state = "firing" if row["is_firing"] else "resolved"
    return msgspec.json.encode(
        {
            "type": f"alert.{state}",
            "timestamp": iso(row["changed_wall_us"]),
            "data": {
                "alert": row["name"],
                "subject": row["subject"],
                "state": state,
                "severity": alerts.RULES[row["name"]][1] if row["name"] in alerts.RULES else "ticket",
                "summary": row["text"],
            },
        }
    )


def identity(row: Mapping[str, Any]) -> str:
    """Return the ID of a post: the same for every attempt, another one for a change of state or an hourly repetition."""
    parts = (row["name"], row["subject"], row["changed_wall_us"], row["fired_wall_us"])
    return f"alert_{sha256(repr(parts).encode()).hexdigest()[:32]}"
