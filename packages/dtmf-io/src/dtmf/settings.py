"""What a client is made with: checked once, shown without the token, pickled without connections."""

from __future__ import annotations

import os
from math import inf

from . import validation
from .cursors import Cursors
from .e164 import quote
from .errors import ConfigurationError

TYPE_CHECKING = False  # the name type checkers know; `typing` is not imported for it
if TYPE_CHECKING:
    from typing import Any

SANDBOX_URL = "http://127.0.0.1:8000"
_ENDLESS_RETRIES = 1_000_000


class Settings:
    """Token, address, deadline and number of retries of one client."""

    __slots__ = ("base_url", "max_retries", "timeout_s", "token", "token_from")

    def __init__(
        self, token: object, base_url: object, timeout_s: object, max_retries: object, token_from: str = ""
    ) -> None:
        """`token_from`: the environment variable that the token is of, empty if it was passed."""
        self.token_from = "DTMF_TOKEN" if token is None and os.environ.get("DTMF_TOKEN") else token_from
        self.token = _token(os.environ.get("DTMF_TOKEN") if token is None else token, self.token_from)
        self.base_url = _base_url(base_url)
        self.timeout_s = validation.timeout_s(timeout_s)
        self.max_retries = _max_retries(max_retries)

    def __reduce__(self) -> tuple[object, ...]:
        # Slots alone are pickled only by the newer protocols.
        return Settings, (self.token, self.base_url, self.timeout_s, self.max_retries, self.token_from)

    def __repr__(self) -> str:
        return f"base_url={self.base_url!r}, timeout={self.timeout_s:g}, max_retries={self.max_retries}"


def persistent(settings: Settings, *, at_most_s: float = inf) -> Settings:
    """The same settings for a call that is retried for as long as its timeout allows."""
    timeout_s = min(settings.timeout_s, at_most_s)
    return Settings(settings.token, settings.base_url, timeout_s, _ENDLESS_RETRIES, settings.token_from)


class BaseClient:
    """The part both clients share: settings, how far their waits have come, and the engines that grow from the
    settings where they are used."""

    def __init__(self, settings: Settings, transport: object, cursors: dict[str, int] | None = None) -> None:
        self._settings = settings
        self._transport: Any = transport
        self._cursors = Cursors(cursors)
        self._engines: dict[Any, Any] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings!r})"

    def __reduce__(self) -> tuple[object, ...]:
        # The cursors travel along: a copy must not wait for a code and be given the last one again.
        return _restored, (type(self), self._settings, self._transport, self._cursors.all())


def _restored(
    kind: type[BaseClient], settings: Settings, transport: object, cursors: dict[str, int] | None = None
) -> BaseClient:
    client = kind.__new__(kind)
    BaseClient.__init__(client, settings, transport, cursors)
    return client


def _token(value: object, variable: str) -> str:
    if value is None or value == "":
        raise ValueError("no token: pass one, DTMF('your token'), or set the environment variable DTMF_TOKEN")
    # The value itself is not quoted: it may be a real token with a line end after it.
    if not isinstance(value, str):
        raise ValueError(f"the token must be a str, not {type(value).__name__}")
    # A blank inside is let through: DTMF("your token"), typed as documented, is the service's to refuse.
    if value != value.strip() or not all(" " <= c <= "~" for c in value):
        fault = "contains a blank at an end, a control or a non-ASCII character, which no HTTP header can carry"
        if variable:
            raise ConfigurationError(f"the token of the environment variable {variable} {fault}")
        raise ValueError(f"the token {fault}")
    return str.__str__(value)  # of an Enum's member, which an f-string would show by its name


def _base_url(value: object) -> str:
    if value is not None:
        return _checked_url("base_url", value)
    try:
        return _checked_url("the environment variable DTMF_URL", os.environ.get("DTMF_URL") or SANDBOX_URL)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error


def _checked_url(name: str, value: object) -> str:
    url = validation.http_url(name, value)
    if "?" in url or "#" in url or not url.isascii():
        raise ValueError(f"{name} must be ASCII (a name in its xn-- form) without ? and #, not {quote(url)}")
    return url.rstrip("/")


def _max_retries(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError(f"max_retries must be a whole number of at least 0, not {quote(value)}")
