"""`/account`, `/accounts`, `/usage`, `/transactions`: what an account has, and why."""

import secrets

from litestar import Response, get, post

from dtmf_server.api import transactions
from dtmf_server.api.pagination import After, Limit
from dtmf_server.api.schemas import responses
from dtmf_server.core import api_token
from dtmf_server.core.errors import SignupClosed
from dtmf_server.core.timestamps import iso
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import account
from dtmf_server.operations.idempotency import StoredResponse
from dtmf_server.storage.db import Tx


@get("/account", tags=["account"], summary="The balance", responses=transactions.answers(200, responses.Account))
async def get_account(request: Request) -> transactions.Json:
    """Satoshis the account can spend now, every minute started until now paid."""
    balance = await transactions.read_autocommit(
        request, lambda tx, caller: account.balance(tx, caller.account_id, now_us=caller.now_us)
    )
    return transactions.Json(responses.Account(balance))


@get("/usage", tags=["account"], summary="The running cost")
async def get_usage(request: Request) -> responses.Usage:
    """Balance, satoshis per minute over all rentals, when the money runs out, and the debt that is paid first."""
    usage = await transactions.read_autocommit(
        request, lambda tx, caller: account.usage(tx, caller.account_id, now_us=caller.now_us)
    )
    runs_out_at = None if usage.runs_out_at_us is None else iso(usage.runs_out_at_us)
    return responses.Usage(usage.balance, usage.cost_per_minute, runs_out_at, usage.debt)


@get("/transactions", tags=["account"], summary="Why each satoshi moved")
async def get_transactions(request: Request, after: After = 0, limit: Limit = 100) -> list[responses.Transaction]:
    """Booked transfers with ids above `after`, oldest first. Minutes not booked yet are in the balance, not here."""

    def page(tx: Tx, caller: transactions.Caller) -> list[responses.Transaction]:
        rows = account.transactions(tx, caller.account_id, after=after, limit=limit)
        return [responses.transaction(row, caller.account_id) for row in rows]

    return await transactions.read(request, page)


@post(
    "/accounts",
    tags=["account"],
    summary="Sign up",
    security=[],
    responses=transactions.answers(201, responses.NewAccountAnswer),
)
async def post_accounts(request: Request) -> Response[bytes]:
    """Opens an account where the operator allows it; its first token is shown this once."""
    settings = runtime_of(request).settings
    if not settings.sandbox and settings.signup != "open":
        raise SignupClosed
    new_token = api_token.mint(secrets.token_bytes(32))

    def sign_up(tx: Tx, now_us: int) -> StoredResponse:
        account.open_account(tx, token_sha256=api_token.sha256(new_token), now_us=now_us)
        return transactions.answer(201, responses.NewAccountAnswer(new_token), secret=True)

    return await transactions.write_anonymous(request, sign_up, body=await request.body())


ROUTES = [get_account, get_usage, get_transactions, post_accounts]
