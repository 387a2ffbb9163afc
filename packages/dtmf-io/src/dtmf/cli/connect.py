"""The selection of a token and an address, in order of precedence:

1. DTMF_TOKEN and DTMF_URL, used as they are.
2. The credentials saved by `dtmf login`, for the server they were saved for.
3. The sandbox of the current folder, for its own server and only on this machine: `dtmf-server run` writes data/token
   and data/url.

Tokens of 2 and 3 are sent only to their own server: DTMF_URL may change the path, but not scheme, host or port."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from dtmf.client import DTMF
from dtmf.settings import SANDBOX_URL, Settings
from dtmf.validation import http_url

from . import credentials, exit_codes
from .exit_codes import CommandError

SANDBOX_DATA = Path("data")
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Endpoint(NamedTuple):
    """An address and the token for it."""

    url: str
    token: str

    def __repr__(self) -> str:
        return f"Endpoint(url={self.url!r})"


def client(*, timeout_s: float = 30.0, max_retries: int = 2) -> DTMF:
    """Return a client for the configured account. Raises CommandError."""
    place = find_place()
    return client_at(place.url, place.token, timeout_s=timeout_s, max_retries=max_retries)


def client_at(url: str, token: str, *, timeout_s: float = 30.0, max_retries: int = 2) -> DTMF:
    """Return a client for an address and a token. Raises CommandError for a malformed token."""
    Settings("any", url, timeout_s, max_retries)  # a malformed address is a usage error …
    try:
        return DTMF(token, base_url=url, timeout=timeout_s, max_retries=max_retries)
    except ValueError as error:  # … so this error is about the token
        raise CommandError(exit_codes.AUTH, str(error)) from error


def find_place() -> Endpoint:
    """Return the address to use and its token. Raises CommandError if there is none."""
    token, url = os.environ.get("DTMF_TOKEN"), os.environ.get("DTMF_URL")
    if token and url:
        return Endpoint(url, token)
    known = credentials.read()
    if token:
        return Endpoint(known.url if known else SANDBOX_URL, token)
    if known and (not url or is_same_server(url, known.url)):
        return Endpoint(url or known.url, known.token)
    sandbox = sandbox_place(SANDBOX_DATA)
    if sandbox and (not url or is_same_server(url, sandbox.url)):
        return Endpoint(url or sandbox.url, sandbox.token)
    if known:
        line = (
            f"the saved token is for {known.url}, but DTMF_URL is {url}: set DTMF_TOKEN too, or dtmf login --url {url}"
        )
        raise CommandError(exit_codes.AUTH, line)
    if sandbox:
        line = f"the token in {SANDBOX_DATA} is for {sandbox.url}, but DTMF_URL is {url}: set DTMF_TOKEN too, or unset DTMF_URL"
        raise CommandError(exit_codes.AUTH, line)
    raise CommandError(exit_codes.AUTH, "no token: dtmf login, or set DTMF_TOKEN")


def sandbox_place(data: Path) -> Endpoint | None:
    """Return the sandbox with its data in this folder, None if there is none or it isn't on this machine."""
    with suppress(OSError):
        credentials.require_private(data / "token")
        token = (data / "token").read_text("ascii", errors="replace").strip()
        url = (data / "url").read_text("utf-8", errors="replace").partition("\n")[0].strip()
        if token and (origin(url) or ("", "", 0))[1] in LOOPBACK:
            return Endpoint(url, token)
    return None


def is_same_server(url: str, other: str) -> bool:
    """Return whether two addresses have the same scheme, host and port."""
    return origin(url) is not None and origin(url) == origin(other)


def origin(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of an address, None if it is malformed."""
    try:
        http_url("url", url)
    except ValueError:
        return None
    parts = urlsplit(url)
    return (
        parts.scheme,
        (parts.hostname or "").removesuffix("."),
        parts.port or (443 if parts.scheme == "https" else 80),
    )
