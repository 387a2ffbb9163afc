"""The list of what a production service lacks before it can rent out numbers, which `dtmf-server run` prints."""

import pytest

from dtmf_server.cli import readiness
from dtmf_server.config import Bitcoin, Config, LightningSettings
from dtmf_server.storage.db import Database


@pytest.mark.parametrize(
    ("config", "is_missing"),
    [
        (Config(mode="production"), True),
        (Config(mode="production", bitcoin=Bitcoin(descriptor="wpkh(…)")), False),
        (Config(mode="production", lightning=LightningSettings(kind="phoenixd")), False),
    ],
)
def test_lightning_alone_is_a_way_to_pay(db: Database, config: Config, is_missing: bool) -> None:
    lines = db.read_blocking(lambda tx: readiness.missing(tx, config, config_name="dtmf.toml"))
    assert any("a way to pay" in line for line in lines) is is_missing
