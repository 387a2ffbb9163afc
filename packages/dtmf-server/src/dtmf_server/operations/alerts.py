"""Alerts for operators without Prometheus: what is wrong now, and which changes have to be posted.

The names, thresholds and durations are those of deploy/monitoring/alerts.yaml. A change of state is posted, and an alert that
continues to fire is posted again every hour.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from dtmf_server.core.units import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from dtmf_server.operations import carrier_health, carrier_speed, lightning_health
from dtmf_server.storage import alerts, chain, delivery_log, group_prices, instance, numbers
from dtmf_server.storage.db import Row, Tx

REPEAT_US = HOUR_US
RETRY_FIRST_US, RETRY_MAX_US = 30 * SECOND_US, 30 * MINUTE_US
IN_DOUBT_MAX = 20
CHAIN_AGE_MAX_US = 600 * SECOND_US
DISK_FREE_MIN = 0.1
BACKUP_AGE_MAX_US = 2 * DAY_US
RATE_AGE_MAX_US = 10 * MINUTE_US

# How long a condition must hold before the alert fires, and how urgent it is.
RULES = {
    "DTMFWorkerFailing": (5 * MINUTE_US, "page"),
    "DTMFCarrierLinkDown": (10 * MINUTE_US, "page"),
    "DTMFCarrierSlow": (10 * MINUTE_US, "ticket"),
    "DTMFMessagesInDoubt": (30 * MINUTE_US, "ticket"),
    "DTMFNoFreeNumbers": (30 * MINUTE_US, "ticket"),
    "DTMFChainNotFollowed": (10 * MINUTE_US, "page"),
    "DTMFLightningDown": (5 * MINUTE_US, "page"),
    "DTMFRateOld": (5 * MINUTE_US, "page"),
    "DTMFDiskAlmostFull": (10 * MINUTE_US, "page"),
    "DTMFBackupOld": (10 * MINUTE_US, "ticket"),
}
Key = tuple[str, str]  # the alert, and the worker, link or group that it is about


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Facts that only the process knows, not the database. `disk`: free and total bytes, if the database is on a disk of this
    machine."""

    now_us: int
    wall_us: int
    cooldown_us: int
    is_production: bool
    troubles: Mapping[str, str]
    disk: tuple[int, int] | None


def conditions(tx: Tx, around: Surroundings) -> dict[Key, str]:
    """Return what is wrong now, each with a sentence."""
    return dict([*_of_process(around), *_of_messages(tx, around), *_of_payments(tx, around), *_of_backups(tx, around)])


def _of_process(around: Surroundings) -> Iterator[tuple[Key, str]]:
    for worker in around.troubles:
        yield ("DTMFWorkerFailing", worker), f"The worker {worker} keeps failing: see /readyz and the log"
    if around.disk is not None and around.disk[0] < DISK_FREE_MIN * around.disk[1]:
        yield ("DTMFDiskAlmostFull", ""), f"{100 * around.disk[0] // around.disk[1]} % of the disk is free"


def _of_messages(tx: Tx, around: Surroundings) -> Iterator[tuple[Key, str]]:
    for link in carrier_health.faults(tx, wall_us=around.wall_us):
        yield ("DTMFCarrierLinkDown", link.link), f"The link {link.link} is down: dtmf-server doctor has the reason"
    for speed in carrier_speed.slow_now(tx, wall_us=around.wall_us):
        text = f"The carrier {speed.carrier} answers slowly: dtmf-server carriers has the times"
        yield ("DTMFCarrierSlow", speed.carrier), text
    in_doubt = delivery_log.standing(tx, now_us=around.now_us)["in_doubt"]
    if in_doubt > IN_DOUBT_MAX:
        yield ("DTMFMessagesInDoubt", ""), f"{in_doubt} SMS were submitted to a carrier that has not answered"
    free = numbers.free_by_group(tx, now_us=around.now_us, cooldown_us=around.cooldown_us, at_most=1)
    for group_id, count in free.items():
        if not count:
            yield ("DTMFNoFreeNumbers", group_id), f"The group {group_id} has no free number"


def _of_payments(tx: Tx, around: Surroundings) -> Iterator[tuple[Key, str]]:
    state = chain.load(tx)
    if state is not None and state["network"] != "simulated":
        age_us = around.wall_us - (state["polled_at_us"] or around.wall_us)
        if state["last_error"] is not None or age_us > CHAIN_AGE_MAX_US:
            yield ("DTMFChainNotFollowed", ""), "Bitcoin deposits are not credited: dtmf-server doctor has the reason"
    lightning = lightning_health.health(tx, wall_us=around.wall_us, now_us=around.now_us)
    if lightning is not None and not lightning.is_reachable:
        yield ("DTMFLightningDown", ""), "The Lightning node is down: dtmf-server doctor has the reason"
    rated_us = group_prices.oldest_rate_wall_us(tx)
    if rated_us is not None and around.wall_us - rated_us > RATE_AGE_MAX_US:
        text = "Prices in a currency do not follow the exchange rate: dtmf-server doctor has the reason"
        yield ("DTMFRateOld", ""), text


def _of_backups(tx: Tx, around: Surroundings) -> Iterator[tuple[Key, str]]:
    since_us = instance.unprotected_since_us(tx)
    age_us = 0 if since_us is None else around.wall_us - since_us
    if around.is_production and age_us > BACKUP_AGE_MAX_US:
        yield ("DTMFBackupOld", ""), f"The last backup is {age_us // HOUR_US} hours old"


def lasting(found: Mapping[Key, str], since: dict[Key, int], *, wall_us: int) -> dict[Key, str]:
    """Return the conditions that have held for as long as their rule says. `since`: when each was first seen, updated
    here."""
    for key in [*since]:
        if key not in found:
            del since[key]
    return {key: text for key, text in found.items() if wall_us - since.setdefault(key, wall_us) >= RULES[key[0]][0]}


def update(tx: Tx, firing: Mapping[Key, str], *, found: Collection[Key], watched_us: int, wall_us: int) -> list[Row]:
    """Store which alerts are firing. Return the alerts to post now, the most urgent first.

    `found`: every condition that holds now. An alert of an earlier process continues to fire while its condition holds,
    and until this process has watched, for `watched_us` so far, as long as its rule says: a worker that has just started has
    not failed yet.
    """
    stored = {(row["name"], row["subject"]): row for row in alerts.all_of(tx)}
    for (name, subject), text in firing.items():
        before = stored.get((name, subject))
        if before is None or not before["is_firing"]:
            alerts.put(tx, name, subject, is_firing=True, text=text, wall_us=wall_us)
    for (name, subject), row in stored.items():
        if row["is_firing"] and (name, subject) not in found and watched_us >= RULES[name][0]:
            alerts.put(tx, name, subject, is_firing=False, text=row["text"], wall_us=wall_us)
    alerts.forget(tx, fired_before_us=wall_us - REPEAT_US)
    due = alerts.due(tx, fired_before_us=wall_us - REPEAT_US, wall_us=wall_us)
    return sorted(due, key=lambda row: RULES[row["name"]][1] != "page")


def posted(tx: Tx, row: Row, *, has_arrived: bool, wall_us: int) -> None:
    """Store the result of a post; one that failed is repeated, at growing intervals."""
    if has_arrived:
        alerts.set_posted(tx, row["name"], row["subject"], is_firing=bool(row["is_firing"]), wall_us=wall_us)
        return
    pause_us = min(RETRY_MAX_US, RETRY_FIRST_US << min(row["attempts"], 10))
    alerts.set_retry(tx, row["name"], row["subject"], retry_wall_us=wall_us + pause_us)
