"""`make test-quick` excludes tests that serve or start a process, even indirectly."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from harness import FakeWall, runtime_over, serving
from quick import reaches_slow


class Program:
    """Start a process."""

    def run(self) -> None:
        subprocess.run([sys.executable, "-V"], check=True)


def by_a_class() -> None:
    Program().run()


def by_another_function() -> None:
    by_a_class()


def inside_a_function() -> Callable[[], object]:
    return lambda: by_another_function


def serves() -> None:
    serving(runtime_over(None, wall=FakeWall()))  # type: ignore[arg-type]  # never called


def moves_a_clock() -> None:
    FakeWall().advance(seconds=1)


@pytest.mark.parametrize("slow", [by_a_class, by_another_function, inside_a_function, serves, Program])
def test_a_test_that_serves_or_starts_a_process_is_not_quick(slow: Callable[[], object]) -> None:
    assert reaches_slow(slow)


def test_a_test_that_does_neither_is_quick() -> None:
    assert not reaches_slow(moves_a_clock)


def test_this_very_test_is_quick(request: pytest.FixtureRequest) -> None:
    assert request.node.get_closest_marker("quick")


def test_a_test_that_serves_is_not_quick(request: pytest.FixtureRequest, url: str) -> None:
    assert url and not request.node.get_closest_marker("quick")
