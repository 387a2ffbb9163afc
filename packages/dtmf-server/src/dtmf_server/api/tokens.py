"""`/tokens`: list, create and revoke API tokens. `/sign_in_links`: sign in to the website with one."""

import hashlib
import secrets
from typing import Annotated

from litestar import delete, get, post
from litestar.params import QueryParameter

from dtmf_server.api import transactions
from dtmf_server.api.pagination import ID_MAX
from dtmf_server.api.schemas import requests, responses
from dtmf_server.api.transactions import Caller, operation
from dtmf_server.core import api_token
from dtmf_server.core.timestamps import iso
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import sign_in, tokens
from dtmf_server.storage.db import Tx


@get("/tokens", tags=["tokens"], summary="List tokens")
async def get_tokens(request: Request) -> list[responses.Token]:
    """Return the labels of the account's active tokens; never the tokens themselves."""
    rows = await transactions.read(request, lambda tx, caller: tokens.of_account(tx, caller.account_id))
    return [responses.Token(row["id"], row["label"], iso(row["created_at_us"])) for row in rows]


@operation(post, "/tokens", tags=["tokens"], summary="Create a token", status=201, secret=True)
def post_tokens(tx: Tx, caller: Caller, new: requests.NewToken) -> responses.NewTokenAnswer:
    """Create a token for this account. It is shown only once."""
    new_token = api_token.mint(secrets.token_bytes(32))
    sha256 = api_token.sha256(new_token)
    id_ = tokens.add(tx, caller.account_id, token_sha256=sha256, label=new.label, now_us=caller.now_us)
    return responses.NewTokenAnswer(id_, new.label, new_token)


@operation(delete, "/tokens", tags=["tokens"], summary="Revoke a token", status=204)
def delete_tokens(
    tx: Tx, caller: Caller, *, token_id: Annotated[int, QueryParameter(name="id", ge=1, le=ID_MAX)]
) -> None:
    """Revoke the token with this id immediately. The last token can't be revoked."""
    tokens.revoke(tx, caller.account_id, token_id, now_us=caller.now_us)


@operation(post, "/sign_in_links", tags=["tokens"], summary="Create a sign-in link", status=201, secret=True)
def post_sign_in_links(tx: Tx, _caller: Caller, *, request: Request) -> responses.SignInLinkAnswer:
    """Create a link that signs in to the website as this token, once, within a day."""
    key = secrets.token_urlsafe(32)
    sign_in.make_link(
        tx,
        token_sha256=transactions.bearer(request),
        link_sha256=hashlib.sha256(key.encode()).digest(),
        wall_us=runtime_of(request).clock.wall_us(),
    )
    return responses.SignInLinkAnswer(f"/sign-in/link?key={key}")


ROUTES = [get_tokens, post_tokens, delete_tokens, post_sign_in_links]
