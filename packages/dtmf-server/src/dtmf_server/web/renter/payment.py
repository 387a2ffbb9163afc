"""Payments of an invoice, as pages show them: its QR code, amount, state and expiry."""

import asyncio
import secrets
from dataclasses import dataclass
from decimal import Decimal

from dtmf_server.core.deposit_amounts import in_bitcoins, in_currency
from dtmf_server.core.errors import InvoiceNotFound, LightningNotConfigured
from dtmf_server.core.lightning import MSAT
from dtmf_server.core.rates import RateUnavailable
from dtmf_server.core.units import SECOND_US
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import invoices as operations
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import invoices
from dtmf_server.storage.db import Row, Tx
from dtmf_server.web.kit import views
from dtmf_server.web.kit.filters import sats
from dtmf_server.web.kit.views import Caller

DUST_SATS = 546  # wallets don't send less on the chain
RATE_TIMEOUT_S = 1.0  # a page is shown without the currency rather than late


@dataclass(frozen=True, slots=True)
class Payment:
    """An invoice on a page. `state`: open, settled or expired. `approximately`: its amount in the operator's currency."""

    id: int
    state: str
    bolt11: str
    uri: str
    amount_sats: int
    credited_sats: int | None
    approximately: str
    expires_at_us: int
    left_s: int


@dataclass(frozen=True, slots=True)
class Rate:
    """The price of one bitcoin in the operator's currency."""

    currency: str
    price: Decimal

    def of(self, amount_sats: int) -> str:
        """Format satoshis in the currency: ≈ 4.85 EUR."""
        return f"≈ {in_currency(amount_sats, self.price):,.2f} {self.currency}".replace(",", "\u202f")


async def rate_of(runtime: Runtime) -> Rate | None:
    """Return the exchange rate, or None if there is none at once."""
    if runtime.rates is None:
        return None
    try:
        async with asyncio.timeout(RATE_TIMEOUT_S):
            return Rate(runtime.rates.currency, await runtime.rates.current_rate())
    except (RateUnavailable, TimeoutError):
        return None


def want(tx: Tx, visit: Caller, runtime: Runtime, *, amount_sats: int) -> int:
    """Add an invoice, which `ready` has the node create. Return its ID. Raises TooManyInvoices, LightningUnavailable."""
    if runtime.invoices is None:
        raise LightningNotConfigured
    return operations.want(
        tx,
        visit.account_id,
        amount_sats=amount_sats,
        external_id=secrets.token_hex(16),
        description=runtime.invoices.description,
        expiry_s=runtime.invoices.expiry_s,
        is_limited=not runtime.settings.sandbox,
        now_us=visit.now_us,
        wall_us=visit.wall_us,
    )


async def ready(request: Request, invoice_id: int) -> Row:
    """Return an invoice of the account once its node has created it. Raises InvoiceNotFound, InvoiceRefused and
    LightningUnavailable."""

    def find(tx: Tx, visit: Caller) -> Row:
        row = invoices.by_id(tx, invoice_id)
        if row is None or row["account_id"] != visit.account_id:
            raise InvoiceNotFound
        return row

    row, creator = await views.read(request, find), runtime_of(request).invoices
    if row["payment_hash"] is None and creator is not None:
        await creator.complete(invoice_id, is_new=False)
        row = await views.read(request, find)
    if row["payment_hash"] is None:
        raise InvoiceNotFound
    return row


def shown(invoice: Row, *, address: str | None, rate: Rate | None, now_us: int) -> Payment:
    """Return an invoice as a page shows it. With an address, the QR code can also be paid on the chain."""
    amount_sats = (invoice["amount_msat"] or 0) // MSAT
    state = "expired" if invoice["state"] != "settled" and invoice["expires_at_us"] <= now_us else invoice["state"]
    bolt11 = invoice["bolt11"]
    uri = f"LIGHTNING:{bolt11.upper()}"  # upper case makes the QR code smaller
    if address is not None and amount_sats >= DUST_SATS:
        uri = f"bitcoin:{address}?amount={in_bitcoins(amount_sats)}&lightning={bolt11.upper()}"
    return Payment(
        id=invoice["id"],
        state=state,
        bolt11=bolt11,
        uri=uri,
        amount_sats=amount_sats,
        credited_sats=invoice["credited_sats"],
        approximately=rate.of(amount_sats) if rate else "",
        expires_at_us=invoice["expires_at_us"],
        left_s=max(0, -((now_us - invoice["expires_at_us"]) // SECOND_US)),
    )


def amount_of(invoice: Row) -> str:
    """Format what was credited, or what the invoice asks for."""
    known = invoice["credited_sats"] if invoice["credited_sats"] is not None else (invoice["amount_msat"] or 0) // MSAT
    return sats(known) if known else "–"
