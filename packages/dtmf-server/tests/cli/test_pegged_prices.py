"""Groups with prices in a currency, as the operator imports, changes and lists them."""

import io
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from dtmf_server.cli.main import main
from dtmf_server.storage import numbers
from dtmf_server.storage.db import Database, Row
from harness import START_US
from money.pegged_renter import NOTICE_US, RATE, PeggedRenter, announce, peg, refresh

Run = Callable[..., tuple[int, str]]
HEAD = "id,type,name,country_code,setup_cents,minute_cents,sms_cents,monthly_cap_cents\n"
ONE_ENGINE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def rate_file(tmp_path: Path) -> Path:
    """The file with the rate."""
    path = tmp_path / "rate"
    path.write_text("50000")
    return path


@pytest.fixture
def run(
    db: Database,
    database_url: str,
    rate_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Run a command without a terminal; return exit status and stdout."""
    monkeypatch.setattr("dtmf_server.cli.main.setup", lambda *_a, **_o: None)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    config = tmp_path / "dtmf.toml"
    config.write_text(
        f'mode = "sandbox"\n[prices]\ncurrency = "EUR"\nrate_file = "{rate_file}"\nrate_min = 20000.0\nrate_max = 200000.0\n'
    )

    def running(*arguments: str) -> tuple[int, str]:
        try:
            status = main([*arguments, "--config", str(config), "--database", database_url])
        except SystemExit as ended:
            status = int(str(ended.code))
        return status, capsys.readouterr().out

    return running


def group(db: Database, id_: str = "us-mobile") -> Row:
    found = db.read_blocking(lambda tx: numbers.group(tx, id_))
    assert found is not None
    return found


def prices(row: Row) -> tuple[int, ...]:
    return tuple(row[column] for column in ("setup_cost", "rental_cost_per_minute", "cost_per_inbound_message"))


@ONE_ENGINE
def test_a_file_in_cents_is_imported_at_the_current_rate_and_again_without_a_change(
    db: Database, run: Run, tmp_path: Path, rate_file: Path
) -> None:
    file = tmp_path / "groups.csv"
    file.write_text(HEAD + "euro,mobile,Euro,de,10,0.05,2,900\n")
    status, out = run("groups", "import", str(file))
    assert (status, prices(group(db, "euro"))) == (0, (200, 1, 40)), out
    assert (group(db, "euro")["currency"], group(db, "euro")["rate"], group(db, "euro")["monthly_cap"]) == (
        "EUR",
        "50000",
        18_000,
    )
    assert "1 unchanged" in run("groups", "import", str(file), "--dry-run")[1]
    file.write_text(HEAD + "euro,mobile,Euro,de,10,0.6,2,900\n")
    status, out = run("groups", "import", str(file))
    assert status == 1 and "minute_cents from 0.05 to 0.6 cents, 12 times higher" in out
    rate_file.write_text("500000")  # ten times too high: outside the bounds
    status, out = run("groups", "set", "euro", "name", "Europe")
    assert status == 0 and prices(group(db, "euro")) == (200, 1, 40), "at the stored rate"
    file.write_text(HEAD + "more,mobile,Euro,de,10,0.05,,\n")
    status, out = run("groups", "import", str(file))
    assert status == 1 and "prices in cents need [prices] with a currency and a usable rate" in out


@ONE_ENGINE
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("x,mobile,X,us,10,,,", "minute_cents is missing"),
        ("x,mobile,X,us,,,,", "setup_cost is missing"),
        ("x,mobile,X,us,1,0,,", "minute_cents must be above 0"),
        ("x,mobile,X,us,1,2,,1", "monthly_cap_cents is less than the price of one minute"),
        ("x,mobile,X,us,1,0.00001,,", "minute_cents must be cents"),
        ("x,mobile,X,us,-1,1,,", "setup_cents must be cents"),
    ],
)
def test_wrong_prices_in_cents_are_refused(run: Run, tmp_path: Path, row: str, reason: str) -> None:
    file = tmp_path / "groups.csv"
    file.write_text(HEAD + row + "\n")
    status, out = run("groups", "import", str(file))
    assert status == 1 and reason in out


@ONE_ENGINE
def test_a_group_has_one_kind_of_price(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "groups.csv"
    file.write_text("id,type,name,country_code,setup_cost,setup_cents,minute_cents\nx,mobile,X,us,5,1,1\n")
    status, out = run("groups", "import", str(file))
    assert status == 1 and "setup_cost is set beside prices in cents" in out


@ONE_ENGINE
def test_a_group_is_converted_to_the_currency_and_back(db: Database, run: Run) -> None:
    status, out = run("prices", "set", "us-mobile", "rental_cost_per_minute", "0.01", "--currency", "eur")
    assert status == 0, out
    assert prices(group(db)) == (0, 20, 705) and group(db)["sms_micros"] == 352_500
    status, out = run("prices", "show", "us-mobile")
    assert "20 a minute, 705 an SMS; EUR at a rate of 50000" in out and "minute_cents 1, sms_cents 35.25" in out
    assert run("prices", "set", "us-mobile", "rental_cost_per_minute", "20")[0] == 1
    status, out = run("prices", "set", "us-mobile", "rental_cost_per_minute", "21", "--currency", "sats")
    assert status == 0 and prices(group(db)) == (0, 21, 705) and group(db)["currency"] is None
    assert "no rate for USD" in run("prices", "set", "us-mobile", "setup_cost", "1", "--currency", "usd")[1]
    assert "like 0.05" in run("prices", "set", "us-mobile", "setup_cost", "x", "--currency", "eur")[1]


@ONE_ENGINE
def test_a_change_of_the_unit_by_a_factor_of_ten_is_confirmed(db: Database, run: Run) -> None:
    status, out = run("prices", "set", "us-mobile", "rental_cost_per_minute", "1", "--currency", "eur")
    assert status == 1 and "rental_cost_per_minute from 13 to 2000 satoshis, 154 times higher" in out
    assert prices(group(db)) == (0, 13, 705) and group(db)["currency"] is None
    assert run("prices", "set", "us-mobile", "rental_cost_per_minute", "1", "--currency", "eur", "--yes")[0] == 0


@ONE_ENGINE
def test_the_list_shows_who_pays_what_until_when_and_then(db: Database, run: Run) -> None:
    peg(db)
    e164 = PeggedRenter(db).rents()
    refresh(db, RATE / 2, at_us=NOTICE_US)
    found = json.loads(run("prices", "list", "--json")[1])
    assert (found["cost_per_minute"], found["next_cost_per_minute"], found["is_announced"]) == (13, 26, False)
    assert "not announced yet; at today's rate, then 26 a minute" in run("prices", "list", "us-mobile")[1]
    announce(db, NOTICE_US)
    refresh(db, Decimal(100_000), at_us=NOTICE_US)
    out = run("prices", "list")[1]
    assert e164 in out and "13 a minute, 705 an SMS until 2018-01-31T01:01:01.000000, then 26 a minute" in out
    assert "1 with an announced change" in run("prices", "show", "us-mobile")[1]


@ONE_ENGINE
def test_doctor_shows_groups_that_do_not_follow_the_rate(db: Database, run: Run) -> None:
    peg(db, at_us=START_US)
    out = run("doctor")[1]
    assert "the prices of group us-mobile are those of" in out
