"""The canary of `dtmf-server carriers check --receive`: an SMS with a one-time code, sent to one of our own numbers to see
whether it arrives, and unchanged."""

import re
from enum import StrEnum

FIRST_ID = 10**17  # canaries have IDs from here on, which carriers echo; messages never do
CODE_DIGITS = 6
_PHRASE = "Your DTMF verification code is"
_is_short_code = re.compile(r"[0-9]{3,8}").fullmatch


class CanaryKind(StrEnum):
    """The kind of sender whose codes a canary stands for."""

    ONE_TIME_CODE = "one_time_code"  # from a long number or a name
    SHORT_CODE = "short_code"


class CanaryResult(StrEnum):
    """The outcome of a canary that a carrier accepted."""

    RECEIVED = "received"  # unchanged
    DIFFERS = "differs"  # with its code, but another text
    REDACTED = "redacted"  # without its code
    NOTHING = "nothing"  # it did not arrive in time


def text_of(code: str) -> str:
    """Return the text of a canary. It looks like a real one-time code, so that a carrier that removes codes removes it."""
    return f"{_PHRASE} {code}"


def code_of(text: str) -> str:
    """Return the code of a canary's text."""
    return text[-CODE_DIGITS:]


def is_suspect(text: str, *, redacted: bool) -> bool:
    """Return whether an SMS may be a canary, by its text: only then is the database asked."""
    return redacted or _PHRASE in text


def kind_of(sender: str) -> CanaryKind:
    """Return what a canary from this sender tests."""
    return CanaryKind.SHORT_CODE if _is_short_code(sender) else CanaryKind.ONE_TIME_CODE


def compare(sent: str, received: str, *, redacted: bool) -> CanaryResult:
    """Compare the text that arrived with the one that was sent."""
    if redacted or code_of(sent) not in received:
        return CanaryResult.REDACTED
    return CanaryResult.RECEIVED if received == sent else CanaryResult.DIFFERS
