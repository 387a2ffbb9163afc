"""Follows the chain: each step is applied in one transaction, so it can be stopped and started anywhere."""

import asyncio
import logging
from collections.abc import Set

from dtmf_server.core.deposit_rules import ChainStep
from dtmf_server.operations import deposit
from dtmf_server.payments.bitcoin.chain import (
    BLOCKS_PER_STEP,
    Chain,
    ChainUnavailable,
    ReorgTooDeep,
    next_step,
    read_from,
)
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import chain as stored_chain
from dtmf_server.storage import deposits
from dtmf_server.storage.db import Tx
from dtmf_server.workers.waiting import wait_for

BLOCKS_PER_WORD = 1000  # of many that are read again

log = logging.getLogger("dtmf.chain")


class _FollowedInDatabase:
    """How far the chain was followed."""

    def __init__(self, runtime: Runtime) -> None:
        self._db = runtime.db

    async def tip(self) -> tuple[int, str] | None:
        """The last block followed."""
        row = await self._db.read(stored_chain.tip)
        return (row["height"], row["hash"]) if row else None

    async def block_hash(self, height: int) -> str | None:
        """The block followed at that height."""
        return await self._db.read(lambda tx: stored_chain.block_hash(tx, height))


async def own_scripts(runtime: Runtime, script_pubkeys: Set[bytes]) -> set[bytes]:
    """Which of these scripts we have given out as addresses."""
    return set(await runtime.db.read(lambda tx: deposits.owners(tx, script_pubkeys)))


async def run_chain(runtime: Runtime, chain: Chain, *, poll_interval_s: float, caught_up: asyncio.Event) -> None:
    """Follows the chain until cancelled; sets `caught_up` when it has reached the tip for the first time. Where it
    can't be followed nothing is credited, and the state tells the operator why."""
    woken = runtime.db.wakeups.listen("chain")
    trouble: str | None = None
    try:
        while True:
            woken.clear()
            before, trouble = trouble, await poll(runtime, chain)
            if trouble is None:
                caught_up.set()
            if trouble != before:
                log.log(logging.ERROR if trouble else logging.INFO, "deposits: %s", trouble or "followed again")
            await wait_for(woken, timeout_s=poll_interval_s)
    finally:
        runtime.db.wakeups.unlisten(woken)


async def poll(runtime: Runtime, chain: Chain) -> str | None:
    """Follows the chain to its tip, and reads again what was asked for; why that was not possible, None if it was."""
    try:
        await _catch_up(runtime, chain)
        while await _rescan(runtime, chain):
            await _catch_up(runtime, chain)  # what is new comes first, however much is to be read again
    except ChainUnavailable as error:
        trouble = str(error)
        await runtime.db.write(lambda tx: _note(tx, runtime, node_height=None, last_error=trouble))
        return trouble
    return None


def _note(tx: Tx, runtime: Runtime, *, node_height: int | None, last_error: str | None) -> None:
    """Notes how a look at a real node goes."""
    if runtime.settings.network != "simulated":
        stored_chain.record_poll(tx, at_us=runtime.clock.wall_us(), node_height=node_height, last_error=last_error)


async def _catch_up(runtime: Runtime, chain: Chain) -> None:
    """Applies steps until the tip and its mempool are reached."""
    settings, clock, followed = runtime.settings, runtime.clock, _FollowedInDatabase(runtime)
    while True:
        step = await _step(runtime, chain, followed)
        reached = step.fork_height + len(step.blocks) if step.mempool is not None else None

        def apply(tx: Tx, step: ChainStep = step, reached: int | None = reached) -> None:
            now_us = clock.now_us(tx)
            deposit.follow(tx, step, depths=settings.confirmations, now_us=now_us)
            _note(tx, runtime, node_height=reached, last_error=None)

        await runtime.db.write(apply)
        if reached is not None:
            return


async def _step(runtime: Runtime, chain: Chain, followed: _FollowedInDatabase) -> ChainStep:
    """What changed; all from where the operator wants it read again, if the chains part below what is remembered."""
    try:
        return await next_step(chain, followed)
    except ReorgTooDeep:
        state = await runtime.db.read(stored_chain.load)
        if state is None or state["rescan_height"] is None:
            raise
        return await read_from(chain, state["rescan_height"])


async def _rescan(runtime: Runtime, chain: Chain) -> bool:
    """Reads some of the blocks again that the operator asked for, up to the cursor; whether there are more."""
    settings, clock, db = runtime.settings, runtime.clock, runtime.db
    for _ in range(BLOCKS_PER_STEP):
        state, tip = await db.read(stored_chain.load), await _FollowedInDatabase(runtime).tip()
        if state is None or state["rescan_height"] is None:
            return False
        height = state["rescan_height"]
        try:
            block = await chain.block(height)
        except ChainUnavailable as error:
            raise ChainUnavailable(f"to read block {height} again, as `deposits rescan` wants: {error}") from error
        if tip is None or block is None or height > tip[0]:
            await db.write(lambda tx: stored_chain.rescanned(tx, None))
            return False
        if await chain.block_hash(tip[0]) != tip[1]:
            return True  # the chain is changing: it is followed first
        if height % BLOCKS_PER_WORD == 0:
            log.info("deposits: reading block %d again, of %d", height, tip[0])
        await db.write(
            lambda tx, block=block, tip=tip: deposit.reread(  # type: ignore[misc]  # a lambda's default has no type
                tx, block, tip, depths=settings.confirmations, now_us=clock.now_us(tx)
            )
        )
    return True
