"""Invoice watcher: credits what the Lightning node reports as settled. One process at a time runs it.

Three tasks: `poll` reads settled payments after the cursor, at an interval and whenever the node says so; `look_up` asks
for single invoices, finds wanted ones and expires others; the third waits for the node to say so. Each step is one
transaction, so the watcher can stop and resume anywhere.
"""

import asyncio
import logging

from dtmf_server.core.units import SECOND_US
from dtmf_server.operations import invoices as operations
from dtmf_server.payments.lightning.base import (
    CanSpend,
    CursorLost,
    HasCursor,
    LightningNode,
    NodeUnavailable,
    SettledPayment,
    WakesUp,
)
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import invoices, lightning_nodes
from dtmf_server.storage.db import Row, Tx
from dtmf_server.workers.waiting import wait_for

LOOK_UPS_PER_S = 20
WANTED_EVERY_S = 15.0  # how often the node is asked for invoices whose creation was not confirmed
WANTED_AT_ONCE = 5
STATUS_EVERY_S = 30.0
DUE_WAIT_S = 5.0  # between two looks for due invoices: wake-ups may get lost

log = logging.getLogger("dtmf.lightning")


class _WrongNode(Exception):
    """The node is on another network than the one configured."""


class InvoiceWatcher:
    """Watches the invoices of one node. `network`: the one that the node must be on; None for any."""

    def __init__(self, runtime: Runtime, node: LightningNode, *, network: str | None, poll_s: float) -> None:
        self._runtime, self._node, self._network, self._poll_s = runtime, node, network, poll_s
        self._node_id: int | None = None
        self._inbound_msat: int | None = None
        self._warning: str | None = None
        self._status_at_s = self._wanted_at_s = float("-inf")
        self._trouble: str | None = None
        self._polled = asyncio.Event()

    async def run(self) -> None:
        """Watch until cancelled."""
        woken, due = asyncio.Event(), self._runtime.db.wakeups.listen(operations.TOPIC)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._poll_until_cancelled(woken))
                group.create_task(self._look_up_until_cancelled(due))
                if isinstance(self._node, WakesUp) and isinstance(self._node, HasCursor):
                    group.create_task(self._wait_for_node(self._node, woken))
        finally:
            self._runtime.db.wakeups.unlisten(due)
            await self._node.aclose()

    async def _poll_until_cancelled(self, woken: asyncio.Event) -> None:
        while True:
            woken.clear()
            await self.poll()
            self._polled.set()
            await wait_for(woken, timeout_s=self._poll_s)

    async def _look_up_until_cancelled(self, due: asyncio.Event) -> None:
        while True:
            due.clear()
            asked = await self.look_up()
            if asked:
                await asyncio.sleep(asked / LOOK_UPS_PER_S)
            await wait_for(due, timeout_s=await self._until_due_s())

    async def _wait_for_node(self, node: WakesUp, woken: asyncio.Event) -> None:
        """Wake the poll when the node says that something was settled."""
        while True:
            self._polled.clear()
            await self._polled.wait()
            row = await self._runtime.db.read(lightning_nodes.state)
            if row is None or row["cursor"] is None or self._node_id is None:
                continue
            try:
                await node.wait_for_settlement(row["cursor"])
            except NodeUnavailable:
                await asyncio.sleep(min(self._poll_s, 1.0))  # `poll` reports it
            woken.set()

    async def _until_due_s(self) -> float:
        now_us, next_us = await self._runtime.db.read(
            lambda tx: (self._runtime.clock.now_us(tx), invoices.next_due_us(tx))
        )
        return DUE_WAIT_S if next_us is None else min(DUE_WAIT_S, max(0.0, (next_us - now_us) / SECOND_US))

    async def poll(self) -> str | None:
        """Credit what was settled after the cursor. Return the reason if the node can't be used, else None."""
        try:
            await self._connect()
            if isinstance(self._node, HasCursor):
                await self._read_settled(self._node)
        except (NodeUnavailable, CanSpend, _WrongNode) as error:
            await self._note(str(error))
            return str(error)
        wall_us, inbound_msat, warning = self._runtime.clock.wall_us(), self._inbound_msat, self._warning
        await self._runtime.db.write(
            lambda tx: lightning_nodes.record_poll(tx, wall_us=wall_us, inbound_msat=inbound_msat, error=warning),
            durable=False,
        )
        self._log(warning)
        return warning

    async def _connect(self) -> None:
        """Check the node's credentials and identity, and find its row; from time to time, its status."""
        now_s = asyncio.get_running_loop().time()
        if self._node_id is not None and now_s < self._status_at_s + STATUS_EVERY_S:
            return
        if self._node_id is None:
            await self._node.check_credentials()
        status = await self._node.status()
        if self._network is not None and status.network != self._network:
            raise _WrongNode(
                f"the node is on the network {status.network!r}, and bitcoin.network is {self._network!r}:"
                " configure the same network"
            )
        is_known = await self._runtime.db.read(lambda tx: lightning_nodes.by_identity(tx, status.identity)) is not None
        cursor = None
        if isinstance(self._node, HasCursor) and not is_known:
            cursor = await self._node.newest_cursor()
        self._node_id = await self._runtime.db.write(
            lambda tx: operations.connect(tx, backend=self._node.name, identity=status.identity, cursor=cursor)
        )
        self._inbound_msat, self._status_at_s = status.inbound_msat, now_s
        self._warning = None if status.synced else "the node has not synchronized with the chain yet"

    async def _read_settled(self, node: HasCursor) -> None:
        """Credit payments page by page; each page and its cursor are one transaction."""
        clock, db, node_id = self._runtime.clock, self._runtime.db, self._node_id
        assert node_id is not None, "`_connect` has set it"
        while True:
            row = await db.read(lambda tx: lightning_nodes.by_id(tx, node_id))
            if row["cursor"] is None:  # it was used by a backend without a cursor before
                return await self._restart(node, node_id)
            try:
                page = await node.settled_after(row["cursor"])
            except CursorLost as error:
                log.error("the node's payments went backwards: %s; looking up every unsettled invoice", error)
                return await self._restart(node, node_id)
            if page.payments or page.cursor != row["cursor"]:
                await db.write(
                    lambda tx, page=page: operations.settle(  # type: ignore[misc]  # a lambda's default has no type
                        tx, page.payments, node_id=node_id, cursor=page.cursor, now_us=clock.now_us(tx)
                    )
                )
            if not page.more:
                return None

    async def _restart(self, node: HasCursor, node_id: int) -> None:
        cursor, clock = await node.newest_cursor(), self._runtime.clock
        await self._runtime.db.write(
            lambda tx: operations.restart_cursor(tx, node_id, cursor, now_us=clock.now_us(tx), wall_us=clock.wall_us())
        )

    async def look_up(self) -> int:
        """Expire invoices, find wanted ones, and look up those that are due. Return how often the node was asked."""
        db, clock = self._runtime.db, self._runtime.clock
        if await db.read(lambda tx: invoices.any_to_expire(tx, now_us=clock.now_us(tx))):
            await db.write(lambda tx: operations.expire(tx, now_us=clock.now_us(tx)))
        if self._node_id is None:
            return 0
        try:
            return await self._find_wanted() + await self._look_up_due(self._node_id)
        except NodeUnavailable as error:
            await self._note(str(error))
            return LOOK_UPS_PER_S

    async def _find_wanted(self) -> int:
        """Ask the node for invoices whose creation was not confirmed. Return how many."""
        now_s = asyncio.get_running_loop().time()
        if now_s < self._wanted_at_s + WANTED_EVERY_S:
            return 0
        self._wanted_at_s = now_s
        db, clock = self._runtime.db, self._runtime.clock
        rows, now_us = await db.read(
            lambda tx: (
                invoices.wanted(
                    tx,
                    created_before_us=clock.now_us(tx) - round(WANTED_EVERY_S * SECOND_US),
                    limit=WANTED_AT_ONCE,
                ),
                clock.now_us(tx),
            )
        )
        for row in rows:
            await self._find(row, now_us=now_us)
        return len(rows)

    async def _find(self, row: Row, *, now_us: int) -> None:
        created = await self._node.find(row["external_id"])
        if created is not None:
            await self._runtime.db.write(
                lambda tx: operations.store(
                    tx, row["id"], created, has_cursor=isinstance(self._node, HasCursor), now_us=now_us
                )
            )
        elif row["created_at_us"] <= now_us - operations.GIVE_UP_US:
            await self._runtime.db.write(lambda tx: operations.give_up(tx, row["id"]))

    async def _look_up_due(self, node_id: int) -> int:
        """Look up the invoices that are due, credit the settled ones, and schedule the others. Return how many. Those that
        the node could not answer for wait a little, so that they don't take the place of others."""
        db, clock = self._runtime.db, self._runtime.clock
        rows = await db.read(lambda tx: invoices.due(tx, now_us=clock.now_us(tx), limit=LOOK_UPS_PER_S))
        if not rows:
            return 0
        found = await asyncio.gather(*(self._node.look_up(row["payment_hash"]) for row in rows), return_exceptions=True)
        payments: list[SettledPayment] = []
        others: list[Row] = []
        unanswered: list[Row] = []
        for row, status in zip(rows, found, strict=True):
            if isinstance(status, BaseException):
                unanswered.append(row)
            elif status.payment is not None:
                payments.append(status.payment)
            else:
                others.append(row)
        has_cursor = isinstance(self._node, HasCursor)

        def book(tx: Tx) -> None:
            now_us = clock.now_us(tx)
            operations.settle(tx, payments, node_id=node_id, now_us=now_us)
            operations.looked_up(tx, others, has_cursor=has_cursor, now_us=now_us)
            operations.look_up_again(tx, unanswered, now_us=now_us)

        await db.write(book)
        for status in found:
            if isinstance(status, BaseException):
                raise status
        return len(rows)

    async def _note(self, trouble: str) -> None:
        """Record why the node can't be used."""
        await self._runtime.db.write(lambda tx: lightning_nodes.record_error(tx, error=trouble), durable=False)
        self._log(trouble)

    def _log(self, trouble: str | None) -> None:
        if trouble != self._trouble:
            log.log(logging.ERROR if trouble else logging.INFO, "Lightning: %s", trouble or "the node works again")
        self._trouble = trouble
