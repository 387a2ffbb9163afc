"""`dtmf tokens`: list, create and revoke tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from . import connect, output
from .formatting import escape_controls, format_int, format_minute, seconds
from .options import Json, Number
from .output import Column

if TYPE_CHECKING:
    from dtmf.types import Token

tokens = App(name="tokens", help="List the account's tokens, create and revoke them, and keep their rentals.")
_SCOPES = "What it may do: read, rent, send, topup, tokens, webhooks, separated by commas."


@tokens.default
def listed(*, json: Json = False) -> None:
    """List the tokens that work, without the tokens themselves."""
    with connect.client() as dtmf:
        found = dtmf.tokens()
    if json:
        output.json(found)
        return
    columns = [Column("Id", figures=True), Column("Name", wraps=True), Column("Scopes", wraps=True)]
    columns += [Column("Reserved", figures=True), Column("Spent", figures=True), Column("Of", figures=True)]
    output.table([*columns, Column("Expires")], [_row(each) for each in found])


@tokens.command
def create(
    label: Annotated[str, Parameter(help="Your name for the token.", metavar="NAME")] = "unnamed",
    /,
    *,
    scope: Annotated[str | None, Parameter(help=_SCOPES)] = None,
    group: Annotated[str | None, Parameter(help="Ids of the groups it may rent from, separated by commas.")] = None,
    max: Annotated[int | None, Parameter(help="The most that it may cost.", metavar="SATS")] = None,  # noqa: A002  # an option
    per_day: Annotated[int | None, Parameter(help="The most that it may cost per day, UTC.", metavar="SATS")] = None,
    rentals: Annotated[int | None, Parameter(help="How many rentals it may start.", metavar="COUNT")] = None,
    expires: Annotated[str | None, Parameter(help="How long it works, like 30m, 12h or 7d.", metavar="TIME")] = None,
    json: Json = False,
) -> None:
    """Create a token and print it, once. Without options it may do everything."""
    with connect.client() as dtmf:
        new = dtmf.create_token(
            label,
            scopes=_split(scope),
            groups=_split(group),
            expires_at=None if expires is None else datetime.now(UTC) + timedelta(seconds=seconds(expires)),
            sats_max=max,
            sats_per_day=per_day,
            rentals_max=rentals,
        )
    output.json(new) if json else output.line(new["token"])


@tokens.command
def revoke(token: Annotated[int, Parameter(help="The id of the token.")], /, *, json: Json = False) -> None:
    """Revoke a token. A restricted token's rentals, actions and tokens end with it."""
    with connect.client() as dtmf:
        done = dtmf.revoke_token(token)
    output.json(done) if json else output.line(f"Token {token} is revoked.")


@tokens.command
def adopt(number: Number, /, *, json: Json = False) -> None:
    """Keep a rental that a restricted token started: it goes on when that token ends."""
    with connect.client() as dtmf:
        done = dtmf.adopt_rental(number)
    output.json(done) if json else output.line(f"{number} no longer belongs to a restricted token.")


def _split(text: str | None) -> list[str] | None:
    return None if text is None else [each.strip() for each in text.split(",")]


def _row(token: Token) -> tuple[str, ...]:
    name = str(token["id"]), escape_controls(token["label"])
    if "scopes" not in token:
        return *name, "all", "", "", "", "never"
    expires = token["expires_at"]
    return (
        *name,
        ", ".join(token["scopes"]),
        *(format_int(token["reserved"]), format_int(token["spent"]), format_int(token["sats_max"])),
        "never" if expires is None else format_minute(expires),
    )
