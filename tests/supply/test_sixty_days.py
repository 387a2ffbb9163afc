"""Row 26 in small: fewer steps a day, on each engine. `make prove` runs it in full."""

import pytest

from dtmf_server.core.units import HOUR_US
from dtmf_server.storage.db import Database
from supply.sixty_days import World


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_paid_twice_or_forgotten_in_sixty_days(db: Database, seed: int) -> None:
    result = World(db, seed=seed, step_us=12 * HOUR_US).run()
    print(f"{result.purchases} numbers bought, {result.kills} kills, {result.lost} requests")
    assert result.wrong == []
    assert result.purchases > 20 and result.kills > 10, "too little happened"
