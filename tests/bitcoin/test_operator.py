"""The operator's commands, and the service as a whole, on a real chain."""

import json
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bitcoin.conftest import Node
from dtmf import DTMF
from dtmf_server import cli, startup
from dtmf_server import config as configuration
from dtmf_server.bitcoin.descriptor import SANDBOX_DESCRIPTOR
from dtmf_server.clock import Clock
from dtmf_server.core.errors import CannotStart
from dtmf_server.operations import verify
from dtmf_server.runtime import Runtime
from dtmf_server.storage.open import open_database
from harness import new_token, open_account, serving
from postgres import fresh_database

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def settings(node: Node, tmp_path: Path) -> Path:
    """The configuration of a service on this node."""
    path = tmp_path / "dtmf.toml"
    path.write_text(
        f'mode = "production"\n[bitcoin]\nnetwork = "regtest"\nrpc = "{node.url}"\n'
        f'descriptor = "{SANDBOX_DESCRIPTOR}"\npoll_seconds = 0.1\n'
        "[[bitcoin.larger]]\nfrom_sats = 10000000\nconfirmations = 4\n"
    )
    return path


@pytest.fixture
def command(settings: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs `dtmf-server` with this configuration: exit status, output, errors."""
    monkeypatch.setattr("dtmf_server.log.setup", lambda *_args, **_options: None)  # the log stays this process's own

    def run(*arguments: str) -> tuple[int, str, str]:
        status = cli.main([*arguments, "--config", str(settings)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def opened(settings: Path, url: str) -> Runtime:
    return startup.open_runtime(configuration.load(settings, {}), url, Clock(sandbox=False))


def answer_of(url: str) -> dict[str, str]:
    with urllib.request.urlopen(url, timeout=30) as reply:
        found: dict[str, str] = json.load(reply)
        return found


def until(true: Callable[[], object]) -> None:
    import threading

    for _ in range(600):
        if true():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not come true")


def test_a_renter_sees_a_deposit_from_the_mempool_to_the_balance(node: Node, settings: Path, database_url: str):
    runtime = opened(settings, database_url)
    with closing(runtime.db), serving(runtime) as url:
        open_account(runtime.db)
        with DTMF(new_token(), base_url=url) as dtmf:
            until(lambda: runtime.db.read_now(lambda tx: tx.one("SELECT 1 FROM chain_blocks")))
            txid = node.pay(dtmf.new_address()["address"], 123_456)
            until(lambda: [(d["txid"], d["status"]) for d in dtmf.deposits()] == [(txid, "pending")])
            node.mine(2)
            until(lambda: dtmf.account()["balance"] == 123_456)
            assert [t["amount"] for t in dtmf.transactions()] == [123_456]
            kinds = [(e["kind"], e.get("txid")) for _, e in zip(range(2), dtmf.events(), strict=False)]
            assert kinds == [("deposit.seen", txid), ("deposit.credited", txid)]
        ready = answer_of(f"{url}/readyz")
        assert (ready["status"], ready["chain"], ready["chain_height"]) == ("ready", "ok", str(node.tip()[0]))
        node.stop()
        until(lambda: answer_of(f"{url}/readyz")["chain"].startswith("degraded: the node at"))
        assert answer_of(f"{url}/readyz")["status"] == "ready"
        node.start()
        until(lambda: answer_of(f"{url}/readyz")["chain"] == "ok")
        assert runtime.db.read_now(verify.differences) == []


def test_an_empty_database_is_filled_from_the_chain(
    node: Node, settings: Path, database_url: str, command: Command, request: pytest.FixtureRequest, tmp_path: Path
):
    runtime = opened(settings, database_url)
    with closing(runtime.db), serving(runtime) as url:
        open_account(runtime.db)
        with DTMF(new_token(), base_url=url) as dtmf:
            until(lambda: runtime.db.read_now(lambda tx: tx.one("SELECT 1 FROM chain_blocks")))
            addresses = [dtmf.new_address()["address"] for _ in range(30)]
            for address, sats in ((addresses[2], 1000), (addresses[2], 2000), (addresses[25], 40_000)):
                node.pay(address, sats)
            node.mine(3)
            until(lambda: dtmf.account()["balance"] >= 43_000)
            balance = dtmf.account()["balance"]
    lost = database_url
    sqlite = lost.startswith("sqlite")
    url = (
        f"sqlite:///{tmp_path / 'new' / 'dtmf.db'}"
        if sqlite
        else fresh_database(request.getfixturevalue("postgres_url"))
    )
    status, out, err = command("init", "--gap", "25", "--database", url)
    assert (status, err) == (0, "")
    assert f"3 deposits found, {balance} satoshis credited to the suspense account" in out
    assert command("verify", "--database", url)[0] == 0
    again = opened(settings, url)
    with closing(again.db), serving(again) as address:
        open_account(again.db)
        with DTMF(new_token(), base_url=address) as dtmf:
            assert dtmf.new_address()["address"] not in addresses, "no index serves two accounts"
    status, _, err = command("init", "--database", url)
    assert status == 1
    assert "has given out addresses already" in err


def test_an_outpoint_is_explained_in_words_and_blocks_are_read_again(
    node: Node, settings: Path, database_url: str, command: Command
):
    runtime = opened(settings, database_url)
    with closing(runtime.db), serving(runtime) as url:
        open_account(runtime.db)
        with DTMF(new_token(), base_url=url) as dtmf:
            until(lambda: runtime.db.read_now(lambda tx: tx.one("SELECT 1 FROM chain_blocks")))
            address = dtmf.new_address()["address"]
            txid = node.pay(address, 10_000_000)
            node.mine(3)
            until(lambda: [d["confirmations"] for d in dtmf.deposits()] == [3])
            at = ("--database", database_url)
            status, out, _ = command("deposits", "explain", f"{txid}:0", *at)
            assert status == 0
            assert f"It pays 10000000 satoshis to {address}" in out
            assert "needs 4 confirmations" in out
            node.mine()
            until(lambda: dtmf.account()["balance"] == 10_000_000)
            assert "It is credited" in command("deposits", "explain", f"{txid}:0", *at)[1]
            assert command("deposits", "rescan", "--from", "1", *at)[0] == 0
            assert f"{txid}:0  credited" in command("deposits", "list", *at)[1]
            until(
                lambda: (
                    runtime.db.read_now(lambda tx: tx.one("SELECT rescan_height FROM chain_state"))["rescan_height"]
                    is None
                )
            )
            assert dtmf.account()["balance"] == 10_000_000
            status, out, _ = command("deposits", "explain", f"{'0' * 64}:0", *at)
            assert status == 1
            assert "The node knows no such output" in out
            status, _, err = command("deposits", "explain", "nonsense", *at)
            assert status == 2
            assert "'nonsense' is no outpoint" in err
            assert command("deposits", "rescan", "--from", "999999", *at)[0] == 2


def test_a_database_is_bound_to_its_chain_and_descriptor(
    node: Node, settings: Path, database_url: str, command: Command
):
    opened(settings, database_url).db.close()
    other = SANDBOX_DESCRIPTOR.replace("/0/*", "/7/*")
    settings.write_text(settings.read_text().replace(SANDBOX_DESCRIPTOR, other))
    with pytest.raises(CannotStart, match="is another than this database gave addresses of"):
        opened(settings, database_url)
    assert command("init", "--replace-descriptor", "--database", database_url)[0] == 0
    opened(settings, database_url).db.close()
    settings.write_text(settings.read_text().replace('network = "regtest"', 'network = "signet"'))
    with pytest.raises(CannotStart, match="follows the chain 'regtest', and 'signet' is configured"):
        opened(settings, database_url)


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_private_key_stops_the_start_with_a_sentence(node: Node, settings: Path, engine: str, tmp_path: Path):
    hardened = SANDBOX_DESCRIPTOR.replace("/0/*", "/0h/*")
    settings.write_text(settings.read_text().replace(SANDBOX_DESCRIPTOR, hardened))
    with pytest.raises(CannotStart, match=r"bitcoin\.descriptor: /0h after the extended key is hardened"):
        opened(settings, f"{engine}:///{tmp_path / 'dtmf.db'}")
    assert not (tmp_path / "dtmf.db").exists()


def test_open_database_is_not_changed_by_commands_that_only_read(settings: Path, database_url: str, command: Command):
    opened(settings, database_url).db.close()
    with closing(open_database(database_url)) as db:
        before = db.read_now(lambda tx: tx.one("SELECT * FROM chain_state"))
        assert command("deposits", "list", "--database", database_url)[0] == 0
        assert tuple(db.read_now(lambda tx: tx.one("SELECT * FROM chain_state"))) == tuple(before)  # type: ignore[arg-type]  # a row
