"""Everything the database knows of an outpoint, for the operator."""

from collections.abc import Sequence
from dataclasses import dataclass

from dtmf_server.core.deposit_rules import ConfirmationTiers, confirmations, required
from dtmf_server.operations.deposit import exposed_of
from dtmf_server.storage import chain, deposits, transfers
from dtmf_server.storage import chain as stored_chain
from dtmf_server.storage.db import Row, Tx

OUTPUTS_MAX = 100  # of one transaction


@dataclass(frozen=True, slots=True)
class Booking:
    """A transfer that references the deposit."""

    transfer_id: int
    kind: str
    amount_sats: int


@dataclass(frozen=True, slots=True)
class Confirmations:
    """A deposit's block and depth, the depth it needs, and the satoshis of its account that are not that deep."""

    height: int | None
    depth: int
    needed: int
    exposed_sats: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """A deposit: its address, status and bookings, and what may prevent it from being credited."""

    outpoint: str
    amount_sats: int
    address: str
    descriptor_index: int
    account_id: int
    status: str
    is_coinbase: bool
    confirmations: Confirmations
    bookings: Sequence[Booking]
    never_read: Sequence[tuple[int, int]]  # block ranges, first and last, that may contain its transaction
    trouble: str | None  # why nothing is being credited


def explain(tx: Tx, txid: str, vout: int, *, depths: ConfirmationTiers) -> Explanation | None:
    """Return what is known of a deposit, or None if it was never seen."""
    deposit = deposits.by_outpoint(tx, txid, vout)
    return None if deposit is None else _explanation(tx, deposit, depths=depths)


def explain_transaction(tx: Tx, txid: str, *, depths: ConfirmationTiers) -> list[Explanation]:
    """Return what is known of the deposits of a transaction, in the order of its outputs; at most OUTPUTS_MAX."""
    return [_explanation(tx, row, depths=depths) for row in deposits.of_txid(tx, txid, limit=OUTPUTS_MAX)]


def _explanation(tx: Tx, deposit: Row, *, depths: ConfirmationTiers) -> Explanation:
    outpoint = f"{deposit['txid']}:{deposit['vout']}"
    address = deposits.address_by_id(tx, deposit["address_id"])
    may_be_unread = deposit["status"] in ("gone", "pending") and deposit["height"] is None
    state = chain.load(tx)
    return Explanation(
        outpoint=outpoint,
        amount_sats=deposit["amount"],
        address=address["address"],
        descriptor_index=address["descriptor_index"],
        account_id=deposit["account_id"],
        status=deposit["status"],
        is_coinbase=bool(deposit["coinbase"]),
        confirmations=_confirmations(
            tx, deposit["account_id"], deposit["height"], depths=depths, is_coinbase=deposit["coinbase"]
        ),
        bookings=[
            Booking(row["id"], row["kind"], row["amount"])
            for row in transfers.of_reference(tx, deposit["account_id"], outpoint)
        ],
        never_read=[(row["from_height"], row["to_height"]) for row in deposits.skipped(tx)] if may_be_unread else [],
        trouble=(state["last_error"] or None) if state is not None else None,
    )


def _confirmations(
    tx: Tx, account_id: int, height: int | None, *, depths: ConfirmationTiers, is_coinbase: bool
) -> Confirmations:
    tip = stored_chain.tip(tx)
    depth = confirmations(height, tip["height"] if tip else 0)
    below = exposed_of(tx, account_id, depths=depths)
    needed = required(depths, below, depth, coinbase=is_coinbase)
    exposed = dict(zip((rule[1] for rule in depths), below, strict=True))
    return Confirmations(height, depth, needed, exposed.get(needed, 0))
