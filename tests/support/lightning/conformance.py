"""The promises that every Lightning backend keeps, on simulated nodes and on real ones.

A subclass provides the fixture `peer`."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from dtmf_server.payments.lightning import bolt11
from dtmf_server.payments.lightning.base import (
    DESCRIPTION_LENGTH_MAX,
    HasCursor,
    InvoiceRefused,
    InvoiceStatus,
    LightningNode,
    NodeInvoice,
    SettledPayment,
    WakesUp,
)

SAT = 1000  # msat
WITHIN_S = 30


@dataclass(frozen=True)
class Peer:
    """A node with a payer. `pay` returns once the payer has the proof, and raises if the node refuses a payment."""

    node: LightningNode
    network: str
    pay: Callable[[NodeInvoice, int], Awaitable[None]]  # an invoice and the msat to send
    expire: Callable[[NodeInvoice], Awaitable[None]]  # return after the expiry
    beyond_msat: int  # more than the node can receive
    has_amountless: bool = True
    can_choose: bool = True  # whether the payer can choose the amount

    async def create(
        self, sats: int | None = 5000, *, expiry_s: int = 600, description: str = "DTMF top-up"
    ) -> NodeInvoice:
        """Create an invoice with a new external ID."""
        amount_msat = None if sats is None else sats * SAT
        return await self.node.create(
            external_id=new_id(), amount_msat=amount_msat, description=description, expiry_s=expiry_s
        )

    async def settled(self, invoice: NodeInvoice) -> SettledPayment:
        """Return the payment of an invoice once the node reports it."""
        status = await self.changed(invoice)
        assert status.payment is not None, status
        return status.payment

    async def changed(self, invoice: NodeInvoice) -> InvoiceStatus:
        """Return the status of an invoice once it is not open anymore."""
        for _ in range(WITHIN_S * 20):
            status = await self.node.look_up(invoice.payment_hash)
            if status.state != "open":
                return status
            await asyncio.sleep(0.05)
        raise AssertionError(f"{invoice} remains open")

    async def cursor(self) -> str:
        """Return the node's newest cursor."""
        assert isinstance(self.node, HasCursor)
        return await self.node.newest_cursor()

    async def after(self, cursor: str) -> tuple[list[SettledPayment], str]:
        """Return everything settled after the cursor, and the cursor after it."""
        assert isinstance(self.node, HasCursor)
        found: list[SettledPayment] = []
        for _ in range(100):
            page = await self.node.settled_after(cursor)
            found += page.payments
            cursor = page.cursor
            if not page.more:
                return found, cursor
        raise AssertionError("the pages have no end")


def new_id() -> str:
    """Return an external ID like those of the service."""
    return secrets.token_hex(16)


class Conformance:
    """The promises of the protocol."""

    async def test_the_credentials_are_accepted(self, peer: Peer) -> None:
        await peer.node.check_credentials()

    async def test_the_status_names_the_node_its_network_and_its_capacity(self, peer: Peer) -> None:
        status = await peer.node.status()
        assert status.identity
        assert status.network == peer.network
        assert status.synced
        assert status.inbound_msat is None or status.inbound_msat > 0
        assert (await peer.node.status()).identity == status.identity

    async def test_an_invoice_has_the_amount_and_is_found_by_its_external_id(self, peer: Peer) -> None:
        external_id = new_id()
        created = await peer.node.create(
            external_id=external_id, amount_msat=1234 * SAT, description="DTMF top-up", expiry_s=600
        )
        invoice = bolt11.decode(created.bolt11)
        assert (invoice.prefix, invoice.payment_hash) == (bolt11.PREFIXES[peer.network], created.payment_hash)
        assert (invoice.amount_msat, invoice.expiry_s) == (1234 * SAT, 600)
        assert "DTMF top-up" in invoice.description
        found = await peer.node.find(external_id)
        assert found is not None
        assert (found.payment_hash, found.bolt11) == (created.payment_hash, created.bolt11)
        assert abs(found.expires_us - (invoice.created_s + 600) * 1_000_000) <= 2_000_000
        assert abs(created.expires_us - found.expires_us) <= 2_000_000
        assert await peer.node.look_up(created.payment_hash) == InvoiceStatus("open")

    async def test_other_ids_and_hashes_are_unknown(self, peer: Peer) -> None:
        await peer.create()
        assert await peer.node.find(new_id()) is None
        assert await peer.node.look_up("0b" * 32) == InvoiceStatus("unknown")

    async def test_the_longest_description_is_accepted(self, peer: Peer) -> None:
        description = "DTMF é " + "x" * (DESCRIPTION_LENGTH_MAX - 8)
        assert len(description.encode()) == DESCRIPTION_LENGTH_MAX
        created = await peer.create(description=description)
        assert description in bolt11.decode(created.bolt11).description

    async def test_an_invoice_without_an_amount_is_credited_with_the_amount_sent(self, peer: Peer) -> None:
        if not peer.has_amountless:
            with pytest.raises(InvoiceRefused):
                await peer.create(None)
            return
        created = await peer.create(None)
        assert bolt11.decode(created.bolt11).amount_msat is None
        if not peer.can_choose:
            return
        await peer.pay(created, 777 * SAT)
        assert (await peer.settled(created)).received_msat == 777 * SAT

    async def test_more_than_the_node_can_receive_is_refused(self, peer: Peer) -> None:
        with pytest.raises(InvoiceRefused):
            await peer.create(peer.beyond_msat // SAT)

    async def test_a_payment_is_seen_by_its_hash_and_once_after_the_cursor(self, peer: Peer) -> None:
        earlier = await peer.create()
        await peer.pay(earlier, 5000 * SAT)
        await peer.settled(earlier)
        cursor = await peer.cursor()
        assert await peer.after(cursor) == ([], cursor)
        created = await peer.create(2100)
        await peer.pay(created, 2100 * SAT)
        payment = await peer.settled(created)
        assert (payment.payment_hash, payment.received_msat, payment.fee_msat) == (created.payment_hash, 2100 * SAT, 0)
        found, after = await peer.after(cursor)
        assert found == [payment]
        assert (await peer.after(after))[0] == []
        assert (await peer.after(await peer.cursor()))[0] == []

    async def test_payments_come_after_the_cursor_in_order_and_none_is_missed(self, peer: Peer) -> None:
        cursor, read, created = await peer.cursor(), [], []
        for number in range(6):
            invoice = await peer.create(1000 + number)
            await peer.pay(invoice, (1000 + number) * SAT)
            created.append((await peer.settled(invoice)).payment_hash)
            if number % 3 == 2:
                found, cursor = await peer.after(cursor)
                read += [payment.payment_hash for payment in found]
        assert sorted(read) == sorted(created)
        assert len(read) == len(set(read))

    async def test_a_second_payment_is_refused_and_changes_nothing(self, peer: Peer) -> None:
        created = await peer.create()
        await peer.pay(created, 5000 * SAT)
        payment, cursor = await peer.settled(created), await peer.cursor()
        with pytest.raises(Exception, match="paid already"):
            await peer.pay(created, 5000 * SAT)
        assert await peer.settled(created) == payment
        assert (await peer.after(cursor))[0] == []

    async def test_an_unpaid_invoice_expires(self, peer: Peer) -> None:
        created = await peer.create(expiry_s=2)
        await peer.expire(created)
        assert await peer.changed(created) == InvoiceStatus("expired")

    async def test_a_payment_wakes_up_the_service(self, peer: Peer) -> None:
        if not isinstance(peer.node, WakesUp):
            return
        cursor, created = await peer.cursor(), await peer.create()
        waiting = asyncio.create_task(peer.node.wait_for_settlement(cursor))
        await asyncio.sleep(0)
        await peer.pay(created, 5000 * SAT)
        async with asyncio.timeout(WITHIN_S / 2):  # less than the wait itself
            await waiting
        async with asyncio.timeout(WITHIN_S / 2):  # at once: it has settled already
            await peer.node.wait_for_settlement(cursor)
