"""Everything the database knows of a Lightning invoice, for the operator."""

from collections.abc import Sequence
from dataclasses import dataclass

from dtmf_server.core.lightning import MSAT
from dtmf_server.operations.explain_deposit import Booking
from dtmf_server.storage import invoices, lightning_nodes, transfers
from dtmf_server.storage.db import Tx


@dataclass(frozen=True, slots=True)
class InvoiceExplanation:
    """An invoice: its account, state and bookings, and what may prevent it from being credited."""

    invoice_id: int
    account_id: int
    amount_sats: int | None
    state: str
    node: str  # its identity
    received_msat: int | None
    fee_msat: int | None
    credited_sats: int | None
    look_up_at_us: int | None
    bookings: Sequence[Booking]
    trouble: str | None  # why nothing is being credited


def explain(tx: Tx, payment_hash: str) -> InvoiceExplanation | None:
    """Return what is known of an invoice, or None if it is not known."""
    row = invoices.by_hashes(tx, [payment_hash]).get(payment_hash)
    if row is None:
        return None
    state = lightning_nodes.state(tx)
    return InvoiceExplanation(
        invoice_id=row["id"],
        account_id=row["account_id"],
        amount_sats=None if row["amount_msat"] is None else row["amount_msat"] // MSAT,
        state=row["state"],
        node=lightning_nodes.by_id(tx, row["node_id"])["identity"],
        received_msat=row["received_msat"],
        fee_msat=row["fee_msat"],
        credited_sats=row["credited_sats"],
        look_up_at_us=row["look_up_at_us"],
        bookings=[
            Booking(each["id"], each["kind"], each["amount"])
            for each in transfers.of_reference(tx, row["account_id"], payment_hash)
        ],
        trouble=(state["last_error"] or None) if state is not None else None,
    )
