"""`dtmf login` and `dtmf logout`: save a token on this machine, and delete it."""

from __future__ import annotations

import os
import sys
from getpass import getpass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from cyclopts import Parameter

from dtmf.errors import AuthenticationError
from dtmf.settings import SANDBOX_URL

from . import connect, credentials, exit_codes, output
from .credentials import Credentials
from .exit_codes import CommandError
from .formatting import format_int

_TOKEN_MAX = 4_096


def login(
    *,
    url: Annotated[
        str | None,
        Parameter(help="The address of the service (default: DTMF_URL, else http://127.0.0.1:8000).", metavar="URL"),
    ] = None,
    sandbox: Annotated[bool, Parameter(help="Save the token of the sandbox in ./data.")] = False,
    data: Annotated[
        Path | None, Parameter(help="The data folder of the sandbox (default: ./data).", metavar="DIR")
    ] = None,
) -> None:
    """Save a token on this machine. The token is read without echo, or from standard input, and verified first."""
    place = _of_sandbox(data or connect.SANDBOX_DATA, url) if sandbox or data else _asked_for(url)
    with connect.client_at(place.url, place.token) as dtmf:
        try:
            balance = dtmf.account()["balance"]
        except AuthenticationError as error:
            raise CommandError(exit_codes.AUTH, f"{place.url} rejected this token; nothing was saved") from error
    file = credentials.save(Credentials(place.url, place.token))
    output.line("Signed in to ", (place.url, "bold"), f", {format_int(balance)} sats. Saved in {file}")
    warn(place.url)


def logout() -> None:
    """Delete the saved token. The token itself stays valid."""
    if credentials.delete():
        output.line("The saved token was deleted.")
    else:
        output.line("No token was saved.")
    if os.environ.get("DTMF_TOKEN"):
        print("dtmf: DTMF_TOKEN is still set and will be used", file=sys.stderr)


def _of_sandbox(data: Path, url: str | None) -> connect.Endpoint:
    place = connect.sandbox_place(data)
    if place is None:
        raise CommandError(
            exit_codes.AUTH, f"there is no sandbox in {data}: set its folder with --data, or start one with make run"
        )
    if url and not connect.is_same_server(url, place.url):
        raise CommandError(exit_codes.AUTH, f"the token in {data} is for {place.url}, not for {url}: remove --url")
    return place


def _asked_for(url: str | None) -> connect.Endpoint:
    where = (url or os.environ.get("DTMF_URL") or SANDBOX_URL).rstrip("/")
    connect.client_at(where, "any")  # reject a malformed address before asking for the token
    if sys.stdin is None:
        raise CommandError(exit_codes.AUTH, "there is no standard input to read the token from")
    is_asked = sys.stdin.isatty()
    token = getpass(f"Token for {where}: ", stream=sys.stderr) if is_asked else sys.stdin.readline(_TOKEN_MAX)
    if not token.strip():
        raise CommandError(exit_codes.AUTH, "no token was entered; nothing was saved")
    return connect.Endpoint(where, token.strip())


def warn(url: str) -> None:
    """Warn about an unencrypted address, and about variables that override what was saved."""
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in connect.LOOPBACK:
        print("dtmf: the token is sent to this address unencrypted: use https:// to protect it", file=sys.stderr)
    for name in ("DTMF_TOKEN", "DTMF_URL"):
        if os.environ.get(name):
            print(f"dtmf: {name} is set and overrides the saved value", file=sys.stderr)
