"""The speed of carriers: who answers submits slowly, since when, and how long it took before.

Hours are compared by their median. An hour is slow if its median is at least SLOW_MS and SLOWER times the usual: the
lower quartile of the hours of the last DAYS_KEPT days, so that a carrier may be slow for days and still be noticed.
"""

from collections.abc import Sequence
from itertools import takewhile

from msgspec import Struct

from dtmf_server.core.answer_times import median_ms
from dtmf_server.core.units import DAY_US, HOUR_US
from dtmf_server.storage import carrier_answers
from dtmf_server.storage.db import Tx

DAYS_KEPT = 14
ANSWERS_MIN = 5  # of an hour that counts
SLOW_MS, SLOWER = 1000, 3
RECENT_HOURS = 2  # a carrier is slow now if its last hour with enough answers is not older


class HourlyAnswers(Struct, frozen=True):
    """The answers of an hour (hours since 1970): how many, and the milliseconds within which half of them came."""

    hour: int
    answers: int
    median_ms: int


class CarrierSpeed(Struct, frozen=True):
    """A carrier's answer times. `slow_since_hour`: the first hour from which on it has been slow; None if it is not slow.
    `usual_ms`: the median of the hours that were not slow; None if there are none. `now_ms`: that of the last hour."""

    carrier: str
    hours: Sequence[HourlyAnswers]
    slow_since_hour: int | None
    usual_ms: int | None
    now_ms: int

    @property
    def last_hour(self) -> int:
        """The last hour with enough answers."""
        return self.hours[-1].hour


def speeds(tx: Tx, *, wall_us: int) -> list[CarrierSpeed]:
    """Return the speed of each carrier that answered often enough in an hour of the last DAYS_KEPT days."""
    times: dict[str, dict[int, dict[int, int]]] = {}
    for row in carrier_answers.since(tx, from_hour=wall_us // HOUR_US - DAYS_KEPT * 24):
        times.setdefault(row["carrier"], {}).setdefault(row["hour"], {})[row["ms"]] = row["answers"]
    found = []
    for carrier, by_hour in times.items():
        hours = [HourlyAnswers(hour, sum(each.values()), median_ms(each)) for hour, each in sorted(by_hour.items())]
        if counted := [hour for hour in hours if hour.answers >= ANSWERS_MIN]:
            found.append(_speed(carrier, counted))
    return found


def slow_now(tx: Tx, *, wall_us: int) -> list[CarrierSpeed]:
    """Return the carriers that are slow, by answers of the last hours."""
    recent = wall_us // HOUR_US - RECENT_HOURS
    return [
        each for each in speeds(tx, wall_us=wall_us) if each.slow_since_hour is not None and each.last_hour >= recent
    ]


def _speed(carrier: str, hours: Sequence[HourlyAnswers]) -> CarrierSpeed:
    usual_ms = sorted(hour.median_ms for hour in hours)[len(hours) // 4]
    limit_ms = max(SLOW_MS, SLOWER * usual_ms)
    slow = len([*takewhile(lambda hour: hour.median_ms >= limit_ms, reversed(hours))])
    before = sorted(hour.median_ms for hour in hours[: len(hours) - slow] if hour.median_ms < limit_ms)
    return CarrierSpeed(
        carrier,
        hours,
        hours[-slow].hour if slow else None,
        before[len(before) // 2] if before else None,
        hours[-1].median_ms,
    )


def forget(tx: Tx, *, wall_us: int) -> None:
    """Delete the counts of hours that are no longer compared."""
    carrier_answers.forget(tx, before_hour=(wall_us - DAYS_KEPT * DAY_US) // HOUR_US)
