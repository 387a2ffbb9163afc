"""Continues above blocks that were never read and that the node has pruned.

1. The node finds payments in them that are unspent, in its UTXO set; they are booked like any deposit.
2. Payments in them that were spent since are not known. Nothing is credited or taken back for them: a credited deposit
   stays credited, and the range is recorded for the operator.
3. All of it is one transaction: a command that is killed has done everything or nothing.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from dtmf_server.core.deposit_rules import ConfirmationTiers, Output
from dtmf_server.core.errors import CannotStart
from dtmf_server.operations.deposit import REORG_WINDOW, move_on, note_outputs
from dtmf_server.storage import chain, deposits
from dtmf_server.storage import chain as stored_chain
from dtmf_server.storage.db import Row, Tx


@dataclass(frozen=True, slots=True)
class Range:
    """The blocks to skip: those above `fork_height`, the last block that the node's chain and ours share, up to the
    last of `hashes`, which lists the newest of them by height. `cursor` is how far the chain has been followed."""

    cursor: tuple[int, str]
    fork_height: int
    hashes: Sequence[tuple[int, str]]
    read_from: int | None  # the lowest of these blocks that the node still has, to be read

    @property
    def to_height(self) -> int:
        """The last block to skip."""
        return self.hashes[-1][0]


@dataclass(frozen=True, slots=True)
class Skipped:
    """The result of a skip: what was booked, and the known deposits of which the node no longer knows anything."""

    found: int
    found_sats: int
    unknown: list[Row]


def skip(
    tx: Tx, skipped: Range, found: Sequence[tuple[Output, int]], *, depths: ConfirmationTiers, now_us: int
) -> Skipped:
    """Move the cursor to the last block of the range and book what was found up to there, with heights. Raises
    CannotStart if the chain was followed further in the meantime."""
    chain.lock(tx)
    followed = stored_chain.tip(tx)
    if followed is None or (followed["height"], followed["hash"]) != skipped.cursor:
        raise CannotStart(
            "the chain was followed further in the meantime: nothing was skipped; run this again if needed"
        )
    deposits.unmine_uncredited_above(tx, skipped.fork_height)
    stored_chain.forget_blocks_above(tx, skipped.fork_height)
    for height, hash_ in skipped.hashes:
        stored_chain.add_block(tx, height=height, hash_=hash_, keep=REORG_WINDOW)
    before = {(row["txid"], row["vout"]) for row in deposits.unmined_or_above(tx, skipped.fork_height)}
    by_height: dict[int, list[Output]] = defaultdict(list)
    for output, height in found:
        if height <= skipped.to_height:
            by_height[height].append(output)
    new: set[tuple[str, int]] = set()
    for height, outputs in sorted(by_height.items()):
        new |= note_outputs(tx, outputs, height=height, now_us=now_us)
    here = {(o.txid, o.vout): o.amount for h, many in by_height.items() if h > skipped.fork_height for o in many}
    noted = [outpoint for outpoint in here if outpoint in new or outpoint in before]
    unknown = [
        row
        for row in deposits.unmined_or_above(tx, skipped.fork_height)
        if row["status"] in ("pending", "credited") and (row["txid"], row["vout"]) not in here
    ]
    sats = sum(here[outpoint] for outpoint in noted)
    deposits.add_skipped(
        tx,
        from_height=skipped.fork_height + 1,
        to_height=skipped.to_height,
        found=len(noted),
        found_sats=sats,
        now_us=now_us,
    )
    chain.rescanned(tx, skipped.read_from)
    move_on(tx, skipped.to_height, None, new, depths=depths, now_us=now_us)
    tx.notify("chain")
    tx.notify("deposits")
    return Skipped(len(noted), sats, unknown)
