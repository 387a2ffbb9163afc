"""Which token goes to which address.

1. DTMF_TOKEN and DTMF_URL win over everything.
2. Then what `dtmf login` kept; a kept token goes only to the address it was kept with.
3. Then the sandbox of this folder: `dtmf-server run` leaves data/token and data/url there. Only to this machine."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from dtmf.client import DTMF
from dtmf.settings import SANDBOX_URL, Settings

from . import endings, kept
from .endings import Ending

if TYPE_CHECKING:
    from .kept import Kept

SANDBOX_DATA = Path("data")
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Place(NamedTuple):
    """An address and the token for it."""

    url: str
    token: str

    def __repr__(self) -> str:
        return f"Place(url={self.url!r})"


def client(*, timeout_s: float = 30.0, max_retries: int = 2) -> DTMF:
    """The client of the account to act for. Raises Ending."""
    place = find_place()
    return client_at(place.url, place.token, timeout_s=timeout_s, max_retries=max_retries)


def client_at(url: str, token: str, *, timeout_s: float = 30.0, max_retries: int = 2) -> DTMF:
    """The client of this address and token. Raises Ending for a malformed one."""
    Settings("any", url, timeout_s, max_retries)  # a malformed address is wrong usage …
    try:
        return DTMF(token, base_url=url, timeout=timeout_s, max_retries=max_retries)
    except ValueError as error:  # … and what is left is the token
        raise Ending(endings.TOKEN, str(error)) from error


def find_place() -> Place:
    """Where to go, with which token. Raises Ending when there is none."""
    token, url = os.environ.get("DTMF_TOKEN"), os.environ.get("DTMF_URL")
    if token and url:
        return Place(url, token)
    known = kept.read()
    if token:
        return Place(known.url if known else SANDBOX_URL, token)
    if known and (not url or _is_same(url, known)):
        return Place(known.url, known.token)
    if sandbox := sandbox_place(SANDBOX_DATA, url):
        return sandbox
    if known:
        line = f"the kept token is for {known.url} and DTMF_URL is {url}: set DTMF_TOKEN too, or dtmf login --url {url}"
        raise Ending(endings.TOKEN, line)
    raise Ending(endings.TOKEN, "no token: dtmf login, or set DTMF_TOKEN")


def sandbox_place(data: Path, url: str | None = None) -> Place | None:
    """The sandbox that keeps its data there, None if there is none or it is not on this machine."""
    with suppress(OSError):
        kept.refuse_if_others_can_read(data / "token")
        token = (data / "token").read_text("ascii", errors="replace").strip()
        where = url or _first_line(data / "url") or SANDBOX_URL
        if token and urlsplit(where).hostname in LOOPBACK:
            return Place(where, token)
    return None


def _first_line(file: Path) -> str | None:
    try:
        return file.read_text("utf-8", errors="replace").partition("\n")[0].strip()
    except OSError:
        return None


def _is_same(url: str, known: Kept) -> bool:
    return url.rstrip("/") == known.url.rstrip("/")
