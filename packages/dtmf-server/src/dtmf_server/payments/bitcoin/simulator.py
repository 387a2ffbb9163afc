"""The sandbox's chain with a node's interface: its blocks are rows, read through database functions."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from dtmf_server.core.deposit_rules import Block, Mempool


@dataclass(frozen=True, slots=True)
class SimulatedChain:
    """A chain without a network. It never reorganizes."""

    read_tip: Callable[[], Awaitable[tuple[int, str] | None]]
    read_block: Callable[[int], Awaitable[Block | None]]
    read_mempool: Callable[[], Awaitable[Mempool]]

    async def start(self) -> int:
        """Return 0: follow from the first block."""
        return 0

    async def tip(self) -> tuple[int, str] | None:
        """Return height and hash of the newest block."""
        return await self.read_tip()

    async def block_hash(self, height: int) -> str | None:
        """Return the hash of the block at that height."""
        block = await self.read_block(height)
        return block.hash if block else None

    async def knows(self, hash_: str) -> bool:
        """Return True: every block that ever existed is known."""
        return True

    async def block(self, height: int) -> Block | None:
        """Return the block at that height with its outputs."""
        return await self.read_block(height)

    async def mempool(self) -> Mempool:
        """Return the unconfirmed transactions."""
        return await self.read_mempool()
