"""Log lines that anonymous clients can cause: the first of each kind at once, then one per minute with a count."""

import asyncio
import errno
import logging

import pytest

from dtmf_server.runtime.logging import KINDS_MAX, LINES_MAX, STRANGERS, Sparing, is_lost_connection, limit_strangers


class Clock:
    """Seconds, advanced by the test."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limit(clock: Clock) -> logging.Filter:
    return Sparing(monotonic_s=clock)


def record(message: str = "bad request %d", level: int = logging.WARNING, error: BaseException | None = None):
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("dtmf.api", level, __file__, 1, message, (1,) if "%" in message else (), info)


def failing(kind: type[Exception], *arguments: object) -> Exception:
    try:
        raise kind(*arguments)
    except Exception as error:
        return error


def test_the_first_line_of_a_kind_passes_and_one_a_minute_later_counts_the_rest(limit, clock: Clock) -> None:
    assert [limit.filter(record()) for _ in range(1000)].count(True) == 1
    clock.now_s += 59
    assert not limit.filter(record())
    clock.now_s += 1
    late = record()
    assert limit.filter(late)
    assert late.suppressed == 1000
    clock.now_s += 61
    quiet = record()
    assert limit.filter(quiet)
    assert not hasattr(quiet, "suppressed")


def test_kinds_are_limited_separately(limit) -> None:
    assert limit.filter(record("one %d"))
    assert limit.filter(record("another %d"))
    assert limit.filter(record("one %d", logging.ERROR))
    assert not limit.filter(record("another %d"))


def test_errors_are_distinguished_by_where_they_were_raised_not_by_their_message(limit) -> None:
    assert limit.filter(record("unexpected error", error=failing(KeyError, "a")))
    assert not limit.filter(record("unexpected error", error=failing(KeyError, "b")))
    assert limit.filter(record("unexpected error", error=failing(ValueError, "a")))


def test_all_kinds_together_are_bounded_and_so_are_the_counters(limit, clock: Clock) -> None:
    for minute in range(3):
        clock.now_s = 2000.0 + 60 * minute
        passed = [limit.filter(record(f"kind {minute} {n}")) for n in range(5000)]
        assert passed.count(True) == LINES_MAX
    assert len(limit._suppressed) <= KINDS_MAX and len(limit._again_at_s) <= KINDS_MAX + LINES_MAX


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError(),
        BrokenPipeError(),
        ConnectionAbortedError(),
        OSError(errno.ETIMEDOUT, "timed out"),
        OSError(errno.EHOSTUNREACH, "no route"),
        asyncio.CancelledError(),
    ],
)
def test_a_lost_connection_is_not_logged_as_an_error(limit, error: BaseException) -> None:
    assert not limit.filter(record("Fatal read error on transport", logging.ERROR, error))
    assert is_lost_connection(record("x", error=error))


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "disk full"), ValueError("a bug"), OSError(errno.EMFILE, "files")]
)
def test_other_errors_are_logged(limit, error: Exception) -> None:
    assert limit.filter(record("x", logging.ERROR, error))


def test_at_level_debug_every_line_below_a_warning_passes(limit) -> None:
    logger = logging.getLogger("dtmf.api")
    before = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        assert all(limit.filter(record(level=logging.INFO)) for _ in range(10))
        assert [limit.filter(record()) for _ in range(10)].count(True) == 1
    finally:
        logger.setLevel(before)


def test_a_service_that_starts_resets_the_counts_and_installs_one_limit() -> None:
    limit_strangers()
    limit_strangers()
    for name in STRANGERS:
        assert sum(isinstance(each, Sparing) for each in logging.getLogger(name).filters) == 1
