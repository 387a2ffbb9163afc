"""The configured Lightning node of a process: built from the settings, checked, and used to create invoices."""

import asyncio
from dataclasses import dataclass, field

from dtmf_server.config import Config, LightningSettings
from dtmf_server.core.errors import CannotStart, InvoiceRefused, LightningUnavailable
from dtmf_server.core.lightning import InvoiceStatus, NodeInvoice, SettledPayment
from dtmf_server.operations import invoices as operations
from dtmf_server.payments.lightning import base, registry, simulator
from dtmf_server.payments.lightning.simulator import SimulatedNode
from dtmf_server.runtime.clock import wall_us
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import invoices, simulated_lightning
from dtmf_server.storage.db import Database

CHECK_TIMEOUT_S = 10.0
SIMULATOR_POLL_S = 0.5  # wake-ups may get lost


@dataclass(frozen=True, slots=True)
class NodeInvoices:
    """Invoices of one node."""

    runtime: Runtime
    node: base.LightningNode
    network: str | None  # that the node must be on; None: any
    description: str
    expiry_s: int
    poll_s: float
    _checked: asyncio.Event = field(default_factory=asyncio.Event, init=False)  # the credentials cannot spend

    @property
    def is_simulated(self) -> bool:
        """Whether the node is the sandbox's own."""
        return isinstance(self.node, SimulatedNode)

    async def complete(self, invoice_id: int, *, is_new: bool) -> None:
        """Create a wanted invoice at the node and store it. Raises InvoiceRefused, LightningUnavailable."""
        db, node = self.runtime.db, self.node
        row = await db.read(lambda tx: invoices.by_id(tx, invoice_id))
        assert row is not None, "the row was committed before"
        if row["payment_hash"] is not None:
            return
        if row["state"] != "wanted":
            raise InvoiceRefused("this invoice was never created: use a new Idempotency-Key")
        try:
            await self._check_credentials()
            created = None if is_new else await node.find(row["external_id"])
            created = created or await node.create(
                external_id=row["external_id"],
                amount_msat=row["amount_msat"],
                description=row["description"],
                expiry_s=self.expiry_s,
            )
        except base.InvoiceRefused as error:
            await db.write(lambda tx: operations.give_up(tx, invoice_id))
            raise InvoiceRefused(f"the Lightning node refuses this invoice: {error}; use a smaller amount") from error
        except (base.NodeUnavailable, base.CanSpend) as error:
            raise LightningUnavailable from error
        await db.write(
            lambda tx: operations.store(
                tx,
                invoice_id,
                created,
                has_cursor=isinstance(node, base.HasCursor),
                now_us=self.runtime.clock.now_us(tx),
            )
        )

    async def _check_credentials(self) -> None:
        """Check them once, before the first invoice: the node may have been unreachable when the service started."""
        if not self._checked.is_set():
            await self.node.check_credentials()
            self._checked.set()


def attach_node(config: Config, runtime: Runtime) -> None:
    """Give the runtime the configured node; a sandbox without one gets a simulated node. Raises CannotStart."""
    settings = config.lightning
    if settings.kind is not None:
        node = build_node(config)
        runtime.invoices = _invoices(runtime, node, settings, config.bitcoin.network)
        runtime.db.write_blocking(lambda tx: operations.configure(tx, node.name))
    elif config.mode == "sandbox":
        attach_simulator(runtime, settings)


def attach_simulator(runtime: Runtime, settings: LightningSettings | None = None) -> None:
    """Give a sandbox's runtime the simulated node."""
    node = SimulatedNode(SimulatedStore(runtime.db), runtime.clock.wall_us)
    runtime.invoices = _invoices(runtime, node, settings or LightningSettings(), None)
    runtime.db.write_blocking(
        lambda tx: operations.connect(tx, backend=node.name, identity=simulator.IDENTITY, cursor="0")
    )


def _invoices(
    runtime: Runtime, node: base.LightningNode, settings: LightningSettings, network: str | None
) -> NodeInvoices:
    return NodeInvoices(
        runtime,
        node,
        network,
        description=settings.description,
        expiry_s=settings.expiry_s,
        poll_s=settings.poll_s,
    )


def build_node(config: Config) -> base.LightningNode:
    """Return the configured node, not connected yet. Raises CannotStart."""
    assert config.lightning.kind is not None, "the caller has checked it"
    context = registry.LightningContext(
        is_sandbox=config.mode == "sandbox", network=config.bitcoin.network, wall_us=wall_us
    )
    return registry.find(config.lightning.kind).build(config.lightning, context)


def refuse_spending_credentials(config: Config) -> None:
    """Raise CannotStart if the configured node's credentials can spend. A node that can't be reached now is checked when
    it is."""
    if config.lightning.kind is None:
        return
    try:
        asyncio.run(_check(build_node(config)))
    except base.CanSpend as error:
        raise CannotStart(f"[lightning]: these credentials can spend: {error}") from error


async def _check(node: base.LightningNode) -> None:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            await node.check_credentials()
    except (base.NodeUnavailable, TimeoutError):
        return
    finally:
        await node.aclose()


@dataclass(frozen=True, slots=True)
class SimulatedStore:
    """The simulated node's tables."""

    db: Database

    async def add(self, external_id: str, invoice: NodeInvoice, *, amount_msat: int | None) -> NodeInvoice:
        """Store an invoice, or return the one stored with this external ID."""
        return await self.db.write(
            lambda tx: simulated_lightning.add(tx, external_id, invoice, amount_msat=amount_msat)
        )

    async def find(self, external_id: str) -> NodeInvoice | None:
        """Return the invoice with this external ID."""
        return await self.db.read(lambda tx: simulated_lightning.find(tx, external_id))

    async def look_up(self, payment_hash: str) -> InvoiceStatus:
        """Return the state of an invoice."""
        return await self.db.read(lambda tx: simulated_lightning.look_up(tx, payment_hash))

    async def newest(self) -> int:
        """Return the index of the newest payment, or 0."""
        return await self.db.read(simulated_lightning.newest)

    async def paid_after(self, index: int, limit: int) -> list[tuple[int, SettledPayment]]:
        """Return payments with higher indexes, each with its index."""
        return await self.db.read(lambda tx: simulated_lightning.paid_after(tx, index, limit=limit))

    async def wait(self, index: int) -> None:
        """Return when there is a payment with a higher index."""
        woken = self.db.wakeups.listen(simulated_lightning.TOPIC)
        try:
            while await self.newest() <= index:
                woken.clear()
                try:
                    await asyncio.wait_for(woken.wait(), SIMULATOR_POLL_S)
                except TimeoutError:
                    continue
        finally:
            self.db.wakeups.unlisten(woken)
