"""The worker of prices in a currency, and what renters see without a rate."""

from decimal import Decimal

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from dtmf_server.core.rates import RateUnavailable
from dtmf_server.operations import alerts
from dtmf_server.runtime import metrics
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import numbers
from dtmf_server.storage.db import Database
from dtmf_server.workers import prices as worker
from dtmf_server.workers.clock_guard import ClockGuard
from harness import DAY_US, HOUR_US, MINUTE_US, START_US, FakeWall, give_coins, new_token, open_account
from money.pegged_renter import PeggedRenter, peg

ONE_ENGINE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


class Rates:
    """A rate source that fails or not."""

    currency = "EUR"

    def __init__(self) -> None:
        self.rate: Decimal | None = Decimal(50_000)

    async def current_rate(self) -> Decimal:
        if self.rate is None:
            raise RateUnavailable("it has the rate 500000, outside of 20000 to 200000")
        return self.rate


@ONE_ENGINE
async def test_a_pass_follows_the_rate_and_announces_in_portions(
    db: Database, runtime: Runtime, wall: FakeWall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtmf_server.operations.pegged.ANNOUNCED_MAX", 3)
    peg(db)
    renter, rates, guard = PeggedRenter(db), Rates(), ClockGuard(wall)
    e164s = [renter.rents() for _ in range(7)]
    wall.advance(us=23 * DAY_US)
    guard = ClockGuard(wall)
    rates.rate = Decimal(25_000)
    await worker.step(runtime, rates, guard)
    found = db.read_blocking(lambda tx: tx.all("SELECT e164, next_cost_per_minute AS next FROM rentals ORDER BY id"))
    assert [(row["e164"], row["next"]) for row in found] == [(e164, 26) for e164 in e164s]
    rates.rate = None
    with pytest.raises(RateUnavailable):
        await worker.step(runtime, rates, guard)
    group = db.read_blocking(lambda tx: numbers.group(tx, "us-mobile"))
    assert group is not None and group["rental_cost_per_minute"] == 26


@ONE_ENGINE
def test_an_old_rate_is_an_alert(db: Database, wall: FakeWall) -> None:
    def found() -> set[str]:
        around = alerts.Surroundings(
            now_us=wall(), wall_us=wall(), cooldown_us=0, is_production=False, troubles={}, disk=None
        )
        return {name for name, _ in db.read_blocking(lambda tx: alerts.conditions(tx, around))}

    wall.advance(us=HOUR_US)
    assert "DTMFRateOld" not in found()
    peg(db)
    assert "DTMFRateOld" in found()
    peg(db, at_us=wall() - 10 * MINUTE_US)
    assert "DTMFRateOld" not in found()


@ONE_ENGINE
def test_the_age_of_the_rate_is_a_metric(db: Database, runtime: Runtime, wall: FakeWall) -> None:
    def scraped() -> str:
        registry = CollectorRegistry()
        for collector in metrics.collectors(runtime):
            registry.register(collector)
        return generate_latest(registry).decode()

    assert "dtmf_rate_age_seconds" not in scraped()
    peg(db)
    wall.advance(seconds=90)
    assert "\ndtmf_rate_age_seconds 90.0\n" in scraped()


@ONE_ENGINE
def test_a_new_rental_is_refused_when_the_rate_is_too_old(db: Database, url: str, wall: FakeWall) -> None:
    peg(db)
    give_coins(db, open_account(db, seed=5), 10_000)
    with httpx.Client(base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {new_token(5)}"}) as client:
        wall.at_us = START_US + 6 * HOUR_US
        assert client.post("/numbers", json={"group_id": "us-mobile"}).status_code == 201
        wall.at_us += 1
        refused = client.post("/numbers", json={"group_id": "us-mobile"})
        assert (refused.status_code, refused.json()["code"]) == (503, "price_unavailable")
        assert client.get("/groups", params={"type": "mobile"}).json()[0]["rental_cost_per_minute"] == 13
