"""A carrier that can't be built is refused before the database is touched."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dtmf_server.carriers import registry
from dtmf_server.carriers.base import SmsCarrier
from dtmf_server.carriers.registry import CarrierContext, CarrierKind
from dtmf_server.carriers.simulator import SimulatorSettings
from dtmf_server.cli.main import main
from dtmf_server.storage import migrate
from postgres import drop_database, fresh_database

UNREADABLE_CA = """
[[carrier]]
name = "london"
host = "127.0.0.1"
system_id = "dtmf"
password = "hunter2"
tls = true
tls_ca = "/nonexistent/ca.pem"
"""
BROKEN = '[[carrier]]\nname = "fake"\nkind = "simulator"\n'


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'new' / 'dtmf.db'}"
        return
    server = request.getfixturevalue("postgres_url")
    url = fresh_database(server)
    yield url
    drop_database(server, url)


def refusal(capsys: pytest.CaptureFixture[str], folder: Path, url: str, carrier: str) -> str:
    """What `dtmf-server run` prints with this carrier."""
    (folder / "dtmf.toml").write_text(carrier)
    arguments = ["--config", str(folder / "dtmf.toml"), "--data", str(folder / "data"), "--database", url]
    assert main(["run", *arguments]) == 2
    return capsys.readouterr().err


def broken(settings: SimulatorSettings, context: CarrierContext) -> SmsCarrier:
    """A plug-in's mistake."""
    raise KeyError(settings.name)


@pytest.mark.parametrize(
    ("carrier", "reason"),
    [
        (UNREADABLE_CA, "carrier london: tls_ca /nonexistent/ca.pem: No such file or directory"),
        (BROKEN, "carrier fake: the kind 'simulator' can't be built: KeyError: 'fake'"),
    ],
)
def test_a_carrier_that_cannot_be_built_leaves_the_schema_version_unchanged(
    empty_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    carrier: str,
    reason: str,
) -> None:
    if carrier is BROKEN:
        monkeypatch.setattr(registry, "find", lambda name: CarrierKind(name, SimulatorSettings, broken))
    assert reason in refusal(capsys, tmp_path, empty_url, carrier)
    if empty_url.startswith("sqlite"):
        assert not (tmp_path / "new").exists()
        (tmp_path / "new").mkdir()
    assert migrate.current(empty_url) is None
    migrate.upgrade(empty_url, "0014")
    assert reason in refusal(capsys, tmp_path, empty_url, carrier)
    assert migrate.current(empty_url) == "0014"
