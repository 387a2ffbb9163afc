"""How long carriers take to answer is counted for each hour, and a carrier that became slow is noticed."""

import asyncio
from collections.abc import Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from dtmf_server.carriers.base import CarrierMessage, CarrierRefused
from dtmf_server.core.answer_times import median_ms, rounded_ms
from dtmf_server.operations import alerts, carrier_speed
from dtmf_server.runtime import metrics
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import carrier_answers
from dtmf_server.storage.db import Database, Tx
from dtmf_server.workers import carrier_links
from dtmf_server.workers.carrier_router import CarrierRouter
from harness import DAY_US, HOUR_US, START_US, FakeWall

NOW = START_US // HOUR_US


class Carrier:
    """A carrier that accepts or refuses everything."""

    name = "acme"

    def __init__(self, *, refuses: bool) -> None:
        self._refuses = refuses

    def can_submit(self) -> bool:
        return True

    async def submit(self, message_id: int, message: CarrierMessage) -> Sequence[str]:
        if self._refuses:
            raise CarrierRefused("no", permanent=True)
        return ["ref"]


@pytest.mark.parametrize("refuses", [False, True])
def test_each_answer_is_counted_once(*, refuses: bool) -> None:
    carrier: Any = Carrier(refuses=refuses)
    router = CarrierRouter([carrier], wall_us=lambda: START_US)

    async def submit(_carrier: str = "") -> bool:
        return True

    message = CarrierMessage("+1", "+2", "x")
    send = partial(router.submit, 1, message, order=(), recorded=None, record=submit)
    for _ in range(3):
        if refuses:
            with pytest.raises(CarrierRefused):
                asyncio.run(send())
        else:
            asyncio.run(send())
    taken = router.take_answer_times("acme")
    assert {hour for hour, _, _ in taken} == {NOW} and sum(count for _, _, count in taken) == 3
    assert router.take_answer_times("acme") == [] == router.take_answer_times("other")


@pytest.mark.parametrize(
    ("duration_us", "ms"),
    [
        (0, 1),
        (999, 1),
        (1000, 1),
        (1499, 1),
        (14_999, 10),
        (15_000, 20),
        (234_000, 200),
        (250_000, 300),
        (96_000_000, 100_000),
    ],
)
def test_times_are_rounded_to_one_digit(duration_us: int, ms: int) -> None:
    assert rounded_ms(duration_us) == ms


def test_a_median_is_the_time_of_the_middle_answer() -> None:
    assert [median_ms(times) for times in ({5: 1}, {5: 1, 9: 1}, {5: 1, 9: 2}, {1: 5, 100: 4})] == [5, 5, 9, 1]


def speeds(db: Database, hours: dict[int, tuple[int, int]]) -> dict[str, Any]:
    """Return the speed of a carrier with these answers: by hours before now, milliseconds and how many."""

    def fill(tx: Tx) -> None:
        for ago, (ms, count) in hours.items():
            carrier_answers.count(tx, "acme", [(NOW - ago, ms, count)])

    db.write_blocking(fill)
    found = db.read_blocking(partial(carrier_speed.speeds, wall_us=START_US))
    return {each.carrier: (each.slow_since_hour, each.usual_ms, each.now_ms) for each in found}


FAST, SLOW = (200, 10), (6000, 10)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ({}, {}),
        ({3: FAST, 2: FAST, 1: FAST}, {"acme": (None, 200, 200)}),
        ({4: FAST, 3: FAST, 2: SLOW, 1: SLOW}, {"acme": (NOW - 2, 200, 6000)}),
        ({4: FAST, 3: SLOW, 2: SLOW, 1: FAST}, {"acme": (None, 200, 200)}),  # fast again
        ({3: FAST, 2: SLOW, 1: (6000, 4)}, {"acme": (NOW - 2, 200, 6000)}),  # too few answers in an hour say nothing
        ({1: (6000, 4)}, {}),
        ({3: (50, 10), 2: (50, 10), 1: (400, 10)}, {"acme": (None, 50, 400)}),  # slower, but not slow
        ({3: SLOW, 2: SLOW, 1: SLOW}, {"acme": (None, 6000, 6000)}),  # always was
    ],
)
def test_a_carrier_is_slow_since_the_first_slow_hour(
    db: Database, hours: dict[int, tuple[int, int]], expected: dict[str, Any]
) -> None:
    assert speeds(db, hours) == expected


def test_a_slow_carrier_is_measured_and_alerts_while_it_answers(db: Database, runtime: Runtime, wall: FakeWall) -> None:
    speeds(db, {4: FAST, 3: FAST, 2: SLOW})
    (collector,) = [each for each in metrics.collectors(runtime) if isinstance(each, metrics._Links)]

    def look() -> tuple[float, float, bool]:
        """Return the two metrics, and whether the alert's condition holds."""
        found = {family.name: family.samples for family in collector.collect()}
        (median,), (slow,) = found["dtmf_carrier_submit_median_seconds"], found["dtmf_carrier_slow"]
        assert median.labels == slow.labels == {"carrier": "acme"}
        around = alerts.Surroundings(
            now_us=wall(), wall_us=wall(), cooldown_us=0, is_production=False, troubles={}, disk=None
        )
        conditions = db.read_blocking(partial(alerts.conditions, around=around))
        return median.value, slow.value, ("DTMFCarrierSlow", "acme") in conditions

    assert look() == (6.0, 1, True)
    wall.advance(us=HOUR_US)
    assert look() == (6.0, 0, False)  # it has answered too little since


def test_answer_times_are_written_with_the_state_of_the_links(
    db: Database, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    router, asked = CarrierRouter([]), asyncio.Event()
    monkeypatch.setattr(router, "take_answer_times", lambda _: [(NOW, 200, 7)])
    carrier: Any = SimpleNamespace(name="acme", traffic=lambda: asked.set() or ())

    async def note_once() -> None:
        noting = asyncio.create_task(carrier_links._note(runtime, carrier, router))
        await asked.wait()
        noting.cancel()
        await asyncio.gather(noting, return_exceptions=True)

    asyncio.run(note_once())
    (row,) = db.read_blocking(partial(carrier_answers.since, from_hour=0))
    assert (row["carrier"], row["hour"], row["ms"], row["answers"]) == ("acme", NOW, 200, 7)


def test_answers_are_added_and_forgotten_after_two_weeks(db: Database) -> None:
    rows = [(NOW, 200, 3), (NOW - 15 * 24, 300, 1)]
    for _ in range(2):
        db.write_blocking(lambda tx: carrier_answers.count(tx, "acme", rows))
    db.write_blocking(partial(carrier_speed.forget, wall_us=START_US + DAY_US))
    (row,) = db.read_blocking(partial(carrier_answers.since, from_hour=0))
    assert (row["hour"], row["ms"], row["answers"]) == (NOW, 200, 6)
