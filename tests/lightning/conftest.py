"""A service with a Lightning node whose faults the test chooses, and a client of one account."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from dtmf_server.core.lightning import SettledPayment
from dtmf_server.operations import invoices, verify
from dtmf_server.runtime.context import Runtime
from dtmf_server.server.lightning import NodeInvoices
from dtmf_server.storage import invoices as stored
from dtmf_server.storage import simulated_lightning
from dtmf_server.storage.db import Database, Row, Tx
from dtmf_server.workers.invoice_watcher import InvoiceWatcher
from harness import START_US, open_account


@dataclass
class Account:
    """An account, with its invoices by way of the database."""

    runtime: Runtime
    id: int
    _external_ids: Iterator[int]

    @property
    def db(self) -> Database:
        return self.runtime.db

    async def invoice(self, amount_sats: int | None = 1000, *, expiry_s: int = 3600) -> Row:
        """Create an invoice."""
        invoice_id = self.want(amount_sats, expiry_s=expiry_s)
        assert self.runtime.invoices is not None
        await self.runtime.invoices.complete(invoice_id, is_new=True)
        return self.stored(invoice_id)

    def want(self, amount_sats: int | None = 1000, *, expiry_s: int = 3600, is_limited: bool = False) -> int:
        """Add an invoice that the node is to create."""
        return self.db.write_blocking(
            lambda tx: invoices.want(
                tx,
                self.id,
                amount_sats=amount_sats,
                external_id=f"external {next(self._external_ids)}",
                description="test",
                expiry_s=expiry_s,
                is_limited=is_limited,
                now_us=self.runtime.clock.now_us(tx),
                wall_us=self.runtime.clock.wall_us(),
            )
        )

    def stored(self, invoice_id: int) -> Row:
        """Return the row of an invoice."""
        row = self.db.read_blocking(lambda tx: stored.by_id(tx, invoice_id))
        assert row is not None
        return row

    def pay(self, invoice: Row, msat: int, *, fee_msat: int = 0, times: int = 1, is_reported: bool = True) -> None:
        """Settle an invoice at the simulated node."""
        payment = SettledPayment(invoice["payment_hash"], msat, fee_msat, START_US)

        def settle(tx: Tx) -> None:
            for _ in range(times):
                simulated_lightning.pay(tx, payment, is_reported=is_reported)

        self.db.write_blocking(settle)

    def booked(self) -> tuple[int, int]:
        """Return balance and debt."""
        row = self.db.read_blocking(lambda tx: tx.one("SELECT balance, debt FROM accounts WHERE id = :id", id=self.id))
        assert row is not None
        return row["balance"], row["debt"]

    def events(self) -> list[str]:
        """Return the kinds of the account's events."""
        rows = self.db.read_blocking(
            lambda tx: tx.all("SELECT kind FROM events WHERE account_id = :id ORDER BY id", id=self.id)
        )
        return [row["kind"] for row in rows]


EXTERNAL_IDS = iter(range(10**9))


@pytest.fixture
def account(runtime: Runtime) -> Account:
    """An account without coins."""
    return Account(runtime, open_account(runtime.db), EXTERNAL_IDS)


@pytest.fixture
def watcher(runtime: Runtime) -> InvoiceWatcher:
    """The watcher of the simulated node, not running."""
    return watcher_of(runtime)


def watcher_of(runtime: Runtime) -> InvoiceWatcher:
    """Return a watcher of the runtime's node."""
    node = runtime.invoices
    assert isinstance(node, NodeInvoices)
    return InvoiceWatcher(runtime, node.node, network=node.network, poll_s=node.poll_s)


def books_are_right(db: Database) -> bool:
    """Return whether nothing contradicts the ledger; print what does."""
    found = db.read_blocking(verify.differences)
    print(*found, sep="\n")
    return not found


def node_sums(db: Database) -> tuple[int, int, int, int]:
    """Return received, fees, rounding (millisatoshis) and credited satoshis of the simulated node."""
    row = db.read_blocking(lambda tx: tx.one("SELECT * FROM lightning_nodes WHERE identity = 'simulator'"))
    assert row is not None
    return row["received_msat"], row["fee_msat"], row["rounding_msat"], row["credited_sats"]


def asked(url: str, token: str) -> Callable[..., httpx2.Response]:
    """Return a function that sends a request to the API."""

    def ask(method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        given = {"Authorization": f"Bearer {token}", **{name.replace("_", "-"): text for name, text in headers.items()}}
        return httpx2.request(method, f"{url}/api/v1{path}", json=body, headers=given, timeout=30)

    return ask
