"""A Lightning node that settles invoices late, twice and for other amounts, and the expected books, using only loops."""

from dataclasses import dataclass, field

from dtmf_server.core.lightning import SettledPayment


@dataclass(slots=True)
class PlainInvoice:
    """An invoice, and what the payer sent and the node deducted, once it is paid. A sign-up's has no account before."""

    account_id: int | None
    sent_msat: int | None = None
    fee_msat: int = 0


@dataclass(slots=True)
class PlainNode:
    """The invoices of a node."""

    invoices: dict[str, PlainInvoice] = field(default_factory=dict)

    def create(self, account_id: int | None) -> str:
        """Return the payment hash of a new invoice."""
        payment_hash = f"{len(self.invoices) + 1:064x}"
        self.invoices[payment_hash] = PlainInvoice(account_id)
        return payment_hash

    def pay(self, payment_hash: str, sent_msat: int, fee_msat: int) -> int:
        """Pay an invoice. Return the effect on its account's balance: 0 if it was paid before."""
        invoice = self.invoices[payment_hash]
        if invoice.sent_msat is not None:
            return 0
        invoice.sent_msat, invoice.fee_msat = sent_msat, min(fee_msat, sent_msat)
        return sent_msat // 1000

    def reported(self, payment_hash: str) -> SettledPayment:
        """Return what the node reports of a paid invoice, however often."""
        invoice = self.invoices[payment_hash]
        assert invoice.sent_msat is not None
        return SettledPayment(payment_hash, invoice.sent_msat - invoice.fee_msat, invoice.fee_msat, 0)

    def sums(self) -> tuple[int, int, int, int]:
        """Return received, fees and rounding in millisatoshis, and credited satoshis."""
        received = fees = rounding = credited = 0
        for invoice in self.invoices.values():
            if invoice.sent_msat is not None:
                received += invoice.sent_msat - invoice.fee_msat
                fees += invoice.fee_msat
                rounding += invoice.sent_msat % 1000
                credited += invoice.sent_msat // 1000
        return received, fees, rounding, credited
