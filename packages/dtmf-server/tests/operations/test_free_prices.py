"""Free prices are imported only if the operator allows it, and likely mistakes cause a warning."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dtmf_server.cli.main import main
from dtmf_server.storage import numbers
from dtmf_server.storage.db import Database

GROUP = "id,type,name,country_code,setup_cost,rental_cost_per_minute,cost_per_inbound_message\n"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    db: Database,
    database_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Import a file of this kind; return exit status, stdout and stderr."""
    monkeypatch.setattr(
        "dtmf_server.runtime.logging.setup", lambda *_args, **_options: None
    )  # keep this process's own logging configuration

    def importing(kind: str, text: str, *options: str, name: str = "file.csv") -> tuple[int, str, str]:
        (tmp_path / name).write_text(text)
        try:
            status = main([kind, "import", str(tmp_path / name), "--database", database_url, *options])
        except SystemExit as ended:  # a version without the option
            status = int(str(ended.code))
        said = capsys.readouterr()
        return status, said.out, said.err

    return importing


@pytest.mark.regression("free-groups")
@pytest.mark.parametrize("setup", ["0", "500"])
def test_a_group_priced_0_a_minute_is_refused_unless_allowed(db: Database, run: Run, setup: str):
    text = GROUP + f"paid,mobile,Paid,xx,0,5,0\ngratis,mobile,Gratis,xx,{setup},0,7\n"
    status, out, _ = run("groups", text)
    assert (status, "file.csv:3: group gratis costs 0 satoshis a minute" in out, "--allow-free" in out) == (
        1,
        True,
        True,
    )
    assert not {"paid", "gratis"} & db.read_blocking(numbers.group_ids), "nothing in the file was imported"
    status, out, _ = run("groups", text, "--allow-free")
    assert (status, "warning: file.csv:3: group gratis costs 0" in out, "2 groups imported" in out) == (0, True, True)
    assert "warning: file.csv:2: group paid receives SMS for 0 satoshis" in out


@pytest.mark.regression("free-groups")
def test_toml_is_checked_like_csv(run: Run):
    text = (
        '[[group]]\nid = "gratis"\ntype = "local"\nname = "Gratis"\ncountry_code = "xx"\nsetup_cost = 0\n'
        "rental_cost_per_minute = 0\n"
    )
    status, out, _ = run("groups", text, name="file.toml")
    assert (status, "group gratis costs 0" in out) == (1, True)


@pytest.mark.regression("free-groups")
def test_a_destination_priced_0_is_refused_unless_allowed(db: Database, run: Run):
    text = "prefix,cost_per_segment\n49,10\n+44,0\n"
    status, out, _ = run("prices", text)
    assert (status, "file.csv:3: prefix '44' costs 0 satoshis a segment" in out) == (1, True)
    status, out, _ = run("prices", text, "--allow-free")
    assert (status, "2 prices imported" in out) == (0, True)
    assert db.read_blocking(lambda tx: numbers.cost_per_segment(tx, "+447700900000")) == 0


@pytest.mark.regression("free-groups")
def test_a_price_of_a_tenth_of_a_bitcoin_is_questioned(run: Run):
    status, out, _ = run("groups", GROUP + "dear,mobile,Dear,xx,0,10000000,9999999\n")
    assert (status, "rental_cost_per_minute is 10000000 satoshis, 0.1 bitcoin: is that intended?" in out) == (0, True)
    assert "cost_per_inbound_message is" not in out


@pytest.mark.parametrize("price", ["-1", "0.5", "1e3", "", "٣", "99999999999999999"])
def test_an_invalid_price_is_refused(run: Run, price: str):
    status, out, _ = run("groups", GROUP + f"odd,mobile,Odd,xx,0,{price},7\n", "--allow-free")
    assert (status, "rental_cost_per_minute" in out) == (1, True)
