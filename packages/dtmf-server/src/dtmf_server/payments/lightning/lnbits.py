"""The backend "lnbits", a wallet of an LNbits server.

1. The external ID is the `tag` of the payment, by which LNbits can filter.
2. Payments are listed by `updated_at`, which LNbits sets when it marks one as received.
3. LNbits reports no node and no network to an invoice key: the wallet is identified by the key's hash, and the network
   is that of its newest payment.
4. Only the admin key shows the ID of the wallet, and only it can pay.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any

from dtmf_server.config import LightningSettings
from dtmf_server.config.section import setting
from dtmf_server.payments.lightning import fields
from dtmf_server.payments.lightning.base import (
    CanSpend,
    InvoiceRefused,
    InvoiceStatus,
    NodeInvoice,
    NodeStatus,
    NodeUnavailable,
    SettledPage,
    SettledPayment,
)
from dtmf_server.payments.lightning.node_api import NodeApi, NodeReply, understood
from dtmf_server.payments.lightning.node_settings import is_credential, is_url, url_disagreements
from dtmf_server.payments.lightning.registry import LightningContext, LightningKind
from dtmf_server.payments.lightning.time_cursor import TimeCursor, position

KEY = "lightning.invoice_key"
HOW = 'use the "Invoice/read key" of the wallet, which can create invoices but not pay'
PAGE, PAGES_MAX = 200, 500
OVERLAP_US = 60 * fields.SECOND_US
REFUSALS = (400, 422, 520)  # 520: the Lightning node behind LNbits refused
NOT_FOUND, FORBIDDEN = 404, 403


class LnbitsSettings(LightningSettings, frozen=True, kw_only=True):
    """A wallet of an LNbits server, with its invoice key."""

    url: Annotated[str, setting("a URL like https://lnbits.example.org", is_url)]
    invoice_key: Annotated[str, setting("the invoice key of the wallet", is_credential, secret=True)]

    def disagreements(self, *, is_sandbox: bool) -> Iterator[tuple[str, str]]:
        """The key needs TLS, and a sandbox may only use a server on this machine."""
        yield from url_disagreements(self.url, is_sandbox=is_sandbox, needs_tls=True)


class Lnbits:
    """A wallet of an LNbits server."""

    name = "lnbits"

    def __init__(self, settings: LnbitsSettings, context: LightningContext) -> None:
        self._context, self._identity = context, f"wallet-{sha256(settings.invoice_key.encode()).hexdigest()[:32]}"
        self._api = NodeApi(settings.url, headers={"X-Api-Key": settings.invoice_key})

    async def check_credentials(self) -> None:
        """Ask for the wallet, and to pay without an invoice: both replies differ between the two keys."""
        wallet = self._result(await self._api.get("/api/v1/wallet"))
        with understood():
            names = {"name": wallet["name"], **wallet}
        if "id" in names:
            raise CanSpend(f"{KEY} is the admin key, which can pay: {HOW}")
        reply = await self._api.request("POST", "/api/v1/payments", body={"out": True})
        if not reply.refuses_credentials:
            raise CanSpend(f"LNbits did not deny a payment with {KEY} (status {reply.status}): {HOW}")

    async def status(self) -> NodeStatus:
        """Return the status. LNbits does not report what the node behind it can receive."""
        wallet = self._result(await self._api.get("/api/v1/wallet"))
        newest = await self._list({"limit": "1"})
        with understood():
            networks = [fields.networks_of(str(one["bolt11"])) for one in newest if one.get("bolt11")]
            expected = self._context.network
            network = networks[0][0] if networks and expected not in networks[0] else expected
            return NodeStatus(self._identity, network, None, True, str(wallet["name"]))

    async def create(
        self, *, external_id: str, amount_msat: int | None, description: str, expiry_s: int
    ) -> NodeInvoice:
        """Create an invoice with the external ID as its tag."""
        sats = None if amount_msat is None else fields.whole_sats(amount_msat)
        if not sats:
            raise InvoiceRefused("LNbits creates invoices in whole satoshis, and not without an amount")
        body = {
            "out": False,
            "unit": "sat",
            "amount": sats,
            "memo": description,
            "expiry": expiry_s,
            "extra": {"tag": external_id},
        }
        expires_us = self._context.wall_us() + expiry_s * fields.SECOND_US
        reply = await self._api.request("POST", "/api/v1/payments", body=body)
        if reply.status in REFUSALS:
            raise InvoiceRefused(f"LNbits refused the invoice: {reply.text()}")
        created = self._result(reply)
        with understood():
            bolt11 = created.get("bolt11") or created["payment_request"]  # the second before LNbits 1.0
            return NodeInvoice(fields.payment_hash(created["payment_hash"]), self._bolt11(bolt11), expires_us)

    async def find(self, external_id: str) -> NodeInvoice | None:
        """Return the oldest invoice with this tag."""
        found = await self._list({"tag": external_id, "limit": str(PAGE), "sortby": "time", "direction": "asc"})
        with understood():
            found = [one for one in found if (one.get("extra") or {}).get("tag") == external_id]
            if not found:
                return None
            bolt11, expires_us = self._bolt11(found[0]["bolt11"]), _time_us(found[0]["expiry"])
            return NodeInvoice(fields.payment_hash(found[0]["payment_hash"]), bolt11, expires_us)

    async def look_up(self, payment_hash: str) -> InvoiceStatus:
        """Return the status of an invoice."""
        reply = await self._api.get(f"/api/v1/payments/{payment_hash}")
        if reply.status == NOT_FOUND and "payment" in reply.text().lower():
            return InvoiceStatus("unknown")
        found = self._result(reply)
        with understood():
            details = found.get("details") or {}
            if found["paid"]:
                return InvoiceStatus("settled", _payment(details))
            expiry = details.get("expiry")
            is_expired = expiry is not None and _time_us(expiry) <= self._context.wall_us()
            return InvoiceStatus("expired" if is_expired or found.get("status") == "failed" else "open")

    async def newest_cursor(self) -> str:
        """Return the position of the newest payment."""
        payments = await self._since(None)
        newest_us = max((payment.settled_us for payment in payments), default=0)
        return position(payments, newest_us, overlap_us=OVERLAP_US)

    async def settled_after(self, cursor: str) -> SettledPage:
        """Return all payments after the cursor."""
        after = TimeCursor.parse(cursor)
        return after.page(await self._since(after.newest_us - OVERLAP_US), overlap_us=OVERLAP_US)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()

    async def _since(self, since_us: int | None) -> list[SettledPayment]:
        """Return the payments that settled since this time; None: the newest page of them."""
        payments: dict[str, SettledPayment] = {}
        for page in range(PAGES_MAX):
            query = {"status": "success", "sortby": "updated_at", "direction": "desc"}
            found = await self._list(query | {"limit": str(PAGE), "offset": str(page * PAGE)})
            with understood():
                incoming = [_payment(one) for one in found if int(one["amount"]) > 0 and one["status"] == "success"]
                payments |= {payment.payment_hash: payment for payment in incoming}
                oldest_us = min((_time_us(one["updated_at"]) for one in found), default=0)
                if since_us is None or len(found) < PAGE or oldest_us < since_us:
                    return [p for p in payments.values() if since_us is None or p.settled_us >= since_us]
        raise NodeUnavailable(f"more than {PAGE * PAGES_MAX} payments settled since the last poll")

    async def _list(self, query: dict[str, str]) -> list[Any]:
        found = self._result(await self._api.get("/api/v1/payments", query))
        if not isinstance(found, list):
            raise NodeUnavailable("LNbits did not return a list of payments: check lightning.url")
        return found

    def _result(self, reply: NodeReply) -> Any:
        if reply.status == NOT_FOUND and "wallet not found" in reply.text().lower():  # an invalid key
            raise NodeUnavailable(f"LNbits refuses the credentials: check {KEY}")
        if reply.is_error:
            raise reply.failure(KEY)
        return reply.json()

    def _bolt11(self, value: Any) -> str:
        return fields.invoice(value, self._context.network)


def _payment(found: Any) -> SettledPayment:
    received_msat, settled_us = fields.msat(found["amount"]), _time_us(found["updated_at"])
    return SettledPayment(fields.payment_hash(found["payment_hash"]), received_msat, 0, settled_us)


def _time_us(value: Any) -> int:
    """Return a time: a number of seconds, or a date in ISO 8601, which is UTC if it has no zone."""
    if isinstance(value, int | float):
        return int(value * fields.SECOND_US)
    moment = datetime.fromisoformat(value)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * fields.SECOND_US)


KIND = LightningKind("lnbits", LnbitsSettings, Lnbits)
