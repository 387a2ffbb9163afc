"""Sixty simulated days of buying numbers: nothing is paid twice, nothing is forgotten, and every cap holds."""

import pytest

from dtmf_server.core.units import HOUR_US
from dtmf_server.storage.db import Database
from effort import SUPPLY_RUNS, SUPPLY_STEP_H
from supply.sixty_days import World


@pytest.mark.parametrize("seed", range(SUPPLY_RUNS))
def test_nothing_is_paid_twice_or_forgotten_in_sixty_days(db: Database, seed: int) -> None:
    result = World(db, seed=seed, step_us=SUPPLY_STEP_H * HOUR_US).run()
    print(
        f"seed {seed}: {result.purchases} numbers bought, {result.kills} kills, {result.requests} requests to the provider"
    )
    print(f"{len(result.wrong)} paid and unknown, bought twice, or over a cap")
    assert result.wrong == []
    assert result.purchases > 20 and result.kills > 10, "too little happened"
