"""`dtmf login`, `logout`, `signup`, `open`: get a token, save it on this machine, delete it, and sign in to the website."""

from __future__ import annotations

import os
import sys
import webbrowser
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from cyclopts import Parameter

from dtmf import endpoints
from dtmf.client import DTMF
from dtmf.errors import AuthenticationError, TimedOutError
from dtmf.settings import ANONYMOUS, SANDBOX_URL

from . import connect, credentials, exit_codes, output, qr
from .credentials import Credentials
from .exit_codes import CommandError
from .formatting import format_int, sats, seconds
from .options import Json
from .wait import spinner, timed_out

if TYPE_CHECKING:
    from dtmf.types import SignUp

Url = Annotated[
    str | None,
    Parameter(help="The address of the service (default: DTMF_URL, else http://127.0.0.1:8000).", metavar="URL"),
]
_TOKEN_MAX = 4_096


def login(
    *,
    url: Url = None,
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
    _warn(place.url)


def logout() -> None:
    """Delete the saved token. The token itself stays valid."""
    if credentials.delete():
        output.line("The saved token was deleted.")
    else:
        output.line("No token was saved.")
    if os.environ.get("DTMF_TOKEN"):
        print("dtmf: DTMF_TOKEN is still set and will be used", file=sys.stderr)


def signup(
    *,
    amount: Annotated[
        str | None, Parameter(help="Pay this much by Lightning, like 50k; it becomes the balance.", metavar="AMOUNT")
    ] = None,
    claim: Annotated[
        str | None, Parameter(help="Continue with the claim of an earlier sign-up.", metavar="CLAIM")
    ] = None,
    url: Url = None,
    wait: Annotated[
        str,
        Parameter(help="How long to wait for the payment (default: 15m; 0: only show the invoice).", metavar="TIME"),
    ] = "15m",
    json: Json = False,
) -> None:
    """Open an account and save its token on this machine, like login. With --amount, show a Lightning invoice and its QR
    code, and wait for the payment. If the wait ends too early, continue it with --claim."""
    if amount is not None and claim is not None:
        raise ValueError("--amount and --claim don't go together")
    timeout_s = seconds(wait)
    where = _address(url)
    if known := credentials.read():
        raise CommandError(exit_codes.FAILED, f"a token for {known.url} is saved; dtmf logout deletes it")
    if amount is not None:
        asked = DTMF.sign_up(sats(amount), base_url=where)
        _show(asked, json=json)
        claim = asked["claim"]
        if not timeout_s:
            return
    token = _open(where) if claim is None else _claimed(claim, where, timeout_s or 1.0)
    file = credentials.save(Credentials(where, token))
    with connect.client_at(where, token) as dtmf:
        balance = dtmf.account()["balance"]
    if json:
        output.json({"url": where, "balance": balance})
    else:
        output.line("Signed up at ", (where, "bold"), f", {format_int(balance)} sats. Saved in {file}")
    _warn(where)


def open_website(
    *,
    show: Annotated[bool, Parameter(name="--print", help="Print the link instead of opening it.")] = False,
    json: Json = False,
) -> None:
    """Open the website in your browser, signed in. The link works once, within a day."""
    with connect.client() as dtmf:
        link = dtmf.sign_in_link()
    if json:
        output.json(link)
    elif show or not output.console().is_terminal or not webbrowser.open(link):
        print(link)


def _of_sandbox(data: Path, url: str | None) -> connect.Endpoint:
    place = connect.sandbox_place(data)
    if place is None:
        raise CommandError(
            exit_codes.AUTH, f"there is no sandbox in {data}: set its folder with --data, or start one with make run"
        )
    if url and not connect.is_same_server(url, place.url):
        raise CommandError(exit_codes.AUTH, f"the token in {data} is for {place.url}, not for {url}: remove --url")
    return place


def _address(url: str | None) -> str:
    return (url or os.environ.get("DTMF_URL") or SANDBOX_URL).rstrip("/")


def _asked_for(url: str | None) -> connect.Endpoint:
    where = _address(url)
    connect.client_at(where, "any")  # reject a malformed address before asking for the token
    if sys.stdin is None:
        raise CommandError(exit_codes.AUTH, "there is no standard input to read the token from")
    is_asked = sys.stdin.isatty()
    token = getpass(f"Token for {where}: ", stream=sys.stderr) if is_asked else sys.stdin.readline(_TOKEN_MAX)
    if not token.strip():
        raise CommandError(exit_codes.AUTH, "no token was entered; nothing was saved")
    return connect.Endpoint(where, token.strip())


def _warn(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in connect.LOOPBACK:
        print("dtmf: the token is sent to this address unencrypted: use https:// to protect it", file=sys.stderr)
    for name in ("DTMF_TOKEN", "DTMF_URL"):
        if os.environ.get(name):
            print(f"dtmf: {name} is set and overrides the saved value", file=sys.stderr)


def _open(where: str) -> str:
    with connect.client_at(where, ANONYMOUS) as dtmf:
        return dtmf._perform(endpoints.open_account())


def _claimed(claim: str, where: str, timeout_s: float) -> str:
    with spinner("waiting for the payment", timeout_s):
        try:
            return DTMF.claim(claim, timeout=timeout_s, base_url=where)
        except TimedOutError as error:
            raise timed_out(error) from error


def _show(asked: SignUp, *, json: bool) -> None:
    if json:
        output.json(asked)
        return
    output.line((asked["invoice"], "bold"))
    output.blank()
    qr.show(f"lightning:{asked['invoice']}".upper())
    if asked["invoice"].startswith("lnbcrt"):
        output.line(("A sandbox invoice: pay with ", "dim"), "dtmf sandbox pay", (".", "dim"))
    output.line(("If this is interrupted, continue with ", "dim"), f"dtmf signup --claim {asked['claim']}")
