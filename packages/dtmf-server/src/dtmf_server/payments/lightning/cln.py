"""The backend "cln", Core Lightning over the REST API of its plugin clnrest.

1. The label of an invoice is its external ID. Labels are unique, so creating an invoice again finds the first one.
2. `pay_index` orders paid invoices. `waitanyinvoice` returns the next one, or error 904 after its timeout.
3. The cursor is the index and hash of the newest payment. If the node has no such payment, it was restored from a backup.
"""

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
from dtmf_server.payments.lightning.cln_rune import HOW, METHODS, permitted
from dtmf_server.payments.lightning.node_api import NodeApi, NodeReply, understood
from dtmf_server.payments.lightning.node_settings import (
    is_credential,
    is_path,
    is_url,
    read_certificate,
    url_disagreements,
)
from dtmf_server.payments.lightning.registry import LightningContext, LightningKind

RUNE = "lightning.rune"
PAGE = 100
WAIT_S, WAIT_MARGIN_S = 25, 10.0
# Error codes of Core Lightning, doc/lightning-invoice.7 and lightning-waitanyinvoice.7.
DUPLICATE_LABEL, TIMED_OUT = 900, 904
NOT_PERMITTED = (1501, 1502)
OPEN_CHANNEL = "CHANNELD_NORMAL"


class ClnSettings(LightningSettings, frozen=True, kw_only=True):
    """Core Lightning with its plugin clnrest, and a rune that cannot spend."""

    url: Annotated[str, setting("a URL like https://127.0.0.1:3010", is_url)] = "https://127.0.0.1:3010"
    rune: Annotated[str, setting("a rune, as lightning-cli createrune prints it", is_credential, secret=True)]
    certificate: Annotated[str | None, setting("the path of clnrest's ca.pem", is_path)] = None

    def disagreements(self, *, is_sandbox: bool) -> Iterator[tuple[str, str]]:
        """The rune needs TLS, and a sandbox may only use a node on this machine."""
        yield from url_disagreements(self.url, is_sandbox=is_sandbox, needs_tls=True)


class Cln:
    """A Core Lightning node."""

    name = "cln"

    def __init__(self, settings: ClnSettings, context: LightningContext) -> None:
        self._methods, self._context = permitted(settings.rune), context
        certificate = read_certificate(settings.certificate)
        self._api = NodeApi(settings.url, headers={"Rune": settings.rune}, certificate=certificate)

    async def check_credentials(self) -> None:
        """Read the rune's restrictions, and try to pay an invoice that is none: the node must not permit it."""
        if self._methods is None or self._methods - set(METHODS):
            raise CanSpend(f"{RUNE} permits more than to receive: {HOW}")
        if missing := sorted(set(METHODS) - self._methods):
            raise NodeUnavailable(f"{RUNE} does not permit {', '.join(missing)}: {HOW}")
        await self.status()
        reply = await self._post("pay", {"bolt11": "none"})
        if not reply.is_error or not (reply.refuses_credentials or _code(reply) in NOT_PERMITTED):
            raise CanSpend(f"Core Lightning did not deny a payment with {RUNE} (status {reply.status}): {HOW}")

    async def status(self) -> NodeStatus:
        """Return the status. The node can receive the sum over its open channels."""
        info, channels = await self._call("getinfo"), await self._call("listpeerchannels")
        with understood():
            usable = [c for c in channels["channels"] if c["state"] == OPEN_CHANNEL and c["peer_connected"]]
            is_synced = not any(f"warning_{part}_sync" in info for part in ("bitcoind", "lightningd"))
            return NodeStatus(
                str(info["id"]),
                fields.network(info["network"]),
                sum(fields.msat(channel["receivable_msat"]) for channel in usable),
                is_synced,
                str(info.get("alias", "")),
            )

    async def create(
        self, *, external_id: str, amount_msat: int | None, description: str, expiry_s: int
    ) -> NodeInvoice:
        """Create an invoice with the external ID as its label."""
        amount: int | str = "any" if amount_msat is None else amount_msat
        body = {"amount_msat": amount, "label": external_id, "description": description, "expiry": expiry_s}
        reply = await self._post("invoice", body)
        if reply.is_error and _code(reply) == DUPLICATE_LABEL:
            found = await self.find(external_id)
            if found is not None:
                return found
        if reply.is_error and not reply.refuses_credentials and _code(reply) is not None:
            raise InvoiceRefused(f"Core Lightning refused the invoice: {reply.text()}")
        created = self._result(reply)
        with understood():
            if "warning_capacity" in created:  # Core Lightning creates it, but it cannot be paid
                raise InvoiceRefused("Core Lightning's channels cannot receive this amount")
        return self._invoice(created)

    async def find(self, external_id: str) -> NodeInvoice | None:
        """Return the invoice with this label."""
        found = await self._invoices({"label": external_id})
        return self._invoice(found[0]) if found else None

    async def look_up(self, payment_hash: str) -> InvoiceStatus:
        """Return the status of an invoice."""
        found = await self._invoices({"payment_hash": payment_hash})
        with understood():
            if not found:
                return InvoiceStatus("unknown")
            if found[0]["status"] == "paid":
                return InvoiceStatus("settled", _payment(found[0]))
            return InvoiceStatus("expired" if found[0]["status"] == "expired" else "open")

    async def newest_cursor(self) -> str:
        """Return the position of the newest payment."""
        with understood():
            paid = [one for one in await self._invoices({}) if one["status"] == "paid"]
            return _cursor(max(paid, key=lambda one: int(one["pay_index"]))) if paid else "0:"

    async def settled_after(self, cursor: str) -> SettledPage:
        """Return up to 100 payments after the cursor."""
        index, newest = _position(cursor)
        if index:
            found = await self._invoices({"payment_hash": newest})
            with understood():
                if not found or found[0]["status"] != "paid" or int(found[0]["pay_index"]) != index:
                    raise CursorLost("Core Lightning no longer has the newest payment that was read from it")
        payments: list[SettledPayment] = []
        while len(payments) < PAGE and (one := await self._next(index, timeout_s=0)) is not None:
            with understood():
                payments.append(_payment(one))
                index, cursor = int(one["pay_index"]), _cursor(one)
        return SettledPage(payments, cursor, more=len(payments) == PAGE)

    async def wait_for_settlement(self, cursor: str) -> None:
        """Wait for the next payment after the cursor."""
        await self._next(_position(cursor)[0], timeout_s=WAIT_S)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._api.aclose()

    async def _next(self, index: int, *, timeout_s: int) -> Any:
        body = {"lastpay_index": index, "timeout": timeout_s}
        reply = await self._post("waitanyinvoice", body, timeout_s=timeout_s + WAIT_MARGIN_S)
        return None if reply.is_error and _code(reply) == TIMED_OUT else self._result(reply)

    async def _invoices(self, body: dict[str, str]) -> list[Any]:
        with understood():
            return list((await self._call("listinvoices", body))["invoices"])

    async def _call(self, method: str, body: dict[str, str] | None = None) -> Any:
        return self._result(await self._post(method, body or {}))

    async def _post(self, method: str, body: object, *, timeout_s: float | None = None) -> NodeReply:
        return await self._api.request("POST", f"/v1/{method}", body=body, timeout_s=timeout_s)

    def _result(self, reply: NodeReply) -> Any:
        if reply.is_error and _code(reply) in NOT_PERMITTED:
            raise NodeUnavailable(f"Core Lightning refuses the credentials ({reply.text()}): check {RUNE}; {HOW}")
        if reply.is_error:
            raise reply.failure(RUNE)
        return reply.json()

    def _invoice(self, found: Any) -> NodeInvoice:
        with understood():
            bolt11 = fields.invoice(found["bolt11"], self._context.network)
            expires_us = int(found["expires_at"]) * fields.SECOND_US
            return NodeInvoice(fields.payment_hash(found["payment_hash"]), bolt11, expires_us)


def _code(reply: NodeReply) -> int | None:
    """Return the error code of Core Lightning, None if the reply is not its error."""
    try:
        error = reply.json()
        error = error.get("error", error)
        return int(error["code"])
    except (NodeUnavailable, LookupError, TypeError, ValueError, AttributeError):
        return None


def _payment(found: Any) -> SettledPayment:
    received_msat, settled_us = fields.msat(found["amount_received_msat"]), int(found["paid_at"]) * fields.SECOND_US
    return SettledPayment(fields.payment_hash(found["payment_hash"]), received_msat, 0, settled_us)


def _cursor(found: Any) -> str:
    return f"{int(found['pay_index'])}:{fields.payment_hash(found['payment_hash'])}"


def _position(cursor: str) -> tuple[int, str]:
    index, separator, newest = cursor.partition(":")
    if not separator or not index.isdecimal():
        raise CursorLost("the stored cursor is one of another kind of node")
    return int(index), newest


KIND = LightningKind("cln", ClnSettings, Cln)
