"""`dtmf-server run` as operators run it, in its own process on a real chain: the life of a deposit."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bitcoin.conftest import Node
from bitcoin.hardware_wallet import HardwareWallet
from bitcoin.plain_deposits import DEEPEST
from dtmf import DTMF
from dtmf.errors import DTMFError
from dtmf_server.payments.bitcoin.descriptor import deriver
from support.operator import answer_of, differences, until, write_configuration
from support.server_process import Service, command


class Running:
    """The service and a renter's client; it can be killed and restarted."""

    def __init__(self, stack: ExitStack, folder: Path, *options: str) -> None:
        self._stack, self._folder, self.options = stack, folder, options
        self._port = 0
        self._service: Service
        self.start()
        self.dtmf = stack.enter_context(DTMF(self._service.token, base_url=self.url))

    @property
    def url(self) -> str:
        return self._service.url

    def start(self) -> None:
        started = Service(self._folder, *self.options, port=self._port)
        self._service = self._stack.enter_context(started).wait_ready()
        self._port = int(self._service.url.rpartition(":")[2])

    def kill(self) -> None:
        self._service.kill()

    def ready(self) -> dict[str, str]:
        return answer_of(f"{self.url}/readyz")

    def deposit(self, txid: str) -> tuple[str, int]:
        """Return the deposit's status and confirmations."""
        found = [(d["status"], d["confirmations"]) for d in self.dtmf.deposits() if d["txid"] == txid]
        return found[0] if found else ("unknown", 0)

    def becomes(self, txid: str, status: str, confirmations: int) -> None:
        """Wait until the deposit has this status and number of confirmations."""
        until(lambda: self.deposit(txid) == (status, confirmations))

    def booked(self, txid: str) -> list[tuple[str, int]]:
        """Return the transfers booked for it: kind and amount."""
        return [(t["kind"], t["amount"]) for t in self.dtmf.transactions() if t["reference"] == f"{txid}:0"]

    def say(self, *arguments: str) -> str:
        """Return the output of an operator's command."""
        said = command(*arguments, *self.options)
        assert said.code == 0, said
        return said.out


def signed_up(url: str) -> str:
    """Return the token of an account opened by sign-up."""
    request = urllib.request.Request(f"{url}/api/v1/accounts", method="POST")
    with urllib.request.urlopen(request, timeout=30) as reply:
        token: str = json.load(reply)["token"]
        return token


@pytest.fixture
def service(node: Node, wallet: HardwareWallet, database_url: str, tmp_path: Path) -> Iterator[Running]:
    """A sandbox in its own process that has followed the node's chain."""
    write_configuration(tmp_path / "dtmf.toml", node.url, wallet.descriptor, mode="sandbox")
    with ExitStack() as stack:
        options = ("--config", str(tmp_path / "dtmf.toml"), "--database", database_url)
        running = Running(stack, tmp_path / "data", *options)
        until(lambda: running.ready()["chain"] == "ok")
        yield running
        running.kill()
        assert differences(database_url) == []


def test_a_renter_sees_a_deposit_from_the_mempool_to_the_balance(node: Node, wallet: HardwareWallet, service: Running):
    derive = deriver(wallet.descriptor, "regtest")
    address = service.dtmf.new_address()["address"]
    assert address == derive(1)[0]
    txid = node.pay(address, 123_456)
    service.becomes(txid, "pending", 0)
    node.mine()
    service.becomes(txid, "pending", 1)
    node.mine()
    service.becomes(txid, "credited", 2)
    assert service.dtmf.account()["balance"] == 123_456
    assert service.booked(txid) == [("deposit", 123_456)]
    told = [(event["kind"], event.get("txid")) for _, event in zip(range(2), service.dtmf.events(), strict=False)]
    assert told == [("deposit.seen", txid), ("deposit.credited", txid)]
    ready = service.ready()
    assert (ready["status"], ready["chain_height"], ready["chain_node_height"]) == ("ready", *[str(node.tip()[0])] * 2)
    assert float(ready["chain_age_s"]) < 60
    for index in range(2, 22):
        assert service.dtmf.new_address()["address"] == derive(index)[0]
    with pytest.raises(DTMFError) as refused:
        service.dtmf.new_address()
    assert (refused.value.status, refused.value.code) == (429, "too_many_unused_addresses")
    assert [each["address"] for each in service.dtmf.addresses()] == [derive(index)[0] for index in range(1, 22)]


def test_reorganisations_of_one_to_six_blocks_back_and_forth(node: Node, service: Running):
    address, balance = service.dtmf.new_address()["address"], 0
    for depth in range(1, DEEPEST + 1):
        txid, sats = node.pay(address, 10_000 + depth), 10_000 + depth
        node.mine(depth)
        there = ("credited" if depth >= 2 else "pending", depth)
        service.becomes(txid, *there)
        lowest = node.undo(depth)
        if depth == DEEPEST // 2:
            service.kill()
        node.mine(depth + 1, empty=True)
        if depth == DEEPEST // 2:
            service.start()
        away = ("reversed" if depth >= 2 else "pending", 0)
        service.becomes(txid, *away)
        assert service.dtmf.account()["balance"] == balance
        node.undo(depth + 1)
        node.redo(lowest)
        service.becomes(txid, *there)
        node.mine(2)
        service.becomes(txid, "credited", depth + 2)
        balance += sats
        assert service.dtmf.account()["balance"] == balance
        moves = [("deposit", sats), ("deposit_reversed", -sats), ("deposit", sats)]
        assert service.booked(txid) == (moves if depth >= 2 else moves[:1])


def test_replaced_and_double_spent_payments_are_shown_as_gone_at_once(node: Node, service: Running):
    replaced = node.pay(service.dtmf.new_address()["address"], 5000)
    service.becomes(replaced, "pending", 0)
    node.spend_elsewhere(replaced)
    service.becomes(replaced, "gone", 0)
    taken = node.pay(service.dtmf.new_address()["address"], 7000)
    node.mine(2)
    service.becomes(taken, "credited", 2)
    node.undo(2)
    node.spend_elsewhere(taken)
    node.mine(4)
    service.becomes(taken, "reversed", 0)
    assert service.dtmf.account()["balance"] == 0
    assert (service.booked(replaced), len(service.booked(taken))) == ([], 2)


def test_a_debt_is_paid_from_the_next_deposit(node: Node, service: Running):
    dtmf = service.dtmf
    address = dtmf.new_address()["address"]
    lost = node.pay(address, 20_000)
    node.mine(2)
    service.becomes(lost, "credited", 2)
    dtmf.end_rental(dtmf.start_rental("us-local")["e164"])
    spent = 20_000 - dtmf.account()["balance"]
    assert spent > 0
    node.undo(2)
    node.spend_elsewhere(lost)
    node.mine(3)
    service.becomes(lost, "reversed", 0)
    assert dtmf.account()["balance"] == 0
    later = node.pay(address, 30_000)
    node.mine(2)
    service.becomes(later, "credited", 2)
    assert dtmf.account()["balance"] == 30_000 - spent
    assert service.booked(later) == [("deposit", 30_000), ("debt_paid", -spent)]


def test_deposits_survive_a_node_outage_and_a_killed_service(node: Node, service: Running):
    address = service.dtmf.new_address()["address"]
    node.stop()
    until(lambda: service.ready()["chain"].startswith("degraded: the node at"))
    assert service.ready()["status"] == "ready"
    node.start()
    until(lambda: service.ready()["chain"] == "ok")
    first = node.pay(address, 4000)
    service.becomes(first, "pending", 0)
    service.kill()
    node.mine(3)
    second = node.pay(address, 5000)
    service.start()
    service.becomes(first, "credited", 3)
    service.becomes(second, "pending", 0)
    node.mine(2)
    service.becomes(second, "credited", 2)
    assert service.dtmf.account()["balance"] == 9000


def test_the_operators_commands_work_while_the_service_runs(node: Node, service: Running):
    address, before = service.dtmf.new_address()["address"], node.tip()[0]
    txid = node.pay(address, 10_000_000)
    node.mine(3)
    service.becomes(txid, "pending", 3)
    said = service.say("deposits", "explain", f"{txid}:0")
    assert f"It pays 10000000 satoshis to {address}, index 1 of the descriptor" in said
    assert "needs 4 confirmations" in said
    node.mine()
    service.becomes(txid, "credited", 4)
    assert "It is credited" in service.say("deposits", "explain", f"{txid}:0")
    assert "nothing is credited twice" in service.say("deposits", "rescan", "--from", str(before))
    assert f"deposits rescan blocks from {before}" in service.say("audit", "list")
    assert f"{txid}:0  credited" in service.say("deposits", "list")
    again = node.pay(address, 1000)
    node.mine(2)
    service.becomes(again, "credited", 2)
    assert service.dtmf.account()["balance"] == 10_001_000
    assert "the ledger is consistent" in service.say("verify")


def test_production_accepts_sign_ups_and_only_real_coins(
    node: Node, wallet: HardwareWallet, database_url: str, tmp_path: Path
):
    write_configuration(tmp_path / "dtmf.toml", node.url, wallet.descriptor, mode="production")
    options = ("--config", str(tmp_path / "dtmf.toml"), "--database", database_url)
    with Service(tmp_path / "data", *options) as service:
        url = service.wait_ready().url
        until(lambda: answer_of(f"{url}/readyz")["chain"] == "ok")
        with DTMF(signed_up(url), base_url=url) as dtmf:
            txid = node.pay(dtmf.new_address()["address"], 6000)
            node.mine(2)
            until(lambda: dtmf.account()["balance"] == 6000)
            assert [d["txid"] for d in dtmf.deposits()] == [txid]
            with pytest.raises(DTMFError) as refused:
                dtmf.sandbox.deposit(dtmf.addresses()[0]["address"], 1)
            assert refused.value.status == 404
        assert service.stop() == 0
    assert differences(database_url) == []
