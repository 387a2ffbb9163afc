"""`groups|numbers|prices import`: what a dry run shows, what --json prints, and what the options change."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dtmf_server.cli.main import main
from dtmf_server.storage import numbers
from dtmf_server.storage.db import Database

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
    monkeypatch.setattr("dtmf_server.cli.main.setup", lambda *_args, **_options: None)
    db.write_blocking(lambda tx: tx.run("DELETE FROM destinations"))

    def importing(kind: str, content: str | bytes, *options: str) -> tuple[int, str, str]:
        file = tmp_path / "file.csv"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        try:
            status = main([kind, "import", str(file), "--database", database_url, *options])
        except SystemExit as ended:
            status = int(str(ended.code))
        said = capsys.readouterr()
        return status, said.out, said.err

    return importing


PRICES = "Code;Rate\n49;12\n44;20\n"
CHANGED = "Code;Rate\n49;13\n43;7\n"


def test_a_dry_run_shows_the_difference_and_changes_nothing(db: Database, run: Run) -> None:
    assert run("prices", PRICES)[:2] == (0, "2 prices imported: 2 added, 0 changed, 0 unchanged\n")
    status, out, _ = run("prices", CHANGED, "--dry-run")
    assert (status, out.splitlines()) == (
        0,
        [
            "add 43",
            "change 49: cost_per_segment from 12 to 13",
            "1 prices are not in the file and stay: --replace removes them",
            "dry run, nothing was imported: 1 added, 1 changed, 0 unchanged",
        ],
    )
    out = run("prices", CHANGED, "--dry-run", "--replace")[1]
    assert "remove 44" in out.splitlines() and out.endswith("1 added, 1 changed, 0 unchanged, 1 removed\n")
    assert db.read_blocking(numbers.destinations) == {"49": 12, "44": 20}


def test_replace_removes_the_prices_that_the_file_does_not_have(db: Database, run: Run) -> None:
    run("prices", PRICES)
    run("prices", CHANGED)
    assert db.read_blocking(numbers.destinations) == {"49": 13, "44": 20, "43": 7}
    assert "removed 44" in run("prices", CHANGED, "--replace")[1]
    assert db.read_blocking(numbers.destinations) == {"49": 13, "43": 7}


def test_json_has_the_difference_or_the_errors(db: Database, run: Run) -> None:
    run("prices", PRICES)
    status, out, _ = run("prices", CHANGED.replace("Rate", "Rate;Note").replace("13", "13;x").replace("7\n", "7;\n"),
                         "--json", "--dry-run")  # fmt: skip
    assert (status, json.loads(out)) == (
        0,
        {
            "file": "file.csv",
            "kind": "prices",
            "imported": False,
            "added": ["43"],
            "changed": [{"key": "49", "column": "cost_per_segment", "from": "12", "to": "13"}],
            "unchanged": 0,
            "absent": 1,
            "removed": [],
            "notes": ["file.csv: ignored columns: Note"],
            "warnings": [],
            "errors": [],
        },
    )
    status, out, _ = run("prices", "Code;Rate\n4x;1\n", "--json")
    (error,) = json.loads(out)["errors"]
    assert (status, error["file"], error["line"], error["column"], error["value"]) == (1, "file.csv", 2, "prefix", "4x")
    status, out, _ = run("prices", "Code;Rate\n49;0\n", "--json")
    assert (status, "--allow-free" in json.loads(out)["errors"][-1]["message"]) == (1, True)


def test_groups_show_each_changed_value(run: Run) -> None:
    head = "id,type,name,country_code,setup_cost,rental_cost_per_minute,cost_per_inbound_message,carriers\n"
    run("groups", f"{head}x,mobile,X,de,5,6,7,a b\n")
    _, out, _ = run("groups", f"{head}x,mobile,X,de,5,8,,a b\n", "--dry-run")
    assert out.splitlines()[:2] == [
        "change x: rental_cost_per_minute from 6 to 8",
        "change x: cost_per_inbound_message from 7 to empty",
    ]


def test_a_carriers_list_of_numbers_needs_only_the_group_and_the_country(db: Database, run: Run) -> None:
    content = "DID\tStatus\r\n(202) 555-0300\tactive\r\n202 555 0301\tactive\r\n".encode("utf-16")
    status, out, _ = run("numbers", content, "--group", "us-mobile", "--country", "us", "--dry-run")
    assert (status, out.splitlines()[:3]) == (
        0,
        ["file.csv: ignored columns: Status", "add +12025550300", "add +12025550301"],
    )
    assert run("numbers", content, "--group", "us-mobile", "--country", "us")[0] == 0
    assert db.read_blocking(lambda tx: numbers.exists(tx, "+12025550301"))


def test_networks_and_a_rate_price_a_list_by_mcc_and_mnc(db: Database, run: Run, tmp_path: Path) -> None:
    networks = tmp_path / "networks.csv"
    networks.write_text("MCC;MNC;Prefixes\n262;01;4915,4916\n262;;4917\n")
    content = 'MCC,MNC,Price (EUR)\n262,1,"0,075"\n262,07,"0,08"\n'
    assert run("prices", content, "--networks", str(networks), "--rate", "1000")[0] == 0
    assert db.read_blocking(numbers.destinations) == {"4915": 75, "4916": 75, "4917": 80}


@pytest.mark.parametrize(
    ("kind", "options", "complaint"),
    [
        ("numbers", ("--country", "Germany"), "'Germany' is not a country: use a code like DE"),
        ("numbers", ("--map", "number"), "'number' is not COLUMN=NAME"),
        ("numbers", ("--map", "Nr=phone"), "is not COLUMN=NAME with one of the names e164, group_id"),
        ("prices", ("--rate", "0"), "'0' is not a number of satoshis"),
        ("prices", ("--rate", "nan"), "'nan' is not a number of satoshis"),
        ("prices", ("--rate", "1,5"), "'1,5' is not a number of satoshis"),
        ("prices", ("--decimal", "dot"), "invalid choice: 'dot'"),
        ("prices", ("--networks", "nowhere.csv"), "can't read nowhere.csv"),
        ("numbers", ("--replace",), "unrecognized arguments: --replace"),
    ],
)
def test_an_invalid_option_is_a_usage_error(run: Run, kind: str, options: tuple[str, ...], complaint: str) -> None:
    status, out, err = run(kind, PRICES, *options)
    assert (status, out, complaint in err) == (2, "", True), err


CURRENCY = '[prices]\ncurrency = "EUR"\nrate_file = "{}"\n'


@pytest.mark.parametrize(
    ("content", "options"), [("Code;Rate (EUR)\n49;0,05\n", []), ("Code;Rate\n49;0,05\n", ["--rate", "eur"])]
)
def test_prices_in_the_currency_of_the_rate_source_need_no_rate(
    db: Database, run: Run, tmp_path: Path, content: str, options: list[str]
) -> None:
    rate, config = tmp_path / "rate", tmp_path / "dtmf.toml"
    rate.write_text("80000")
    config.write_text(CURRENCY.format(rate))
    status, out, _ = run("prices", content, "--config", str(config), *options)
    assert (status, out.splitlines()[0]) == (0, "file.csv: 1 EUR = 1250 satoshis, the current rate")
    assert db.read_blocking(numbers.destinations) == {"49": 63}


@pytest.mark.parametrize(
    ("unit", "reason"),
    [("USD", "the rate source is for EUR"), ("EUR", "prices.rate_file /dev/null is not a positive number")],
)
def test_without_a_usable_rate_the_reason_is_named(run: Run, tmp_path: Path, unit: str, reason: str) -> None:
    config = tmp_path / "dtmf.toml"
    config.write_text(CURRENCY.format("/dev/null"))
    status, out, _ = run("prices", f"Code;Rate {unit}\n49;0,05\n", "--config", str(config))
    assert status == 1
    assert f"file.csv:2: the prices are in {unit}: add --rate SATS_PER_UNIT, how many satoshis one {unit} is" in out
    assert reason in out
