"""Payments of the sandbox's Lightning invoices, with the faults of real nodes on demand."""

from typing import Literal

from dtmf_server.core.errors import InvalidRequest, InvoiceExpired, InvoicePaid
from dtmf_server.core.lightning import MSAT, SettledPayment
from dtmf_server.core.money import NOBODY
from dtmf_server.storage import instance, invoices, lightning_nodes, simulated_lightning
from dtmf_server.storage.db import Row, Tx

OVERPAID_MAX = 2  # times the amount: more is refused by nodes (BOLT 4)

# late: paid although it has expired; twice: the node reports it twice; unreported: only a look-up finds the payment.
Fault = Literal["late", "twice", "unreported"]


def pay(
    tx: Tx,
    account_id: int,
    bolt11: str,
    *,
    amount_msat: int | None,
    fault: Fault | None,
    fee_msat: int = 0,
    now_us: int,
) -> Row:
    """Pay an invoice of the account, or one for sign-up. Return it. Raises InvalidRequest, InvoicePaid, InvoiceExpired, as
    a wallet would."""
    instance.lock(tx)  # indexes of payments must be in commit order
    row = invoices.by_bolt11(tx, bolt11.lower())
    if row is None or row["account_id"] not in (account_id, NOBODY):
        raise InvalidRequest("invoice", "is not an invoice of this account in the sandbox")
    sent_msat = _sent(row["amount_msat"], amount_msat)
    if row["state"] == "settled" or simulated_lightning.look_up(tx, row["payment_hash"]).state == "settled":
        raise InvoicePaid
    if row["expires_at_us"] <= now_us and fault != "late":
        raise InvoiceExpired
    payment = SettledPayment(row["payment_hash"], sent_msat - fee_msat, fee_msat, now_us)
    for _ in range(2 if fault == "twice" else 1):
        simulated_lightning.pay(tx, payment, is_reported=fault != "unreported")
    return row


def is_followed(tx: Tx, *, now_us: int) -> bool:
    """Return whether every payment that the node reports is credited, and no invoice is due for a look-up or to expire."""
    state = lightning_nodes.state(tx)
    assert state is not None and state["cursor"] is not None, "the simulated node was attached at the start"
    is_read = simulated_lightning.newest(tx) <= int(state["cursor"])
    is_due = invoices.any_to_expire(tx, now_us=now_us) or invoices.due(tx, now_us=now_us, limit=1)
    return is_read and not is_due


def _sent(wanted_msat: int | None, given_msat: int | None) -> int:
    """Return what the payer sends. Raises InvalidRequest for an amount that nodes refuse."""
    if wanted_msat is None:
        if given_msat is None:
            raise InvalidRequest("amount", "is missing: the invoice leaves the amount to the payer")
        return given_msat
    sent_msat = wanted_msat if given_msat is None else given_msat
    if not wanted_msat <= sent_msat <= OVERPAID_MAX * wanted_msat:
        raise InvalidRequest(
            "amount",
            f"must be from {-(-wanted_msat // MSAT)} to {OVERPAID_MAX * wanted_msat // MSAT} satoshis: nodes refuse less than"
            " the invoice's amount, and more than twice as much",
        )
    return sent_msat
