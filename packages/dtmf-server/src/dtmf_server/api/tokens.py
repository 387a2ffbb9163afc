"""`/tokens`: list, create and revoke API tokens."""

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
from dtmf_server.http.request import Request
from dtmf_server.operations import tokens
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


ROUTES = [get_tokens, post_tokens, delete_tokens]
