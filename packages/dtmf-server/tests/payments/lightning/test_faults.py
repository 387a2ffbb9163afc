"""Nodes that fail: lost answers, pages of HTML, replies of another shape, backups, other networks, odd amounts."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dtmf_server.payments.lightning import node_api
from dtmf_server.payments.lightning.base import CursorLost, InvoiceStatus, LightningNode, NodeInvoice, NodeUnavailable
from support.lightning.conformance import SAT, Peer, new_id
from support.lightning.shapes import Backend, Shape
from support.lightning.simulated_node import Fault, SimulatedNode

Call = Callable[[LightningNode], Awaitable[object]]

CALLS: dict[str, Call] = {
    "check_credentials": lambda node: node.check_credentials(),
    "status": lambda node: node.status(),
    "create": lambda node: create(node, new_id()),
    "find": lambda node: node.find(new_id()),
    "look_up": lambda node: node.look_up("0c" * 32),
    "newest_cursor": lambda node: node.newest_cursor(),  # type: ignore[attr-defined]  # every kind has it
    "settled_after": lambda node: node.settled_after("0:"),  # type: ignore[attr-defined]  # every kind has it
}


async def create(node: LightningNode, external_id: str) -> NodeInvoice:
    """Create an invoice over 3,000 satoshis."""
    return await node.create(external_id=external_id, amount_msat=3000 * SAT, description="DTMF top-up", expiry_s=600)


@pytest.mark.parametrize("fault", ["after_error", "after_closed"])
async def test_an_invoice_whose_answer_is_lost_is_found_and_can_be_paid(
    peer: Peer, simulated: SimulatedNode, fault: Fault
) -> None:
    external_id = new_id()
    with simulated.failing(fault), pytest.raises(NodeUnavailable) as raised:
        await create(peer.node, external_id)
    assert raised.value.may_exist
    found = await peer.node.find(external_id)
    assert found is not None
    await peer.pay(found, 3000 * SAT)
    assert (await peer.settled(found)).received_msat == 3000 * SAT


@pytest.mark.parametrize("kind", ["cln", "lnd"], indirect=True)
async def test_creating_an_invoice_again_returns_the_first_where_the_node_refuses_duplicates(peer: Peer) -> None:
    external_id = new_id()
    first, again = await create(peer.node, external_id), await create(peer.node, external_id)
    assert (again.payment_hash, again.bolt11) == (first.payment_hash, first.bolt11)


@pytest.mark.parametrize("kind", ["electrum", "lnbits", "phoenixd"], indirect=True)
async def test_the_oldest_of_two_invoices_with_one_id_counts(peer: Peer, simulated: SimulatedNode) -> None:
    external_id = new_id()
    first = await create(peer.node, external_id)
    simulated.now_us += 5_000_000
    second = await create(peer.node, external_id)
    assert second.payment_hash != first.payment_hash
    found = await peer.node.find(external_id)
    assert found is not None
    assert found.payment_hash == first.payment_hash


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("fault", ["html", "error", "closed", "empty", "silent", "redirect"])
async def test_a_node_that_does_not_work_is_unavailable(
    peer: Peer, simulated: SimulatedNode, monkeypatch: pytest.MonkeyPatch, call: str, fault: Fault
) -> None:
    monkeypatch.setattr(node_api, "TIMEOUT_S", 0.1 if fault == "silent" else 20.0)
    with simulated.failing(fault):
        if fault == "empty" and call in ("find", "look_up", "newest_cursor", "settled_after"):
            await not_misled(CALLS[call], peer.node)
            return
        with pytest.raises(NodeUnavailable) as raised:
            await CALLS[call](peer.node)
    assert "\n" not in raised.value.reason


async def not_misled(call: Call, node: LightningNode) -> None:
    """An empty object is either refused, or has no payments and no invoices."""
    try:
        found: Any = await call(node)
    except NodeUnavailable:
        return
    assert found in (None, "0:") or not found.payments


async def test_a_node_that_is_not_running_is_unavailable_and_has_no_invoice(
    backend: Backend, simulated: SimulatedNode
) -> None:
    node = backend(url="http://127.0.0.1:1")
    for call in CALLS.values():
        with pytest.raises(
            NodeUnavailable, match=r"can't connect to 127\.0\.0\.1:1: .*; check lightning\.url"
        ) as raised:
            await call(node)
        assert not raised.value.may_exist


async def test_a_cursor_is_lost_if_the_node_is_restored_from_a_backup(peer: Peer, simulated: SimulatedNode) -> None:
    invoices = [await peer.create() for _ in range(4)]
    await peer.pay(invoices[0], 5000 * SAT)
    simulated.back_up()
    for invoice in invoices[1:3]:
        await peer.pay(invoice, 5000 * SAT)
    cursor = await peer.cursor()
    simulated.restore()
    simulated.now_us -= 60_000_000
    with pytest.raises(CursorLost):
        await peer.after(cursor)
    assert (await peer.settled(invoices[0])).received_msat == 5000 * SAT
    restored = await peer.cursor()
    await peer.pay(invoices[3], 5000 * SAT)
    assert [payment.payment_hash for payment in (await peer.after(restored))[0]] == [invoices[3].payment_hash]


@pytest.mark.parametrize("cursor", ["", "newest", "-1:", "1e3:", "12"])
async def test_a_cursor_of_another_kind_is_lost(peer: Peer, cursor: str) -> None:
    with pytest.raises(CursorLost):
        await peer.after(cursor)


async def test_an_invoice_of_another_network_is_refused(peer: Peer, simulated: SimulatedNode) -> None:
    simulated.network = "main"
    with pytest.raises(NodeUnavailable, match=r"network 'main', but bitcoin\.network is 'regtest'"):
        await create(peer.node, new_id())
    assert (await peer.node.status()).network == "main"


async def test_what_the_payer_sent_is_credited_even_if_it_is_more(peer: Peer) -> None:
    created = await peer.create(1000)
    await peer.pay(created, 1900 * SAT + 7 * SAT)
    assert (await peer.settled(created)).credited_sats == 1907


@pytest.mark.parametrize("kind", ["cln", "electrum", "lnd"], indirect=True)
async def test_millisatoshis_below_a_satoshi_are_rounding(peer: Peer) -> None:
    created = await peer.create(1000)
    await peer.pay(created, 1000 * SAT + 999)
    payment = await peer.settled(created)
    assert (payment.received_msat, payment.credited_sats, payment.rounding_msat) == (1_000_999, 1000, 999)


@pytest.mark.parametrize("kind", ["phoenixd"], indirect=True)
@pytest.mark.parametrize("fee_msat", [0, 1, 999, 1000, 123_456, 2_000_001])
async def test_a_fee_that_phoenixd_deducts_is_credited_and_reported(
    peer: Peer, simulated: SimulatedNode, fee_msat: int
) -> None:
    created = await peer.create(5000)
    simulated.pay(created.payment_hash, msat=5000 * SAT, fee_msat=fee_msat)
    payment = await peer.settled(created)
    assert (payment.credited_sats, payment.fee_msat, payment.received_msat) == (5000, fee_msat, 5000 * SAT - fee_msat)


@pytest.mark.parametrize("kind", ["cln", "lnd"])
async def test_an_invoice_is_created_while_the_peers_of_the_channels_are_offline(
    peer: Peer, simulated: SimulatedNode
) -> None:
    simulated.is_connected = False
    assert (await peer.node.status()).inbound_msat == 0
    assert await peer.node.look_up((await peer.create()).payment_hash) == InvoiceStatus("open")


async def test_a_payment_after_the_expiry_is_settled(peer: Peer) -> None:
    cursor, created = await peer.cursor(), await peer.create(expiry_s=60)
    await peer.expire(created)
    await peer.pay(created, 5000 * SAT)
    assert (await peer.settled(created)).received_msat == 5000 * SAT
    assert [payment.payment_hash for payment in (await peer.after(cursor))[0]] == [created.payment_hash]


async def test_gaps_and_repeats_in_the_order_of_payments_hide_none(peer: Peer, simulated: SimulatedNode) -> None:
    simulated.index_step = 3
    first = await peer.create()
    await peer.pay(first, 5000 * SAT)
    cursor = await peer.cursor()
    later = [await peer.create() for _ in range(3)]
    for invoice in later:
        await peer.pay(invoice, 5000 * SAT)
    found, _ = await peer.after(cursor)
    assert [payment.payment_hash for payment in found] == [invoice.payment_hash for invoice in later]


@pytest.mark.parametrize("kind", ["electrum"], indirect=True)
async def test_a_part_of_a_payment_is_not_yet_settled(peer: Peer, simulated: SimulatedNode) -> None:
    cursor, created = await peer.cursor(), await peer.create(5000)
    simulated.pay(created.payment_hash, msat=2000 * SAT)
    assert (await peer.node.look_up(created.payment_hash)).state == "open"
    found, after = await peer.after(cursor)
    assert found == []
    simulated.complete(created.payment_hash, msat=5000 * SAT)
    assert [payment.received_msat for payment in (await peer.after(after))[0]] == [5000 * SAT]
    assert (await peer.settled(created)).received_msat == 5000 * SAT


async def test_no_setting_is_shown_in_an_error_or_a_repr(
    backend: Backend, shape: Shape, simulated: SimulatedNode
) -> None:
    node = backend(**shape.wrong)
    shown = [repr(node), repr(vars(node))]
    for call in CALLS.values():
        try:
            await call(node)
        except Exception as error:
            shown += [str(error), repr(error), repr(error.__cause__)]
    secrets = [value for value in shape.wrong.values() if isinstance(value, str) and len(value) > 8]
    assert secrets
    assert not [text for text in shown for secret in secrets if secret in text]
