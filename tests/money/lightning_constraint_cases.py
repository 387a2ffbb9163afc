"""Invalid states of Lightning, each with the constraint that rejects it: data for test_constraints.py.

The statements assume a node and two open invoices, :invoice and another one.
"""


def _settle(**changed: object) -> str:
    usual: dict[str, object] = {
        "state": "'settled'",
        "settled_at_us": 1,
        "received_msat": 5000,
        "fee_msat": 0,
        "credited_sats": 5,
        "node_id": "(SELECT id FROM lightning_nodes)",
    }
    columns = ", ".join(f"{name} = {value}" for name, value in (usual | changed).items())
    return f"UPDATE lightning_invoices SET {columns} WHERE id = :invoice"


def _change(change: str) -> str:
    return f"UPDATE lightning_invoices SET {change} WHERE id = :invoice"


_OTHER = "(SELECT {0} FROM lightning_invoices WHERE id <> :invoice)"

LIGHTNING_STATES = [
    ("ck_lightning_nodes_balanced", "satoshis that no node received", "UPDATE lightning_nodes SET credited_sats = 1"),
    ("ck_lightning_nodes_balanced", "a fee without a payment", "UPDATE lightning_nodes SET fee_msat = 1"),
    (
        "uq_lightning_nodes_identity",
        "a node of two rows",
        "INSERT INTO lightning_nodes (identity, backend) SELECT identity, backend FROM lightning_nodes",
    ),
    ("ck_lightning_invoices_amount", "an invoice for nothing", _change("amount_msat = 0")),
    ("ck_lightning_invoices_state", "an unknown state", _change("state = 'paid'")),
    ("ck_lightning_invoices_known", "an invoice without its hash", _change("state = 'expired', payment_hash = NULL")),
    ("ck_lightning_invoices_handed_out", "an open invoice without text", _change("payment_hash = NULL, bolt11 = NULL")),
    ("ck_lightning_invoices_settled", "a payment of an open invoice", _change("settled_at_us = 1")),
    ("ck_lightning_invoices_settled", "a settled invoice without an amount", _settle(credited_sats="NULL")),
    ("ck_lightning_invoices_node", "a payment to no node", _settle(node_id="NULL")),
    ("ck_lightning_invoices_received", "a negative payment", _settle(received_msat=-1000, credited_sats=-1)),
    ("ck_lightning_invoices_fee", "a negative fee", _settle(received_msat=6000, fee_msat=-1000)),
    ("ck_lightning_invoices_rounding", "more credited than paid", _settle(credited_sats=6)),
    ("ck_lightning_invoices_rounding", "a satoshi not credited", _settle(credited_sats=4)),
    (
        "uq_lightning_invoices_external_id",
        "two invoices with one external ID",
        _change(f"external_id = {_OTHER.format('external_id')}"),
    ),
    (
        "uq_lightning_invoices_payment_hash",
        "two invoices that one payment settles",
        _change(f"payment_hash = {_OTHER.format('payment_hash')}"),
    ),
]
