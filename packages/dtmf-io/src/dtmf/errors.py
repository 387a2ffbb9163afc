"""The exception hierarchy. Every error response and every failure to reach the service is a DTMFError.

An error response maps to a class by the `code` of its problem document, else by its HTTP status."""

from __future__ import annotations

TYPE_CHECKING = False  # a name type checkers know; importing `typing` would double the cost of `import dtmf`
if TYPE_CHECKING:
    from typing import Any

_DETAIL_LENGTH = 1_000


class DTMFError(Exception):
    """The service refused the call or could not be reached."""

    sent: bool = True
    """True if a request of the call may have reached the service."""

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
    """The token does not permit this call, or it would cost more than a limit allows: then `limit` and `remaining` are in
    satoshis, else None."""

    limit: int | None = None
    remaining: int | None = None


class NotFoundError(DTMFError, LookupError):
    """The account has no such resource."""


class InsufficientFundsError(DTMFError):
    """The balance does not cover the cost. `balance`, `required` and `shortfall` are in satoshis, None if not reported.
    `topup_url`: the page that tops up the shortfall."""

    balance: int | None = None
    required: int | None = None
    shortfall: int | None = None
    topup_url: str | None = None


class NoNumbersAvailableError(DTMFError):
    """Every number of the group, or the chosen one, is rented or in its cooldown. `retry_after` is the wait in seconds if
    the service is buying numbers, else None."""

    retry_after: float | None = None


class InvalidRequestError(DTMFError, ValueError):
    """The service rejected an argument. `minimum`: the lowest limit that it accepts, else None."""

    minimum: int | None = None


class RateLimitedError(DTMFError):
    """Too many calls. `retry_after` is the requested wait in seconds, None if not reported."""

    retry_after: float | None = None


class ServerError(DTMFError):
    """The service failed, or its response can't be read."""


class ConnectionFailedError(DTMFError):
    """The connection failed or broke. If `permanent` is True, retrying can't help."""

    permanent: bool = False


class ConfigurationError(DTMFError, ValueError):
    """An environment variable has an invalid value; the message names the variable."""


class TimedOutError(DTMFError):
    """The response, or the awaited message, did not arrive in time."""


_BY_CODE: dict[str, type[DTMFError]] = {
    "invalid_request": InvalidRequestError,
    "unauthenticated": AuthenticationError,
    "insufficient_funds": InsufficientFundsError,
    "not_found": NotFoundError,
    "number_not_rented": NotFoundError,
    "group_not_found": NotFoundError,
    "no_numbers_available": NoNumbersAvailableError,
    "number_taken": NoNumbersAvailableError,
    "rate_limited": RateLimitedError,
    "daily_limit_reached": RateLimitedError,
    "too_many_unused_addresses": RateLimitedError,
    "too_many_invoices": RateLimitedError,
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
    """Build the error for an error response from its problem document ({} if it has none)."""
    code = _text(problem.get("code"), token)
    detail = _text(problem.get("detail"), token) or _text(problem.get("title"), token)
    error = _kind(status, code)(
        detail or f"the service responded with status {status}",
        status=status,
        code=code,
        request_id=_text(problem.get("request_id"), token) or _text(request_id, token),
    )
    if isinstance(error, InsufficientFundsError):
        error.balance, error.required = _sats(problem.get("balance")), _sats(problem.get("required"))
        error.shortfall, error.topup_url = _sats(problem.get("shortfall")), _text(problem.get("topup_url"), token)
    if isinstance(error, PermissionDeniedError):
        error.limit, error.remaining = _sats(problem.get("limit")), _sats(problem.get("remaining"))
    if isinstance(error, InvalidRequestError):
        error.minimum = _sats(problem.get("minimum"))
    if isinstance(error, RateLimitedError | NoNumbersAvailableError):
        error.retry_after = retry_after_s
    return error


def connection_failed(
    base_url: str, reason: object, *, permanent: bool = False, via: str = ""
) -> ConnectionFailedError:
    """Build the error that names the address and how to change it. `via` is the route: "through the proxy …"."""
    route = f" {via}" if via else ""
    error = ConnectionFailedError(
        f"the connection to {base_url}{route} failed: {str(reason).rstrip('.')}. Is the service running there?"
        " To use another address, set base_url= or the environment variable DTMF_URL"
    )
    error.permanent = permanent
    return error


def environment_failed(base_url: str, variable: str, reason: str) -> ConnectionFailedError:
    """Build the permanent error for an environment variable or an argument whose value prevents every connection."""
    error = ConnectionFailedError(
        f"cannot connect to {base_url} because of {source(variable)}: {reason}. Correct or unset {variable}"
    )
    error.permanent, error.sent = True, False
    return error


def source(variable: str) -> str:
    """Return how messages name an environment variable, or an argument like proxy=."""
    return variable if variable.endswith("=") else f"the environment variable {variable}"


def _kind(status: int, code: str | None) -> type[DTMFError]:
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status == 409 and code is not None:  # another conflict, identified by its code
        return DTMFError
    return _BY_STATUS.get(status, ServerError if status >= 500 else DTMFError)


def _text(value: object, token: str) -> str | None:
    """Return a text shortened and with the token removed, in case the server echoes it; None for other values."""
    return value.replace(token, "[token]")[:_DETAIL_LENGTH] if isinstance(value, str) and value else None


def _sats(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
