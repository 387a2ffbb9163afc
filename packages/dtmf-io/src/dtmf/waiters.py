"""The arguments of a wait, validated, and which message or event ends it. Pure, and shared by both clients.

A wait examines only messages received in the current rental, oldest first, each once. The first match ends it."""

from __future__ import annotations

from . import endpoints, validation
from .e164 import parse

TYPE_CHECKING = False  # a name type checkers know; saves importing `typing`
if TYPE_CHECKING:
    from collections.abc import Callable
    from re import Pattern
    from typing import Any, TypeAlias

    from .operation import Answer, Call
    from .types import DepositEvent, FullMessage

    Match: TypeAlias = str | Pattern[str] | Callable[[FullMessage], Any]
    Wait: TypeAlias = tuple["WaitSpec", Callable[[Any], Answer | None]]


class WaitSpec:
    """The poll of a wait, the key of its cursor, the id to start after (None: the cursor), the timeout and its message."""

    __slots__ = ("after", "ask", "key", "timeout_message", "timeout_s")

    def __init__(
        self,
        key: str,
        ask: Callable[[int, float], Call[list[Any]]],
        timeout_s: object,
        after: object,
        timeout_message: str,
    ) -> None:
        self.key = key
        self.ask = ask
        self.timeout_s = validation.timeout_s(timeout_s)
        self.after = None if after is None else validation.whole("after", after, least=0)
        self.timeout_message = timeout_message


def _at(e164: object, timeout_s: object, after: object, timeout_message: str) -> WaitSpec:
    number = parse(e164)
    return WaitSpec(
        number,
        lambda cursor, wait_s: endpoints.received(number, cursor, wait_s),
        timeout_s,
        after,
        f"{timeout_message} arrived at {number}",
    )


def for_message(e164: object, timeout_s: object, match: object, after: object) -> Wait[FullMessage]:
    """Return a wait for the first message that matches."""
    is_wanted = _wanted(match)
    timeout_message = "no message" if match is None else "no message that matches"
    return _at(e164, timeout_s, after, timeout_message), lambda message: message if is_wanted(message) else None


def for_code(e164: object, timeout_s: object, match: object, after: object) -> Wait[str]:
    """Return a wait for the code in the first message that has one and matches."""
    from .codes import find_code  # noqa: PLC0415  # takes half as long as the network code; load it before the code arrives

    is_wanted = _wanted(match)
    timeout_message = "no message with a code" if match is None else "no message with a code that matches"

    def code(message: FullMessage) -> str | None:
        return find_code(message["content"] or "") if is_wanted(message) else None

    return _at(e164, timeout_s, after, timeout_message), code


def for_deposit(to: object, timeout_s: object, after: int) -> Wait[DepositEvent]:
    """Return a wait for the event of a credited deposit: to an invoice or address; None: any after that id."""
    spec = WaitSpec("", endpoints.credited, timeout_s, after, "no deposit was credited")
    if to is None:
        return spec, lambda event: event
    key, value = validation.deposit_target(to)
    return spec, lambda event: event if event.get(key) == value else None


def for_token(sign_up: object, timeout_s: object) -> Wait[str]:
    """Return a wait for the payment of a sign-up, whose result is the account's token."""
    secret = validation.claim(sign_up)
    spec = WaitSpec("", lambda _, wait_s: endpoints.claim(secret, wait_s), timeout_s, 0, "the invoice was not paid")
    return spec, lambda opened: str(opened["token"])


def _wanted(match: object) -> Callable[[FullMessage], Any]:
    """Return the predicate that selects a message. Raises ValueError for an invalid `match`."""
    if match is None:
        return lambda message: True
    pattern = validation.pattern(match)
    if pattern is not None:
        return lambda message: pattern.search(message["content"] or "")
    return validation.predicate(match)
