"""The retry policy of one call: what to send, whether to retry, how long to wait.

Pure: time and randomness are arguments.

1. All attempts of a call share one deadline and one idempotency key, so a retry never rents twice.
2. Retried: connection failures that aren't permanent, and responses 408, 429 and 5xx, except those with a code that
   says a retry within seconds can't help.
3. The pause is a random part of a doubling span ("full jitter"), and never shorter than Retry-After.
4. If a pause would end after the deadline, the last failure is raised at once instead."""

from __future__ import annotations

import json
import logging
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from . import __version__
from .e164 import quote
from .errors import (
    AuthenticationError,
    ConnectionFailedError,
    DTMFError,
    ServerError,
    TimedOutError,
    connection_failed,
    from_problem,
)
from .transport import Request

if TYPE_CHECKING:
    from .operation import Operation
    from .settings import Settings
    from .transport import Reply

log = logging.getLogger("dtmf")
_FIRST_SPAN_S = 0.5
_SPAN_MAX_S = 8.0
_NOT_RETRYABLE = {"daily_limit_reached", "deposits_unavailable", "too_many_unused_addresses"}
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class RetryState:
    """The state of one call, from its first request to its result or error."""

    __slots__ = ("_base_url", "_body", "_deadline_s", "_headers", "_made", "_operation", "_sent", "_settings")

    def __init__(self, operation: Operation, settings: Settings, *, key: str, now_s: float) -> None:
        self._operation = operation
        self._settings = settings
        self._deadline_s = now_s + settings.timeout_s
        self._made = 0
        self._sent = False  # whether any request may have reached the service
        self._headers = {"Accept": "application/json", "User-Agent": f"dtmf-python/{__version__}"}
        if not operation.is_public:
            self._headers["Authorization"] = f"Bearer {settings.token}"
        self._body = b""
        if operation.is_keyed:
            self._headers["Idempotency-Key"] = key
        if operation.wants_result:
            self._headers["Prefer"] = "return=representation"
        if operation.body is not None:
            self._headers["Content-Type"] = "application/json"
            self._body = _encode(operation.body).encode()

    def request(self, *, now_s: float) -> Request:
        """Return the next request with its timeout. Raises TimedOutError if no time is left."""
        left_s = self._deadline_s - now_s
        if left_s <= 0:
            raise self._timed_out()
        return self._request(self._operation, timeout_s=left_s)

    def note(self, request: Request, reply: Reply) -> None:
        """Log a response, without the number in the path's query, and remember its request ID."""
        id_ = reply.headers.get("x-request-id", "").replace(self._settings.token, "[token]") or None
        self._settings.request_id = id_
        log.debug("%s %s: %s (%s)", request.method, request.path.partition("?")[0], reply.status, id_)

    def pause_after_reply_s(self, reply: Reply, *, now_s: float, wall_s: float, uniform: float) -> float:
        """Return the seconds to wait before the next attempt, after an error response.
        Raises its error if a retry is pointless or there is no time for one."""
        self._sent = True
        retry_after_s = _retry_after_s(reply, wall_s)
        error = self._refusal(reply, retry_after_s=retry_after_s)
        if (reply.status not in {408, 429} and reply.status < 500) or error.code in _NOT_RETRYABLE:
            raise error
        return self._pause_s(error, retry_after_s or 0.0, now_s=now_s, uniform=uniform)

    def pause_after_failure_s(self, failure: Exception, *, now_s: float, uniform: float, via: str = "") -> float:
        """Return the seconds to wait before the next attempt, after one without a reply; `via` is the route it took.
        Raises its error if a retry is pointless or there is no time for one."""
        error = self._translated(failure, via)
        self._sent = error.sent = self._sent or error.sent
        if not isinstance(error, ConnectionFailedError | TimedOutError):
            raise error
        if isinstance(error, ConnectionFailedError) and error.permanent:
            raise error
        return self._pause_s(error, 0.0, now_s=now_s, uniform=uniform)

    def pause_after_answer_s(self, _answer: Any, *, now_s: float, uniform: float) -> float | None:
        """Return None: a call is complete after its first answer."""
        return None

    def is_answer(self, reply: Reply) -> bool:
        """Return whether the reply has a result."""
        return reply.is_success or (reply.status == 402 and self._operation.is_public)

    def answer(self, reply: Reply) -> Any:
        """Return the JSON value of a successful reply, None if it has no body.
        Raises ServerError if it isn't JSON."""
        try:
            return json.loads(reply.body) if reply.body else None
        except (ValueError, RecursionError) as cause:
            raise self.unreadable(reply, "not JSON") from cause

    def unreadable(self, reply: Reply, reason: str) -> ServerError:
        """Build the error for a successful response with an unexpected body."""
        return ServerError(
            f"{self._settings.base_url} sent an unexpected response ({reason}). Is this the address of the service?"
            " To change it, set base_url= or the environment variable DTMF_URL",
            status=reply.status,
            request_id=reply.headers.get("x-request-id"),
        )

    def _request(self, operation: Operation, *, timeout_s: float) -> Request:
        self._made += 1
        return Request(
            method=operation.method,
            base_url=self._settings.base_url,
            path=f"/api/v1{operation.path}",
            headers=self._headers,
            body=self._body,
            timeout_s=timeout_s,
        )

    def _pause_s(self, error: DTMFError, least_s: float, *, now_s: float, uniform: float) -> float:
        if self._made > self._settings.max_retries:
            raise error
        pause_s = max(least_s, backoff_cap_s(self._made, longest_s=_SPAN_MAX_S) * uniform)
        if now_s + pause_s >= self._deadline_s:
            raise error
        return pause_s

    def _refusal(self, reply: Reply, *, retry_after_s: float | None) -> DTMFError:
        if 300 <= reply.status < 400:
            return DTMFError(
                f"{self._settings.base_url} redirects to {quote(reply.headers.get('location'))}; redirects"
                " are not followed, because they would receive the token: correct base_url= or DTMF_URL",
                status=reply.status,
            )
        error = from_problem(
            _problem(reply.body),
            status=reply.status,
            request_id=reply.headers.get("x-request-id"),
            retry_after_s=retry_after_s,
            token=self._settings.token,
        )
        if isinstance(error, AuthenticationError) and self._settings.token_from:
            error.args = (f"{error} (the token comes from the environment variable {self._settings.token_from})",)
        return error

    def _translated(self, failure: Exception, via: str) -> DTMFError:
        if isinstance(failure, TimeoutError):
            error: DTMFError = self._timed_out(via)
        elif isinstance(failure, DTMFError):
            return failure
        else:
            error = connection_failed(self._settings.base_url, failure, via=via)
        error.__cause__ = failure
        return error

    def _timed_out(self, via: str = "") -> TimedOutError:
        route = f" {via}" if via else ""
        return TimedOutError(
            f"no response from {self._settings.base_url}{route} within {self._settings.timeout_s:g} s"
            " (to allow more time, set timeout=)"
        )


def backoff_cap_s(failures: int, *, longest_s: float) -> float:
    """Return the upper bound of the random pause after this many failures."""
    return min(longest_s, _FIRST_SPAN_S * 2.0 ** min(failures - 1, 10))


def _problem(body: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return problem if isinstance(problem, dict) else {}


def _retry_after_s(reply: Reply, wall_s: float) -> float | None:
    """Return the wait in seconds that the server asks for, as a number or a date (RFC 9110 §10.2.3)."""
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:12])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - wall_s)
    except (ValueError, OverflowError, OSError):  # the last two: a date that this system can't represent
        return None
