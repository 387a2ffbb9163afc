"""The protocol of Lightning nodes, and the values that nodes and the service exchange.

1. An invoice is created at the node after its row, with a random external ID, is committed. If the answer is lost, the
   invoice is found again by that ID. The renter gets it only after it is stored.
2. A payment is credited when the node reports it settled, by its payment hash, whether or not the invoice has expired.
3. Settled payments are read after a cursor where the node has one, and looked up one by one where it has none.
   Webhooks and streams only say that it is time to look.
4. A node's credentials must not be able to spend. `check_credentials` refuses those that can.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dtmf_server.core.lightning import (
    DESCRIPTION_LENGTH_MAX,
    InvoiceStatus,
    NodeInvoice,
    SettledPage,
    SettledPayment,
    State,
)

__all__ = [
    "DESCRIPTION_LENGTH_MAX",
    "CanSpend",
    "CursorLost",
    "HasCursor",
    "InvoiceRefused",
    "InvoiceStatus",
    "LightningNode",
    "NodeInvoice",
    "NodeStatus",
    "NodeUnavailable",
    "SettledPage",
    "SettledPayment",
    "State",
    "WakesUp",
]


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """`identity`: the node's public key, or what else identifies it; another one means another node. `network`: as in
    `bitcoin.network`. `inbound_msat`: what the node can receive now; None if it does not say."""

    identity: str
    network: str
    inbound_msat: int | None
    synced: bool
    alias: str = ""


class NodeUnavailable(Exception):
    """The node cannot be asked now. The text names the cause, and the setting to change if there is one.

    `may_exist`: the request may have reached the node, so an invoice may have been created.
    """

    def __init__(self, reason: str, *, may_exist: bool = False) -> None:
        self.reason, self.may_exist = reason, may_exist
        super().__init__(reason)


class InvoiceRefused(Exception):
    """The node refuses to create this invoice, for example because the amount exceeds its capacity."""


class CursorLost(Exception):
    """The node's newest position is before the cursor: it was restored from a backup, or it is another node."""


class CanSpend(Exception):
    """The credentials can spend. The text says how to get ones that cannot."""


class LightningNode(Protocol):
    """A Lightning node that receives. Every method raises NodeUnavailable if the node cannot be asked."""

    @property
    def name(self) -> str:
        """The name of the backend, for example "phoenixd"."""

    async def check_credentials(self) -> None:
        """Raise CanSpend if the credentials can spend, NodeUnavailable if they are wrong or lack a permission."""

    async def status(self) -> NodeStatus:
        """Return the identity, the network and the inbound capacity."""

    async def create(
        self, *, external_id: str, amount_msat: int | None, description: str, expiry_s: int
    ) -> NodeInvoice:
        """Create an invoice; without an amount the payer chooses. Raises InvoiceRefused.

        Creating it again with the same `external_id` returns the same invoice where the node can refuse duplicates.
        """

    async def find(self, external_id: str) -> NodeInvoice | None:
        """Return the invoice created with this ID, None if there is none."""

    async def look_up(self, payment_hash: str) -> InvoiceStatus:
        """Return the status of one invoice."""

    async def aclose(self) -> None:
        """Close the connections."""


@runtime_checkable
class HasCursor(Protocol):
    """A node that lists settled payments in the order in which they settled."""

    async def newest_cursor(self) -> str:
        """Return the cursor after every payment settled so far: where a new database starts."""

    async def settled_after(self, cursor: str) -> SettledPage:
        """Return the payments settled after the cursor, at once. Raises CursorLost."""


@runtime_checkable
class WakesUp(Protocol):
    """A node that can say that something was settled, by a stream or a long poll."""

    async def wait_for_settlement(self, cursor: str) -> None:
        """Return when something may have been settled after the cursor, at the latest after 30 s."""
