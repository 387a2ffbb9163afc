"""A group in detail: terms, free numbers, and figures about its rentals.

The figures cover the rentals that started in the last 30 full days, each counted a day after its start. They leave out
SMS from our own numbers, which a renter could send to himself.
"""

from collections import Counter
from dataclasses import dataclass

from dtmf_server.core.units import DAY_US, SECOND_US
from dtmf_server.operations.rent import catalog_group
from dtmf_server.storage import canaries, numbers, rental_outcomes, supplies
from dtmf_server.storage.canaries import Canary
from dtmf_server.storage.db import Row, Tx

FREE_MAX = 1000  # free numbers are counted up to this
DAYS = 30
RENTALS_MIN = 20  # fewer say nothing, and could say too much about one renter
COUNT_MAX = 500  # rentals counted in one transaction


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How the rentals of 30 days went: how many, the share that received an SMS, and the median of the seconds until
    then; None if no rental received any."""

    rentals: int
    received_share: float
    median_seconds: int | None


@dataclass(frozen=True, slots=True)
class Details:
    """A group with everything that a renter may want to know before renting."""

    group: Row
    available: int
    short_codes: Canary
    one_time_codes: Canary
    outcomes: Outcomes | None  # None: too few rentals
    refunds_setup: bool


def details(tx: Tx, group_id: str, *, now_us: int, cooldown_us: int) -> Details:
    """Return a group in detail. Raises GroupNotFound."""
    group = catalog_group(tx, group_id)
    return Details(
        group,
        numbers.count_free(tx, group_id, now_us=now_us, cooldown_us=cooldown_us, at_most=FREE_MAX),
        canaries.newest(tx, group_id, "short_code"),
        canaries.newest(tx, group_id, "one_time_code"),
        outcomes(tx, group_id, now_us=now_us),
        refunds_setup=group["refund_percent"] is not None and supplies.of_group(tx, group_id) is None,
    )


def available(tx: Tx, group_id: str, *, contains: str, limit: int, now_us: int, cooldown_us: int) -> list[str]:
    """Return free numbers of a group that contain these digits. Raises GroupNotFound."""
    catalog_group(tx, group_id)
    return numbers.available(tx, group_id, contains=contains, limit=limit, now_us=now_us, cooldown_us=cooldown_us)


def outcomes(tx: Tx, group_id: str, *, now_us: int) -> Outcomes | None:
    """Return how the group's rentals of the last 30 days went; None for fewer than `RENTALS_MIN`."""
    rows = rental_outcomes.of_group(tx, group_id, from_day=now_us // DAY_US - DAYS)
    rentals = sum(int(row["rentals"]) for row in rows)
    if rentals < RENTALS_MIN:
        return None
    received = [(row["first_sms_s"], int(row["rentals"])) for row in rows if row["first_sms_s"] != rental_outcomes.NONE]
    total = sum(count for _, count in received)
    return Outcomes(rentals, round(total / rentals, 3), _median(received, total))


def _median(counts: list[tuple[int, int]], total: int) -> int | None:
    """Return the lower median of values with their counts, ascending."""
    seen = 0
    for seconds, count in counts:
        seen += count
        if seen * 2 >= total:
            return seconds
    return None


def count_outcomes(tx: Tx, *, now_us: int) -> int:
    """Count rentals that started at least a day ago. Return how many; call until 0."""
    after_id = rental_outcomes.counted_through(tx)
    rows = rental_outcomes.first_sms(
        tx, after_id=after_id, started_by_us=now_us - DAY_US, within_us=DAY_US, limit=COUNT_MAX
    )
    old = rows[: next((nth for nth, row in enumerate(rows) if not row["is_old"]), len(rows))]
    if not old:
        return 0
    found: Counter[tuple[str, int, int]] = Counter()
    for row in old:
        seconds = rental_outcomes.NONE
        if row["first_sms_us"] is not None:
            seconds = _rounded(max(0, row["first_sms_us"] - row["started_at_us"]) // SECOND_US)
        found[row["group_id"], row["started_at_us"] // DAY_US, seconds] += 1
    rental_outcomes.forget(tx, before_day=now_us // DAY_US - DAYS)
    rental_outcomes.count(tx, [(*key, count) for key, count in sorted(found.items())], through_id=old[-1]["id"])
    return len(old)


def _rounded(seconds: int) -> int:
    """Return the seconds with two significant digits, so that there are few different values."""
    unit = 1
    while seconds >= 100 * unit:
        unit *= 10
    return seconds // unit * unit
