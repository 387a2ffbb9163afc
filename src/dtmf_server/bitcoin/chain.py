"""What a node, real or simulated, tells about the best chain, and how to find what changed."""

from typing import Protocol

from dtmf_server.core.chain import Block, ChainStep, Output

BLOCKS_PER_STEP = 20


class Chain(Protocol):
    """A view of the best chain."""

    async def tip(self) -> tuple[int, str] | None:
        """Height and hash of the newest block, None before the first."""

    async def block_hash(self, height: int) -> str | None:
        """The best chain's block at that height."""

    async def block(self, height: int) -> Block | None:
        """The same with its outputs."""

    async def mempool(self) -> list[Output]:
        """Outputs that wait to be mined."""


class Followed(Protocol):
    """How far the chain was followed, from the database."""

    async def tip(self) -> tuple[int, str] | None:
        """Height and hash of the last block followed."""

    async def block_hash(self, height: int) -> str | None:
        """The block followed at that height, None if it is forgotten or was never seen."""


class ReorgTooDeep(Exception):
    """The best chain has left ours below everything remembered: nothing is guessed, crediting stops."""


async def next_step(chain: Chain, followed: Followed) -> ChainStep:
    """What changed since the last block followed: a few blocks at most, and the mempool once the tip is reached."""
    fork_height = await _fork_height(chain, followed)
    tip = await chain.tip()
    top = min(tip[0] if tip else 0, fork_height + BLOCKS_PER_STEP)
    blocks = []
    for height in range(fork_height + 1, top + 1):
        block = await chain.block(height)
        if block is None:
            break
        blocks.append(block)
    mempool = await chain.mempool() if tip is None or top == tip[0] else []
    return ChainStep(fork_height, blocks, mempool)


async def _fork_height(chain: Chain, followed: Followed) -> int:
    """The last height at which both chains have the same block."""
    ours = await followed.tip()
    if ours is None:
        return 0
    height, hash_ = ours
    while await chain.block_hash(height) != hash_:
        height -= 1
        if height == 0:
            return 0
        below = await followed.block_hash(height)
        if below is None:
            raise ReorgTooDeep(f"the best chain does not have our block {height + 1}, and we remember none below")
        hash_ = below
    return height
