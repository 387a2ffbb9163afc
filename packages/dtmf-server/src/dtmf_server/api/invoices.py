"""`/invoices`: Lightning invoices that top up the account."""

import secrets
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from litestar import get, post
from litestar.params import PathParameter, QueryParameter

from dtmf_server.api import request_body, transactions
from dtmf_server.api.pagination import ID_MAX, After, Limit
from dtmf_server.api.schemas import requests, responses
from dtmf_server.api.transactions import Caller, operation
from dtmf_server.core.errors import LightningNotConfigured
from dtmf_server.http import deposit_amount, sse
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import invoices as operations
from dtmf_server.operations.idempotency import StoredResponse
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import invoices
from dtmf_server.storage.db import Tx


def _refuse_without_node(runtime: Runtime) -> None:
    if runtime.invoices is None:
        raise LightningNotConfigured


async def _write_then_create(request: Request, act: Callable[[Tx, Caller], Any], *, body: bytes) -> StoredResponse:
    """Commit the wanted invoice, then have the node create it. The response stored for the Idempotency-Key is the ID of
    the invoice, so that a retry continues with the same one."""
    await _convert_amount(request, body)
    is_new = False

    def first(tx: Tx, caller: Caller) -> Any:
        nonlocal is_new
        is_new = True
        return act(tx, caller)

    stored = await transactions.write(request, first, body=body)
    assert isinstance(stored, StoredResponse) and stored.body is not None, "`post_invoices` returns an ID"
    wanted = msgspec.json.decode(stored.body, type=responses.WantedInvoice)
    creator = runtime_of(request).invoices
    assert creator is not None, "`_refuse_without_node` has checked it"
    await creator.complete(wanted.id, is_new=is_new)
    return transactions.answer(201, await transactions.read(request, lambda tx, caller: _one(tx, caller, wanted.id)))


async def _convert_amount(request: Request, body: bytes) -> None:
    """Convert an amount given as a text, which may need the exchange rate, before the transaction."""
    amount = request_body.decode(body or b"{}", requests.NewInvoice).amount
    if isinstance(amount, str):
        amount = await deposit_amount.in_sats(runtime_of(request), amount)
    request.scope["dtmf.amount_sats"] = amount  # type: ignore[typeddict-unknown-key]  # a scope holds anything


@operation(
    post,
    "/invoices",
    tags=["deposits"],
    summary="Create a Lightning invoice",
    status=201,
    requires=_refuse_without_node,
    write=_write_then_create,
    responses=transactions.answers(201, responses.Invoice),
)
def post_invoices(tx: Tx, caller: Caller, _: requests.NewInvoice, *, request: Request) -> responses.WantedInvoice:
    """Create an invoice; without an amount the payer chooses it. An amount in the operator's currency is converted at the
    current exchange rate. An account may create 10 a minute and have 100 open."""
    runtime = runtime_of(request)
    assert runtime.invoices is not None
    return responses.WantedInvoice(
        operations.want(
            tx,
            caller.account_id,
            amount_sats=request.scope["dtmf.amount_sats"],  # type: ignore[typeddict-item]  # set by _convert_amount
            external_id=secrets.token_hex(16),
            description=runtime.invoices.description,
            expiry_s=runtime.invoices.expiry_s,
            is_limited=not runtime.settings.sandbox,
            now_us=caller.now_us,
            wall_us=runtime.clock.wall_us(),
        )
    )


@get("/invoices", tags=["deposits"], summary="List Lightning invoices")
async def get_invoices(request: Request, after: After = 0, limit: Limit = 100) -> list[responses.Invoice]:
    """Return the account's invoices with ids above `after`, oldest first."""

    def page(tx: Tx, caller: Caller) -> list[responses.Invoice]:
        rows = invoices.of_account(tx, caller.account_id, after=after, limit=limit)
        return [responses.invoice(row, now_us=caller.now_us) for row in rows]

    return await transactions.read(request, page)


@get("/invoices/{invoice_id:int}", tags=["deposits"], summary="Get a Lightning invoice")
async def get_invoice(
    request: Request,
    invoice_id: Annotated[int, PathParameter(ge=1, le=ID_MAX)],
    wait: Annotated[
        float, QueryParameter(ge=0, le=sse.WAIT_MAX_S, description="seconds to wait until the invoice is not open")
    ] = 0,
) -> responses.Invoice:
    """Return one invoice. It is `settled` once its payment is credited, also if it had expired."""

    def look(tx: Tx, caller: Caller) -> tuple[Caller, responses.Invoice]:
        return caller, _one(tx, caller, invoice_id)

    async def closed() -> list[responses.Invoice]:
        _, found = await transactions.read_autocommit(request, look)
        return [found] if found.status != "open" else []

    caller, found = await transactions.read(request, look)
    if found.status != "open" or not wait:
        return found
    done = await transactions.poll(request, caller, closed, wait_s=wait, question=("invoice", invoice_id))
    return done[0] if done else found


def _one(tx: Tx, caller: Caller, invoice_id: int) -> responses.Invoice:
    return responses.invoice(operations.by_id(tx, caller.account_id, invoice_id), now_us=caller.now_us)


ROUTES = [post_invoices, get_invoices, get_invoice]
