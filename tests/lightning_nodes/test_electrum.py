"""The backend of Electrum on two real wallets: paid, expired, paid twice, killed while a payment is under way, restarted."""

import asyncio
import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dtmf_server.payments.lightning.base import NodeInvoice, NodeUnavailable
from dtmf_server.payments.lightning.electrum import Electrum
from lightning_nodes.electrum_pair import CallRefused, ElectrumPair
from support.lightning.conformance import SAT, Conformance, Peer

KILLS = 4


@pytest.fixture
def peer(pair: ElectrumPair, electrum: Electrum) -> Peer:
    """The receiving wallet, paid by the other one."""

    async def pay(invoice: NodeInvoice, _msat: int) -> None:
        await asyncio.to_thread(pair.payer.pay, invoice.bolt11)

    async def expire(_invoice: NodeInvoice) -> None:
        """The suite waits for it."""

    return Peer(electrum, "regtest", pay, expire, beyond_msat=100_000_000 * SAT, can_choose=False)


class TestElectrum(Conformance):
    """The promises of the protocol, on a real wallet."""


async def test_an_expired_invoice_cannot_be_paid(peer: Peer, pair: ElectrumPair) -> None:
    created = await peer.create(expiry_s=1)
    assert (await peer.changed(created)).state == "expired"
    with pytest.raises(CallRefused, match="has expired"):
        await peer.pay(created, 5000 * SAT)


async def test_payments_are_seen_soon(peer: Peer) -> None:
    """The time from the payer's proof to the report is what a renter waits for."""
    taken_ms = []
    for _ in range(10):
        created = await peer.create(100)
        await peer.pay(created, 100 * SAT)
        started_s = time.monotonic()
        await peer.settled(created)
        taken_ms.append((time.monotonic() - started_s) * 1000)
    print(f"from the payer's proof to the report of the node: {min(taken_ms):.0f} to {max(taken_ms):.0f} ms")


async def test_the_cursor_survives_a_restart(peer: Peer, pair: ElectrumPair) -> None:
    before, cursor = await peer.create(), await peer.cursor()
    await peer.pay(before, 5000 * SAT)
    await peer.settled(before)
    open_invoice = await peer.create(700)
    pair.receiver.daemon.stop()
    with pytest.raises(NodeUnavailable):
        await peer.after(cursor)
    await asyncio.to_thread(pair.restart, pair.receiver)
    found, cursor = await peer.after(cursor)
    assert [payment.payment_hash for payment in found] == [before.payment_hash]
    assert (await peer.node.look_up(open_invoice.payment_hash)).state == "open"
    await peer.pay(open_invoice, 700 * SAT)
    assert [payment.payment_hash for payment in (await peer.after(cursor))[0]] == [open_invoice.payment_hash]


@pytest.mark.parametrize("number", range(KILLS))
async def test_a_payment_counts_once_and_only_if_the_payer_has_the_proof_though_the_node_is_killed(
    peer: Peer, pair: ElectrumPair, number: int
) -> None:
    cursor, created = await peer.cursor(), await peer.create(900)
    delay_s = random.Random(number).uniform(0, 0.25)
    print(f"killed {delay_s * 1000:.0f} ms after the payment began")
    with ThreadPoolExecutor(1) as pool:
        paying = pool.submit(pair.payer.pay, created.bolt11)
        await asyncio.sleep(delay_s)
        pair.receiver.daemon.kill()
        await asyncio.to_thread(pair.restart, pair.receiver)
        try:
            preimage = await asyncio.wrap_future(paying)
        except CallRefused as error:
            preimage = ""
            print(f"the payment was refused: {error}")
    found, _ = await peer.after(cursor)
    status = await peer.node.look_up(created.payment_hash)
    if preimage:
        assert (await peer.settled(created)).received_msat == 900 * SAT
        assert [payment.payment_hash for payment in (await peer.after(cursor))[0]] == [created.payment_hash]
    else:
        assert (found, status.state) == ([], "open")
