"""`dtmf signup`: open an account, at once or by a Lightning payment, and save its token."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dtmf import endpoints
from dtmf.client import DTMF
from dtmf.errors import TimedOutError
from dtmf.settings import ANONYMOUS, SANDBOX_URL

from . import connect, credentials, exit_codes, output, qr
from .credentials import Credentials
from .exit_codes import CommandError
from .formatting import format_int, sats, seconds
from .login import warn
from .options import Json
from .wait import spinner, timed_out

if TYPE_CHECKING:
    from dtmf.types import SignUp


def signup(
    *,
    amount: Annotated[
        str | None, Parameter(help="Pay this much by Lightning, like 50k; it becomes the balance.", metavar="AMOUNT")
    ] = None,
    claim: Annotated[
        str | None, Parameter(help="Continue with the claim of an earlier sign-up.", metavar="CLAIM")
    ] = None,
    url: Annotated[
        str | None,
        Parameter(help="The address of the service (default: DTMF_URL, else http://127.0.0.1:8000).", metavar="URL"),
    ] = None,
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
    where = (url or os.environ.get("DTMF_URL") or SANDBOX_URL).rstrip("/")
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
    warn(where)


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
