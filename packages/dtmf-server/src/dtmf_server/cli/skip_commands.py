"""`dtmf-server deposits skip`: goes on above blocks that the node has pruned before they were read."""

import asyncio
from functools import partial

from dtmf_server.cli.deposit_commands import open_chain
from dtmf_server.core.deposit_rules import Output
from dtmf_server.core.errors import CannotStart
from dtmf_server.operations import skip
from dtmf_server.operations.deposit import REORG_WINDOW
from dtmf_server.operations.skip import Range, Skipped
from dtmf_server.payments.bitcoin.bitcoind import CoreChain
from dtmf_server.payments.bitcoin.chain import ChainUnavailable
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import chain as stored_chain
from dtmf_server.storage import deposits

SCRIPTS_PER_SCAN = 50_000  # a call of 4 MB; the node takes 32


def skip_to(runtime: Runtime, height: int) -> None:
    """Moves the cursor to that block and prints what was booked. Raises CannotStart."""
    try:
        range_, done = asyncio.run(_skip(runtime, height))
    except ChainUnavailable as error:
        raise CannotStart(f"{error}; nothing was skipped") from error
    first, last = range_.fork_height + 1, range_.to_height
    print(f"blocks {first} to {last} are skipped: {done.found} deposits found in them, {done.found_sats} satoshis")
    print(
        f"not known: what was paid to addresses of this service in blocks {first} to {last} and spent since. No account was"
        " credited for it; `dtmf-server deposits list` names the range"
    )
    for row in done.unknown:
        print(f"not found: {row['txid']}:{row['vout']}, {row['status']}, {row['amount']} satoshis to {row['address']}")
    if range_.read_from is not None:
        print(f"the node still has blocks {range_.read_from} to {last}: the running service reads them")


async def _skip(runtime: Runtime, height: int) -> tuple[Range, Skipped]:
    settings, clock = runtime.settings, runtime.clock
    if settings.network == "simulated":
        raise CannotStart("this sandbox follows a simulated chain, which is never pruned")
    followed = await runtime.db.read(stored_chain.tip)
    if followed is None:
        raise CannotStart("no block was followed yet: there is nothing to skip")
    cursor = (followed["height"], followed["hash"])
    async with open_chain(runtime) as chain:
        range_ = await _range(runtime, chain, cursor, height)
        found = await _find(runtime, chain)
        if await chain.block_hash(height) != range_.hashes[-1][1]:
            raise ChainUnavailable("the best chain has changed meanwhile: run this again")
    done = await runtime.db.write(
        lambda tx: skip.skip(tx, range_, found, depths=settings.confirmations, now_us=clock.now_us(tx))
    )
    return range_, done


async def _range(runtime: Runtime, chain: CoreChain, cursor: tuple[int, str], height: int) -> Range:
    """The blocks to skip. Raises CannotStart if they need not be skipped, or cannot be."""
    if height <= cursor[0]:
        raise CannotStart(
            f"--to {height}: the chain was followed to block {cursor[0]} already; `deposits rescan --from` reads blocks again"
        )
    tip = await chain.tip()
    if tip is None or height > tip[0]:
        raise CannotStart(f"--to {height}: the node has come to block {tip[0] if tip else 0} only")
    fork = await _fork(runtime, chain, cursor[0])
    kept = await chain.pruned_below()
    if kept <= fork + 1:
        raise CannotStart(
            f"the node still has block {fork + 1}: nothing has to be skipped, the service follows by itself"
        )
    if height < kept - 1:
        raise CannotStart(f"--to {height}: the node has pruned every block below {kept}: give --to {kept - 1}")
    heights = range(max(fork + 1, height - REORG_WINDOW + 1), height + 1)
    hashes = [(at, hash_) for at in heights if (hash_ := await chain.block_hash(at)) is not None]
    if len(hashes) < len(heights):
        raise ChainUnavailable("the best chain has changed meanwhile: run this again")
    return Range(cursor, fork, hashes, kept if kept <= height else None)


async def _fork(runtime: Runtime, chain: CoreChain, height: int) -> int:
    """The highest block that both chains have; the one below all that are remembered if they have none of those."""
    lowest = await runtime.db.read(deposits.lowest_block)
    for at in range(height, lowest - 1, -1):
        ours = await runtime.db.read(partial(stored_chain.block_hash, height=at))
        if ours is not None and await chain.block_hash(at) == ours:
            return at
    return lowest - 1


async def _find(runtime: Runtime, chain: CoreChain) -> list[tuple[Output, int]]:
    """Every unspent output on our addresses, those of replaced descriptors too."""
    found: list[tuple[Output, int]] = []
    after = 0
    while rows := await runtime.db.read(partial(deposits.scripts, after=after, limit=SCRIPTS_PER_SCAN)):
        after = rows[-1]["id"]
        print(
            f"looking for coins on {len(rows)} addresses up to number {after}: the node takes minutes for it on the main chain",
            flush=True,
        )
        found += await chain.unspent_of([bytes(row["script_pubkey"]) for row in rows])
    return found
