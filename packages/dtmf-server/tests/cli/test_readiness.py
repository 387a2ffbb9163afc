"""What `dtmf-server run` lists as missing in production."""

from pathlib import Path

import pytest

from dtmf_server import config
from dtmf_server.carriers.registry import settings_class
from dtmf_server.cli import readiness
from dtmf_server.payments.lightning import registry
from dtmf_server.storage.db import Database

NODE = '[lightning]\nkind = "phoenixd"\nurl = "http://127.0.0.1:9740"\npassword = "x"\n'


@pytest.mark.parametrize(("node", "is_missing"), [("", True), (NODE, False)])
def test_a_lightning_node_alone_is_a_way_to_pay(db: Database, tmp_path: Path, node: str, is_missing: bool) -> None:
    file = tmp_path / "dtmf.toml"
    file.write_text(f'mode = "production"\n{node}')
    loaded = config.load(file, {}, settings_of=settings_class, lightning_of=registry.settings_class)
    found = db.read_blocking(lambda tx: readiness.missing(tx, loaded, config_name="dtmf.toml"))
    assert any("a way to pay" in line for line in found) == is_missing
