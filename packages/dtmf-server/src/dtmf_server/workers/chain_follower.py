"""Chain follower: applies each step in one transaction, so it can stop and resume anywhere."""

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

BLOCKS_PER_WORD = 1000  # how often a rescan logs its progress

log = logging.getLogger("dtmf.chain")


class _FollowedInDatabase:
    """The chain as stored in the database."""

    def __init__(self, runtime: Runtime) -> None:
        self._db = runtime.db

    async def tip(self) -> tuple[int, str] | None:
        """Return the last block followed."""
        row = await self._db.read(stored_chain.tip)
        return (row["height"], row["hash"]) if row else None

    async def block_hash(self, height: int) -> str | None:
        """Return the hash of the block followed at that height."""
        return await self._db.read(lambda tx: stored_chain.block_hash(tx, height))


async def own_scripts(runtime: Runtime, script_pubkeys: Set[bytes]) -> set[bytes]:
    """Return which of these scripts are deposit addresses of accounts."""
    return set(await runtime.db.read(lambda tx: deposits.owners(tx, script_pubkeys)))


async def run_chain(runtime: Runtime, chain: Chain, *, poll_interval_s: float, caught_up: asyncio.Event) -> None:
    """Follow the chain until cancelled; set `caught_up` when the tip is first reached. While the chain can't be followed,
    nothing is credited, and the stored state has the reason for the operator."""
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
    """Follow the chain to its tip and continue any rescan. Return the reason if that failed, else None."""
    try:
        await _catch_up(runtime, chain)
        while await _rescan(runtime, chain):
            await _catch_up(runtime, chain)  # new blocks have priority over the rescan
    except ChainUnavailable as error:
        trouble = str(error)
        await runtime.db.write(lambda tx: _note(tx, runtime, node_height=None, last_error=trouble))
        return trouble
    return None


def _note(tx: Tx, runtime: Runtime, *, node_height: int | None, last_error: str | None) -> None:
    """Record the result of polling a real node."""
    if runtime.settings.network != "simulated":
        stored_chain.record_poll(tx, at_us=runtime.clock.wall_us(), node_height=node_height, last_error=last_error)


async def _catch_up(runtime: Runtime, chain: Chain) -> None:
    """Apply steps until the tip and its mempool are reached."""
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
    """Return the next step. If a reorg is deeper than the stored blocks, restart from the operator's rescan height."""
    try:
        return await next_step(chain, followed)
    except ReorgTooDeep:
        state = await runtime.db.read(stored_chain.load)
        if state is None or state["rescan_height"] is None:
            raise
        return await read_from(chain, state["rescan_height"])


async def _rescan(runtime: Runtime, chain: Chain) -> bool:
    """Rescan some blocks for the operator, up to the tip. Return whether there are more."""
    settings, clock, db = runtime.settings, runtime.clock, runtime.db
    for _ in range(BLOCKS_PER_STEP):
        state, tip = await db.read(stored_chain.load), await _FollowedInDatabase(runtime).tip()
        if state is None or state["rescan_height"] is None:
            return False
        height = state["rescan_height"]
        try:
            block = await chain.block(height)
        except ChainUnavailable as error:
            raise ChainUnavailable(f"while rescanning block {height} for `deposits rescan`: {error}") from error
        if tip is None or block is None or height > tip[0]:
            await db.write(lambda tx: stored_chain.rescanned(tx, None))
            return False
        if await chain.block_hash(tip[0]) != tip[1]:
            return True  # the chain has changed: follow it first
        if height % BLOCKS_PER_WORD == 0:
            log.info("deposits: rescanning block %d of %d", height, tip[0])
        await db.write(
            lambda tx, block=block, tip=tip: deposit.reread(  # type: ignore[misc]  # a lambda's default has no type
                tx, block, tip, depths=settings.confirmations, now_us=clock.now_us(tx)
            )
        )
    return True
