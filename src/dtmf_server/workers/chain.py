"""Follows the chain: each step is applied in one transaction, so it can be stopped and started anywhere."""

import asyncio
import logging

from dtmf_server.bitcoin.chain import Chain, ReorgTooDeep, next_step
from dtmf_server.operations import deposit
from dtmf_server.runtime import Runtime
from dtmf_server.storage import deposits
from dtmf_server.workers.wait import wait_for

log = logging.getLogger("dtmf.chain")


class _FollowedInDatabase:
    """How far the chain was followed."""

    def __init__(self, runtime: Runtime) -> None:
        self._db = runtime.db

    async def tip(self) -> tuple[int, str] | None:
        """The last block followed."""
        row = await self._db.read(deposits.tip)
        return (row["height"], row["hash"]) if row else None

    async def block_hash(self, height: int) -> str | None:
        """The block followed at that height."""
        return await self._db.read(lambda tx: deposits.block_hash(tx, height))


async def run_chain(runtime: Runtime, chain: Chain, *, look_again_s: float, caught_up: asyncio.Event) -> None:
    """Follows the chain until cancelled; sets `caught_up` when it has reached the tip for the first time."""
    followed = _FollowedInDatabase(runtime)
    woken = runtime.db.wakeups.listen("chain")
    try:
        while True:
            woken.clear()
            try:
                await _catch_up(runtime, chain, followed)
                caught_up.set()
            except ReorgTooDeep as error:
                log.error("crediting has stopped: %s", error)
            await wait_for(woken, timeout_s=look_again_s)
    finally:
        runtime.db.wakeups.unlisten(woken)


async def _catch_up(runtime: Runtime, chain: Chain, followed: _FollowedInDatabase) -> None:
    """Applies steps until our last block is the chain's."""
    settings, clock = runtime.settings, runtime.clock
    while True:
        step = await next_step(chain, followed)
        await runtime.db.write(
            lambda tx, step=step: deposit.follow(  # type: ignore[misc]  # a lambda's default has no type
                tx,
                step,
                required=settings.confirmations,
                now_us=clock.now_us(tx),
                rest_us=settings.rest_us,
            )
        )
        if await followed.tip() == await chain.tip():
            return
