"""Rental offers: a number chosen with too low a balance, and rented once its invoice is paid, at the price shown.

1. `offer` stores the choice and the prices shown with the invoice for what is missing, in one transaction.
2. `accept` rents once per offer. It refuses after the invoice has expired, and if a price has risen.
3. `close` ends an offer that was refused, so that nothing is rented later without a new choice.

Offers and their outcomes are stored like responses to an Idempotency-Key, for longer than an invoice is valid.
"""

from dataclasses import dataclass

import msgspec
from msgspec import Struct

from dtmf_server.core.errors import PriceChanged, Refusal
from dtmf_server.core.monthly_cap import PERIOD_MINUTES
from dtmf_server.core.number_supply import SupplyRules
from dtmf_server.core.pegged import DEFAULT_TERMS, PriceTerms
from dtmf_server.operations import account, rent
from dtmf_server.operations.idempotency import StoredResponse, run_idempotent
from dtmf_server.storage import idempotency, invoices
from dtmf_server.storage.db import Row, Tx


class Prices(Struct, frozen=True):
    """The prices of a rental, in satoshis. `month`: at most, in 30 days."""

    setup: int
    minute: int
    month: int
    message: int

    @property
    def due(self) -> int:
        """The satoshis due at the start."""
        return self.setup + self.minute

    def check(self, rental: Row) -> None:
        """Raise PriceChanged if the rental costs more."""
        now = msgspec.structs.astuple(_prices(rental, "cost_per_minute"))
        if any(cost > shown for cost, shown in zip(now, msgspec.structs.astuple(self), strict=True)):
            raise PriceChanged


class Offer(Struct, frozen=True):
    """The renter's choice: a number of the group, or any (None), at the prices shown, with limits and a label."""

    group_id: str
    e164: str | None
    prices: Prices
    max_minutes: int | None = None
    max_sats: int | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """An offer with its invoice. `missing`: the satoshis that the balance lacks. `outcome`: the response of `accept` or
    `close`, once there is one."""

    offer: Offer
    invoice: Row
    missing: int
    is_expired: bool
    outcome: StoredResponse | None


def prices_of(group: Row) -> Prices:
    """Return the current prices of a group."""
    return _prices(group, "rental_cost_per_minute")


def _prices(row: Row, minute: str) -> Prices:
    """Return the prices of a group or a rental, whose columns have different names."""
    month = row[minute] * PERIOD_MINUTES if row["monthly_cap"] is None else row["monthly_cap"]
    return Prices(row["setup_cost"], row[minute], month, row["cost_per_inbound_message"] or 0)


def missing_for(tx: Tx, account_id: int, prices: Prices, *, minutes: int, now_us: int) -> int:
    """Return how many satoshis to deposit, at least 1, for a rental of so many minutes; a debt is paid from them first."""
    usage = account.usage(tx, account_id, now_us=now_us)
    return max(1, prices.setup + prices.minute * minutes - usage.balance + usage.debt)


def make(tx: Tx, account_id: int, invoice_id: int, offer: Offer, *, wall_us: int) -> None:
    """Store an offer that begins with this invoice."""
    _once(tx, account_id, _offer_key(invoice_id), StoredResponse(200, msgspec.json.encode(offer)), wall_us=wall_us)


def find(tx: Tx, account_id: int, invoice_id: int, *, now_us: int) -> Standing | None:
    """Return the account's offer of this invoice, or None."""
    stored = idempotency.find(tx, account_id=account_id, key=_offer_key(invoice_id))
    invoice = invoices.by_id(tx, invoice_id)
    if stored is None or invoice is None or invoice["account_id"] != account_id:
        return None
    offer = msgspec.json.decode(bytes(stored["body"]), type=Offer)
    done = idempotency.find(tx, account_id=account_id, key=_outcome_key(invoice_id))
    outcome = StoredResponse(done["status"], bytes(done["body"])) if done else None
    missing = max(0, offer.prices.due - account.balance(tx, account_id, now_us=now_us))
    return Standing(offer, invoice, missing, invoice["expires_at_us"] <= now_us, outcome)


def accept(
    tx: Tx,
    account_id: int,
    invoice_id: int,
    offer: Offer,
    *,
    now_us: int,
    wall_us: int,
    cooldown_us: int,
    rules: SupplyRules,
    network: str | None = None,
    price_terms: PriceTerms = DEFAULT_TERMS,
) -> StoredResponse:
    """Rent what was offered, once. Return the outcome, with the rented number; a repeated call returns the same, or that of
    `close`. The caller has checked that the offer has not expired. Raises what `rent.start` raises, and PriceChanged."""

    def start(tx: Tx) -> StoredResponse:
        rental = rent.start(
            tx,
            account_id,
            offer.group_id,
            now_us=now_us,
            cooldown_us=cooldown_us,
            e164=offer.e164,
            rules=rules,
            max_minutes=offer.max_minutes,
            max_sats=offer.max_sats,
            label=offer.label,
            network=network,
            price_terms=price_terms,
        )
        offer.prices.check(rental)
        return StoredResponse(201, rental["e164"].encode())

    return run_idempotent(
        tx,
        account_id=account_id,
        key=_outcome_key(invoice_id),
        fingerprint=b"",
        wall_us=wall_us,
        action=start,
    )


def close(tx: Tx, account_id: int, invoice_id: int, refusal: Refusal, *, wall_us: int) -> StoredResponse:
    """End an offer with a refusal, unless it has an outcome. Return the outcome."""
    outcome = StoredResponse(refusal.status, refusal.code.encode())
    return _once(tx, account_id, _outcome_key(invoice_id), outcome, wall_us=wall_us)


def _once(tx: Tx, account_id: int, key: str, stored: StoredResponse, *, wall_us: int) -> StoredResponse:
    return run_idempotent(tx, account_id=account_id, key=key, fingerprint=b"", wall_us=wall_us, action=lambda _: stored)


def _offer_key(invoice_id: int) -> str:
    return f"web offer {invoice_id}"


def _outcome_key(invoice_id: int) -> str:
    return f"web outcome {invoice_id}"
