"""The failure of a command: an exit code, and one line that says how to fix the error."""

from __future__ import annotations

import os

from dtmf.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    DTMFError,
    InsufficientFundsError,
    InvalidRequestError,
    NoNumbersAvailableError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    TimedOutError,
)

FAILED = 1
USAGE = 2
AUTH = 3
NOT_FOUND = 4
INSUFFICIENT_FUNDS = 5
NO_NUMBERS = 6
UNREACHABLE = 7
NO_MESSAGE = 8
RATE_LIMITED = 9

_STATUS: list[tuple[type[Exception], int]] = [
    (AuthenticationError, AUTH),
    (PermissionDeniedError, AUTH),
    (NotFoundError, NOT_FOUND),
    (InsufficientFundsError, INSUFFICIENT_FUNDS),
    (NoNumbersAvailableError, NO_NUMBERS),
    (InvalidRequestError, USAGE),
    (ConfigurationError, USAGE),
    (RateLimitedError, RATE_LIMITED),
    (ServerError, UNREACHABLE),
    (ConnectionFailedError, UNREACHABLE),
    (TimedOutError, UNREACHABLE),
    (DTMFError, FAILED),
    (ValueError, USAGE),  # a malformed argument, rejected before anything is sent
]
_IS_IT_THERE = ". Is the service running there?"
_FOR_PROGRAMS = (": GET ", _IS_IT_THERE, " (to allow more time", " (the token comes")  # the CLI gives its own advice
_LISTED_BY = {"number_not_rented": ": see dtmf numbers", "group_not_found": ": see dtmf groups"}


class CommandError(Exception):
    """Ends a command with this exit code and this error line."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


def to_command_error(error: Exception) -> CommandError:
    """Convert an error to the CommandError that reports it."""
    if isinstance(error, CommandError):
        return error
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    message = str(error)
    for advice in _FOR_PROGRAMS:
        message = message.partition(advice)[0]
    return CommandError(status, f"{message.rstrip('.')}{_fix(error)}")


def one_line(text: str) -> str:
    """Return the text without newlines and other characters that move a terminal's cursor."""
    return "".join(character if character.isprintable() else " " for character in " ".join(text.split()))


def _fix(error: Exception) -> str:
    match error:
        case AuthenticationError() if error.code != "invalid_claim":
            fix = f": correct {'DTMF_TOKEN' if os.environ.get('DTMF_TOKEN') else 'it with dtmf login'}"
        case InsufficientFundsError():
            missing = (error.required or 0) - (error.balance or 0)
            fix = f": dtmf topup {missing}" if missing > 0 else ": dtmf topup"
        case NoNumbersAvailableError():
            fix = ": try another group (dtmf groups)"
        case NotFoundError():
            fix = _LISTED_BY.get(error.code or "", "")
        case RateLimitedError(retry_after=float(wait_s)):
            fix = f": retry in {wait_s:.0f} s"
        case ConnectionFailedError() if _IS_IT_THERE in str(error):
            fix = ": is the service running there? To use another address, set DTMF_URL or run dtmf login --url …"
        case ServerError(request_id=str(request_id)):
            fix = f" (request {request_id})"
        case _:
            fix = ""
    return fix
