"""`/tokens`: who may act for the account."""

import secrets
from typing import Annotated

from litestar import Response, delete, get, post
from litestar.params import QueryParameter

from dtmf_server.api import request_body, transactions
from dtmf_server.api.pagination import ID_MAX
from dtmf_server.api.schemas import requests, responses
from dtmf_server.core import api_token
from dtmf_server.core.timestamps import iso
from dtmf_server.http import validation
from dtmf_server.http.request import Request
from dtmf_server.operations import tokens
from dtmf_server.operations.idempotency import StoredResponse
from dtmf_server.storage.db import Tx


@get("/tokens", tags=["tokens"], summary="Working tokens")
async def get_tokens(request: Request) -> list[responses.Token]:
    """The account's tokens that still work, by label; never the tokens themselves."""
    rows = await transactions.read(request, lambda tx, caller: tokens.of_account(tx, caller.account_id))
    return [responses.Token(row["id"], row["label"], iso(row["created_at_us"])) for row in rows]


@post(
    "/tokens",
    tags=["tokens"],
    summary="A further token",
    operation_class=request_body.describes_body(requests.NewToken),
    responses=transactions.answers(201, responses.NewTokenAnswer),
)
async def post_tokens(request: Request) -> Response[bytes]:
    """Makes a token for this account, shown this once."""
    raw = await request.body()
    label = validation.line("label", request_body.decode(raw or b"{}", requests.NewToken).label)
    new_token = api_token.mint(secrets.token_bytes(32))

    def add(tx: Tx, caller: transactions.Caller) -> StoredResponse:
        id_ = tokens.add(
            tx, caller.account_id, token_sha256=api_token.sha256(new_token), label=label, now_us=caller.now_us
        )
        return transactions.answer(201, responses.NewTokenAnswer(id_, label, new_token), secret=True)

    return await transactions.write(request, add, body=raw)


@delete(
    "/tokens",
    tags=["tokens"],
    summary="Revoke a token",
    status_code=204,
    responses=transactions.answers(204),
)
async def delete_tokens(
    request: Request, token_id: Annotated[int, QueryParameter(name="id", ge=1, le=ID_MAX)]
) -> Response[None]:
    """Revokes the token with this id, at once. The last one can't be revoked."""

    def revoke(tx: Tx, caller: transactions.Caller) -> StoredResponse:
        tokens.revoke(tx, caller.account_id, token_id, now_us=caller.now_us)
        return transactions.answer(204)

    return await transactions.write(request, revoke)


ROUTES = [get_tokens, post_tokens, delete_tokens]
