"""Groups, numbers and prices are listed and changed one by one, with the checks of an import."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dtmf_server.cli.main import main
from dtmf_server.operations import rent
from dtmf_server.storage import numbers
from dtmf_server.storage.db import Database
from harness import START_US, US_NUMBERS, give_coins, open_account

Run = Callable[..., tuple[int, str, str]]
E164 = US_NUMBERS[0]


@pytest.fixture
def run(db: Database, database_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command without a terminal; return exit status, stdout and stderr."""
    monkeypatch.setattr("dtmf_server.cli.main.setup", lambda *_a, **_o: None)
    monkeypatch.setattr("sys.stdin", io.StringIO())

    def running(*arguments: str) -> tuple[int, str, str]:
        try:
            status = main([*arguments, "--database", database_url])
        except SystemExit as ended:
            status = int(str(ended.code))
        said = capsys.readouterr()
        return status, said.out, said.err

    return running


def rent_one(db: Database) -> str:
    give_coins(db, who := open_account(db), 10_000)
    row = db.write_blocking(lambda tx: rent.start(tx, who, "us-mobile", now_us=START_US, cooldown_us=0))
    return str(row["e164"])


def price(db: Database) -> int:
    group = db.read_blocking(lambda tx: numbers.group(tx, "us-mobile"))
    assert group is not None
    return int(group["rental_cost_per_minute"])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_groups_are_listed_with_their_stock_and_prices(db: Database, run: Run) -> None:
    rent_one(db)
    status, out, _ = run("groups", "list")
    assert status == 0 and "us-mobile: United States (us), mobile; 100 numbers, 99 free, 1 rented; 0 satoshis" in out
    found = {group["id"]: group for group in json.loads(run("groups", "list", "--json")[1])["groups"]}
    assert (found["us-mobile"]["free"], found["us-mobile"]["rental_cost_per_minute"]) == (99, "13")


def test_a_column_of_a_group_is_changed_with_the_checks_of_an_import(db: Database, run: Run) -> None:
    assert run("groups", "set", "us-mobile", "name", "USA")[:2] == (0, "us-mobile: name from United States to USA\n")
    assert run("groups", "set", "us-mobile", "name", "USA")[1] == "nothing changed: this is already the value\n"
    status, out, _ = run("groups", "set", "us-mobile", "country_code", "usa")
    assert status == 1 and "two letters" in out and out.endswith("nothing was changed\n")
    status, out, _ = run("groups", "set", "us-mobile", "stock_min", "3", "--json")
    assert status == 1 and "stock_min is set without supply" in json.loads(out)["errors"][0]
    assert run("groups", "set", "none", "name", "x")[1].startswith("group 'none' does not exist")
    assert run("groups", "set", "us-mobile", "id", "x")[0] == 2
    group = db.read_blocking(lambda tx: numbers.group(tx, "us-mobile"))
    assert group is not None and (group["name"], group["rental_cost_per_minute"], group["position"]) == ("USA", 13, 0)


def test_numbers_are_listed_by_group_and_state_and_retired_unless_rented(db: Database, run: Run) -> None:
    rented = rent_one(db)
    assert run("numbers", "list", "--state", "rented")[1] == f"{rented}  us-mobile  rented\n"
    other = next(e164 for e164 in US_NUMBERS if e164 != rented)
    status, out, _ = run("numbers", "retire", rented, other, "+1")
    assert status == 1 and f"{rented} is rented" in out and "+1 is not in stock" in out and "nothing was retired" in out
    assert run("numbers", "list", "--state", "retired")[1] == ""
    assert run("numbers", "retire", other, "--json")[:2] == (0, f'{{"retired": ["{other}"], "errors": {{}}}}\n')
    assert run("numbers", "list", "--group", "us-mobile", "--state", "retired", "--json")[1] == (
        f'{{"e164": "{other}", "group_id": "us-mobile", "state": "retired"}}\n'
    )
    assert run("numbers", "retire", other)[0] == 1
    assert len(run("numbers", "list", "--group", "us-mobile")[1].splitlines()) == len(US_NUMBERS)
    assert run("numbers", "list", "--state", "lost")[0] == 2


def test_an_import_brings_a_retired_number_back_also_into_another_group(db: Database, run: Run, tmp_path: Path) -> None:
    run("numbers", "retire", E164)
    (tmp_path / "numbers.csv").write_text(f"e164,group_id\n{E164},free\n")
    status, out, _ = run("numbers", "import", str(tmp_path / "numbers.csv"))
    assert status == 0 and "1 added" in out
    assert run("numbers", "list", "--group", "free", "--state", "free")[1].count(E164) == 1


def test_a_price_is_changed_and_live_rentals_keep_theirs(db: Database, run: Run) -> None:
    rent_one(db)
    status, out, _ = run("prices", "set", "us-mobile", "rental_cost_per_minute", "20")
    assert (status, out) == (
        0,
        "us-mobile: rental_cost_per_minute from 13 to 20\n1 live rentals keep the prices that they started with\n",
    )
    assert "1 live rentals, 1 at other prices" in run("prices", "show", "us-mobile")[1]
    found = json.loads(run("prices", "show", "--json")[1])["prices"]
    assert [each["live_rentals_at_other_prices"] for each in found if each["group"] == "us-mobile"] == [1]
    assert run("prices", "show", "none")[0] == 1


@pytest.mark.parametrize(("value", "factor"), [("130", "10 times higher"), ("1", "13 times lower")])
def test_a_price_off_by_ten_times_or_more_is_refused_without_yes(
    db: Database, run: Run, value: str, factor: str
) -> None:
    arguments = ("prices", "set", "us-mobile", "rental_cost_per_minute", value)
    status, out, _ = run(*arguments)
    assert status == 1 and f"group us-mobile: rental_cost_per_minute from 13 to {value} satoshis, {factor}" in out
    assert "add --yes" in out and price(db) == 13
    assert run(*arguments, "--json")[0] == 1
    assert run(*arguments, "--yes")[0] == 0 and price(db) == int(value)


@pytest.mark.parametrize(("answer", "status", "price_after"), [("yes", 0, 130), ("n", 1, 13), ("", 1, 13)])
def test_on_a_terminal_such_a_price_is_asked_back(
    db: Database, run: Run, monkeypatch: pytest.MonkeyPatch, answer: str, status: int, price_after: int
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n" if answer else ""))
    found, out, _ = run("prices", "set", "us-mobile", "rental_cost_per_minute", "130")
    assert found == status and price(db) == price_after
    assert "10 times higher" in out and "Type yes" in out
    monkeypatch.setattr("sys.stdin", Terminal("yes\n"))
    found, out, _ = run("prices", "set", "us-mobile", "setup_cost", "1", "--json")
    assert found == 0 and "Type yes" not in out  # from 0
    found, out, _ = run("prices", "set", "us-mobile", "setup_cost", "10", "--json")
    assert found == 1 and "10 times higher" in json.loads(out)["errors"][0]


def test_a_price_of_0_needs_allow_free_and_nonsense_is_refused(db: Database, run: Run) -> None:
    status, out, _ = run("prices", "set", "us-mobile", "rental_cost_per_minute", "0")
    assert status == 1 and "--allow-free" in out and price(db) == 13
    for wrong in ("-1", "x", "1e3", "", "13.5", "99999999999999999999"):
        assert run("prices", "set", "us-mobile", "rental_cost_per_minute", "--", wrong)[0] in (1, 2), wrong
        assert price(db) == 13
    assert run("prices", "set", "us-mobile", "rental_cost_per_minute", "0", "--allow-free")[0] == 0 and price(db) == 0


def test_the_price_of_a_destination_is_changed_too(db: Database, run: Run) -> None:
    assert run("prices", "set", "+49", "cost_per_segment", "12")[:2] == (0, "49: cost_per_segment is 12\n")
    assert run("prices", "set", "49", "cost_per_segment", "120")[0] == 1
    assert run("prices", "set", "", "cost_per_segment", "900")[1] == (
        "every other destination: cost_per_segment from 1000 to 900\n"
    )
    assert db.read_blocking(numbers.destinations) == {"": 900, "49": 12}


def test_an_import_with_such_a_price_is_refused_whole_without_yes(db: Database, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text("Code;Rate\n49;12\n")
    assert run("prices", "import", str(file))[0] == 0
    file.write_text("Code;Rate\n49;1200\n44;7\n")
    status, out, _ = run("prices", "import", str(file), "--dry-run")
    assert status == 0 and "warning: prefix 49: cost_per_segment from 12 to 1200 satoshis, 100 times higher" in out
    status, out, _ = run("prices", "import", str(file))
    assert status == 1 and "prefix 49: cost_per_segment from 12 to 1200 satoshis, 100 times higher" in out
    assert out.endswith("if that is intended, add --yes\nnothing was imported\n")
    assert "44" not in db.read_blocking(numbers.destinations)
    assert run("prices", "import", str(file), "--yes")[0] == 0


def audited(run: Run) -> list[tuple[str, str, str]]:
    """The audit log, oldest first: operator, action and object."""
    actions = json.loads(run("audit", "list", "--json")[1])["actions"]
    return [(each["operator"], each["action"], each["object"]) for each in reversed(actions)]


def test_each_change_is_in_the_audit_log_and_a_refused_one_is_not(run: Run, tmp_path: Path) -> None:
    by = ("--as", "alice", "--reason", "new year")
    assert run("groups", "set", "us-mobile", "name", "USA", *by)[0] == 0
    assert run("groups", "set", "us-mobile", "name", "USA", *by)[0] == 0, "nothing changed"
    assert run("prices", "set", "us-mobile", "rental_cost_per_minute", "1300", *by)[0] == 1, "100 times as much"
    assert run("prices", "set", "+49", "cost_per_segment", "900", *by)[0] == 0
    assert run("numbers", "retire", E164, US_NUMBERS[1], *by)[0] == 0
    assert run("numbers", "retire", "+12025550999", *by)[0] == 1
    file = tmp_path / "numbers.csv"
    file.write_text("e164,group_id\n+12025559999,us-mobile\n")
    assert run("numbers", "import", str(file), "--dry-run", *by)[0] == 0
    assert run("numbers", "import", str(file), *by)[0] == 0
    assert audited(run) == [
        ("alice", "groups set", "us-mobile name from United States to USA"),
        ("alice", "prices set", "49 cost_per_segment 900"),
        ("alice", "numbers retire", E164),
        ("alice", "numbers retire", US_NUMBERS[1]),
        ("alice", "numbers import", "numbers.csv: 1 added, 0 columns changed, 0 removed"),
    ]
