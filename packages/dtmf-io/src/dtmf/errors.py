"""The exception tree. Every refusal by the service and every failure to reach it is a DTMFError.

A refusal is named by the `code` of its problem document first, then by its HTTP status."""

from __future__ import annotations

TYPE_CHECKING = False  # the name type checkers know; importing `typing` would double what `import dtmf` costs
if TYPE_CHECKING:
    from typing import Any

_DETAIL_LENGTH = 1_000


class DTMFError(Exception):
    """The service refused the call or could not be reached."""

    sent: bool = True
    """Whether a request of the call may have reached the service."""

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.request_id = request_id


class AuthenticationError(DTMFError):
    """The token is missing, unknown, expired or revoked."""


class PermissionDeniedError(DTMFError):
    """The token may not do this."""


class NotFoundError(DTMFError, LookupError):
    """There is no such thing in this account."""


class InsufficientFundsError(DTMFError):
    """The balance does not cover the cost. `balance` and `required` are satoshis, None where not told."""

    balance: int | None = None
    required: int | None = None


class NoNumbersAvailableError(DTMFError):
    """Every number of the group is rented or resting."""


class InvalidRequestError(DTMFError, ValueError):
    """The service refused an argument."""


class RateLimitedError(DTMFError):
    """Too many calls. `retry_after` is the wait asked for in seconds, None where not told."""

    retry_after: float | None = None


class ServerError(DTMFError):
    """The service failed, or answered something that is not an answer."""


class ConnectionFailedError(DTMFError):
    """No connection, or it broke. `permanent` says that trying again can't help."""

    permanent: bool = False


class ConfigurationError(DTMFError, ValueError):
    """An environment variable has a value that cannot be used; the message names it."""


class TimedOutError(DTMFError):
    """No answer in time, or what was waited for did not come."""


_BY_CODE: dict[str, type[DTMFError]] = {
    "invalid_request": InvalidRequestError,
    "unauthenticated": AuthenticationError,
    "insufficient_funds": InsufficientFundsError,
    "not_found": NotFoundError,
    "number_not_rented": NotFoundError,
    "group_not_found": NotFoundError,
    "no_numbers_available": NoNumbersAvailableError,
    "rate_limited": RateLimitedError,
    "daily_limit_reached": RateLimitedError,
    "too_many_unused_addresses": RateLimitedError,
}
_BY_STATUS: dict[int, type[DTMFError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    402: InsufficientFundsError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: TimedOutError,
    409: NoNumbersAvailableError,
    422: InvalidRequestError,
    429: RateLimitedError,
}


def from_problem(
    problem: dict[str, Any], *, status: int, request_id: str | None, retry_after_s: float | None, token: str
) -> DTMFError:
    """The error a refused call raises, from its problem document ({} when it has none)."""
    code = _text(problem.get("code"), token)
    detail = _text(problem.get("detail"), token) or _text(problem.get("title"), token)
    error = _kind(status, code)(
        detail or f"the service answered with status {status}",
        status=status,
        code=code,
        request_id=_text(problem.get("request_id"), token) or _text(request_id, token),
    )
    if isinstance(error, InsufficientFundsError):
        error.balance, error.required = _sats(problem.get("balance")), _sats(problem.get("required"))
    if isinstance(error, RateLimitedError):
        error.retry_after = retry_after_s
    return error


def connection_failed(
    base_url: str, reason: object, *, permanent: bool = False, via: str = ""
) -> ConnectionFailedError:
    """The error that names the address and says how to set another one. `via` is the route: "through the proxy …"."""
    route = f" {via}" if via else ""
    error = ConnectionFailedError(
        f"the connection to {base_url}{route} failed: {str(reason).rstrip('.')}. Is the service running there?"
        " Set another address with base_url= or the environment variable DTMF_URL"
    )
    error.permanent = permanent
    return error


def environment_failed(base_url: str, variable: str, reason: str) -> ConnectionFailedError:
    """The permanent error of an environment variable whose value rules out every connection."""
    error = ConnectionFailedError(
        f"no connection to {base_url} is possible: the environment variable {variable} cannot be used: {reason}."
        f" Correct or unset {variable}"
    )
    error.permanent, error.sent = True, False
    return error


def _kind(status: int, code: str | None) -> type[DTMFError]:
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status == 409 and code is not None:  # some other conflict, which has told its name
        return DTMFError
    return _BY_STATUS.get(status, ServerError if status >= 500 else DTMFError)


def _text(value: object, token: str) -> str | None:
    """The text, if it is one, cut short and free of the token: a server may echo what it was sent."""
    return value.replace(token, "[token]")[:_DETAIL_LENGTH] if isinstance(value, str) and value else None


def _sats(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
