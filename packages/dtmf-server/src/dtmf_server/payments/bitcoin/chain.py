"""What a node, real or simulated, tells about the best chain, and how to find what changed.

1. Our cursor is a block, by height and hash; the last blocks below it are remembered.
2. If the chain does not have our block, we go down to the last one that both have: a reorganisation.
3. A block is taken only if the one before it is the one we have: whatever happens between two questions, what we
   follow is a chain.
4. A node that has never seen our block and is not as high as we are is not a reorganisation: it is behind, and we wait.
5. Nothing is guessed: what can't be followed raises `CantFollow`, whose text tells the operator why.
"""

from typing import Protocol

from dtmf_server.core.deposit_rules import Block, ChainStep, Mempool

BLOCKS_PER_STEP = 20


class Chain(Protocol):
    """A view of the best chain."""

    async def start(self) -> int:
        """The height from which to follow a chain that was never followed: deposits are above it."""

    async def tip(self) -> tuple[int, str] | None:
        """Height and hash of the newest block, None before the first. Raises CantFollow."""

    async def block_hash(self, height: int) -> str | None:
        """The best chain's block at that height."""

    async def knows(self, hash_: str) -> bool:
        """Whether this block was ever seen, on the best chain or off it."""

    async def block(self, height: int) -> Block | None:
        """The best chain's block at that height, with at least those of its outputs that are ours."""

    async def mempool(self) -> Mempool:
        """What waits to be mined."""


class ChainCursor(Protocol):
    """How far the chain was followed, from the database."""

    async def tip(self) -> tuple[int, str] | None:
        """Height and hash of the last block followed."""

    async def block_hash(self, height: int) -> str | None:
        """The block followed at that height, None if it is forgotten or was never seen."""


class ChainUnavailable(Exception):
    """The chain can't be followed now; the text says why, and what would mend it."""


class NodeBehind(ChainUnavailable):
    """The node has not come as far as we were, and does not know our last block."""


class ReorgTooDeep(ChainUnavailable):
    """The best chain has left ours below everything remembered: nothing is guessed, crediting stops."""


async def next_step(chain: Chain, followed: ChainCursor) -> ChainStep:
    """What changed since the last block followed: a few blocks at most, and the mempool once the tip is reached."""
    tip = await chain.tip()
    tip_height = tip[0] if tip else 0
    fork_height, below = await _fork(chain, followed, tip_height)
    blocks: list[Block] = []
    for height in range(fork_height + 1, min(tip_height, fork_height + BLOCKS_PER_STEP) + 1):
        block = await chain.block(height)
        if block is None or below not in (None, block.previous):
            return ChainStep(fork_height, blocks, None)  # the chain has changed meanwhile: the next step sees how
        blocks.append(block)
        below = block.hash
    if fork_height + len(blocks) < tip_height:
        return ChainStep(fork_height, blocks, None)
    mempool = await chain.mempool()
    # What left the mempool while a block came may be in that block.
    return ChainStep(fork_height, blocks, mempool if await chain.tip() == tip else None)


async def read_from(chain: Chain, height: int) -> ChainStep:
    """Every block from that height on in one step, whatever was followed before. Raises CantFollow."""
    tip = await chain.tip()
    blocks: list[Block] = []
    for at in range(max(1, height), (tip[0] if tip else 0) + 1):
        block = await chain.block(at)
        if block is None or (blocks and block.previous != blocks[-1].hash):
            raise ChainUnavailable("the chain has changed while it was read again; the next look begins anew")
        blocks.append(block)
    return ChainStep(max(1, height) - 1, blocks, None)


async def _fork(chain: Chain, followed: ChainCursor, tip_height: int) -> tuple[int, str | None]:
    """The last block that both chains have: its height, and its hash if we know it."""
    ours = await followed.tip()
    if ours is None:
        return await chain.start(), None
    height, hash_ = ours
    if tip_height < height and not await chain.knows(hash_):
        raise NodeBehind(
            f"the node is at height {tip_height} and does not know our block {height} ({hash_}): it has to catch up,"
            " or it is another chain's"
        )
    while await chain.block_hash(height) != hash_:
        if height == 1:
            return 0, None  # the first block of all is everyone's
        below = await followed.block_hash(height - 1)
        if below is None:
            raise ReorgTooDeep(
                f"the best chain has another block at height {height} than the {hash_} that we followed, and we"
                " remember none below: see that the node is on the right chain; if it is, `dtmf-server deposits rescan"
                " --from HEIGHT`, from the block where they part or below it, takes what the node has"
            )
        height, hash_ = height - 1, below
    return height, hash_
