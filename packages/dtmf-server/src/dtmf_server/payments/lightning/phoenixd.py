"""The backend "phoenixd", over its HTTP API. Source: ACINQ/phoenixd, Api.kt.

1. External IDs are not unique there, and an invoice gets its ID after it is created. The oldest one with an ID counts.
2. `receivedSat` is rounded down and `fees` is in msat, so what the payer sent is at least the requested amount.
3. A webhook is sent once, without a retry, so payments are listed by the time at which they were received.
4. The limited password cannot pay: the payment endpoints accept only the full one.
"""

from base64 import b64encode
from collections.abc import Iterator
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

PASSWORD = "lightning.password"  # noqa: S105 - the name of a setting
PAGE, PAGES_MAX = 1000, 200
OVERLAP_MS = 60_000
BAD_REQUEST, NOT_FOUND = 400, 404
READY = "NORMAL"  # the state of an open channel
HOW = "use http-password-limited-access of phoenix.conf, which can create invoices but not pay"


class PhoenixdSettings(LightningSettings, frozen=True, kw_only=True):
    """phoenixd of ACINQ, with its limited-access password."""

    url: Annotated[str, setting("a URL like http://127.0.0.1:9740", is_url)] = "http://127.0.0.1:9740"
    password: Annotated[str, setting("http-password-limited-access of phoenix.conf", is_credential, secret=True)]

    def disagreements(self, *, is_sandbox: bool) -> Iterator[tuple[str, str]]:
        """A sandbox may only use a node on this machine."""
        yield from url_disagreements(self.url, is_sandbox=is_sandbox, needs_tls=False)


class Phoenixd:
    """A phoenixd."""

    name = "phoenixd"

    def __init__(self, settings: PhoenixdSettings, context: LightningContext) -> None:
        login = b64encode(f":{settings.password}".encode()).decode()
        self._api = NodeApi(settings.url, headers={"Authorization": f"Basic {login}"})
        self._context = context

    async def check_credentials(self) -> None:
        """Try to pay an invoice that is none: the limited password is refused before the invoice is read."""
        await self.status()
        reply = await self._api.request("POST", "/payinvoice", form=[("invoice", "none")])
        if reply.status == BAD_REQUEST or not reply.is_error:
            raise CanSpend(f"lightning.password can pay: {HOW}")
        if not reply.refuses_credentials:
            raise reply.failure(PASSWORD)

    async def status(self) -> NodeStatus:
        """Return the status. The node can receive that of its channels; it buys more for a fee."""
        info = (await self._get("/getinfo")).json()
        with understood():
            channels = [channel for channel in info["channels"] if str(channel["state"]).upper() == READY]
            inbound = sum(int(channel.get("inboundLiquiditySat") or 0) for channel in channels)
            is_synced = bool(info.get("blockHeight"))
            return NodeStatus(
                str(info["nodeId"]), fields.network(info["chain"]), fields.msat(inbound * fields.MSAT), is_synced
            )

    async def create(
        self, *, external_id: str, amount_msat: int | None, description: str, expiry_s: int
    ) -> NodeInvoice:
        """Create an invoice with this `externalId`."""
        form = [("description", description), ("expirySeconds", str(expiry_s)), ("externalId", external_id)]
        if amount_msat is not None:
            sats = fields.whole_sats(amount_msat)
            if sats is None:
                raise InvoiceRefused("phoenixd creates invoices in whole satoshis")
            form.append(("amountSat", str(sats)))
        expires_us = self._context.wall_us() + expiry_s * fields.SECOND_US
        reply = await self._api.request("POST", "/createinvoice", form=form)
        if reply.status == BAD_REQUEST:
            raise InvoiceRefused(f"phoenixd refused the invoice: {reply.text()}")
        created = self._found(reply)
        with understood():
            return NodeInvoice(
                fields.payment_hash(created["paymentHash"]), self._bolt11(created["serialized"]), expires_us
            )

    async def find(self, external_id: str) -> NodeInvoice | None:
        """Return the oldest invoice with this `externalId`."""
        query = {"externalId": external_id, "all": "true", "limit": str(PAGE)}
        found = (await self._get("/payments/incoming", query)).json()
        with understood():
            matching = [one for one in found if one["externalId"] == external_id and one.get("invoice")]
            if not matching:
                return None
            oldest = min(matching, key=lambda one: (one["createdAt"], one["paymentHash"]))
            expires_us = int(oldest["expiresAt"]) * fields.MS_US
            return NodeInvoice(fields.payment_hash(oldest["paymentHash"]), self._bolt11(oldest["invoice"]), expires_us)

    async def look_up(self, payment_hash: str) -> InvoiceStatus:
        """Return the status of an invoice."""
        reply = await self._api.get(f"/payments/incoming/{payment_hash}")
        if reply.status == NOT_FOUND and reply.text() == "Not found":  # another text for an unknown path
            return InvoiceStatus("unknown")
        found = self._found(reply)
        with understood():
            if found["isPaid"]:
                return InvoiceStatus("settled", _payment(found))
            return InvoiceStatus("expired" if found["isExpired"] else "open")

    async def newest_cursor(self) -> str:
        """Return the position of the newest payment."""
        newest = (await self._get("/payments/incoming", {"limit": "1"})).json()
        with understood():
            newest_us = max((int(one["completedAt"]) * fields.MS_US for one in newest), default=0)
        payments = await self._since(newest_us)
        newest_us = max((payment.settled_us for payment in payments), default=0)
        return position(payments, newest_us, overlap_us=OVERLAP_MS * fields.MS_US)

    async def settled_after(self, cursor: str) -> SettledPage:
        """Return all payments after the cursor."""
        after = TimeCursor.parse(cursor)
        return after.page(await self._since(after.newest_us), overlap_us=OVERLAP_MS * fields.MS_US)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()

    async def _since(self, newest_us: int) -> list[SettledPayment]:
        """Return the payments since the overlap before this time. Pages are newest first, so a payment that arrives
        meanwhile repeats one and hides none."""
        since_ms = max(0, newest_us // fields.MS_US - OVERLAP_MS)
        payments: dict[str, SettledPayment] = {}
        for page in range(PAGES_MAX):
            query = {"from": str(since_ms), "limit": str(PAGE), "offset": str(page * PAGE)}
            found = (await self._get("/payments/incoming", query)).json()
            with understood():
                read = [_payment(one) for one in found if one["isPaid"]]
                payments |= {payment.payment_hash: payment for payment in read}
                if len(found) < PAGE // 2:  # not PAGE: on-chain payments are counted and then left out
                    return list(payments.values())
        raise NodeUnavailable(f"more than {PAGE * PAGES_MAX} payments settled since the last poll")

    async def _get(self, path: str, query: dict[str, str] | None = None) -> NodeReply:
        reply = await self._api.get(path, query)
        if reply.is_error:
            raise reply.failure(PASSWORD)
        return reply

    def _found(self, reply: NodeReply) -> Any:
        if reply.is_error:
            raise reply.failure(PASSWORD)
        return reply.json()

    def _bolt11(self, value: Any) -> str:
        return fields.invoice(value, self._context.network)


def _payment(found: dict[str, Any]) -> SettledPayment:
    fee_msat = fields.msat(found["fees"])
    sent_msat = max(
        fields.msat(found["receivedSat"]) * fields.MSAT + fee_msat, fields.msat(found.get("requestedSat") or 0) * 1000
    )
    settled_us = int(found["completedAt"]) * fields.MS_US
    return SettledPayment(fields.payment_hash(found["paymentHash"]), sent_msat - fee_msat, fee_msat, settled_us)


KIND = LightningKind("phoenixd", PhoenixdSettings, Phoenixd)
