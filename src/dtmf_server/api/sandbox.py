"""`/sandbox/…`: what only a sandbox has. Elsewhere these paths do not exist."""

import asyncio
from collections.abc import Callable

from litestar import Response, get, post

from dtmf_server.api import asked, body, calls, wire
from dtmf_server.api.calls import Request
from dtmf_server.core.billing import NEVER_US
from dtmf_server.core.errors import InvalidRequest, NotFound, NumberNotRented, StorageUnavailable
from dtmf_server.core.moment import iso
from dtmf_server.operations import deposit, meter, retention, sandbox
from dtmf_server.operations.idempotent import Answer
from dtmf_server.operations.receive import Inbound, receive_many
from dtmf_server.operations.rent import live_rental
from dtmf_server.runtime import Runtime
from dtmf_server.storage import deposits, messages, outbox
from dtmf_server.storage.db import Tx

CATCH_UP_TIMEOUT_S = 60.0
LOOK_AGAIN_S = 0.25  # wake-ups may get lost: the tables are asked this often anyway


def _runtime(request: Request) -> Runtime:
    runtime = calls.runtime_of(request)
    if not runtime.settings.sandbox:
        raise NotFound("only a sandbox has this")
    return runtime


@post(
    "/sandbox/message",
    tags=["sandbox"],
    summary="An SMS arrives",
    operation_class=body.documents(asked.SandboxMessage),
    responses=calls.answers(201, wire.FullMessage),
)
async def post_sandbox_message(request: Request) -> Response[bytes]:
    """An SMS arrives from another phone at a number of this account; answered once it is durable."""
    settings = _runtime(request).settings
    raw = await request.body()
    new = body.decode(raw, asked.SandboxMessage)
    to = body.e164("to", new.to)
    inbound = Inbound(to, body.line("from", new.from_), body.text("content", new.content))

    def arrive(tx: Tx, caller: calls.Caller) -> Answer:
        live_rental(tx, caller.account_id, to, now_us=caller.now_us)
        (message_id,) = receive_many(tx, [inbound], now_us=caller.now_us, rest_us=settings.rest_us)
        if message_id is None:
            raise NumberNotRented
        return calls.answer(201, wire.full_message(messages.full(tx, message_id)))

    return await calls.write(request, arrive, body=raw)


@post(
    "/sandbox/deposit",
    tags=["sandbox"],
    summary="Coins arrive",
    operation_class=body.documents(asked.SandboxDeposit),
    responses=calls.answers(201, wire.Deposit),
)
async def post_sandbox_deposit(request: Request) -> Response[bytes]:
    """Pays an address of this account on the simulated chain. Without `confirmations` the answer comes once the
    deposit is credited; with them once it is seen with so many."""
    runtime = _runtime(request)
    raw = await request.body()
    new = body.decode(raw, asked.SandboxDeposit)
    address = body.line("address", new.address)
    blocks = runtime.settings.confirmations if new.confirmations is None else new.confirmations

    def pay(tx: Tx, caller: calls.Caller) -> Answer:
        txid = sandbox.broadcast(tx, caller.account_id, address=address, amount=new.amount)
        sandbox.mine(tx, blocks)
        status: wire.DepositStatus = "credited" if blocks >= runtime.settings.confirmations else "pending"
        return calls.answer(201, wire.Deposit(txid, 0, new.address, new.amount, blocks, status))

    answer = await calls.write(request, pay, body=raw)
    await _until(runtime, "deposits", _chain_followed)
    return answer


@post(
    "/sandbox/clock",
    tags=["sandbox"],
    summary="Time passes",
    operation_class=body.documents(asked.SandboxAdvance),
    status_code=200,
    responses=calls.answers(200, wire.SandboxClock),
)
async def post_sandbox_clock(request: Request) -> Response[bytes]:
    """Puts the sandbox's clock forward; answered once everything due by then is done."""
    runtime = _runtime(request)
    raw = await request.body()
    by_us = round(body.decode(raw, asked.SandboxAdvance).advance_s * 1_000_000)

    def advance(tx: Tx, caller: calls.Caller) -> Answer:
        if caller.now_us + by_us >= NEVER_US:
            raise InvalidRequest("advance_s", "would put the clock past the year 9999, where time ends here")
        sandbox.advance_clock(tx, by_us)
        return calls.answer(200, wire.SandboxClock(iso(runtime.clock.now_us(tx))))

    answer = await calls.write(request, advance, body=raw)
    await _run_what_is_due(runtime)
    return answer


@get("/sandbox/sent", tags=["sandbox"], summary="What other phones received")
async def get_sandbox_sent(request: Request) -> list[wire.SentMessage]:
    """What left this account's numbers for other phones, oldest first."""
    _runtime(request)
    rows = await calls.read(request, lambda tx, caller: sandbox.sent(tx, caller.account_id))
    return [wire.SentMessage(row["sender"], row["recipient"], row["content"]) for row in rows]


async def _run_what_is_due(runtime: Runtime) -> None:
    """Meter, retention, chain and deliveries, until nothing is due any more."""
    settings, clock = runtime.settings, runtime.clock
    while await runtime.db.write(lambda tx: meter.sweep(tx, now_us=clock.now_us(tx), rest_us=settings.rest_us)):
        pass
    while await runtime.db.write(lambda tx: retention.erase(tx, now_us=clock.now_us(tx), kept_us=settings.kept_us)):
        pass
    await _until(runtime, "deposits", _chain_followed)
    await _until(runtime, "deliveries", lambda tx: not outbox.is_due(tx, now_us=clock.now_us(tx)))


def _chain_followed(tx: Tx) -> bool:
    tip, followed = sandbox.chain_tip(tx), deposits.tip(tx)
    mined = tip is None or (followed is not None and tip == (followed["height"], followed["hash"]))
    return mined and deposit.mempool_followed(tx, sandbox.chain_mempool(tx))


async def _until(runtime: Runtime, topic: str, done: Callable[[Tx], bool]) -> None:
    """Waits until `done` says so: the workers may be other processes."""
    woken = runtime.db.wakeups.listen(topic, "attempted")
    try:
        async with asyncio.timeout(CATCH_UP_TIMEOUT_S):
            while True:
                woken.clear()
                if await runtime.db.read(done):
                    return
                if runtime.db.wakeups.stopping:
                    raise StorageUnavailable(f"done, but the service is stopping before the {topic} have caught up")
                try:
                    await asyncio.wait_for(woken.wait(), LOOK_AGAIN_S)
                except TimeoutError:
                    continue
    except TimeoutError as error:
        raise StorageUnavailable(
            f"done, but the {topic} have not caught up within {CATCH_UP_TIMEOUT_S:.0f} s: is a worker running?"
        ) from error
    finally:
        runtime.db.wakeups.unlisten(woken)


ROUTES = [post_sandbox_message, post_sandbox_deposit, post_sandbox_clock, get_sandbox_sent]
