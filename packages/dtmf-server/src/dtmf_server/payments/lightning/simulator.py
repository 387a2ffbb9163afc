"""The sandbox's Lightning node: its invoices and payments are rows, read and written through `Store`.

Its invoices are valid BOLT 11 of the network regtest, signed by a key that everyone knows: no wallet can pay them.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dtmf_server.core.lightning import simulated_preimage
from dtmf_server.core.units import SECOND_US
from dtmf_server.payments.lightning import bolt11
from dtmf_server.payments.lightning.base import (
    CursorLost,
    InvoiceStatus,
    NodeInvoice,
    NodeStatus,
    SettledPage,
    SettledPayment,
)

NAME = "simulator"
IDENTITY = "simulator"
PRIVATE_KEY = hashlib.sha256(b"the Lightning node of the DTMF sandbox").digest()
PREFIX = bolt11.PREFIXES["regtest"]
PAGE = 100


class Store(Protocol):
    """The node's database."""

    async def add(self, external_id: str, invoice: NodeInvoice, *, amount_msat: int | None) -> NodeInvoice:
        """Store an invoice, or return the one stored with this external ID."""

    async def find(self, external_id: str) -> NodeInvoice | None:
        """Return the invoice with this external ID."""

    async def look_up(self, payment_hash: str) -> InvoiceStatus:
        """Return the state of an invoice."""

    async def newest(self) -> int:
        """Return the index of the newest payment, or 0."""

    async def paid_after(self, index: int, limit: int) -> list[tuple[int, SettledPayment]]:
        """Return payments with higher indexes, each with its index."""

    async def wait(self, index: int) -> None:
        """Return when there may be a payment with a higher index, at the latest after some seconds."""


@dataclass(frozen=True, slots=True)
class SimulatedNode:
    """A Lightning node without a network."""

    store: Store
    wall_us: Callable[[], int]
    name: str = NAME

    async def check_credentials(self) -> None:
        """Do nothing: there are no credentials."""

    async def status(self) -> NodeStatus:
        """Return the status of a node that can receive any amount."""
        return NodeStatus(IDENTITY, "regtest", None, synced=True, alias="sandbox")

    async def create(
        self, *, external_id: str, amount_msat: int | None, description: str, expiry_s: int
    ) -> NodeInvoice:
        """Create an invoice, or return the one with this external ID."""
        payment_hash = hashlib.sha256(simulated_preimage(external_id)).hexdigest()
        now_us = self.wall_us()
        parts = bolt11.Invoice(PREFIX, payment_hash, amount_msat, description, now_us // SECOND_US, expiry_s)
        text = bolt11.encode(parts, payment_secret=secrets.token_bytes(32), private_key=PRIVATE_KEY)
        invoice = NodeInvoice(payment_hash, text, now_us + expiry_s * SECOND_US)
        return await self.store.add(external_id, invoice, amount_msat=amount_msat)

    async def find(self, external_id: str) -> NodeInvoice | None:
        """Return the invoice created with this ID."""
        return await self.store.find(external_id)

    async def look_up(self, payment_hash: str) -> InvoiceStatus:
        """Return the state of one invoice."""
        return await self.store.look_up(payment_hash)

    async def newest_cursor(self) -> str:
        """Return the index of the newest payment."""
        return str(await self.store.newest())

    async def settled_after(self, cursor: str) -> SettledPage:
        """Return the payments after an index. Raises CursorLost."""
        index = int(cursor)
        found = await self.store.paid_after(index, PAGE)
        if not found and (newest := await self.store.newest()) < index:
            raise CursorLost(f"the newest payment has index {newest}, before {index}")
        return SettledPage(
            [payment for _, payment in found], str(found[-1][0]) if found else cursor, more=len(found) == PAGE
        )

    async def wait_for_settlement(self, cursor: str) -> None:
        """Return when something may have been paid after the cursor."""
        await self.store.wait(int(cursor))

    async def aclose(self) -> None:
        """Do nothing: there are no connections."""
