"""A lost database is restored from its descriptor: deposits go to suspense, and are assigned to proven owners."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from bitcoin.conftest import Node
from bitcoin.hardware_wallet import HardwareWallet
from dtmf import DTMF
from dtmf_server.payments.bitcoin.descriptor import deriver
from harness import new_token, open_account, serving
from support.operator import differences, opened, until

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def addresses(wallet: HardwareWallet) -> Callable[[int], str]:
    """Return the lost service's address at an index."""
    derive = deriver(wallet.descriptor, "regtest")
    return lambda index: derive(index)[0]


@pytest.fixture
def at(database_url: str) -> tuple[str, str]:
    """Return the options for the new, empty database."""
    return ("--database", database_url)


@pytest.fixture
def renter(settings: Path, database_url: str) -> Iterator[Callable[[], DTMF]]:
    """Start the service over the database; return the client of its only renter."""
    with ExitStack() as stack:

        def start() -> DTMF:
            runtime = opened(settings, database_url)
            stack.enter_context(closing(runtime.db))
            open_account(runtime.db)
            return stack.enter_context(DTMF(new_token(), base_url=stack.enter_context(serving(runtime))))

        yield start


def paid(dtmf: DTMF) -> list[tuple[str, str, int]]:
    """Return the renter's deposits."""
    return [(d["txid"], d["status"], d["amount"]) for d in dtmf.deposits()]


def test_every_deposit_is_found_up_to_the_gap(
    node: Node, addresses: Callable[[int], str], database_url: str, command: Command, at: tuple[str, str]
):
    for index, sats in ((3, 1000), (3, 2000), (26, 40_000), (52, 70_000), (78, 90_000)):
        node.pay(addresses(index), sats)
    node.mine(3)
    node.pay(addresses(27), 500)  # 52 is 25 after it, and 78 is 26 after that
    status, out, err = command("init", "--gap", "25", *at)
    assert (status, err) == (0, "")
    assert "addresses 1 to 77 are watched; 5 deposits found, 113000 satoshis credited, in suspense" in out
    status, out, _ = command("deposits", "list", "--suspense", *at)
    assert (status, out.count("in suspense, bcrt1"), out.count(" pending ")) == (0, 5, 1)
    assert "113000 satoshis in suspense: `dtmf-server deposits assign` assigns them to an account" in out
    status, out, _ = command("verify", *at)
    assert (status, out) == (0, "0 accounts, 4 transfers, 0 rentals: the ledger is consistent\n")
    assert command("init", "--gap", "25", *at)[0] == 0, "repeating it is harmless"
    assert differences(database_url) == []


def test_coins_already_spent_are_found_in_the_blocks(
    node: Node, wallet: HardwareWallet, addresses: Callable[[int], str], command: Command, at: tuple[str, str]
):
    before = node.tip()[0]
    txid = node.pay(addresses(5), 30_000)
    node.mine(2)
    node.spend(txid, 0, wallet.key(5))
    node.mine(200)  # more than are read again after a first start
    assert "0 deposits found" in command("init", "--gap", "20", *at)[1]
    status, out, _ = command("init", "--gap", "20", "--from-height", str(before), *at)
    assert (status, "1 deposits found, 30000 satoshis credited" in out) == (0, True)


def test_an_address_in_suspense_is_assigned_with_its_later_deposits(
    node: Node,
    addresses: Callable[[int], str],
    database_url: str,
    command: Command,
    at: tuple[str, str],
    renter: Callable[[], DTMF],
):
    old, others = addresses(7), addresses(8)
    first, foreign = node.pay(old, 40_000), node.pay(others, 9000)
    node.mine(2)
    waiting = node.pay(old, 500)
    assert command("init", "--gap", "20", *at)[0] == 0
    dtmf = renter()
    new = dtmf.new_address()["address"]
    assert new == addresses(29), "each index is used for one account only"
    assert dtmf.deposits() == []
    status, out, _ = command("deposits", "assign", old, "--to", new, *at)
    assert (status, out) == (0, f"{old} assigned, with 2 deposits: 40000 satoshis credited\n")
    assert paid(dtmf) == [(first, "credited", 40_000), (waiting, "pending", 500)]
    assert dtmf.account()["balance"] == 40_000
    assert [(t["kind"], t["amount"], t["reference"]) for t in dtmf.transactions()] == [
        ("deposit", 40_000, f"{first}:0")
    ]
    assert [event["kind"] for _, event in zip(range(2), dtmf.events(), strict=False)] == [
        "deposit.credited",
        "deposit.seen",
    ]
    later = node.pay(old, 6000)
    node.mine(2)
    until(lambda: dtmf.account()["balance"] == 46_500)
    assert paid(dtmf)[2:] == [(later, "credited", 6000)]
    assert [each["address"] for each in dtmf.addresses()] == [old, new]
    assert f"{foreign}:0  credited" in command("deposits", "list", "--suspense", *at)[1]
    assert "9000 satoshis in suspense" in command("deposits", "list", *at)[1]
    assert differences(database_url) == []
    status, _, err = command("init", *at)
    assert (status, "has already issued addresses" in err) == (1, True)


def test_a_reversed_deposit_is_taken_from_the_account_it_was_assigned_to(
    node: Node,
    addresses: Callable[[int], str],
    database_url: str,
    command: Command,
    at: tuple[str, str],
    renter: Callable[[], DTMF],
):
    old = addresses(1)
    txid = node.pay(old, 40_000)
    node.mine(2)
    assert command("init", "--gap", "20", *at)[0] == 0
    dtmf = renter()
    assert command("deposits", "assign", old, "--to", dtmf.new_address()["address"], *at)[0] == 0
    lowest = node.undo(2)
    node.mine(3, empty=True)
    until(lambda: paid(dtmf) == [(txid, "reversed", 40_000)])
    assert dtmf.account()["balance"] == 0
    node.undo(3)
    node.redo(lowest)
    until(lambda: paid(dtmf) == [(txid, "credited", 40_000)])
    assert [t["kind"] for t in dtmf.transactions()] == ["deposit", "deposit_reversed", "deposit"]
    assert dtmf.account()["balance"] == 40_000
    assert differences(database_url) == []


def test_only_addresses_in_suspense_can_be_assigned_and_only_to_an_open_account(
    node: Node, addresses: Callable[[int], str], command: Command, at: tuple[str, str], renter: Callable[[], DTMF]
):
    node.pay(addresses(1), 40_000)
    node.mine(2)
    assert command("init", "--gap", "20", *at)[0] == 0
    theirs = renter().new_address()["address"]
    for address, to, said in (
        (addresses(99), theirs, "is not an address of this service"),
        (addresses(1), addresses(99), f"{addresses(99)} is not an address of this service"),
        (theirs, theirs, "not in suspense: its account is known"),
        (addresses(1), addresses(2), "no account that can receive coins"),
    ):
        status, out, err = command("deposits", "assign", address, "--to", to, *at)
        assert (status, out, said in err) == (1, "", True), err


def test_an_interrupted_restore_resumes(
    node: Node, addresses: Callable[[int], str], command: Command, at: tuple[str, str]
):
    node.pay(addresses(2), 40_000)
    node.mine(2)
    node.stop()
    status, _, err = command("init", "--gap", "20", *at)
    assert (status, "does not answer" in err, "run the same command again to continue" in err) == (2, True, True)
    node.start()
    assert "1 deposits found, 40000 satoshis credited, in suspense" in command("init", "--gap", "20", *at)[1]
