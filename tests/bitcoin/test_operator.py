"""The operator's commands and configuration on a real chain: what they report, and what they refuse."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from embit.descriptor.checksum import add_checksum

from bitcoin.conftest import Node
from bitcoin.hardware_wallet import HardwareWallet
from dtmf import DTMF
from dtmf_server.core.errors import CannotStart
from dtmf_server.storage.open import open_database
from harness import new_token, open_account, serving
from support.operator import opened, until

Command = Callable[..., tuple[int, str, str]]


def test_explain_covers_outputs_that_are_not_deposits(node: Node, settings: Path, database_url: str, command: Command):
    runtime, at = opened(settings, database_url), ("--database", database_url)
    with closing(runtime.db), serving(runtime) as url:
        open_account(runtime.db)
        until(lambda: runtime.db.read_blocking(lambda tx: tx.one("SELECT 1 FROM chain_blocks")))
        with DTMF(new_token(), base_url=url) as dtmf:
            ours = dtmf.new_address()["address"]
    status, out, _ = command("deposits", "explain", f"{'0' * 64}:0", *at)
    assert (status, "The node has no such unspent output" in out) == (1, True)
    txid = node.pay(ours, 5000)  # the service is not following the chain now
    status, out, _ = command("deposits", "explain", f"{txid}:0", *at)
    assert (status, "to an address of this service with 0 confirmations but is not recorded" in out) == (1, True)
    status, out, _ = command("deposits", "explain", f"{txid}:1", *at)
    assert (status, "to an address of someone else" in out) == (1, True)
    status, _, err = command("deposits", "explain", "nonsense", *at)
    assert (status, "'nonsense' is not an outpoint" in err) == (2, True)
    status, _, err = command("deposits", "rescan", "--from", "999999", *at)
    assert (status, "--from 999999: the chain has only been followed to block" in err) == (2, True)
    node.stop()
    status, out, _ = command("deposits", "explain", f"{txid}:0", *at)
    assert (status, "The node could not be queried" in out) == (1, True)
    node.start()


def test_a_database_is_bound_to_its_chain_and_descriptor(
    wallet: HardwareWallet, settings: Path, database_url: str, command: Command
):
    opened(settings, database_url).db.close()
    other = add_checksum(wallet.descriptor.partition("#")[0].replace("/0/*", "/7/*"))
    settings.write_text(settings.read_text().replace(wallet.descriptor, other))
    with pytest.raises(CannotStart, match="is not the one that this database derived its addresses from"):
        opened(settings, database_url)
    by = ("--as", "alice", "--reason", "new wallet")
    assert command("init", "--replace-descriptor", "--database", database_url, *by)[0] == 0
    _, log, _ = command("audit", "list", "--database", database_url)
    assert "alice  init --replace-descriptor a descriptor with SHA-256 " in log and other.partition("#")[0] not in log
    opened(settings, database_url).db.close()
    settings.write_text(settings.read_text().replace('network = "regtest"', 'network = "signet"'))
    with pytest.raises(CannotStart, match="follows the chain 'regtest', but 'signet' is configured"):
        opened(settings, database_url)


def test_an_unsupported_descriptor_prevents_the_start_with_a_clear_error(
    wallet: HardwareWallet, settings: Path, tmp_path: Path
):
    hardened = add_checksum(wallet.descriptor.partition("#")[0].replace("/0/*", "/0h/*"))
    settings.write_text(settings.read_text().replace(wallet.descriptor, hardened))
    with pytest.raises(CannotStart, match=r"bitcoin\.descriptor: /0h after the extended key is hardened"):
        opened(settings, f"sqlite:///{tmp_path / 'dtmf.db'}")
    assert not (tmp_path / "dtmf.db").exists()


def test_read_only_commands_change_nothing(settings: Path, database_url: str, command: Command):
    opened(settings, database_url).db.close()
    with closing(open_database(database_url)) as db:
        before = db.read_blocking(lambda tx: tx.one("SELECT * FROM chain_state"))
        assert command("deposits", "list", "--database", database_url)[0] == 0
        assert tuple(db.read_blocking(lambda tx: tx.one("SELECT * FROM chain_state"))) == tuple(before)  # type: ignore[arg-type]  # a row
