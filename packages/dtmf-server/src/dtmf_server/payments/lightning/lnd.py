"""The backend "lnd", over LND's REST API.

1. An invoice's preimage is derived from the external ID and the macaroon, so creating it again finds the first one. This
   is safe because the same macaroon can read every preimage from LND.
2. `settle_index` orders settled invoices. LND sends no backlog after index 0 (lnd#2469), so before the first payment is
   read, invoices are listed instead. The indices have gaps (lnd#7071).
3. The cursor is the index and hash of the newest payment. If LND has another invoice there, it was restored from a backup.
4. The stream does not mark the end of its backlog: reading ends when nothing came for several round trips.
"""

import hmac
import time
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Annotated, Any

from dtmf_server.config import LightningSettings
from dtmf_server.config.section import setting
from dtmf_server.payments.lightning import fields, lnd_access
from dtmf_server.payments.lightning.base import (
    CursorLost,
    InvoiceRefused,
    InvoiceStatus,
    NodeInvoice,
    NodeStatus,
    SettledPage,
)
from dtmf_server.payments.lightning.lnd_invoices import PAGE, LndInvoices, hash_of, payment_of
from dtmf_server.payments.lightning.node_api import NodeApi, NodeReply, understood
from dtmf_server.payments.lightning.node_settings import is_path, is_url, read_certificate, url_disagreements
from dtmf_server.payments.lightning.registry import LightningContext, LightningKind

WAIT_S, FIRST_WAITS = 28.0, 14
IDLE_S, IDLE_ROUND_TRIPS = 0.1, 5
UNAVAILABLE = 503
NONE = "0:"


class LndSettings(LightningSettings, frozen=True, kw_only=True):
    """LND, with a macaroon that cannot spend."""

    url: Annotated[str, setting("a URL like https://127.0.0.1:8080", is_url)] = "https://127.0.0.1:8080"
    macaroon: Annotated[
        str, setting("a macaroon in hexadecimal, as lncli bakemacaroon prints it", lnd_access.is_hex, secret=True)
    ]
    certificate: Annotated[str | None, setting("the path of LND's tls.cert", is_path)] = None

    def disagreements(self, *, is_sandbox: bool) -> Iterator[tuple[str, str]]:
        """The macaroon needs TLS, and a sandbox may only use a node on this machine."""
        yield from url_disagreements(self.url, is_sandbox=is_sandbox, needs_tls=True)


class Lnd:
    """An LND. `url`, `macaroon` and `certificate` are those of the settings."""

    name = "lnd"

    def __init__(self, settings: LndSettings, context: LightningContext) -> None:
        macaroon = bytes.fromhex(settings.macaroon)
        self._preimage_key = hmac.digest(macaroon, b"the preimages of DTMF's invoices", "sha256")
        self._permissions, self._context = lnd_access.permissions(macaroon), context
        headers = {"Grpc-Metadata-macaroon": settings.macaroon}
        self._api = NodeApi(settings.url, headers=headers, certificate=read_certificate(settings.certificate))
        self._invoices = LndInvoices(self._api)

    async def check_credentials(self) -> None:
        """Read the macaroon's permissions, and try to pay an invoice that is none: LND must refuse it for lack of one."""
        lnd_access.check_permissions(self._permissions)
        await self.status()
        await lnd_access.check_that_payments_are_denied(self._api)

    async def status(self) -> NodeStatus:
        """Return the status. The node can receive the remote balance of active channels less the reserves."""
        info = await self._invoices.json("/v1/getinfo")
        inbound_msat = await self._inbound_msat({"active_only": "true"})
        with understood():
            return NodeStatus(
                str(info["identity_pubkey"]),
                fields.network(info["chains"][0]["network"]),
                inbound_msat,
                bool(info["synced_to_chain"]),
                str(info.get("alias", "")),
            )

    async def create(
        self, *, external_id: str, amount_msat: int | None, description: str, expiry_s: int
    ) -> NodeInvoice:
        """Create an invoice with the preimage of this external ID."""
        preimage = self._preimage(external_id)
        body = {
            "r_preimage": b64encode(preimage).decode(),
            "value_msat": str(amount_msat or 0),
            "memo": description,
            "expiry": str(expiry_s),
            "private": True,  # with hints for channels that are not announced
        }
        reply = await self._api.request("POST", "/v1/invoices", body=body)
        if reply.is_error:
            return await self._after_failure(reply, external_id)
        created = reply.json()
        if (amount_msat or 0) > await self._inbound_msat():  # LND creates it, but it cannot be paid
            raise InvoiceRefused("LND's channels cannot receive this amount")
        with understood():
            expires_us = self._context.wall_us() + expiry_s * fields.SECOND_US
            return NodeInvoice(_hash(preimage), self._bolt11(created["payment_request"]), expires_us)

    async def find(self, external_id: str) -> NodeInvoice | None:
        """Return the invoice with the preimage of this external ID."""
        found = await self._invoices.get(_hash(self._preimage(external_id)))
        if found is None:
            return None
        with understood():
            expires_us = (int(found["creation_date"]) + int(found["expiry"])) * fields.SECOND_US
            return NodeInvoice(hash_of(found), self._bolt11(found["payment_request"]), expires_us)

    async def look_up(self, payment_hash: str) -> InvoiceStatus:
        """Return the status of an invoice. LND cancels expired ones."""
        found = await self._invoices.get(payment_hash)
        if found is None:
            return InvoiceStatus("unknown")
        with understood():
            if found["state"] == "SETTLED":
                return InvoiceStatus("settled", payment_of(found))
            ended_us = (int(found["creation_date"]) + int(found["expiry"])) * fields.SECOND_US
            is_expired = found["state"] == "CANCELED" or (
                found["state"] == "OPEN" and ended_us <= self._context.wall_us()
            )
            return InvoiceStatus("expired" if is_expired else "open")

    async def newest_cursor(self) -> str:
        """Return the position of the newest payment."""
        return _cursor((await self._invoices.settled())[-1:])

    async def settled_after(self, cursor: str) -> SettledPage:
        """Return the payments in the backlog of the stream after the cursor."""
        index, started_s = _index(cursor), time.monotonic()
        if not index:
            found = await self._invoices.settled()
            return SettledPage([payment_of(one) for one in found], _cursor(found[-1:]), more=False)
        newest = await self._invoices.get(cursor.partition(":")[2])
        with understood():
            if newest is None or newest["state"] != "SETTLED" or int(newest["settle_index"]) != index:
                raise CursorLost("LND no longer has the newest payment that was read from it")
        idle_s = IDLE_S + IDLE_ROUND_TRIPS * (time.monotonic() - started_s)
        found = await self._invoices.backlog(index, idle_s)
        with understood():
            return SettledPage([payment_of(one) for one in found], _cursor(found[-1:], cursor), more=len(found) == PAGE)

    async def wait_for_settlement(self, cursor: str) -> None:
        """Wait for the first event of the stream after the cursor. Without a payment yet, the stream may miss it, so the
        invoices are also listed from time to time."""
        index = _index(cursor)
        for _ in range(1 if index else FIRST_WAITS):
            if not index and await self._invoices.settled():
                return
            async for _ in self._invoices.events(index, WAIT_S if index else WAIT_S / FIRST_WAITS):
                return

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()

    async def _inbound_msat(self, query: dict[str, str] | None = None) -> int:
        """Return what the channels can receive, also those whose peers are offline unless the query excludes them."""
        found = await self._invoices.json("/v1/channels", query)
        with understood():
            each = [(c["remote_balance"], c.get("remote_chan_reserve_sat", 0)) for c in found["channels"]]
            return fields.msat(sum(max(0, int(balance) - int(reserve)) for balance, reserve in each) * fields.MSAT)

    async def _after_failure(self, reply: NodeReply, external_id: str) -> NodeInvoice:
        """Return the invoice if it exists nevertheless: LND refuses a second one with the same preimage. Else raise."""
        if lnd_access.refuses(reply) or reply.status == UNAVAILABLE:
            raise lnd_access.failure(reply)
        found = await self.find(external_id)
        if found is None:
            raise InvoiceRefused(f"LND refused the invoice: {reply.text()}")
        return found

    def _bolt11(self, value: Any) -> str:
        return fields.invoice(value, self._context.network)

    def _preimage(self, external_id: str) -> bytes:
        return hmac.digest(self._preimage_key, external_id.encode(), "sha256")


def _hash(preimage: bytes) -> str:
    return sha256(preimage).hexdigest()


def _cursor(newest: list[Any], otherwise: str = NONE) -> str:
    return f"{int(newest[0]['settle_index'])}:{hash_of(newest[0])}" if newest else otherwise


def _index(cursor: str) -> int:
    index, separator, _ = cursor.partition(":")
    if not separator or not index.isdecimal():
        raise CursorLost("the stored cursor is one of another kind of node")
    return int(index)


KIND = LightningKind("lnd", LndSettings, Lnd)
