"""`/account`, `/usage`, `/transactions`: balance, running cost, statement."""

from litestar import get

from dtmf_server.api import transactions
from dtmf_server.api.pagination import After, Limit
from dtmf_server.api.schemas import responses
from dtmf_server.api.transactions import Caller
from dtmf_server.core.timestamps import iso
from dtmf_server.http.request import Request
from dtmf_server.operations import account
from dtmf_server.storage.db import Tx


@get("/account", tags=["account"], summary="Get the balance", responses=transactions.answers(200, responses.Account))
async def get_account(request: Request) -> transactions.Json:
    """Return the satoshis the account can spend now, after paying for all minutes started so far."""
    balance = await transactions.read_autocommit(
        request, lambda tx, caller: account.balance(tx, caller.account_id, now_us=caller.now_us)
    )
    return transactions.Json(responses.Account(balance))


@get("/usage", tags=["account"], summary="Get the running cost")
async def get_usage(request: Request) -> responses.Usage:
    """Return the balance, the cost per minute of all rentals, when the balance runs out, any debt, and whether the operator
    has suspended the account."""
    usage = await transactions.read_autocommit(
        request, lambda tx, caller: account.usage(tx, caller.account_id, now_us=caller.now_us)
    )
    runs_out_at = None if usage.runs_out_at_us is None else iso(usage.runs_out_at_us)
    return responses.Usage(usage.balance, usage.cost_per_minute, runs_out_at, usage.debt, usage.is_suspended)


@get("/transactions", tags=["account"], summary="List transactions")
async def get_transactions(request: Request, after: After = 0, limit: Limit = 100) -> list[responses.Transaction]:
    """Return booked transactions with ids above `after`, oldest first. Minutes not booked yet count in the balance only."""

    def page(tx: Tx, caller: Caller) -> list[responses.Transaction]:
        rows = account.transactions(tx, caller.account_id, after=after, limit=limit)
        return [responses.transaction(row, caller.account_id) for row in rows]

    return await transactions.read(request, page)


ROUTES = [get_account, get_usage, get_transactions]
