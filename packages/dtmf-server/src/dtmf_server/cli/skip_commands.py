"""`dtmf-server deposits skip`: continues above blocks that the node pruned before they were read."""

import asyncio
from functools import partial

from dtmf_server.cli.deposit_commands import open_chain
from dtmf_server.core.deposit_rules import Output
from dtmf_server.core.errors import CannotStart
from dtmf_server.operations import audit, skip
from dtmf_server.operations.audit import By
from dtmf_server.operations.deposit import REORG_WINDOW
from dtmf_server.operations.skip import Range, Skipped
from dtmf_server.payments.bitcoin.bitcoind import CoreChain
from dtmf_server.payments.bitcoin.chain import ChainUnavailable
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import chain as stored_chain
from dtmf_server.storage import deposits
from dtmf_server.storage.db import Tx

SCRIPTS_PER_SCAN = 50_000  # one call of 4 MB; the node accepts 32


def skip_to(runtime: Runtime, height: int, *, by: By) -> None:
    """Move the cursor to the block at `height` and print what was booked. Raises CannotStart."""
    try:
        range_, done = asyncio.run(_skip(runtime, height, by))
    except ChainUnavailable as error:
        raise CannotStart(f"{error}; nothing was skipped") from error
    first, last = range_.fork_height + 1, range_.to_height
    print(f"blocks {first} to {last} skipped: {done.found} deposits found in them, {done.found_sats} satoshis")
    print(
        f"not known: payments to addresses of this service in blocks {first} to {last} that were spent since. No account was"
        " credited for them; `dtmf-server deposits list` shows the range"
    )
    for row in done.unknown:
        print(f"not found: {row['txid']}:{row['vout']}, {row['status']}, {row['amount']} satoshis to {row['address']}")
    if range_.read_from is not None:
        print(f"the node still has blocks {range_.read_from} to {last}: the running service will read them")


async def _skip(runtime: Runtime, height: int, by: By) -> tuple[Range, Skipped]:
    settings, clock = runtime.settings, runtime.clock
    if settings.network == "simulated":
        raise CannotStart("this sandbox follows a simulated chain, which is never pruned")
    followed = await runtime.db.read(stored_chain.tip)
    if followed is None:
        raise CannotStart("no block has been followed yet: there is nothing to skip")
    cursor = (followed["height"], followed["hash"])
    async with open_chain(runtime) as chain:
        range_ = await _range(runtime, chain, cursor, height)
        found = await _find(runtime, chain)
        if await chain.block_hash(height) != range_.hashes[-1][1]:
            raise ChainUnavailable("the best chain changed in the meantime: run this again")

    def skip_recorded(tx: Tx) -> Skipped:
        audit.record(tx, by, "deposits skip", f"blocks {range_.fork_height + 1} to {range_.to_height}")
        return skip.skip(tx, range_, found, depths=settings.confirmations, now_us=clock.now_us(tx))

    return range_, await runtime.db.write(skip_recorded)


async def _range(runtime: Runtime, chain: CoreChain, cursor: tuple[int, str], height: int) -> Range:
    """Return the blocks to skip. Raises CannotStart if they need not or cannot be skipped."""
    if height <= cursor[0]:
        raise CannotStart(
            f"--to {height}: the chain was already followed to block {cursor[0]}; `deposits rescan --from` reads blocks again"
        )
    tip = await chain.tip()
    if tip is None or height > tip[0]:
        raise CannotStart(f"--to {height}: the node is only at block {tip[0] if tip else 0}")
    fork = await _fork(runtime, chain, cursor[0])
    kept = await chain.pruned_below()
    if kept <= fork + 1:
        raise CannotStart(
            f"the node still has block {fork + 1}: nothing has to be skipped, the service reads it automatically"
        )
    if height < kept - 1:
        raise CannotStart(f"--to {height}: the node has pruned every block below {kept}: use --to {kept - 1}")
    heights = range(max(fork + 1, height - REORG_WINDOW + 1), height + 1)
    hashes = [(at, hash_) for at in heights if (hash_ := await chain.block_hash(at)) is not None]
    if len(hashes) < len(heights):
        raise ChainUnavailable("the best chain changed in the meantime: run this again")
    return Range(cursor, fork, hashes, kept if kept <= height else None)


async def _fork(runtime: Runtime, chain: CoreChain, height: int) -> int:
    """Return the highest block that both chains share; if none of the remembered blocks is shared, the one below
    them."""
    lowest = await runtime.db.read(deposits.lowest_block)
    for at in range(height, lowest - 1, -1):
        ours = await runtime.db.read(partial(stored_chain.block_hash, height=at))
        if ours is not None and await chain.block_hash(at) == ours:
            return at
    return lowest - 1


async def _find(runtime: Runtime, chain: CoreChain) -> list[tuple[Output, int]]:
    """Return every unspent output on addresses of this service, including those of replaced descriptors."""
    found: list[tuple[Output, int]] = []
    after = 0
    while rows := await runtime.db.read(partial(deposits.scripts, after=after, limit=SCRIPTS_PER_SCAN)):
        after = rows[-1]["id"]
        print(
            f"scanning {len(rows)} addresses up to number {after}: on the main chain, this takes the node several minutes",
            flush=True,
        )
        found += await chain.unspent_of([bytes(row["script_pubkey"]) for row in rows])
    return found
