"""The log: one line per event on stderr, as JSON or for people, without anything that only a renter may know.

Loggers are the standard library's: `logging.getLogger("dtmf.meter").info("settled", extra={"accounts": 3})`. Never log
tokens, texts or whole phone numbers; any that slip into a message, its arguments, an extra field or a traceback are
masked here.

Log lines that strangers can cause are throttled (`Sparing`), and lost connections are not logged at all.
"""

import asyncio
import errno
import json as json_module
import logging
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Hashable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

OURS = ("dtmf", "dtmf_server", "uvicorn")  # the loggers that `level` applies to; other libraries log from WARNING up

# Loggers whose lines a stranger can cause: they share one `Sparing`.
STRANGERS = (
    "asyncio",
    "dtmf.access.limited",
    "dtmf.api",
    "dtmf.callbacks",
    "dtmf.metrics",
    "dtmf.web",
    "uvicorn.error",
)
PAUSE_S = 60.0  # between two lines of one kind
LINES_MAX = 60  # lines in PAUSE_S, of all kinds together
KINDS_MAX = 1000  # kinds whose suppressed lines are counted

# How a lost connection appears in an OSError; asyncio and uvloop only know the first three.
_LOST = frozenset(
    (
        errno.ECONNRESET,
        errno.EPIPE,
        errno.ECONNABORTED,
        errno.ETIMEDOUT,
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.ENOTCONN,
        errno.ESHUTDOWN,
    )
)

# Extra fields whose content no mask can recognize.
_WITHHELD = frozenset({"authorization", "body", "content", "password", "rpc", "secret", "text", "token"})
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}

_TOKEN = re.compile(r"dtmf_[0-9A-Za-z]{16,}|whsec_[0-9A-Za-z+/=_-]{8,}")  # shortened ones too
_PASSWORD = re.compile(r"(?<=://)[^/?#\s]*@")
_NUMBER = re.compile(r"(\+|%2[Bb])([1-9][0-9]{3,})")


def setup(level: str | int = "INFO", json: bool | None = None) -> None:
    """Send the log to stderr, as JSON lines (`json`) or as lines for people; None: JSON unless stderr is a terminal.
    Calling this again replaces the previous setup. Raises ValueError for an unknown level."""
    level = level.upper() if isinstance(level, str) else level
    as_json = not sys.stderr.isatty() if json is None else json
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if as_json else LineFormatter())
    handler.set_name("dtmf")
    root = logging.getLogger()
    for logger in map(logging.getLogger, OURS):
        logger.setLevel(level)
    # SQL with its parameters, headers with their tokens: never logged, not even at level DEBUG.
    root.setLevel(max(logging.getLogger(OURS[0]).level, logging.WARNING))
    for earlier in [each for each in root.handlers if each.get_name() == "dtmf"]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    logging.captureWarnings(True)


class Sparing(logging.Filter):
    """A filter that passes the first record of each kind immediately, and then one a minute, whose field `suppressed`
    is the number of records dropped in between. All kinds together are limited to `LINES_MAX` lines a minute.

    A kind is a logger, a level and a message without its arguments, or the place where an exception was raised. Records
    about lost connections never pass. At level DEBUG, all records of a logger below WARNING pass.
    """

    def __init__(self, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._again_at_s: dict[Hashable, float] = {}
        self._suppressed: dict[Hashable, int] = {}
        self._window_ends_s, self._lines = 0.0, 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True if the record is logged."""
        if is_lost_connection(record):
            return False
        if record.levelno < logging.WARNING and logging.getLogger(record.name).isEnabledFor(logging.DEBUG):
            return True
        kind = _kind(record)
        with self._lock:
            now_s = self._monotonic_s()
            if now_s >= self._window_ends_s:
                self._window_ends_s, self._lines = now_s + PAUSE_S, 0
                self._forget(now_s)
            if self._lines >= LINES_MAX or now_s < self._again_at_s.get(kind, now_s):
                if kind in self._suppressed or len(self._suppressed) < KINDS_MAX:
                    self._suppressed[kind] = self._suppressed.get(kind, 0) + 1
                return False
            self._lines += 1
            self._again_at_s[kind] = now_s + PAUSE_S
            if suppressed := self._suppressed.pop(kind, 0):
                record.suppressed = suppressed
            return True

    def _forget(self, now_s: float) -> None:
        """Drop kinds with nothing to report, so that strangers cannot exhaust the memory with new kinds."""
        over = [kind for kind, at_s in self._again_at_s.items() if at_s <= now_s and kind not in self._suppressed]
        for kind in over:
            del self._again_at_s[kind]


def limit_strangers() -> None:
    """Throttle log lines that strangers can cause, starting with empty counters."""
    limit = Sparing()
    for logger in map(logging.getLogger, STRANGERS):
        for earlier in [each for each in logger.filters if isinstance(each, Sparing)]:
            logger.removeFilter(earlier)
        logger.addFilter(limit)


def is_lost_connection(record: logging.LogRecord) -> bool:
    """Return True if the record only says that a peer is gone, or that a request was cancelled by the shutdown."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, asyncio.CancelledError):
        return True
    return isinstance(error, OSError) and (isinstance(error, ConnectionError) or error.errno in _LOST)


def _kind(record: logging.LogRecord) -> Hashable:
    """Return the key that records of the same kind share."""
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        # asyncio adds the objects concerned to the message, below its first line.
        return (record.name, record.levelno, str(record.msg).partition("\n")[0])
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = trace and (trace.tb_frame.f_code.co_filename, trace.tb_lineno)
    return (record.name, record.levelno, type(error), place)


def mask(text: str) -> str:
    """Mask tokens, passwords in URLs, and the middle of phone numbers: `+447700900123` becomes `+447…23`."""
    text = _TOKEN.sub(lambda found: found[0].split("_")[0] + "_…", text)
    text = _PASSWORD.sub("…@", text)
    return _NUMBER.sub(_masked_number, text)


def _masked_number(found: re.Match[str]) -> str:
    plus, digits = found.groups()
    # The ends of a short number would reveal nearly all of it.
    return f"{plus}{digits[:3]}…{digits[-2:]}" if len(digits) > 7 else f"{plus}{digits[0]}…"


class JsonFormatter(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the record as a line."""
        fields = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            "request_id": request_id.get(),
        }
        for name, value in _extra(record).items():
            fields.setdefault(name, value)
        if trace := _trace(record):
            fields["exception"] = trace
        return json_module.dumps(fields)


class LineFormatter(logging.Formatter):
    """One line for people, followed by any traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the record as lines. Nothing in a record can start a new line or move a terminal's cursor."""
        fields = {"request_id": request_id.get()} if request_id.get() else {}
        pairs = [f"{name}={value}" for name, value in {**fields, **_extra(record)}.items()]
        line = _printable(" ".join([_time(record), record.levelname.lower(), record.name, _message(record), *pairs]))
        trace = [f"  {_printable(each)}" for each in _trace(record).splitlines()]
        return "\n".join([line, *trace])


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _message(record: logging.LogRecord) -> str:
    try:
        return mask(record.getMessage())
    except Exception:  # an invalid log call must neither stop its caller nor print its arguments unmasked
        return f"{mask(str(record.msg))} (the arguments do not match this message)"


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    given = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    masked: dict[str, Any] = _masked(given)
    return masked


def _masked(value: object) -> Any:
    """Return a value that can be encoded as JSON, with its strings masked."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {mask(str(key)): "…" if str(key).lower() in _WITHHELD else _masked(v) for key, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(item) for item in value]
    return mask(str(value))


def _trace(record: logging.LogRecord) -> str:
    """Return the traceback and stack of a record, masked."""
    parts = []
    if record.exc_info and record.exc_info[0] is not None:
        parts.append("".join(traceback.format_exception(*record.exc_info)).rstrip("\n"))
    elif record.exc_text:
        parts.append(record.exc_text)
    if record.stack_info:
        parts.append(record.stack_info)
    return mask("\n".join(parts))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
