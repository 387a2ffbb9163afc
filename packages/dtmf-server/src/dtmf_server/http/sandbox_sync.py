"""Sandbox synchronization: wait until due work is done and the chain is followed before responding."""

import asyncio
from collections.abc import Callable

from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.core.refunds import RefundCaps
from dtmf_server.operations import deposit, meter, pegged, rental_refunds, retention, sandbox, simulated_lightning
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import chain, outbox
from dtmf_server.storage.db import Tx

CATCH_UP_TIMEOUT_S = 60.0
POLL_INTERVAL_S = 0.25  # wake-ups may get lost, so poll the tables too


def _settle(tx: Tx, caps: RefundCaps, *, now_us: int, wall_us: int) -> int:
    """Run the meter once, announce prices, and decide refunds. Return how many accounts and rentals were due."""
    settled = meter.sweep(tx, now_us=now_us) + pegged.announce(tx, now_us=now_us, wall_us=wall_us)
    return settled + rental_refunds.decide_due(tx, caps=caps, now_us=now_us)


async def run_due_work(runtime: Runtime) -> None:
    """Run meter, retention, chain and deliveries until nothing is due."""
    settings, clock = runtime.settings, runtime.clock
    caps = settings.refund_caps
    while await runtime.db.write(lambda tx: _settle(tx, caps, now_us=clock.now_us(tx), wall_us=clock.wall_us())):
        pass
    erased = 0
    while count := await runtime.db.write(
        lambda tx: retention.erase(tx, now_us=clock.now_us(tx), retention_us=settings.retention_us)
    ):
        erased += count
    if erased:
        await runtime.db.scrub()
    await wait_for_chain(runtime)
    await wait_for_lightning(runtime)
    await _until(runtime, "deliveries", lambda tx: not outbox.is_due(tx, now_us=clock.now_us(tx)))


async def wait_for_chain(runtime: Runtime) -> None:
    """Wait until all blocks and mempool outputs of the simulated chain are processed. Doesn't wait for a real chain."""
    if runtime.settings.network != "simulated":
        return
    await _until(runtime, "deposits", _is_followed)


async def wait_for_lightning(runtime: Runtime) -> None:
    """Wait until every payment that the simulated node reports is credited, and no look-up is due. Doesn't wait for a real
    node."""
    if runtime.invoices is None or not runtime.invoices.is_simulated:
        return
    await _until(runtime, "deposits", lambda tx: simulated_lightning.is_followed(tx, now_us=runtime.clock.now_us(tx)))


def _is_followed(tx: Tx) -> bool:
    tip, followed = sandbox.chain_tip(tx), chain.tip(tx)
    mined = tip is None or (followed is not None and tip == (followed["height"], followed["hash"]))
    return mined and deposit.mempool_followed(tx, sandbox.chain_mempool(tx))


async def _until(runtime: Runtime, topic: str, done: Callable[[Tx], bool]) -> None:
    """Wait until `done` returns true. The workers may run in other processes."""
    woken = runtime.db.wakeups.listen(topic, "attempted")
    try:
        async with asyncio.timeout(CATCH_UP_TIMEOUT_S):
            while True:
                woken.clear()
                if await runtime.db.read(done):
                    return
                if runtime.db.wakeups.stopping:
                    raise StorageUnavailable(f"done, but the service stopped before the {topic} caught up")
                try:
                    await asyncio.wait_for(woken.wait(), POLL_INTERVAL_S)
                except TimeoutError:
                    continue
    except TimeoutError as error:
        raise StorageUnavailable(
            f"done, but the {topic} did not catch up within {CATCH_UP_TIMEOUT_S:.0f} s: is a worker running?"
        ) from error
    finally:
        runtime.db.wakeups.unlisten(woken)
