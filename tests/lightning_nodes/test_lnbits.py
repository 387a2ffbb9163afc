"""The backend of LNbits on a real server with its FakeWallet."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from dtmf_server.payments.lightning.base import CanSpend, NodeInvoice
from dtmf_server.payments.lightning.lnbits import Lnbits, LnbitsSettings
from lightning_nodes.conftest import context
from lightning_nodes.lnbits_server import LnbitsServer, from_environment
from lightning_nodes.processes import HttpRefused
from support.lightning.conformance import SAT, Conformance, Peer


@pytest.fixture(scope="module")
def server() -> Iterator[LnbitsServer]:
    """The server, which all tests share."""
    with from_environment() as started:
        yield started


def backend(server: LnbitsServer, key: str) -> Lnbits:
    """Return the backend with a key of the service's wallet. FakeWallet creates invoices of the main network."""
    settings = LnbitsSettings(kind="lnbits", url=server.url, invoice_key=server.wallet[key])
    return Lnbits(settings, context("main"))


@pytest.fixture
async def peer(server: LnbitsServer) -> AsyncIterator[Peer]:
    """The service's wallet, paid by the other one."""

    async def pay(invoice: NodeInvoice, _msat: int) -> None:
        try:
            await asyncio.to_thread(server.pay, invoice.bolt11)
        except HttpRefused as error:
            raise HttpRefused(str(error).replace("already paid", "paid already")) from error

    async def expire(_invoice: NodeInvoice) -> None:
        """The suite waits for it."""

    node = backend(server, "inkey")
    yield Peer(node, "main", pay, expire, beyond_msat=10**15, has_amountless=False, can_choose=False)
    await node.aclose()


class TestLnbits(Conformance):
    """The promises of the protocol, on a real server."""


async def test_the_admin_key_is_refused(server: LnbitsServer) -> None:
    node = backend(server, "adminkey")
    with pytest.raises(CanSpend, match="is the admin key, which can pay"):
        await node.check_credentials()
    await node.aclose()


async def test_payments_and_the_cursor_survive_a_killed_server(peer: Peer, server: LnbitsServer) -> None:
    cursor, created = await peer.cursor(), await peer.create()
    await peer.pay(created, 5000 * SAT)
    await asyncio.to_thread(server.restart)
    assert (await peer.settled(created)).received_msat == 5000 * SAT
    assert [payment.payment_hash for payment in (await peer.after(cursor))[0]] == [created.payment_hash]
