"""The settings of a client: validated once, printed without the token, pickled without connections."""

from __future__ import annotations

import os
from math import inf

from . import validation
from .e164 import quote
from .errors import ConfigurationError

TYPE_CHECKING = False  # a name type checkers know; saves importing `typing`
if TYPE_CHECKING:
    pass

SANDBOX_URL = "http://127.0.0.1:8000"
ANONYMOUS = "(no token)"  # of a client that only signs up; never sent
_ENDLESS_RETRIES = 1_000_000


class Settings:
    """The token, address, timeout, number of retries, certificates and proxy of one client."""

    __slots__ = ("base_url", "ca", "key", "max_retries", "proxy", "request_id", "timeout_s", "token", "token_from")

    def __init__(
        self,
        token: object,
        base_url: object,
        timeout_s: object,
        max_retries: object,
        token_from: str = "",
        ca: object = None,
        proxy: object = None,
        key: str = "",
    ) -> None:
        """`token_from`: the environment variable that holds the token, empty if it was passed."""
        self.token_from = "DTMF_TOKEN" if token is None and os.environ.get("DTMF_TOKEN") else token_from
        self.token = _token(os.environ.get("DTMF_TOKEN") if token is None else token, self.token_from)
        self.base_url = _base_url(base_url)
        self.timeout_s = validation.timeout_s(timeout_s)
        self.max_retries = _max_retries(max_retries)
        self.ca = None if ca is None else _path(ca)
        self.proxy = None if proxy is None else _proxy(proxy)
        self.key = key  # the idempotency key of with_options()
        self.request_id: str | None = None  # of the last response

    def __reduce__(self) -> tuple[object, ...]:
        # Older pickle protocols can't handle slots.
        return Settings, (
            *(self.token, self.base_url, self.timeout_s, self.max_retries),
            *(self.token_from, self.ca, self.proxy, self.key),
        )

    @property
    def route(self) -> tuple[str, str | None, str | None]:
        """The arguments of a transport: address, certificates and proxy."""
        return self.base_url, self.ca, self.proxy

    def __repr__(self) -> str:
        return f"base_url={self.base_url!r}, timeout={self.timeout_s:g}, max_retries={self.max_retries}"


def persistent(settings: Settings, *, at_most_s: float = inf) -> Settings:
    """Return the same settings for a call that is retried for as long as its timeout allows."""
    return changed(settings, timeout_s=min(settings.timeout_s, at_most_s), max_retries=_ENDLESS_RETRIES)


def changed(settings: Settings, *, timeout_s: object, max_retries: object) -> Settings:
    """Return the same settings with another timeout and number of retries."""
    return Settings(
        *(settings.token, settings.base_url, timeout_s, max_retries),
        *(settings.token_from, settings.ca, settings.proxy, settings.key),
    )


def _token(value: object, variable: str) -> str:
    if value is None or value == "":
        raise ValueError("no token: pass one, DTMF('your token'), or set the environment variable DTMF_TOKEN")
    # Don't quote the value: it may be a real token followed by a newline.
    if not isinstance(value, str):
        raise ValueError(f"the token must be a str, not {type(value).__name__}")
    # Allow a space inside: the service rejects DTMF("your token"), typed as documented.
    if value != value.strip() or not all(" " <= c <= "~" for c in value):
        fault = (
            "starts or ends with a space, or contains a control or non-ASCII character: HTTP headers cannot carry it"
        )
        if variable:
            raise ConfigurationError(f"the token in the environment variable {variable} {fault}")
        raise ValueError(f"the token {fault}")
    return str.__str__(value)  # an f-string would show an Enum member by its name


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
        raise ValueError(f"{name} must be ASCII (international names in xn-- form) without ? or #, not {quote(url)}")
    return url.rstrip("/")


def _path(value: object) -> str:
    if isinstance(value, str | os.PathLike) and (path := os.fsdecode(value)):
        return path
    raise ValueError(f"ca must be the path of a file, not {quote(value)}")


def _proxy(value: object) -> str:
    if isinstance(value, str) and value:
        return value
    raise ValueError(f"proxy must be a URL like http://proxy.example:3128, not {quote(value)}")


def valid_key(value: object) -> str:
    """Return an idempotency key if an HTTP header can carry it, else raise ValueError."""
    if isinstance(value, str) and 0 < len(value) <= 255 and value.isascii() and value.isprintable():
        return value
    raise ValueError(f"idempotency_key must be 1 to 255 printable ASCII characters, not {quote(value)}")


def _max_retries(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError(f"max_retries must be a whole number of at least 0, not {quote(value)}")
