"""The view of the best chain that a node, real or simulated, provides, and how to find what changed.

1. The cursor is a block, by height and hash; the last blocks below it are remembered.
2. If the chain does not contain the cursor's block, step back to the last block that both have: a reorganization.
3. A block is only accepted if its predecessor is the block before it here: whatever happens between two calls, the
   blocks followed always form a chain.
4. A node that has never seen the cursor's block and is below its height is not a reorganization: it is behind, and the
   follower waits.
5. Nothing is guessed: a chain that cannot be followed raises `ChainUnavailable`, whose text is the reason, for the operator.
"""

from typing import Protocol

from dtmf_server.core.deposit_rules import Block, ChainStep, Mempool

BLOCKS_PER_STEP = 20


class Chain(Protocol):
    """A view of the best chain."""

    async def start(self) -> int:
        """Return the height from which to follow a new chain: all deposits are above it."""

    async def tip(self) -> tuple[int, str] | None:
        """Return height and hash of the newest block, None before the first. Raises ChainUnavailable."""

    async def block_hash(self, height: int) -> str | None:
        """Return the hash of the best chain's block at that height."""

    async def knows(self, hash_: str) -> bool:
        """Return True if this block was ever seen, on the best chain or off it."""

    async def block(self, height: int) -> Block | None:
        """Return the best chain's block at that height, with at least those of its outputs that are ours."""

    async def mempool(self) -> Mempool:
        """Return the unconfirmed transactions."""


class ChainCursor(Protocol):
    """How far the chain was followed, from the database."""

    async def tip(self) -> tuple[int, str] | None:
        """Return height and hash of the last block followed."""

    async def block_hash(self, height: int) -> str | None:
        """Return the hash of the block followed at that height, None if it is no longer remembered or was never
        seen."""


class ChainUnavailable(Exception):
    """The chain cannot be followed now; the text says why, and how to fix it."""


class NodeBehind(ChainUnavailable):
    """The node is below the last block followed, and does not know that block."""


class ReorgTooDeep(ChainUnavailable):
    """The best chain has left ours below every remembered block: nothing is guessed, and crediting stops."""


async def next_step(chain: Chain, followed: ChainCursor) -> ChainStep:
    """Return what changed since the last block followed: a few blocks at most, and the mempool once the tip is
    reached."""
    tip = await chain.tip()
    tip_height = tip[0] if tip else 0
    fork_height, below = await _fork(chain, followed, tip_height)
    blocks: list[Block] = []
    for height in range(fork_height + 1, min(tip_height, fork_height + BLOCKS_PER_STEP) + 1):
        block = await chain.block(height)
        if block is None or below not in (None, block.previous):
            return ChainStep(fork_height, blocks, None)  # the chain changed in the meantime: the next step sees how
        blocks.append(block)
        below = block.hash
    if fork_height + len(blocks) < tip_height:
        return ChainStep(fork_height, blocks, None)
    mempool = await chain.mempool()
    # A transaction that left the mempool while a block arrived may be in that block.
    return ChainStep(fork_height, blocks, mempool if await chain.tip() == tip else None)


async def read_from(chain: Chain, height: int) -> ChainStep:
    """Return every block from that height on in one step, whatever was followed before. Raises ChainUnavailable."""
    tip = await chain.tip()
    blocks: list[Block] = []
    for at in range(max(1, height), (tip[0] if tip else 0) + 1):
        block = await chain.block(at)
        if block is None or (blocks and block.previous != blocks[-1].hash):
            raise ChainUnavailable("the chain changed while it was rescanned; the next poll starts again")
        blocks.append(block)
    return ChainStep(max(1, height) - 1, blocks, None)


async def _fork(chain: Chain, followed: ChainCursor, tip_height: int) -> tuple[int, str | None]:
    """Return height and hash (if known) of the last block that both chains have."""
    ours = await followed.tip()
    if ours is None:
        return await chain.start(), None
    height, hash_ = ours
    if tip_height < height and not await chain.knows(hash_):
        raise NodeBehind(
            f"the node is at height {tip_height} and does not know the last block followed, {height} ({hash_}): it must"
            " catch up, or it follows another chain"
        )
    while await chain.block_hash(height) != hash_:
        if height == 1:
            return 0, None  # all chains share the first block
        below = await followed.block_hash(height - 1)
        if below is None:
            raise ReorgTooDeep(
                f"the best chain's block at height {height} is not the {hash_} that was followed, and no block"
                " below it is remembered: check that the node is on the right chain; if it is, `dtmf-server deposits rescan"
                " --from HEIGHT`, from the fork or below it, adopts the node's chain"
            )
        height, hash_ = height - 1, below
    return height, hash_
