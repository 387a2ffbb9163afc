"""The current position follows from daily sums and the transfers after them; groups' figures add up to the ledger's."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from dtmf_server.cli.main import main
from dtmf_server.core.days import parse_day, parse_month
from dtmf_server.core.number_supply import SupplyRules
from dtmf_server.core.units import DAY_US, MINUTE_US
from dtmf_server.operations import daily_sums, journal, meter, money, rent, verify
from dtmf_server.operations.journal import Entry, JournalDoesNotSumUp
from dtmf_server.operations.money import GroupDay
from dtmf_server.storage import ledger_days, messages, schema
from dtmf_server.storage.db import Database, Tx
from harness import START_US, Group, give_coins, open_account, stock
from support.webhook_steps import plan_of

NUMBER, CAPPED = "+13035550001", "+13035550002"
DAY = START_US // DAY_US
UNTIL_MIDNIGHT = -(-((DAY + 1) * DAY_US - START_US) // MINUTE_US)  # minutes of a rental from START_US on this day
END_US = START_US + 2 * DAY_US + 1
SETUP = 50


@pytest.fixture
def books(db: Database) -> Database:
    """A rental of two days, one of them with a monthly cap that is reached on the first, and one SMS."""
    add_rental(db, Group("plain", setup_cost=SETUP, rental_cost_per_minute=3), NUMBER)
    add_rental(db, Group("capped", rental_cost_per_minute=10, monthly_cap=1000), CAPPED)
    while db.write_blocking(partial(meter.share_out, now_us=END_US)):
        pass
    return db


def add_rental(db: Database, group: Group, e164: str) -> None:
    db.write_blocking(lambda tx: stock(tx, {group: [e164]}))
    give_coins(db, who := open_account(db, seed=len(group.id)), 100_000)

    def rental(tx: Tx) -> None:
        row = rent.start(tx, who, group.id, now_us=START_US, cooldown_us=0)
        (id_,) = tx.allocate_ids(schema.messages, 1)
        values = (id_, who, row["id"], True, "+1", e164, "x", START_US + DAY_US, "received", 0, 1)
        messages.add(tx, [values])

    db.write_blocking(rental)
    db.write_blocking(lambda tx: rent.end(tx, who, e164, now_us=END_US))


def sum_all(db: Database) -> None:
    newest = db.read_blocking(ledger_days.newest_id)
    while db.write_blocking(partial(daily_sums.add, through=newest)):
        pass


def days_of(db: Database, *, from_day: int = DAY, before_day: int = DAY + 9, now_us: int = END_US) -> list[GroupDay]:
    return db.read_blocking(
        lambda tx: list(
            money.group_days(tx, from_day=from_day, before_day=before_day, now_us=now_us, rules=SupplyRules())
        )
    )


def test_the_position_is_the_same_before_and_after_summing(books: Database) -> None:
    before = books.read_blocking(money.position)
    assert before.balances_sats == 200_000 - before.revenue_sats and before.revenue_sats > 0
    assert (before.onchain_booked_sats, before.owed_sats, before.debt_sats) == (200_000, before.balances_sats, 0)
    assert sum(before.ledger.values()) == 0
    sum_all(books)
    assert books.read_blocking(ledger_days.summed_through) == books.read_blocking(ledger_days.newest_id)
    assert books.read_blocking(money.position) == before
    give_coins(books, open_account(books, seed=9), 7)
    assert books.read_blocking(money.position).balances_sats == before.balances_sats + 7
    assert books.read_blocking(lambda tx: list(daily_sums.differences(tx))) == []


def test_transfers_are_summed_once_in_portions(books: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daily_sums, "PORTION", 1)
    sum_all(books)
    sum_all(books)
    count = books.read_blocking(lambda tx: tx.one("SELECT count(*) AS n FROM transfers"))
    summed = books.read_blocking(lambda tx: tx.one("SELECT sum(transfers) AS n FROM ledger_days"))
    assert count is not None and summed is not None and count["n"] == summed["n"] > 3


def test_verify_finds_a_sum_that_differs(books: Database) -> None:
    sum_all(books)
    assert books.read_blocking(verify.differences) == []
    books.write_blocking(lambda tx: tx.run("UPDATE ledger_days SET amount = amount + 1 WHERE kind = 'deposit'"))
    (found,) = books.read_blocking(verify.differences)
    assert found == daily_sums.WrongDailySum(DAY, "deposit", expected_sats=200_000, stored_sats=200_001)


def test_the_current_figures_are_read_from_sums_and_by_id(books: Database) -> None:
    plan = plan_of(books, money.position)
    assert "SCAN transfers" not in plan and "Seq Scan on transfers" not in plan, plan


def test_figures_of_groups_by_day_add_up_to_the_ledger(books: Database) -> None:
    found = {(each.day - DAY, each.group_id): each for each in days_of(books)}
    assert set(found) == {(day, group) for day in range(3) for group in ("capped", "plain")}
    first, second, last = (found[day, "plain"] for day in range(3))
    assert (first.rentals, first.setup_sats, first.minutes_sats) == (1, SETUP, 3 * UNTIL_MIDNIGHT)
    assert (second.rentals, second.messages, second.setup_sats, second.minutes_sats) == (0, 1, 0, 3 * 1440)
    assert last.minutes_sats == 3 * (2 * 1440 + 1 - UNTIL_MIDNIGHT - 1440)
    assert [found[day, "capped"].minutes_sats for day in range(3)] == [1000, 0, 0]
    revenue = books.read_blocking(money.position).revenue_sats
    assert sum(each.revenue_sats for each in found.values()) == revenue
    assert {each.margin_sats for each in found.values()} == {each.revenue_sats for each in found.values()}


def test_a_live_rental_counts_up_to_now(db: Database) -> None:
    db.write_blocking(lambda tx: stock(tx, {Group("plain", rental_cost_per_minute=3): [NUMBER]}))
    give_coins(db, who := open_account(db), 100_000)
    db.write_blocking(lambda tx: rent.start(tx, who, "plain", now_us=START_US, cooldown_us=0))
    (found,) = days_of(db, now_us=START_US + MINUTE_US + 1)
    assert found.minutes_sats == 6
    assert days_of(db, from_day=DAY - 3, before_day=DAY) == []
    with pytest.raises(ValueError, match="367 days are more than 366"):
        days_of(db, before_day=DAY + 367)


def test_costs_of_numbers_without_a_rate_leave_the_margin_open(books: Database) -> None:
    def buy(tx: Tx, sats: int | None) -> None:
        tx.run(
            "INSERT INTO supply_numbers (group_id, carrier, state, wanted_at_us, gone_at_us) VALUES ('plain', 'x', 'gone', 0, 0)"
        )
        id_ = tx.one("SELECT max(id) AS id FROM supply_numbers")
        assert id_ is not None
        tx.run(
            "INSERT INTO supply_costs (supply_number_id, kind, nth, at_us, amount, currency, sats)"
            " VALUES (:id, 'month', 1, :at_us, 1500000, 'USD', :sats)",
            id=id_["id"],
            at_us=START_US,
            sats=sats,
        )

    books.write_blocking(lambda tx: buy(tx, 1500))
    found = next(each for each in days_of(books) if each.group_id == "plain")
    assert (found.cost_sats, found.margin_sats) == (1500, found.revenue_sats - 1500)
    books.write_blocking(lambda tx: buy(tx, None))
    found = next(each for each in days_of(books) if each.group_id == "plain")
    assert (found.costs, found.cost_sats, found.margin_sats) == ({"USD": 3_000_000}, None, None)


@pytest.mark.parametrize("summed", [False, True])
def test_a_journal_opens_where_the_last_one_closed_and_each_part_sums_to_zero(books: Database, *, summed: bool) -> None:
    if summed:
        sum_all(books)

    def read(from_day: int, before_day: int) -> list[Entry]:
        return books.read_blocking(lambda tx: list(journal.entries(tx, from_day=from_day, before_day=before_day)))

    first, second = read(DAY, DAY + 1), read(DAY + 1, DAY + 31)
    for entries in (first, second):
        for part in ("opening", "posting", "closing"):
            assert sum(entry.debit - entry.credit for entry in entries if entry.part == part) == 0
    closing = {entry.account: entry.debit - entry.credit for entry in first if entry.part == "closing"}
    opening = {entry.account: entry.debit - entry.credit for entry in second if entry.part == "opening"}
    assert opening == closing and closing["bitcoin"] == 200_000
    postings = [entry for entry in first + second if entry.part == "posting"]
    assert {entry.transfer for entry in postings} == set(range(1, len(postings) // 2 + 1))
    assert "+1303" not in str(first + second)
    assert [entry.reference for entry in postings if entry.kind == "deposit"] != [""] * 4


def test_a_journal_that_does_not_sum_up_is_refused(books: Database) -> None:
    sum_all(books)
    books.write_blocking(lambda tx: tx.run("UPDATE ledger_days SET amount = amount + 1 WHERE kind = 'deposit'"))
    with pytest.raises(JournalDoesNotSumUp):
        books.read_blocking(lambda tx: list(journal.entries(tx, from_day=DAY, before_day=DAY + 9)))


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(books: Database, database_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command; return exit status, stdout and stderr."""
    monkeypatch.setattr("dtmf_server.cli.main.setup", lambda *_a, **_o: None)

    def running(*arguments: str) -> tuple[int, str, str]:
        try:
            status = main([*arguments, "--database", database_url])
        except SystemExit as ended:
            status = int(str(ended.code))
        said = capsys.readouterr()
        return status, said.out, said.err

    return running


def test_money_shows_what_is_owed_and_held_and_the_groups_of_a_month(run: Run) -> None:
    status, out, _ = run("money", "--month", "2018-01", "--json")
    found = json.loads(out)
    assert status == 0 and found["is_covered"] and found["owed_sats"] + found["revenue_sats"] == 200_000
    assert [day["day"] for day in found["days"]] == [f"2018-01-0{1 + nth // 2}" for nth in range(6)]
    status, out, _ = run("money", "--day", "2018-01-02")
    assert status == 0 and "owed <= held: every balance is covered" in out and "2018-01-02  plain" in out
    assert run("money", "--day", "2018-01-08")[1].endswith("no group earned or cost anything\n")
    assert "owed" in run("money")[1]


def test_money_refuses_an_invalid_day_and_a_missing_node(run: Run) -> None:
    for wrong in ("2018-02-30", "yesterday", "2018-2-3"):
        assert run("money", "--day", wrong)[0] == 2
    assert run("money", "--day", "2018-01-01", "--month", "2018-01")[0] == 2
    status, _, err = run("money", "--ask-node")
    assert status == 2 and "--ask-node: no node is configured: set bitcoin.rpc" in err
    status, _, err = run("money", "--since", "2001-01-01")
    assert status == 2 and "days are more than 366" in err


def test_money_exits_1_if_less_is_held_than_owed(books: Database, run: Run) -> None:
    sum_all(books)
    books.write_blocking(lambda tx: tx.run("UPDATE ledger_days SET credit = 2 WHERE kind = 'deposit'"))
    books.write_blocking(lambda tx: tx.run("UPDATE ledger_days SET debit = 2, credit = 0 WHERE kind = 'deposit'"))
    status, out, _ = run("money")
    assert status == 1 and "owed > held" in out


@pytest.mark.parametrize("format_", ["csv", "json"])
def test_the_journal_is_exported_to_a_new_file_only(run: Run, tmp_path: Path, format_: str) -> None:
    path = tmp_path / f"journal.{format_}"
    arguments = ("journal", "export", "--month", "2018-01", "--format", format_, str(path))
    status, out, _ = run(*arguments)
    assert status == 0 and out.endswith(f" satoshis in {path}\n")
    written = path.read_text()
    status, _, err = run(*arguments)
    assert status == 2 and "the existing file is not replaced" in err and path.read_text() == written
    if format_ == "json":
        entries = json.loads(written)
        assert sum(entry["debit"] - entry["credit"] for entry in entries) == 0
    else:
        head, *lines = written.splitlines()
        assert head == "part,timestamp,transfer,kind,account,customer,debit,credit,reference,rates"
        assert lines[0].startswith("opening,2018-01-01T00:00:00.000000,,,")
        assert lines[-1].startswith("closing,2018-02-01T00:00:00.000000,,,")
    assert path.stat().st_mode & 0o777 == 0o600
    status, out, _ = run(*arguments[:-1], str(tmp_path / "again"), "--json")
    assert status == 0 and json.loads(out)["transfers"] > 3


def test_a_month_without_transfers_is_exported_too(run: Run, tmp_path: Path) -> None:
    status, out, _ = run("journal", "export", "--month", "2017-11", "--format", "json", str(tmp_path / "none"))
    assert status == 0 and out.startswith("0 transfers of 0 satoshis")
    assert {entry["part"] for entry in json.loads((tmp_path / "none").read_text())} <= {"opening", "closing"}
    assert run("journal", "export", "--month", "2018-13", str(tmp_path / "wrong"))[0] == 2
    assert not (tmp_path / "wrong").exists()


def test_months_and_days_are_read_strictly() -> None:
    assert parse_month("2024-02") == (parse_day("2024-02-01"), parse_day("2024-03-01"))
    assert parse_month("2023-12")[1] == parse_day("2024-01-01")
    for wrong in ("2024-00", "2024-2", "24-02", "2024-02-01", "9999-12", ""):
        with pytest.raises(ValueError, match="is not a month like 2026-11"):
            parse_month(wrong)
