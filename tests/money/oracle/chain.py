"""A chain that reorganises, and the expected value of each of its outputs, using only lists and loops."""

from dataclasses import dataclass, field

from dtmf_server.core.deposit_rules import Block, ChainStep, Mempool, Output


@dataclass(slots=True)
class PlainDeposit:
    """An output that pays a customer, as the service should see it."""

    account_id: int
    amount: int
    status: str = "pending"
    times_moved: int = 0  # how often it was credited or reversed


@dataclass(slots=True)
class PlainChain:
    """The best chain, the chain as far as the service has followed it, and the deposits it should have recorded."""

    best: list[Block] = field(default_factory=list)
    mempool: list[Output] = field(default_factory=list)
    followed: list[Block] = field(default_factory=list)
    deposits: dict[tuple[str, int], PlainDeposit] = field(default_factory=dict)
    made: int = 0

    def broadcast(self, script_pubkeys: list[bytes], amounts: list[int]) -> None:
        """Add a transaction with these outputs to the mempool."""
        self.made += 1
        txid = f"{self.made:064x}"
        outputs = zip(script_pubkeys, amounts, strict=True)
        self.mempool += [Output(txid, vout, script, amount) for vout, (script, amount) in enumerate(outputs)]

    def mine(self, count: int) -> None:
        """Mine new blocks; the first includes the whole mempool."""
        for _ in range(count):
            self.made += 1
            previous = self.best[-1].hash if self.best else ""
            self.best.append(Block(len(self.best) + 1, f"block {self.made}", previous, self.mempool))
            self.mempool = []

    def reorganise(self, depth: int, *, keep: str) -> None:
        """Replace the last blocks with one more than there were. Their outputs return to the mempool, are mined again, or
        are spent elsewhere."""
        depth = min(depth, len(self.best))
        lost = [output for block in self.best[len(self.best) - depth :] for output in block.outputs]
        del self.best[len(self.best) - depth :]
        waiting, self.mempool = self.mempool, []
        if keep == "mined":
            self.mempool = lost
        self.mine(depth + 1)
        self.mempool = waiting + (lost if keep == "waiting" else [])

    def step(self, blocks: int) -> ChainStep:
        """Return the next step for the service: the fork point, some blocks above it and, at the tip, the mempool."""
        fork = 0
        for ours, theirs in zip(self.followed, self.best, strict=False):
            if ours.hash != theirs.hash:
                break
            fork += 1
        told = self.best[fork : fork + blocks]
        at_tip = fork + len(told) == len(self.best)
        waiting = Mempool({output.txid for output in self.mempool}, self.mempool)
        return ChainStep(fork, told, waiting if at_tip else None)

    def follow(self, step: ChainStep, owners: dict[bytes, int], *, required: int) -> list[tuple[int, int]]:
        """Return the step's effect on the books: (account, satoshis), negative for reversals, which come first."""
        self.followed = [*self.followed[: step.fork_height], *step.blocks]
        waiting = list(step.mempool.outputs) if step.mempool else []
        for output in [output for block in step.blocks for output in block.outputs] + waiting:
            if output.script_pubkey in owners and output.amount > 0:
                new = PlainDeposit(owners[output.script_pubkey], output.amount)
                self.deposits.setdefault((output.txid, output.vout), new)
        if not self.followed:
            return []
        taken, given = [], []
        for outpoint, deposit in self.deposits.items():
            confirmations = self._confirmations(outpoint)
            if deposit.status == "credited" and confirmations == 0:
                deposit.status, deposit.times_moved = "reversed", deposit.times_moved + 1
                taken.append((deposit.account_id, -deposit.amount))
            elif deposit.status != "credited" and confirmations >= required:
                deposit.status, deposit.times_moved = "credited", deposit.times_moved + 1
                given.append((deposit.account_id, deposit.amount))
        return taken + given

    def _confirmations(self, outpoint: tuple[str, int]) -> int:
        for depth, block in enumerate(reversed(self.followed), start=1):
            if any((output.txid, output.vout) == outpoint for output in block.outputs):
                return depth
        return 0
