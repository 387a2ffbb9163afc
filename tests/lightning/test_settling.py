"""A payment is credited once, in whole satoshis, whatever the node does; fees and rounding are booked to the millisatoshi."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest

from dtmf_server.core.lightning import InvoiceStatus, SettledPayment
from dtmf_server.operations import close_account, invoices
from dtmf_server.payments.lightning.base import NodeUnavailable
from dtmf_server.payments.lightning.simulator import SimulatedNode
from dtmf_server.server.lightning import NodeInvoices
from dtmf_server.storage import invoices as stored
from dtmf_server.storage import simulated_lightning
from dtmf_server.storage.db import Tx
from dtmf_server.workers.invoice_watcher import LOOK_UPS_PER_S, InvoiceWatcher
from harness import DAY_US, HOUR_US, MINUTE_US, START_US, FakeWall
from lightning.conftest import Account, books_are_right, node_sums, watcher_of


async def test_a_payment_is_credited_once_and_its_event_has_the_method(account: Account, watcher: InvoiceWatcher):
    invoice = await account.invoice(1000)
    assert (invoice["state"], account.booked()) == ("open", (0, 0))
    account.pay(invoice, 1_000_000, times=2)
    for _ in range(3):
        assert await watcher.poll() is None
    assert account.booked() == (1000, 0)
    assert account.events() == ["deposit.credited"]
    assert account.stored(invoice["id"])["state"] == "settled"
    assert books_are_right(account.db)


@pytest.mark.parametrize(
    ("received_msat", "fee_msat", "credited", "rounding_msat"),
    [
        (1_000_000, 0, 1000, 0),
        (999_001, 999, 1000, 0),
        (1_500_999, 0, 1500, 999),
        (2_000_000, 0, 2000, 0),  # overpaid
        (999, 0, 0, 999),
        (1, 998, 0, 999),
        (0, 5000, 5, 0),
    ],
)
async def test_what_the_payer_sent_is_credited_in_whole_satoshis(
    account: Account,
    watcher: InvoiceWatcher,
    received_msat: int,
    fee_msat: int,
    credited: int,
    rounding_msat: int,
):
    account.pay(await account.invoice(None), received_msat, fee_msat=fee_msat)
    await watcher.poll()
    assert account.booked() == (credited, 0)
    assert node_sums(account.db) == (received_msat, fee_msat, rounding_msat, credited)
    assert account.events() == ["deposit.credited"]
    assert books_are_right(account.db)


async def test_fees_and_rounding_add_up_over_many_payments(account: Account, watcher: InvoiceWatcher):
    seed = random.randrange(10**6)
    print("seed", seed)
    chance, sent = random.Random(seed), 0
    for _ in range(60):
        received, fee = chance.randrange(1, 5000), chance.choice([0, 0, chance.randrange(3000)])
        account.pay(await account.invoice(None), received, fee_msat=fee, times=chance.choice([1, 1, 2]))
        sent += received + fee
        if chance.random() < 0.3:
            await watcher.poll()
    await watcher.poll()
    received_msat, fee_msat, rounding_msat, credited = node_sums(account.db)
    assert account.booked() == (credited, 0)
    assert received_msat + fee_msat == sent == credited * 1000 + rounding_msat
    assert books_are_right(account.db)


async def test_a_payment_is_credited_after_the_invoice_has_expired(
    account: Account, watcher: InvoiceWatcher, wall: FakeWall
):
    invoice = await account.invoice(1000, expiry_s=60)
    await watcher.poll()
    wall.advance(seconds=61)
    await watcher.look_up()
    assert account.stored(invoice["id"])["state"] == "expired"
    wall.advance(seconds=30 * 86_400)
    account.pay(invoice, 1_000_000)
    await watcher.poll()
    assert account.stored(invoice["id"])["state"] == "settled"
    assert account.booked() == (1000, 0)


async def test_a_payment_that_the_node_does_not_report_is_found_by_a_look_up(
    account: Account, watcher: InvoiceWatcher, wall: FakeWall
):
    invoice = await account.invoice(1000)
    account.pay(invoice, 1_000_000, is_reported=False)
    await watcher.poll()
    await watcher.look_up()
    assert account.booked() == (0, 0), "the cursor has nothing, and no look-up is due"
    wall.advance(seconds=61)
    assert await watcher.look_up() == 1
    assert account.booked() == (1000, 0)
    assert books_are_right(account.db)


async def test_invoices_for_which_the_node_gives_no_answer_do_not_block_the_others(
    account: Account, watcher: InvoiceWatcher, wall: FakeWall
):
    ignored = {(await account.invoice())["payment_hash"] for _ in range(LOOK_UPS_PER_S)}
    wall.advance(seconds=1)
    invoice = await account.invoice(1000)
    account.pay(invoice, 1_000_000, is_reported=False)
    node = account.runtime.invoices
    assert isinstance(node, NodeInvoices)

    class Forgetful(SimulatedNode):
        async def look_up(self, payment_hash: str) -> InvoiceStatus:
            if payment_hash in ignored:
                raise NodeUnavailable("the node's reply is not understood")
            return await super().look_up(payment_hash)

    assert isinstance(node.node, SimulatedNode)
    account.runtime.invoices = replace(node, node=Forgetful(node.node.store, node.node.wall_us))
    watcher = watcher_of(account.runtime)
    await watcher.poll()
    wall.advance(seconds=62)
    for _ in range(2):
        await watcher.look_up()
    assert account.booked() == (1000, 0)
    ignored.clear()
    wall.advance(seconds=61)
    assert await watcher.look_up() == LOOK_UPS_PER_S, "they are looked up again"


async def test_an_invoice_is_looked_up_less_and_less_often_until_a_day_after_its_expiry(
    account: Account, watcher: InvoiceWatcher, wall: FakeWall
):
    await account.invoice(1000, expiry_s=3600)
    await watcher.poll()
    asked_us = []
    while (due_us := account.db.read_blocking(stored.next_due_us)) is not None:
        wall.at_us = due_us
        assert await watcher.look_up() == 1
        asked_us.append(due_us - START_US)
    pauses_us = [later - earlier for earlier, later in pairwise(asked_us)]
    assert asked_us[0] == MINUTE_US
    assert pauses_us == sorted(pauses_us)
    assert (max(pauses_us), len(asked_us)) == (HOUR_US, 44)
    assert DAY_US <= asked_us[-1] <= DAY_US + 2 * HOUR_US


async def test_debt_is_paid_first(account: Account, watcher: InvoiceWatcher):
    def owe(tx: Tx) -> None:
        from dtmf_server.operations.ledger import open_ledger

        with open_ledger(tx, [account.id], now_us=START_US) as ledger:
            ledger.reverse_deposit(account.id, 300, unique_ref="gone:0:1", reference="gone:0")

    account.db.write_blocking(owe)
    account.pay(await account.invoice(1000), 1_000_000)
    await watcher.poll()
    assert account.booked() == (700, 0)


async def test_a_payment_to_a_deleted_account_goes_to_suspense(account: Account, watcher: InvoiceWatcher):
    invoice = await account.invoice(1000)
    account.db.write_blocking(
        lambda tx: close_account.close_account(tx, account.id, given_up_max=0, now_us=START_US, wall_us=START_US)
    )
    account.pay(invoice, 1_000_000)
    await watcher.poll()
    assert account.booked() == (0, 0)
    suspense = account.db.read_blocking(lambda tx: tx.one("SELECT balance FROM accounts WHERE id = 4"))
    assert suspense is not None
    assert suspense["balance"] == 1000
    assert account.events() == []
    assert books_are_right(account.db)


async def test_the_operators_own_invoices_at_the_node_are_ignored(account: Account, watcher: InvoiceWatcher):
    def pay(tx: Tx) -> None:
        tx.run(
            "INSERT INTO simulated_invoices (payment_hash, external_id, bolt11, expires_us)"
            " VALUES ('ab', 'the operator', 'lnbcrt1', 0)"
        )
        simulated_lightning.pay(tx, SettledPayment("ab", 5_000_000, 0, START_US))

    account.db.write_blocking(pay)
    await watcher.poll()
    assert node_sums(account.db) == (0, 0, 0, 0)


async def test_a_cursor_that_went_backwards_loses_no_payment(account: Account, watcher: InvoiceWatcher):
    first, second = await account.invoice(1000), await account.invoice(2000)
    account.pay(first, 1_000_000)
    await watcher.poll()

    def restore(tx: Tx) -> None:
        tx.run("DELETE FROM simulated_payments")

    account.db.write_blocking(restore)
    await watcher.poll()
    state = account.db.read_blocking(lambda tx: tx.one("SELECT * FROM lightning_nodes"))
    assert state is not None
    assert state["cursor_lost_wall_us"] == START_US
    account.pay(second, 2_000_000, is_reported=False)
    assert await watcher.look_up() == 1
    assert account.booked() == (3000, 0)
    third = await account.invoice(4000)
    account.pay(third, 4_000_000)
    await watcher.poll()
    assert account.booked() == (7000, 0)
    assert books_are_right(account.db)


async def test_settling_in_two_processes_credits_once(account: Account, watcher: InvoiceWatcher):
    invoice = await account.invoice(1000)
    payment = SettledPayment(invoice["payment_hash"], 1_000_000, 0, START_US)

    def settle(tx: Tx) -> int:
        return len(invoices.settle(tx, [payment], node_id=invoice["node_id"], now_us=START_US))

    done = [await account.db.write(settle) for _ in range(3)]
    assert done == [1, 0, 0]
    assert account.booked() == (1000, 0)
