"""The backend "electrum", a wallet of the Electrum daemon over its JSON-RPC. Source: Electrum 4.3.4.

1. Anyone who can call the daemon can spend: this backend is refused without `allow_hot_wallet`.
2. The external ID is appended to the description, since requests have no other field of their own.
3. Requests can also be paid on-chain, to an address of the wallet. Only `lightning_history` counts.
4. The history has the time at which a payment arrived, not the one at which it settled, and a payment of several parts
   appears with the first. One that is smaller than its request is left out until the rest is there.
"""

import time
from asyncio import sleep
from collections.abc import Iterator
from typing import Annotated, Any

from dtmf_server.config import LightningSettings
from dtmf_server.config.section import setting
from dtmf_server.payments.lightning import fields
from dtmf_server.payments.lightning.base import (
    CanSpend,
    CursorLost,
    InvoiceRefused,
    InvoiceStatus,
    NodeInvoice,
    NodeStatus,
    NodeUnavailable,
    SettledPage,
    SettledPayment,
)
from dtmf_server.payments.lightning.electrum_rpc import ElectrumRpc, RpcRefused
from dtmf_server.payments.lightning.node_api import understood
from dtmf_server.payments.lightning.node_settings import is_credential, is_path, is_url, url_disagreements
from dtmf_server.payments.lightning.registry import LightningContext, LightningKind
from dtmf_server.payments.lightning.time_cursor import TimeCursor, position

OVERLAP_US = 600 * fields.SECOND_US
EXPIRED = 1  # the status of a request, PR_EXPIRED in Electrum
RECEIVED = 1  # the direction of a payment, PaymentDirection in Electrum
MISSING = "Request not found"
WAIT_S, WAIT_STEP_S, WAIT_SHARE = 25.0, 0.1, 10  # a poll may take a tenth of the daemon's time
SATS_PER_BITCOIN = 100_000_000


class ElectrumSettings(LightningSettings, frozen=True, kw_only=True):
    """The Electrum daemon, which can spend: only with `allow_hot_wallet`."""

    url: Annotated[str, setting("the URL of the daemon's RPC, like http://127.0.0.1:7777", is_url)]
    user: Annotated[str, setting("rpcuser of the daemon", is_credential)]
    password: Annotated[str, setting("rpcpassword of the daemon", is_credential, secret=True)]
    wallet: Annotated[str | None, setting("the path of a wallet that the daemon has loaded", is_path)] = None
    allow_hot_wallet: Annotated[bool, setting("true or false")] = False

    def disagreements(self, *, is_sandbox: bool) -> Iterator[tuple[str, str]]:
        """A hot wallet must be allowed, its password needs TLS, and a sandbox may only use a daemon on this machine."""
        if not self.allow_hot_wallet:
            yield "allow_hot_wallet", f"must be true: {_HOT}"
        yield from url_disagreements(self.url, is_sandbox=is_sandbox, needs_tls=True)


class Electrum:
    """A wallet of the Electrum daemon."""

    name = "electrum"

    def __init__(self, settings: ElectrumSettings, context: LightningContext) -> None:
        self._rpc = ElectrumRpc(settings.url, user=settings.user, password=settings.password, wallet=settings.wallet)
        self._is_allowed, self._context = settings.allow_hot_wallet, context

    async def check_credentials(self) -> None:
        """Refuse the daemon unless the operator allows a hot wallet."""
        if not self._is_allowed:
            raise CanSpend(_HOT)
        await self._rpc.call("nodeid")

    async def status(self) -> NodeStatus:
        """Return the status. The wallet can receive the remote balance of open channels less the reserves."""
        info, node = await self._rpc.call("getinfo"), await self._rpc.call("nodeid")
        channels = await self._rpc.call("list_channels")
        with understood():
            usable = [c for c in channels if c["state"] == "OPEN" and c["peer_state"] == "GOOD"]
            sats = sum(max(0, int(c["remote_balance"]) - int(c["remote_reserve"])) for c in usable)
            is_synced = bool(info["connected"]) and info["blockchain_height"] == info["server_height"]
            network, inbound_msat = fields.network(info["network"]), fields.msat(sats * fields.MSAT)
            return NodeStatus(str(node).partition("@")[0], network, inbound_msat, is_synced)

    async def create(
        self, *, external_id: str, amount_msat: int | None, description: str, expiry_s: int
    ) -> NodeInvoice:
        """Create a request with the external ID in its description."""
        sats = fields.whole_sats(amount_msat or 0)
        if sats is None:
            raise InvoiceRefused("Electrum creates invoices in whole satoshis")
        amount = f"{sats // SATS_PER_BITCOIN}.{sats % SATS_PER_BITCOIN:08d}"
        memo = f"{description} {_mark(external_id)}"
        options = {"amount": amount, "memo": memo, "expiration": expiry_s, "force": True}
        try:
            created = await self._rpc.called("add_request", **options)
        except RpcRefused as error:
            raise InvoiceRefused(f"Electrum refused the invoice: {error}") from error
        with understood():
            if not created.get("can_receive", True):  # an invoice that expired meanwhile has no such key
                await self._rpc.call("delete_request", request_id=created["request_id"])
                raise InvoiceRefused("Electrum's channels cannot receive this amount")
            return self._invoice(created)

    async def find(self, external_id: str) -> NodeInvoice | None:
        """Return the oldest request with this external ID."""
        found = await self._rpc.call("list_requests")
        with understood():
            matching = [one for one in found if str(one["message"]).endswith(_mark(external_id)) and "rhash" in one]
            return self._invoice(min(matching, key=lambda one: one["timestamp"])) if matching else None

    async def look_up(self, payment_hash: str) -> InvoiceStatus:
        """Return the status of a request."""
        request = await self._request(payment_hash)
        received = await self._received()
        with understood():
            payment = next((one for one in received if one.payment_hash == payment_hash), None)
            if payment and payment.received_msat >= _requested_msat(request):
                return InvoiceStatus("settled", payment)
            if request is None:
                return InvoiceStatus("unknown")
            return InvoiceStatus("expired" if request["status"] == EXPIRED else "open")

    async def newest_cursor(self) -> str:
        """Return the position of the newest payment."""
        payments = await self._received()
        newest_us = max((payment.settled_us for payment in payments), default=0)
        return position(payments, newest_us, overlap_us=OVERLAP_US)

    async def settled_after(self, cursor: str) -> SettledPage:
        """Return all payments after the cursor."""
        after = TimeCursor.parse(cursor)
        payments = [p for p in await self._received() if p.settled_us >= after.newest_us - OVERLAP_US]
        page = after.page(payments, overlap_us=OVERLAP_US)
        parts = [payment for payment in page.payments if not await self._is_whole(payment)]
        if not parts:
            return page
        return after.page([payment for payment in payments if payment not in parts], overlap_us=OVERLAP_US)

    async def wait_for_settlement(self, cursor: str) -> None:
        """Poll until there is a payment after the cursor, less often where a poll takes long."""
        ends_s = time.monotonic() + WAIT_S
        while (started_s := time.monotonic()) < ends_s:
            try:
                if (await self.settled_after(cursor)).payments:
                    return
            except CursorLost:  # the next poll handles it
                return
            await sleep(max(WAIT_STEP_S, WAIT_SHARE * (time.monotonic() - started_s)))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._rpc.aclose()

    async def _is_whole(self, payment: SettledPayment) -> bool:
        return payment.received_msat >= _requested_msat(await self._request(payment.payment_hash))

    async def _request(self, payment_hash: str) -> Any:
        try:
            return await self._rpc.called("get_request", request_id=payment_hash)
        except RpcRefused as error:
            if str(error) == MISSING:
                return None
            raise NodeUnavailable(f"Electrum refused get_request: {error}") from error

    async def _received(self) -> list[SettledPayment]:
        found = await self._rpc.call("lightning_history")
        with understood():
            payments = [one for one in found if one.get("type") == "payment" and one["direction"] == RECEIVED]
            return [_payment(one) for one in payments]

    def _invoice(self, found: Any) -> NodeInvoice:
        bolt11 = fields.invoice(found["lightning_invoice"], self._context.network)
        return NodeInvoice(fields.payment_hash(found["rhash"]), bolt11, int(found["expiration"]) * fields.SECOND_US)


def _payment(found: Any) -> SettledPayment:
    settled_us = int(found["timestamp"]) * fields.SECOND_US
    return SettledPayment(fields.payment_hash(found["payment_hash"]), fields.msat(found["amount_msat"]), 0, settled_us)


def _requested_msat(request: Any) -> int:
    return fields.msat(request.get("amount_msat") or 0) if request else 0


def _mark(external_id: str) -> str:
    return f"({external_id})"


_HOT = "anyone who can call the Electrum daemon can spend; to accept that, set lightning.allow_hot_wallet = true"

KIND = LightningKind("electrum", ElectrumSettings, Electrum)
