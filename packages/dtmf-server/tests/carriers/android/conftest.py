"""A simulated phone, on the test's clock."""

from collections.abc import Iterator

import pytest

from harness import FakeWall
from support.providers.android import SimulatedPhone


@pytest.fixture(params=[False, True], ids=["local", "server"])
def phone(wall: FakeWall, request: pytest.FixtureRequest) -> Iterator[SimulatedPhone]:
    with SimulatedPhone(wall, is_server=request.param) as simulated:
        yield simulated


@pytest.fixture
def local_phone(wall: FakeWall) -> Iterator[SimulatedPhone]:
    with SimulatedPhone(wall) as simulated:
        yield simulated
