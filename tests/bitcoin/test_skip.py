"""A node has pruned blocks past the cursor: unspent deposits are found and booked, the rest is reported as unknown."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest

from bitcoin.conftest import Another, Node
from bitcoin.hardware_wallet import HardwareWallet
from dtmf import DTMF
from dtmf_server.cli.main import main
from dtmf_server.storage import chain, deposits
from dtmf_server.storage import chain as stored_chain
from dtmf_server.storage.open import open_database
from harness import new_token, open_account, serving
from support.operator import differences, opened, until, write_configuration

Serve = Callable[[], DTMF]
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def pruning(another: Another) -> Node:
    """A pruning node."""
    return another("-prune=1", "-fastprune", blocks=101)


@pytest.fixture
def place(pruning: Node, wallet: HardwareWallet, tmp_path: Path) -> Path:
    """The configuration of a service that uses this node."""
    write_configuration(tmp_path / "dtmf.toml", pruning.url, wallet.descriptor, mode="production")
    return tmp_path / "dtmf.toml"


@pytest.fixture
def do(place: Path, database_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `dtmf-server`; an action unknown to an older version exits with 2."""
    monkeypatch.setattr(
        "dtmf_server.runtime.logging.setup", lambda *_args, **_options: None
    )  # keep this process's own logging configuration

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            status = main([*arguments, "--config", str(place), "--database", database_url])
        except SystemExit as ended:
            status = int(str(ended.code))
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


class Service:
    """The configured service, started and stopped on demand, with one renter."""

    def __init__(self, place: Path, database_url: str) -> None:
        self._place, self._database_url = place, database_url
        self._is_new = True
        self._stack = ExitStack()

    def start(self) -> DTMF:
        runtime = opened(self._place, self._database_url)
        self._stack.enter_context(closing(runtime.db))
        if self._is_new:
            open_account(runtime.db)
            self._is_new = False
        url = self._stack.enter_context(serving(runtime))
        return self._stack.enter_context(DTMF(new_token(), base_url=url))

    def stop(self) -> None:
        self._stack.close()


@pytest.fixture
def service(place: Path, database_url: str) -> Iterator[Service]:
    """The service, not started."""
    made = Service(place, database_url)
    yield made
    made.stop()


def addresses_of(dtmf: DTMF, database_url: str, count: int) -> list[str]:
    """Return new addresses, once the chain has been followed to its tip."""
    with closing(open_database(database_url)) as db:
        until(lambda: db.read_blocking(lambda tx: tx.one("SELECT 1 FROM chain_state WHERE node_height > 0")))
    return [dtmf.new_address()["address"] for _ in range(count)]


def trouble(database_url: str) -> str | None:
    """Return why crediting is paused."""
    with closing(open_database(database_url)) as db:
        state = db.read_blocking(chain.load)
    assert state is not None
    return state["last_error"]


@pytest.mark.regression("pruned-skip")
def test_missed_deposits_are_found_among_the_unspent_coins_and_booked_once(
    pruning: Node, wallet: HardwareWallet, service: Service, do: Command, database_url: str
):
    dtmf = service.start()
    kept, moved, waiting, late = addresses_of(dtmf, database_url, 4)
    pending = pruning.pay(waiting, 3000)
    until(lambda: [one["txid"] for one in dtmf.deposits()] == [pending])
    service.stop()
    found = pruning.pay(kept, 50_000)
    gone = pruning.pay(moved, 60_000)
    pruning.mine()
    pruning.spend(gone, 0, wallet.key(2))
    pruning.mine(699)
    pruning.prune(500)
    dtmf = service.start()
    until(
        lambda: "deposits skip --to" in (trouble(database_url) or "") or "has pruned" in (trouble(database_url) or "")
    )
    status, out, err = do("deposits", "skip", "--to", "600")
    assert (status, err) == (0, ""), err
    assert "2 deposits found in them, 53000 satoshis" in out
    assert "to 600 skipped" in out
    assert "not known: payments to addresses of this service in blocks" in out
    last = pruning.pay(late, 7000)
    pruning.mine(2)
    until(lambda: dtmf.account()["balance"] == 60_000)
    assert {one["txid"]: one["status"] for one in dtmf.deposits()} == dict.fromkeys((found, pending, last), "credited")
    assert trouble(database_url) is None
    assert "were never read because the node had pruned them: 2 deposits of 53000 satoshis" in do("deposits", "list")[1]
    assert differences(database_url) == []
    status, _, err = do("deposits", "skip", "--to", "600")
    assert (status, "was already followed to block" in err) == (2, True), err
    assert do("audit", "list")[1].count("deposits skip") == 1, "a refused skip is not recorded"
    assert dtmf.account()["balance"] == 60_000


@pytest.mark.regression("pruned-skip")
def test_only_pruned_blocks_can_be_skipped(pruning: Node, service: Service, do: Command, database_url: str):
    addresses_of(service.start(), database_url, 1)
    service.stop()
    pruning.mine(700)
    for height, said in (
        ("50", "was already followed to block"),
        ("9999", "is only at block"),
        ("700", "nothing has to be skipped"),
    ):
        status, _, err = do("deposits", "skip", "--to", height)
        assert (status, said in err) == (2, True), err
    pruning.prune(500)
    status, _, err = do("deposits", "skip", "--to", "120")
    assert (status, "the node has pruned every block below" in err) == (2, True), err
    status, _, err = do("deposits", "rescan", "--from", "700")
    assert (status, "deposits skip --to" in err) == (2, True), err


def test_a_pending_deposit_mined_and_spent_in_skipped_blocks_is_reported(
    pruning: Node, wallet: HardwareWallet, service: Service, do: Command, database_url: str
):
    dtmf = service.start()
    (address,) = addresses_of(dtmf, database_url, 1)
    txid = pruning.pay(address, 60_000)
    until(lambda: [one["txid"] for one in dtmf.deposits()] == [txid])
    service.stop()
    pruning.mine()
    pruning.spend(txid, 0, wallet.key(1))
    pruning.mine(699)
    pruning.prune(500)
    status, out, err = do("deposits", "skip", "--to", "700")
    assert (status, err) == (0, "")
    assert f"not found: {txid}:0, pending, 60000 satoshis to {address}" in out
    dtmf = service.start()
    until(lambda: [one["status"] for one in dtmf.deposits()] == ["gone"])
    assert "were never read" in do("deposits", "explain", f"{txid}:0")[1]
    assert (dtmf.account()["balance"], differences(database_url)) == (0, [])


def test_a_credited_deposit_stays_credited_if_its_block_is_unknown(
    pruning: Node, wallet: HardwareWallet, service: Service, do: Command, database_url: str
):
    """The cursor's own block left the best chain while the service was down."""
    dtmf = service.start()
    (address,) = addresses_of(dtmf, database_url, 1)
    txid = pruning.pay(address, 60_000)
    pruning.mine(2)
    until(lambda: dtmf.account()["balance"] == 60_000)
    service.stop()
    pruning.undo(2)
    pruning.mine(2)
    pruning.spend(txid, 0, wallet.key(1))
    pruning.mine(700)
    pruning.prune(500)
    assert do("deposits", "skip", "--to", "700")[0] == 0
    dtmf = service.start()
    until(lambda: trouble(database_url) is None)
    assert dtmf.account()["balance"] == 60_000
    assert differences(database_url) == []


def test_scripts_are_scanned_in_batches_and_a_killed_command_changes_nothing(
    pruning: Node, service: Service, do: Command, database_url: str, monkeypatch: pytest.MonkeyPatch
):
    from dtmf_server.cli import skip_commands
    from dtmf_server.operations import skip

    dtmf = service.start()
    addresses = addresses_of(dtmf, database_url, 5)
    service.stop()
    for address in addresses:
        pruning.pay(address, 1000)
    pruning.mine(700)
    pruning.prune(500)
    monkeypatch.setattr(skip_commands, "SCRIPTS_PER_SCAN", 2)
    with closing(open_database(database_url)) as db:
        before = db.read_blocking(stored_chain.tip)
        with monkeypatch.context() as killed:
            killed.setattr(skip, "move_on", partial(_killed))
            with pytest.raises(KeyboardInterruptedSkip):
                do("deposits", "skip", "--to", "700")
        assert db.read_blocking(stored_chain.tip) == before
        assert db.read_blocking(deposits.skipped) == []
    status, out, _ = do("deposits", "skip", "--to", "700")
    assert (status, out.count("scanning"), "5 deposits found" in out) == (0, 3, True)


class KeyboardInterruptedSkip(BaseException):
    """Ends the command before its transaction is committed."""


def _killed(*_arguments: object, **_options: object) -> None:
    raise KeyboardInterruptedSkip
