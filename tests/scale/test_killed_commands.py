"""`migrate`, `backup`, `restore` and operators' actions killed with SIGKILL at any step are atomic: they did nothing, or
everything."""

import gzip
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

import effort
from dtmf_server.storage.open import open_database
from support.databases import Contents, Place, contents, is_unused, wait_until_left
from support.inspect import ledger_sum
from support.kill_points import Dying, Ended

Kill = dict[str, float]
KILLED = -9


def kills(ended: Ended, place: Place, *, salt: str) -> Iterator[Kill]:
    """Yield kills at steps of a command, whose number is known, then at random moments."""
    assert ended.code == 0, ended.said
    for step in effort.spread(ended.steps, effort.scale_steps_on(place.engine)):
        yield {"at": step}
    chance = Random(f"{effort.SCALE_SEED} {salt}")
    for _ in range(effort.SCALE_KILLS):
        yield {"after_s": chance.uniform(0.001, 0.2)}


def books_are_right(dying: Dying, url: str) -> None:
    """Check with `verify`: the ledger sums to zero, and every balance matches it. A database with the same contents has
    correct books, too."""
    said = dying.command("verify", "--database", url)
    assert said.code == 0 and "the ledger is consistent" in said.said, said
    print(f"sum drift {ledger_sum(url)}")
    assert ledger_sum(url) == 0


def test_migrate(place: Place, dying: Dying) -> None:
    whole = place.empty()
    counted = dying.command("migrate", "--database", whole)
    complete = contents(whole)
    killed = complete_already = 0
    for kill in kills(counted, place, salt="migrate"):
        url = place.empty()
        killed += dying.command("migrate", "--database", url, **kill).code == KILLED
        wait_until_left(url)
        found = contents(url)
        assert found in (None, complete), kill
        complete_already += found == complete
        assert dying.command("migrate", "--database", url).code == 0, kill
        assert contents(url) == complete, kill
    books_are_right(dying, url)
    report("migrate", place, counted, killed=killed, complete_already=complete_already)


def test_migrate_of_a_database_in_use_changes_nothing(place: Place, dying: Dying) -> None:
    url = place.lived()
    before = contents(url)
    for kill in kills(dying.command("migrate", "--database", url), place, salt="migrate in use"):
        dying.command("migrate", "--database", url, **kill)
    wait_until_left(url)
    assert contents(url) == before
    books_are_right(dying, url)


def backed_up(file: Path) -> list[object]:
    """Return the lines of a backup without the time of the last one, which each backup changes."""
    lines = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    place = next(n for n, line in enumerate(lines) if isinstance(line, dict) and line.get("table") == "service")
    lines[place + 1][lines[place]["columns"].index("backed_up_wall_us")] = None
    return lines


def test_backup(place: Place, dying: Dying, tmp_path: Path) -> None:
    url, whole, file = place.lived(), tmp_path / "whole.backup", tmp_path / "killed.backup"
    before = contents(url)
    counted = dying.command("backup", "--database", url, whole)
    killed = complete_already = 0
    for kill in kills(counted, place, salt="backup"):
        file.unlink(missing_ok=True)
        killed += dying.command("backup", "--database", url, file, **kill).code == KILLED
        if file.exists():
            complete_already += 1
            assert backed_up(file) == backed_up(whole), kill
            file.unlink()
        assert sorted(each.name for each in tmp_path.iterdir() if "part" in each.name) == [], kill
        assert dying.command("backup", "--database", url, file).code == 0, kill
        assert backed_up(file) == backed_up(whole), kill
    wait_until_left(url)
    assert contents(url) == before
    books_are_right(dying, url)
    report("backup", place, counted, killed=killed, complete_already=complete_already)


def test_restore(place: Place, dying: Dying, tmp_path: Path) -> None:
    source, file = place.lived(), tmp_path / "backup"
    assert dying.command("backup", "--database", source, file).code == 0
    expected, whole = contents(source), place.empty()
    counted = dying.command("restore", "--database", whole, file)
    assert contents(whole) == expected
    killed = complete_already = 0
    for kill in kills(counted, place, salt="restore"):
        url = place.empty()
        killed += dying.command("restore", "--database", url, file, **kill).code == KILLED
        wait_until_left(url)
        found = contents(url)
        assert found == expected or is_unused(found), kill
        complete_already += found == expected
        again = dying.command("restore", "--database", url, file)
        assert again.code == (2 if found == expected else 0), (kill, again)
        assert ("in use" in again.said) == (found == expected), again
        assert contents(url) == expected, kill
    books_are_right(dying, url)
    report("restore", place, counted, killed=killed, complete_already=complete_already)


def test_an_operators_action_is_recorded_or_did_not_happen(place: Place, dying: Dying) -> None:
    url = place.lived()

    def accounts_and_actions() -> list[tuple[int, int]]:
        found = contents(url)
        assert found is not None
        opened = len([row for row in found["accounts"] if "customer" in row])
        return [(opened, len(found["operator_actions"]))]

    ((before, actions),) = accounts_and_actions()
    counted = dying.command("accounts", "open", "--database", url)
    assert accounts_and_actions() == [(before + 1, actions + 1)]
    for kill in kills(counted, place, salt="accounts open"):
        dying.command("accounts", "open", "--database", url, **kill)
        wait_until_left(url)
        ((opened, recorded),) = accounts_and_actions()
        assert opened - before == recorded - actions, kill
    books_are_right(dying, url)


WHY = ("--reason", "spam")
# What an operator does to a customer's account, and what comes before it.
ON_ACCOUNTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "suspend": (("suspend", "{account}", "--end-rentals"),),
    "resume": (("suspend", "{account}"), ("resume", "{account}")),
    "credit": (("credit", "{account}", "500", "--reference", "ticket 7"),),
    "debit": (("debit", "{account}", "500", "--reference", "ticket 7", "--as-debt"),),
    "refund": (("refund", "message", "{message}"),),
    "close": (("close", "{account}", "--forfeit"),),
}


def audited(found: Contents) -> int:
    """Return how many actions are recorded."""
    return len(found["operator_actions"])


@pytest.mark.parametrize(
    ("place", "name"), [*(("sqlite", name) for name in ON_ACCOUNTS), ("postgresql", "credit")], indirect=["place"]
)
def test_an_action_on_an_account_is_whole_and_recorded_or_did_not_happen(place: Place, dying: Dying, name: str) -> None:
    *earlier, action = ON_ACCOUNTS[name]
    killed = 0

    def command(url: str, arguments: tuple[str, ...], **kill: float) -> Ended:
        given = [each.format(account=account, message=message) for each in arguments]
        return dying.command("accounts", *given, *WHY, "--database", url, **kill)

    def prepared() -> str:
        url = place.lived()
        for arguments in earlier:
            assert command(url, arguments).code == 0
        return url

    account, message = busiest(place.lived())
    whole = prepared()
    before = contents(whole)
    counted = command(whole, action)
    after = contents(whole)
    assert counted.code == 0, counted.said
    assert before is not None and after is not None and audited(after) == audited(before) + 1
    for step in effort.spread(counted.steps, 3):
        url = prepared()
        before = contents(url)
        killed += command(url, action, at=step).code == KILLED
        wait_until_left(url)
        found = contents(url)
        assert found is not None and before is not None
        if audited(found) == audited(before):
            assert found == before, step
            assert command(url, action).code == 0, step
        again = contents(url)
        assert again is not None and audited(again) == audited(after), step
    books_are_right(dying, url)
    assert killed
    print(f"{name} on {place.engine}: {counted.steps} steps, killed {killed} times")


def busiest(url: str) -> tuple[int, int]:
    """Return an account, and the ID of one of its messages that cost something and can be refunded."""
    with closing(open_database(url)) as db:
        row = db.read_blocking(
            lambda tx: tx.one(
                "SELECT m.account_id, m.id FROM messages m JOIN accounts a ON a.id = m.account_id WHERE m.cost > 0"
                " AND m.status IN ('received', 'sent', 'delivered') AND a.closed_at_us IS NULL ORDER BY m.id LIMIT 1"
            )
        )
    assert row is not None
    return row["account_id"], row["id"]


def test_the_kill_really_ends_the_command(place: Place, dying: Dying) -> None:
    url = place.empty()
    counted = dying.command("migrate", "--database", url)
    assert dying.command("migrate", "--database", url, at=1).code == KILLED
    assert dying.command("migrate", "--database", url, at=counted.steps + 100).code == 0
    assert dying.command("migrate", "--database", url, after_s=0.001).code == KILLED
    wait_until_left(url)


def report(name: str, place: Place, counted: Ended, *, killed: int, complete_already: int) -> None:
    """Print how much was tried, and fail if the kills came too late to prove anything."""
    print(f"{name} on {place.engine}: {counted.steps} steps, killed {killed} times, {complete_already} of them done")
    assert killed > complete_already, "every kill came after the command was done"


@pytest.mark.parametrize(("total", "wanted", "steps"), [(5, 0, [1, 2, 3, 4, 5]), (9, 3, [1, 5, 9]), (2, 8, [1, 2])])
def test_the_tested_steps_are_spread_over_all_steps(total: int, wanted: int, steps: list[int]) -> None:
    assert list(effort.spread(total, wanted)) == steps
