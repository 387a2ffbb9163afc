"""Follows the chain: each step is applied in one transaction, so it can be stopped and started anywhere."""

import asyncio
import logging
from collections.abc import Set

from dtmf_server.bitcoin.chain import CantFollow, Chain, next_step
from dtmf_server.operations import deposit
from dtmf_server.runtime import Runtime
from dtmf_server.storage import chain_state, deposits
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


async def ours(runtime: Runtime, script_pubkeys: Set[bytes]) -> set[bytes]:
    """Which of these scripts we have given out as addresses."""
    return set(await runtime.db.read(lambda tx: deposits.owners(tx, script_pubkeys)))


async def run_chain(runtime: Runtime, chain: Chain, *, look_again_s: float, caught_up: asyncio.Event) -> None:
    """Follows the chain until cancelled; sets `caught_up` when it has reached the tip for the first time. Where it
    can't be followed nothing is credited, and the state tells the operator why."""
    woken = runtime.db.wakeups.listen("chain")
    trouble: str | None = None
    try:
        while True:
            woken.clear()
            before, trouble = trouble, await look(runtime, chain)
            if trouble is None:
                caught_up.set()
            if trouble != before:
                log.log(logging.ERROR if trouble else logging.INFO, "deposits: %s", trouble or "followed again")
            await wait_for(woken, timeout_s=look_again_s)
    finally:
        runtime.db.wakeups.unlisten(woken)


async def look(runtime: Runtime, chain: Chain) -> str | None:
    """Follows the chain to its tip, and reads again what was asked for; why that was not possible, None if it was."""
    height, trouble = None, None
    try:
        height = await _catch_up(runtime, chain, _FollowedInDatabase(runtime))
        await _rescan(runtime, chain)
    except CantFollow as error:
        trouble = str(error)
    if runtime.settings.network != "simulated":
        at_us = runtime.clock.wall_us()
        await runtime.db.write(lambda tx: chain_state.looked(tx, at_us=at_us, node_height=height, trouble=trouble))
    return trouble


async def _catch_up(runtime: Runtime, chain: Chain, followed: _FollowedInDatabase) -> int:
    """Applies steps until the tip and its mempool are reached; the tip's height."""
    settings, clock = runtime.settings, runtime.clock
    while True:
        step = await next_step(chain, followed)
        await runtime.db.write(
            lambda tx, step=step: deposit.follow(  # type: ignore[misc]  # a lambda's default has no type
                tx,
                step,
                depths=settings.confirmations,
                now_us=clock.now_us(tx),
                rest_us=settings.rest_us,
            )
        )
        if step.mempool is not None:
            return step.fork_height + len(step.blocks)


async def _rescan(runtime: Runtime, chain: Chain) -> None:
    """Reads blocks again that the operator asked for, up to the cursor."""
    settings, clock, db = runtime.settings, runtime.clock, runtime.db
    while (state := await db.read(chain_state.load)) and state["rescan_height"] is not None:
        tip = await _FollowedInDatabase(runtime).tip()
        height = state["rescan_height"]
        block = await chain.block(height)
        if tip is None or block is None or height > tip[0]:
            await db.write(lambda tx: chain_state.rescanned(tx, None))
            return
        if await chain.block_hash(tip[0]) != tip[1]:
            return  # the chain is changing: it is followed first
        await db.write(
            lambda tx, block=block, tip=tip: deposit.reread(  # type: ignore[misc]  # the same
                tx, block, tip, depths=settings.confirmations, now_us=clock.now_us(tx), rest_us=settings.rest_us
            )
        )
