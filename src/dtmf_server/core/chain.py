"""The chain as deposits see it, and when a deposit is credited or reversed. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Output:
    """A transaction output that may pay one of our addresses."""

    txid: str
    vout: int
    script_pubkey: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the best chain."""

    height: int
    hash: str
    outputs: Sequence[Output]


@dataclass(frozen=True, slots=True)
class ChainStep:
    """What changed of the best chain: blocks above `fork_height` are gone, `blocks` came, and the mempool now."""

    fork_height: int
    blocks: Sequence[Block]
    mempool: Sequence[Output]


def confirmations(height: int | None, tip_height: int) -> int:
    """How many blocks confirm an output mined at that height; 0 for one in the mempool."""
    return 0 if height is None else tip_height - height + 1


def status_of_deposit(status: str, *, height: int | None, in_mempool: bool, tip_height: int, required: int) -> str:
    """What a deposit's status becomes: 'pending', 'credited', 'reversed' or 'gone'.

    Credited at `required` confirmations. Once credited it stays so while any block of the best chain has it;
    without one the credit is reversed at once, and given again when it is confirmed again.
    """
    if status == "credited":
        return "credited" if height is not None else "reversed"
    if confirmations(height, tip_height) >= required:
        return "credited"
    if status == "reversed":
        return "reversed"
    return "pending" if height is not None or in_mempool else "gone"
