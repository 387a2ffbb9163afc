"""The sandbox's own Lightning node, in tables: what a real node would report."""

from dtmf_server.core.lightning import InvoiceStatus, NodeInvoice, SettledPayment
from dtmf_server.storage.db import Row, Tx

TOPIC = "simulated_lightning"  # wakes those who wait for a payment


def add(tx: Tx, external_id: str, invoice: NodeInvoice, *, amount_msat: int | None) -> NodeInvoice:
    """Store an invoice, or return the one stored with this external ID."""
    tx.run(
        "INSERT INTO simulated_invoices (payment_hash, external_id, bolt11, amount_msat, expires_us)"
        " VALUES (:payment_hash, :external_id, :bolt11, :amount_msat, :expires_us) ON CONFLICT (external_id) DO NOTHING",
        payment_hash=invoice.payment_hash,
        external_id=external_id,
        bolt11=invoice.bolt11,
        amount_msat=amount_msat,
        expires_us=invoice.expires_us,
    )
    found = find(tx, external_id)
    assert found is not None
    return found


def find(tx: Tx, external_id: str) -> NodeInvoice | None:
    """Return the invoice with this external ID."""
    row = tx.one(
        "SELECT payment_hash, bolt11, expires_us FROM simulated_invoices WHERE external_id = :external_id",
        external_id=external_id,
    )
    return NodeInvoice(row["payment_hash"], row["bolt11"], row["expires_us"]) if row else None


def invoice(tx: Tx, bolt11: str) -> Row | None:
    """Return the hash and the amount of an invoice."""
    return tx.one("SELECT payment_hash, amount_msat FROM simulated_invoices WHERE bolt11 = :bolt11", bolt11=bolt11)


def pay(tx: Tx, payment: SettledPayment, *, is_reported: bool = True) -> None:
    """Settle an invoice. If it `is_reported`, the node lists the payment; otherwise only a look-up finds it."""
    tx.run(
        "INSERT INTO simulated_payments (payment_hash, received_msat, fee_msat, is_reported, settled_us)"
        " VALUES (:payment_hash, :received_msat, :fee_msat, :is_reported, :settled_us)",
        payment_hash=payment.payment_hash,
        received_msat=payment.received_msat,
        fee_msat=payment.fee_msat,
        is_reported=is_reported,
        settled_us=payment.settled_us,
    )
    tx.notify(TOPIC)


def look_up(tx: Tx, payment_hash: str) -> InvoiceStatus:
    """Return the state of an invoice."""
    row = tx.one(
        "SELECT payment_hash, received_msat, fee_msat, settled_us FROM simulated_payments"
        " WHERE payment_hash = :payment_hash ORDER BY id LIMIT 1",
        payment_hash=payment_hash,
    )
    if row:
        return InvoiceStatus("settled", _payment(row))
    known = tx.one("SELECT 1 FROM simulated_invoices WHERE payment_hash = :payment_hash", payment_hash=payment_hash)
    return InvoiceStatus("open" if known else "unknown")


def newest(tx: Tx) -> int:
    """Return the index of the newest payment that the node lists, or 0."""
    row = tx.one("SELECT id FROM simulated_payments WHERE is_reported ORDER BY id DESC LIMIT 1")
    return int(row["id"]) if row else 0


def paid_after(tx: Tx, index: int, *, limit: int) -> list[tuple[int, SettledPayment]]:
    """Return the listed payments with higher indexes, each with its index."""
    rows = tx.all(
        "SELECT id, payment_hash, received_msat, fee_msat, settled_us FROM simulated_payments"
        " WHERE id > :index AND is_reported ORDER BY id LIMIT :limit",
        index=index,
        limit=limit,
    )
    return [(row["id"], _payment(row)) for row in rows]


def _payment(row: Row) -> SettledPayment:
    return SettledPayment(row["payment_hash"], row["received_msat"], row["fee_msat"], row["settled_us"])
