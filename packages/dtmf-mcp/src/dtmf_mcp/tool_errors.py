"""Errors of the client as results of tools: a code, a message, and what to do about it."""

from typing import Any

from dtmf import (
    AuthenticationError,
    ConnectionFailedError,
    DTMFError,
    InsufficientFundsError,
    RateLimitedError,
    TimedOutError,
)

_FIXES = {
    "insufficient_funds": "call top_up and give the address or the invoice to the owner of the account, or end a rental",
    "limit_too_low": "rent with a higher limit, at least the minimum in the message",
    "limit_reached": "end a rental, or ask the owner of the account for a token with a higher limit",
    "scope_required": "ask the owner of the account for a token with this scope",
    "no_numbers_available": "call catalog and choose another group",
    "group_not_found": "call catalog for the group ids",
    "number_not_rented": "call balance for the numbers that are rented now",
    "unauthenticated": "ask the owner of the account for a valid token",
    "rate_limited": "wait before the next call",
    "connection_failed": "try again later; if it persists, ask the owner whether the service is running",
    "timed_out": "call balance to see whether the call took effect, then try again",
    "invalid_arguments": "correct the arguments according to the tool's schema",
    "internal_error": "try again later; report the request id to the operator",
}


def described(error: Exception) -> dict[str, Any]:
    """Return the error as the structured result of a failed call."""
    code = _code(error)
    found: dict[str, Any] = {"code": code, "message": str(error), "fix": _FIXES.get(code)}
    if isinstance(error, DTMFError) and error.request_id:
        found["request_id"] = error.request_id
    if isinstance(error, InsufficientFundsError):
        found |= {"balance": error.balance, "required": error.required}
    if isinstance(error, RateLimitedError) and error.retry_after is not None:
        found["retry_after_s"] = error.retry_after
    return {name: value for name, value in found.items() if value is not None}


def _code(error: Exception) -> str:
    if isinstance(error, DTMFError) and error.code:
        return error.code
    named: list[tuple[type[Exception], str]] = [
        (AuthenticationError, "unauthenticated"),
        (ConnectionFailedError, "connection_failed"),
        (TimedOutError, "timed_out"),
        (DTMFError, "internal_error"),
    ]
    return next((code for kind, code in named if isinstance(error, kind)), "invalid_arguments")
