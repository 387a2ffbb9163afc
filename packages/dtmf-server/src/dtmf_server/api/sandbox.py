"""`/sandbox/…`: what only a sandbox has. Elsewhere these paths do not exist."""

from litestar import Response, get, post

from dtmf_server.api import request_body, transactions
from dtmf_server.api.schemas import requests, responses
from dtmf_server.core.billing import NEVER_US
from dtmf_server.core.errors import InvalidRequest, NotFound, NumberNotRented
from dtmf_server.core.timestamps import iso
from dtmf_server.core.units import SECOND_US
from dtmf_server.http import validation
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.http.sandbox_sync import run_due_work, wait_for_chain
from dtmf_server.operations import sandbox
from dtmf_server.operations.deliver import LeasedBatch
from dtmf_server.operations.idempotency import StoredResponse
from dtmf_server.operations.receive import Inbound, receive_many
from dtmf_server.storage import messages
from dtmf_server.storage.db import Tx


@post(
    "/sandbox/message",
    tags=["sandbox"],
    summary="An SMS arrives",
    operation_class=request_body.describes_body(requests.SandboxMessage),
    responses=transactions.answers(201, responses.FullMessage),
)
async def post_sandbox_message(request: Request) -> Response[bytes]:
    """An SMS arrives from another phone at a number of this account; answered once it is durable."""
    settings = runtime_of(request).settings
    raw = await request.body()
    new = request_body.decode(raw, requests.SandboxMessage)
    to = validation.e164("to", new.to)
    inbound = Inbound(to, validation.line("from", new.from_), validation.text("content", new.content))

    def arrive(tx: Tx, caller: transactions.Caller, handover: LeasedBatch | None) -> StoredResponse:
        now_us, rest_us = caller.now_us, settings.rest_us
        (message_id,) = receive_many(tx, [inbound], now_us=now_us, rest_us=rest_us, handover=handover)
        message = None if message_id is None else messages.by_id(tx, message_id)
        if message is None or message["account_id"] != caller.account_id:
            raise NumberNotRented(f"this account does not rent {to} now")  # and so nothing of it is stored
        return transactions.answer(201, responses.full_message(message), rental_id=message["rental_id"])

    return await transactions.write_and_deliver(request, arrive, body=raw)


@post(
    "/sandbox/deposit",
    tags=["sandbox"],
    summary="Coins arrive",
    operation_class=request_body.describes_body(requests.SandboxDeposit),
    responses=transactions.answers(201, responses.Deposit),
)
async def post_sandbox_deposit(request: Request) -> Response[bytes]:
    """Pays an address of this account on the simulated chain. Without `confirmations` the answer comes once the
    deposit is credited; with them once it is seen with so many."""
    runtime = runtime_of(request)
    if runtime.settings.network != "simulated":
        raise NotFound("this sandbox follows a real chain: pay the address there")
    raw = await request.body()
    new = request_body.decode(raw, requests.SandboxDeposit)
    address = validation.line("address", new.address)

    def pay(tx: Tx, caller: transactions.Caller) -> StoredResponse:
        needed = sandbox.blocks_needed(tx, caller.account_id, new.amount, depths=runtime.settings.confirmations)
        blocks = needed if new.confirmations is None else new.confirmations
        txid = sandbox.broadcast(tx, caller.account_id, address=address, amount=new.amount)
        sandbox.mine(tx, blocks)
        status: responses.DepositStatus = "credited" if blocks >= needed else "pending"
        return transactions.answer(201, responses.Deposit(txid, 0, new.address, new.amount, blocks, status))

    answer = await transactions.write(request, pay, body=raw)
    await wait_for_chain(runtime)
    return answer


@post(
    "/sandbox/clock",
    tags=["sandbox"],
    summary="Time passes",
    operation_class=request_body.describes_body(requests.SandboxAdvance),
    status_code=200,
    responses=transactions.answers(200, responses.SandboxClock),
)
async def post_sandbox_clock(request: Request) -> Response[bytes]:
    """Puts the sandbox's clock forward; answered once everything due by then is done."""
    runtime = runtime_of(request)
    raw = await request.body()
    by_us = round(request_body.decode(raw, requests.SandboxAdvance).advance_s * SECOND_US)

    def advance(tx: Tx, caller: transactions.Caller) -> StoredResponse:
        if caller.now_us + by_us >= NEVER_US:
            raise InvalidRequest("advance_s", "would put the clock past the year 9999, where time ends here")
        sandbox.advance_clock(tx, by_us)
        return transactions.answer(200, responses.SandboxClock(iso(runtime.clock.now_us(tx))))

    answer = await transactions.write(request, advance, body=raw)
    await run_due_work(runtime)
    return answer


@get("/sandbox/sent", tags=["sandbox"], summary="What other phones received")
async def get_sandbox_sent(request: Request) -> list[responses.SentMessage]:
    """What left this account's numbers for other phones, oldest first."""
    rows = await transactions.read(request, lambda tx, caller: sandbox.sent(tx, caller.account_id))
    return [responses.SentMessage(row["sender"], row["recipient"], row["content"]) for row in rows]


ROUTES = [post_sandbox_message, post_sandbox_deposit, post_sandbox_clock, get_sandbox_sent]
