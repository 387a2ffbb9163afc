"""The deposits a renter should have on a reorganising chain, computed only from each payment's depth."""

import random

from bitcoin.core_node import CoreNode
from bitcoin.fake_bitcoind import ShapedNode

DEEPEST = 6
FINAL_DEPTH = 8 * DEEPEST  # payments this deep are not checked again; dropped ones may always return


class PlainDeposits:
    """Payments to addresses, and reorganisations in both directions."""

    def __init__(self, node: ShapedNode | CoreNode) -> None:
        self._node = node
        self._first = node.tip()[0]
        self._other: tuple[int, str] | None = None  # the abandoned branch: the fork's height, its lowest block
        self._open: dict[str, int] = {}
        self.addresses: list[str] = []
        self.credited: dict[str, int] = {}  # satoshis, by txid
        self.reversals = 0

    def pay(self, address: str | None, chance: random.Random) -> None:
        """Pay to this new address, or to an earlier one."""
        if address is not None:
            self.addresses.append(address)
        sats = chance.randrange(1000, 100_000)
        self._open[self._node.pay(chance.choice(self.addresses), sats)] = sats

    def mine(self, count: int, *, empty: bool) -> None:
        """Mine blocks on the best chain."""
        self._node.mine(count, empty=empty)

    def replace(self, chance: random.Random) -> None:
        """Replace one of the unconfirmed payments by one to another destination."""
        waiting = [txid for txid, depth in self._node.depths(self._open).items() if depth == 0]
        if waiting:
            self._node.spend_elsewhere(chance.choice(waiting))

    def reorganise(self, chance: random.Random) -> bool:
        """Return to the abandoned branch, or build a new one that is a block longer; False if there is no room."""
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
        """Return the renter's satoshis after a poll: credited at two confirmations, then for as long as any block of the
        best chain contains the payment."""
        for txid, depth in self._node.depths(self._open).items():
            if depth >= 2:
                self.credited[txid] = self._open[txid]
            elif depth <= 0 and self.credited.pop(txid, None) is not None:
                self.reversals += 1
            if depth > FINAL_DEPTH:
                del self._open[txid]
        return sum(self.credited.values())
