"""`/sandbox/…`: simulated SMS, deposits and time. These paths exist only in a sandbox."""

from litestar import get, post
from msgspec import structs

from dtmf_server.api import transactions
from dtmf_server.api.schemas import requests, responses
from dtmf_server.api.schemas import sandbox as schemas
from dtmf_server.api.transactions import Caller, operation
from dtmf_server.core.billing import NEVER_US
from dtmf_server.core.errors import InvalidRequest, NotFound, NumberNotRented
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.lightning import MSAT, simulated_preimage
from dtmf_server.core.timestamps import iso
from dtmf_server.core.units import SECOND_US
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.http.sandbox_sync import run_due_work, wait_for_chain, wait_for_lightning
from dtmf_server.operations import sandbox, simulated_lightning
from dtmf_server.operations.idempotency import StoredResponse
from dtmf_server.operations.receive import receive_many
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import instance, messages
from dtmf_server.storage.db import Tx


@operation(
    post,
    "/sandbox/message",
    tags=["sandbox"],
    summary="Simulate an incoming SMS",
    status=201,
    responses=transactions.answers(201, responses.FullMessage),
)
def post_sandbox_message(tx: Tx, caller: Caller, new: requests.SandboxMessage) -> StoredResponse:
    """Deliver an SMS from another phone to a number of this account. Returns once it is durable."""
    inbound = InboundMessage(new.to, new.from_, new.content)
    (message_id,) = receive_many(tx, [inbound], now_us=caller.now_us)
    message = None if message_id is None else messages.by_id(tx, message_id)
    if message is None or message["account_id"] != caller.account_id:
        raise NumberNotRented(f"this account does not rent {new.to} now")  # rolls back, so nothing is stored
    return transactions.answer(201, responses.full_message(message), rental_id=message["rental_id"])


def _refuse_real_chain(runtime: Runtime) -> None:
    if runtime.settings.network != "simulated":
        raise NotFound("this sandbox follows a real Bitcoin network: send coins to the address on that network")


@operation(
    post,
    "/sandbox/deposit",
    tags=["sandbox"],
    summary="Simulate a deposit",
    status=201,
    requires=_refuse_real_chain,
    then=wait_for_chain,
)
def post_sandbox_deposit(
    tx: Tx, caller: Caller, new: requests.SandboxDeposit, *, request: Request
) -> responses.Deposit:
    """Pay an address of this account on the simulated chain. Returns once the deposit is credited or, with `confirmations`,
    once it has that many."""
    depths = runtime_of(request).settings.confirmations
    needed = sandbox.blocks_needed(tx, caller.account_id, new.amount, depths=depths)
    blocks = needed if new.confirmations is None else new.confirmations
    txid = sandbox.broadcast(tx, caller.account_id, address=new.address, amount=new.amount)
    sandbox.mine(tx, blocks)
    status: responses.DepositStatus = "credited" if blocks >= needed else "pending"
    return responses.Deposit(txid, 0, new.address, new.amount, blocks, status)


def _refuse_real_node(runtime: Runtime) -> None:
    if runtime.invoices is None or not runtime.invoices.is_simulated:
        raise NotFound("this sandbox uses a real Lightning node: pay the invoice with a wallet on its network")


@operation(
    post,
    "/sandbox/pay",
    tags=["sandbox"],
    summary="Simulate a Lightning payment",
    status=201,
    requires=_refuse_real_node,
    then=wait_for_lightning,
    responses=transactions.answers(201, schemas.PaidInvoice),
)
def post_sandbox_pay(tx: Tx, caller: Caller, new: requests.SandboxPayment) -> schemas.PaidInvoice:
    """Pay an invoice of this account, or one for sign-up, from a simulated wallet. Returns the invoice once the payment is
    credited, and its preimage."""
    row = simulated_lightning.pay(
        tx,
        caller.account_id,
        new.invoice,
        amount_msat=None if new.amount is None else new.amount * MSAT,
        fault=new.fault,
        now_us=caller.now_us,
    )
    credited = {} if new.fault == "unreported" else {"state": "settled"}
    paid = responses.invoice({**row, **credited}, now_us=caller.now_us)
    return schemas.PaidInvoice(**structs.asdict(paid), preimage=simulated_preimage(row["external_id"]).hex())


@operation(post, "/sandbox/clock", tags=["sandbox"], summary="Advance the clock", status=200, then=run_due_work)
def post_sandbox_clock(
    tx: Tx, caller: Caller, new: requests.SandboxAdvance, *, request: Request
) -> schemas.SandboxAdvanced:
    """Move the sandbox's clock forward. Returns once everything that came due has been processed."""
    by_us = round(new.advance_s * SECOND_US)
    if caller.now_us + by_us >= NEVER_US:
        raise InvalidRequest("advance_s", "would move the clock past the year 9999")
    sandbox.advance_clock(tx, by_us)
    return schemas.SandboxAdvanced(iso(runtime_of(request).clock.now_us(tx)))


@get("/sandbox/clock", tags=["sandbox"], summary="The sandbox's time")
async def get_sandbox_clock(request: Request) -> schemas.SandboxClock:
    """The sandbox's time, and how far `POST /sandbox/clock` has put it ahead of the real time."""
    clock = runtime_of(request).clock
    offset_us = await transactions.read(request, lambda tx, _: instance.clock_offset_us(tx))
    return schemas.SandboxClock(iso(clock.after_us(offset_us)), offset_us / SECOND_US)


@get("/sandbox/sent", tags=["sandbox"], summary="List simulated outgoing SMS")
async def get_sandbox_sent(request: Request) -> list[schemas.SentMessage]:
    """Return the SMS sent from this account's numbers to other phones, oldest first."""
    rows = await transactions.read(request, lambda tx, caller: sandbox.sent(tx, caller.account_id))
    return [schemas.SentMessage(row["sender"], row["recipient"], row["content"]) for row in rows]


ROUTES = [
    post_sandbox_message,
    post_sandbox_deposit,
    post_sandbox_pay,
    post_sandbox_clock,
    get_sandbox_clock,
    get_sandbox_sent,
]
