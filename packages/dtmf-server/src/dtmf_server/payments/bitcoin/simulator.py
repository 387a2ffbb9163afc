"""The sandbox's chain as a node would show it: its blocks are rows, read through functions of the database."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from dtmf_server.core.deposit_rules import Block, Mempool


@dataclass(frozen=True, slots=True)
class SimulatedChain:
    """A chain without a network. It never reorganises."""

    read_tip: Callable[[], Awaitable[tuple[int, str] | None]]
    read_block: Callable[[int], Awaitable[Block | None]]
    read_mempool: Callable[[], Awaitable[Mempool]]

    async def start(self) -> int:
        """From the first block."""
        return 0

    async def tip(self) -> tuple[int, str] | None:
        """Height and hash of the newest block."""
        return await self.read_tip()

    async def block_hash(self, height: int) -> str | None:
        """The block at that height."""
        block = await self.read_block(height)
        return block.hash if block else None

    async def knows(self, hash_: str) -> bool:
        """Every block there ever was."""
        return True

    async def block(self, height: int) -> Block | None:
        """The same with its outputs."""
        return await self.read_block(height)

    async def mempool(self) -> Mempool:
        """What waits to be mined."""
        return await self.read_mempool()
