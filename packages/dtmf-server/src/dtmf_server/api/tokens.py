"""`/tokens`: list, create and revoke API tokens. `/sign_in_links`: sign in to the website with one."""

import hashlib
import secrets
from typing import Annotated

from litestar import delete, get, post
from litestar.params import PathParameter, QueryParameter

from dtmf_server.api import transactions
from dtmf_server.api.pagination import ID_MAX
from dtmf_server.api.schemas import requests, responses
from dtmf_server.api.schemas.token import Token, shown
from dtmf_server.api.transactions import Caller, operation
from dtmf_server.core import api_token
from dtmf_server.core.errors import InvalidRequest
from dtmf_server.core.timestamps import iso
from dtmf_server.core.token_grant import Grant
from dtmf_server.http import validation
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import sign_in, tokens
from dtmf_server.storage.db import Tx


@get("/tokens", tags=["tokens"], summary="List tokens")
async def get_tokens(request: Request) -> list[Token]:
    """Return the account's active tokens without the tokens themselves. A restricted token lists itself and the tokens that
    it created."""
    wall_us = runtime_of(request).clock.wall_us()

    def listed(tx: Tx, caller: Caller) -> list[Token]:
        rows = tokens.of_account(tx, caller.account_id, wall_us=wall_us, seen_by=caller.token_id)
        return [shown(row, now_us=caller.now_us) for row in rows]

    return await transactions.read(request, listed)


@get("/tokens/{token_id:int}", tags=["tokens"], summary="Get a token")
async def get_token(
    request: Request,
    token_id: Annotated[int, PathParameter(ge=0, le=ID_MAX, description="0: the token of this request")],
) -> Token:
    """Return one token, also one that has ended, with what counts against its limits. A restricted token without the scope
    `tokens` sees only itself."""

    def find(tx: Tx, caller: Caller) -> Token:
        own_id = caller.token_id
        if own_id is not None and token_id in (0, own_id):
            return shown(tokens.one(tx, caller.account_id, own_id), now_us=caller.now_us)
        caller.require("tokens")
        return shown(tokens.one(tx, caller.account_id, token_id, seen_by=own_id), now_us=caller.now_us)

    return await transactions.read(request, find)


@operation(post, "/tokens", tags=["tokens"], summary="Create a token", status=201, secret=True)
def post_tokens(tx: Tx, caller: Caller, new: requests.NewToken, *, request: Request) -> responses.NewTokenAnswer:
    """Create a token for this account. It is shown only once. A token that a restricted one creates can't be wider, ends with
    it, and counts against its limits too."""
    new_token = api_token.mint(secrets.token_bytes(32))
    id_ = tokens.add(
        tx,
        caller.account_id,
        token_sha256=api_token.sha256(new_token),
        label=new.label,
        now_us=caller.now_us,
        asked=_asked(new, wall_us=runtime_of(request).clock.wall_us()),
        created_by=caller.token_id,
    )
    return responses.NewTokenAnswer(id_, new.label, new_token)


@operation(delete, "/tokens", tags=["tokens"], summary="Revoke a token", status=204)
def delete_tokens(
    tx: Tx, caller: Caller, *, token_id: Annotated[int, QueryParameter(name="id", ge=1, le=ID_MAX)]
) -> None:
    """Revoke the token with this id immediately. The last unrestricted token can't be revoked. With a restricted token, the
    tokens that it created are revoked, its rentals end, and the actions that it set are removed."""
    tokens.revoke(tx, caller.account_id, token_id, now_us=caller.now_us, seen_by=caller.token_id)


def _asked(new: requests.NewToken, *, wall_us: int) -> Grant:
    expires_us = None if new.expires_at is None else validation.since_us("expires_at", new.expires_at)
    if expires_us is not None and expires_us <= wall_us:
        raise InvalidRequest("expires_at", f"is not in the future: it is {iso(wall_us)} UTC now")
    return Grant(
        None if new.scopes is None else tuple(new.scopes),
        None if new.groups is None else tuple(new.groups),
        expires_us,
        new.sats_max,
        new.sats_per_day,
        new.rentals_max,
    )


@operation(post, "/sign_in_links", tags=["tokens"], summary="Create a sign-in link", status=201, secret=True)
def post_sign_in_links(tx: Tx, _caller: Caller, *, request: Request) -> responses.SignInLinkAnswer:
    """Create a link that signs in to the website as this token, once, within a day."""
    key = secrets.token_urlsafe(32)
    sign_in.make_link(
        tx,
        token_sha256=transactions.bearer(request).sha256,
        link_sha256=hashlib.sha256(key.encode()).digest(),
        wall_us=runtime_of(request).clock.wall_us(),
    )
    return responses.SignInLinkAnswer(f"/sign-in/link?key={key}")


ROUTES = [get_tokens, get_token, post_tokens, delete_tokens, post_sign_in_links]
