"""Reads invoices from LND: single ones, all settled ones, and the stream."""

from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Any

from dtmf_server.payments.lightning import fields, lnd_access
from dtmf_server.payments.lightning.base import NodeUnavailable, SettledPayment
from dtmf_server.payments.lightning.node_api import NodeApi, understood

PAGE, PAGES_MAX = 1000, 1000
NOT_FOUND = 404


class LndInvoices:
    """The invoices of an LND, as its API returns them."""

    def __init__(self, api: NodeApi) -> None:
        self._api = api

    async def backlog(self, index: int, idle_s: float) -> list[Any]:
        """Return at most a page of settled invoices after an index; the backlog ends when none comes for `idle_s`."""
        found: dict[str, Any] = {}
        async for one in self.events(index, idle_s):
            found.setdefault(hash_of(one), one)
            if len(found) == PAGE:
                break
        return list(found.values())

    async def events(self, index: int, idle_s: float) -> AsyncIterator[Any]:
        """Yield the settled invoices of the stream, until none comes for `idle_s`."""
        query = {"settle_index": str(index), "add_index": "0"}
        async for line in self._api.lines_until_idle("/v1/invoices/subscribe", query, idle_s=idle_s):
            if line.is_error or b'"error"' in line.body[:20]:
                raise lnd_access.failure(line)
            with understood():
                found = line.json()["result"]
                if found["state"] == "SETTLED":  # the stream also has new invoices
                    yield found

    async def settled(self) -> list[Any]:
        """Return all settled invoices, in the order of their indices."""
        settled, offset = [], "0"
        for _ in range(PAGES_MAX):
            query = {"index_offset": offset, "num_max_invoices": str(PAGE)}
            page = await self.json("/v1/invoices", query)
            with understood():
                found = page.get("invoices") or []
                settled += [one for one in found if one["state"] == "SETTLED"]
                if len(found) < PAGE:
                    return sorted(settled, key=lambda one: int(one["settle_index"]))
                offset = str(page["last_index_offset"])
        raise NodeUnavailable(f"LND has more than {PAGE * PAGES_MAX} invoices")

    async def get(self, payment_hash: str) -> Any:
        """Return an invoice, None if LND has none with this hash."""
        reply = await self._api.get(f"/v1/invoice/{payment_hash}")
        is_missing = reply.status == NOT_FOUND or "unable to locate invoice" in reply.text()
        if reply.is_error and is_missing:
            return None
        if reply.is_error:
            raise lnd_access.failure(reply)
        return reply.json()

    async def json(self, path: str, query: dict[str, str] | None = None) -> Any:
        """Return the reply to a GET request. Raises NodeUnavailable."""
        reply = await self._api.get(path, query)
        if reply.is_error:
            raise lnd_access.failure(reply)
        return reply.json()


def hash_of(found: Any) -> str:
    """Return the payment hash of an invoice."""
    return fields.payment_hash(b64decode(found["r_hash"]).hex())


def payment_of(found: Any) -> SettledPayment:
    """Return the payment of a settled invoice."""
    settled_us = int(found["settle_date"]) * fields.SECOND_US
    return SettledPayment(hash_of(found), fields.msat(found["amt_paid_msat"]), 0, settled_us)
