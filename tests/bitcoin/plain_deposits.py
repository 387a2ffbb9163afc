"""What a renter should have on a chain that reorganises: the node is asked how deep each payment is, and that is all."""

import random

from bitcoin.core_node import CoreNode
from bitcoin.fake_bitcoind import ShapedNode

DEEPEST = 6
FOR_EVER = 8 * DEEPEST  # what is so deep is not asked about again; what is gone may always come back


class PlainDeposits:
    """Payments to addresses, and moves of the chain, back and forth."""

    def __init__(self, node: ShapedNode | CoreNode) -> None:
        self._node = node
        self._first = node.tip()[0]
        self._other: tuple[int, str] | None = None  # the branch that was left: the fork's height, its lowest block
        self._open: dict[str, int] = {}
        self.addresses: list[str] = []
        self.credited: dict[str, int] = {}  # satoshis, by transaction
        self.reversals = 0

    def pay(self, address: str | None, chance: random.Random) -> None:
        """A payment to this new address, or to an earlier one."""
        if address is not None:
            self.addresses.append(address)
        sats = chance.randrange(1000, 100_000)
        self._open[self._node.pay(chance.choice(self.addresses), sats)] = sats

    def mine(self, count: int, *, empty: bool) -> None:
        """Blocks on the best chain."""
        self._node.mine(count, empty=empty)

    def replace(self, chance: random.Random) -> None:
        """One of the payments that wait goes elsewhere."""
        waiting = [txid for txid, depth in self._node.depths(self._open).items() if depth == 0]
        if waiting:
            self._node.spend_elsewhere(chance.choice(waiting))

    def reorganise(self, chance: random.Random) -> bool:
        """Back to the branch that was left, or to a new one that is longer by a block; False if there is no room."""
        height = self._node.tip()[0]
        if self._other is not None and chance.random() < 0.5 and height - self._other[0] <= DEEPEST:
            fork_height, lowest = self._other
            left = self._node.undo(height - fork_height)
            self._node.redo(lowest)
            self._other = (fork_height, left)
            return True
        depth = min(chance.randrange(1, DEEPEST + 1), height - self._first)
        if depth == 0:
            return False
        self._other = (height - depth, self._node.undo(depth))
        for _ in range(depth + 1):
            self._node.mine(empty=chance.random() < 0.5)
        return True

    def looked(self) -> int:
        """Satoshis that are the renter's after a look at the node: credited at two confirmations, and then as long as
        any block of the best chain has the payment."""
        for txid, depth in self._node.depths(self._open).items():
            if depth >= 2:
                self.credited[txid] = self._open[txid]
            elif depth <= 0 and self.credited.pop(txid, None) is not None:
                self.reversals += 1
            if depth > FOR_EVER:
                del self._open[txid]
        return sum(self.credited.values())
