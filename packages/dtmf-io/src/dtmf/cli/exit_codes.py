"""How a command ends when it does not succeed: an exit status, and one line that says the mend."""

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
    (ValueError, USAGE),  # a malformed argument, which the client refuses before anything is sent
]
_IS_IT_THERE = ". Is the service running there?"
_FOR_PROGRAMS = (": GET ", _IS_IT_THERE, " (to allow more time", " (the token comes")  # the CLI gives its own advice
_LISTED_BY = {"number_not_rented": ": dtmf numbers lists yours", "group_not_found": ": dtmf groups lists them"}


class CommandError(Exception):
    """A command stops with this exit status, saying this line."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


def to_command_error(error: Exception) -> CommandError:
    """How a command ends that met this error."""
    if isinstance(error, CommandError):
        return error
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    said = str(error)
    for advice in _FOR_PROGRAMS:
        said = said.partition(advice)[0]
    return CommandError(status, f"{said.rstrip('.')}{_mend(error)}")


def one_line(text: str) -> str:
    """The text without line ends and other characters that would move a terminal's cursor."""
    return "".join(character if character.isprintable() else " " for character in " ".join(text.split()))


def _mend(error: Exception) -> str:
    match error:
        case AuthenticationError():
            mend = f": correct {'DTMF_TOKEN' if os.environ.get('DTMF_TOKEN') else 'it with dtmf login'}"
        case InsufficientFundsError():
            missing = (error.required or 0) - (error.balance or 0)
            mend = f": dtmf topup {missing}" if missing > 0 else ": dtmf topup"
        case NoNumbersAvailableError():
            mend = ": dtmf groups lists others"
        case NotFoundError():
            mend = _LISTED_BY.get(error.code or "", "")
        case RateLimitedError(retry_after=float(wait_s)):
            mend = f": again in {wait_s:.0f} s"
        case ConnectionFailedError() if _IS_IT_THERE in str(error):
            mend = ": is the service running there? DTMF_URL or dtmf login --url … sets another address"
        case ServerError(request_id=str(request_id)):
            mend = f" (request {request_id})"
        case _:
            mend = ""
    return mend
