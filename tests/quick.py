"""The tests that `make test-quick` runs: those that serve nothing, start no process, and need no PostgreSQL.

The rule is applied to each test: its fixtures, its engine, and the names in the code that it and its fixtures reach
within tests/.
"""

import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

TESTS = str(Path(__file__).parent)
SLOW_FIXTURES = {"postgres_url", "pytester"}
# A test's own stub listens and waits like the service.
SLOW_NAMES = {"subprocess", "multiprocessing", "create_subprocess_exec", "fork", "SubprocessDispatcher"}
SLOW_NAMES |= {"serving", "create_server", "start_server"}


def is_quick(item: pytest.Function) -> bool:
    """Return whether a test serves nothing, starts no process, and needs no PostgreSQL."""
    callspec = getattr(item, "callspec", None)
    if SLOW_FIXTURES & {*item.fixturenames} or (callspec and "postgresql" in callspec.params.values()):
        return False
    found = item._fixtureinfo.name2fixturedefs
    fixtures = [found[name][-1].func for name in found if name != "database_url"]  # its engine is checked above
    return not any(reaches_slow(inspect.unwrap(each)) for each in (item.function, *fixtures))


@cache
def reaches_slow(made: Any) -> bool:
    """Return whether a function or class of tests/, or one that it names, starts a process or serves."""
    seen, left = set(), [made]
    while left:
        each = left.pop()
        if each in seen:
            continue
        seen.add(each)
        for function in _functions(each):
            names = {*_names(function.__code__)}
            if names & SLOW_NAMES:
                return True
            left += [function.__globals__[name] for name in names if _is_of_tests(function.__globals__.get(name))]
    return False


def _functions(made: Any) -> Iterator[FunctionType]:
    members = vars(made).values() if isinstance(made, type) else [getattr(made, "__func__", made)]
    for each in members:
        function = inspect.unwrap(getattr(each, "__func__", each)) if callable(each) else each
        if isinstance(function, FunctionType):
            yield function


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _is_of_tests(made: Any) -> bool:
    if not isinstance(made, type | FunctionType):
        return False
    code = getattr(inspect.unwrap(made), "__code__", None)
    if code is not None:
        return bool(code.co_filename.startswith(TESTS))
    return any(each.__code__.co_filename.startswith(TESTS) for each in _functions(made))
