"""What a renter should have on a chain that reorganises: the node is asked how deep each payment is, and that is all."""

import random

from bitcoin.core_node import CoreNode
from bitcoin.shaped_node import ShapedNode

DEEPEST = 6


class PlainDeposits:
    """Payments to addresses, and moves of the chain, back and forth."""

    def __init__(self, node: ShapedNode | CoreNode) -> None:
        self._node = node
        self._first = node.tip()[0]
        self._other: tuple[int, str] | None = None  # the branch that was left: the fork's height, its lowest block
        self._credited: set[str] = set()
        self.addresses: list[str] = []
        self.paid: dict[str, int] = {}

    def pay(self, address: str | None, chance: random.Random) -> None:
        """A payment to this new address, or to an earlier one."""
        if address is not None:
            self.addresses.append(address)
        sats = chance.randrange(1000, 100_000)
        self.paid[self._node.pay(chance.choice(self.addresses), sats)] = sats

    def mine(self, count: int, *, empty: bool) -> None:
        """Blocks on the best chain."""
        self._node.mine(count, empty=empty)

    def replace(self, chance: random.Random) -> None:
        """One of the payments that wait goes elsewhere."""
        waiting = [txid for txid in self.paid if self._node.depth(txid) == 0]
        if waiting:
            self._node.spend_elsewhere(chance.choice(waiting))

    def reorganise(self, chance: random.Random) -> None:
        """Back to the branch that was left, or to a new one that is longer by a block."""
        height = self._node.tip()[0]
        if self._other is not None and chance.random() < 0.5 and height - self._other[0] <= DEEPEST:
            fork_height, lowest = self._other
            left = self._node.undo(height - fork_height)
            self._node.redo(lowest)
            self._other = (fork_height, left)
            return
        depth = min(chance.randrange(1, DEEPEST + 1), height - self._first)
        if depth == 0:
            return
        self._other = (height - depth, self._node.undo(depth))
        for _ in range(depth + 1):
            self._node.mine(empty=chance.random() < 0.5)

    def looked(self) -> int:
        """Satoshis that are the renter's after a look at the node: credited at two confirmations, and then as long as
        any block of the best chain has the payment."""
        for txid in self.paid:
            depth = self._node.depth(txid)
            if depth >= 2:
                self._credited.add(txid)
            elif depth <= 0:
                self._credited.discard(txid)
        return sum(self.paid[txid] for txid in self._credited)
