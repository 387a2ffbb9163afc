"""An operator gets a truthful answer to each of ten questions with one command."""

import json
import re
import shlex
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from dtmf_server.cli.main import main
from dtmf_server.core.timestamps import iso
from dtmf_server.operations import verify
from dtmf_server.runtime.clock import Clock
from dtmf_server.storage.open import open_database
from harness import HOUR_US, initialise
from support import answers_world as world
from support.answers_world import World
from support.markdown import blocks
from support.paths import ROOT

PAGE = ROOT / "docs/operations/questions.md"
THIS = "packages/dtmf-server/tests/cli/test_ten_questions.py"
Ask = Callable[..., tuple[int, Any, str]]
QUESTIONS = {
    "why did this number stop on Tuesday": ("numbers", "explain", world.STOPPED, "--day", "2018-01-09"),
    "did this txid arrive": ("deposits", "explain", world.TXID),
    "who spent 40,000 sats yesterday": ("accounts", "spending", "--day", "yesterday", "--at-least", "40000"),
    "which SMS did the webhook not get": ("deliveries", "explain", world.HOOKED_NUMBER),
    "how much do we owe and hold": ("money",),
    "which group loses money": ("money", "--day", "2018-01-09"),
    "which accounts share a network": ("accounts", "networks"),
    "what did this request do": ("requests", "show", world.REQUEST),
    "which carrier is slow": ("carriers",),
    "what is stored about an account": ("accounts", "show", world.HOOKED_NUMBER),
}


@pytest.fixture(autouse=True)
def wednesday(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands run at the time of the seeded database."""
    monkeypatch.setattr("dtmf_server.server.startup.Clock", partial(Clock, wall=lambda: world.NOW_US))
    monkeypatch.setattr("dtmf_server.cli.carriers.wall_us", lambda: world.NOW_US)


def asking(url: str, capsys: pytest.CaptureFixture[str]) -> Ask:
    def ask(*arguments: str) -> tuple[int, Any, str]:
        """Run a command with --json and without; return the exit status, the JSON and the text."""
        capsys.readouterr()
        code = main([*arguments, "--json", "--database", url])
        found = json.loads(capsys.readouterr().out)
        assert main([*arguments, "--database", url]) == code
        text, errors = capsys.readouterr()
        assert errors == ""
        return code, found, text

    return ask


@pytest.fixture
def ask(answers_database: tuple[str, World], capsys: pytest.CaptureFixture[str]) -> Ask:
    return asking(answers_database[0], capsys)


@pytest.fixture
def ids(answers_database: tuple[str, World]) -> World:
    return answers_database[1]


def at(at_us: int) -> str:
    return iso(at_us)[:19] + "Z"


def test_why_a_number_stopped(ask: Ask, ids: World) -> None:
    code, found, text = ask(*QUESTIONS["why did this number stop on Tuesday"])
    (rental,) = found["rentals"]
    ended_at = at(world.TUESDAY_US + 9 * HOUR_US + 16 * 60_000_000)  # 1,000 satoshis pay 76 minutes at 13
    assert (code, rental["rental_id"], rental["account_id"]) == (0, ids.rentals[world.STOPPED], ids.out)
    assert rental["end"] | {"at": ended_at, "reason": "depleted", "balance": 12} == rental["end"]
    assert [action["operator"] for action in rental["actions"]] == ["alice"]
    assert f"ended {ended_at} because the balance ran out: 12 satoshis were left" in text
    _, other_day, text = ask("numbers", "explain", world.STOPPED, "--day", "2018-01-08")
    assert other_day["rentals"] == [] and "no account rented it then" in text


def test_whether_a_transaction_arrived(ask: Ask, ids: World) -> None:
    code, found, text = ask(*QUESTIONS["did this txid arrive"])
    assert code == 0
    assert [
        (each["outpoint"], each["account_id"], each["amount_sats"], each["status"]) for each in found["deposits"]
    ] == [
        (f"{world.TXID}:0", ids.out, 5000, "credited"),
        (f"{world.TXID}:1", ids.hooked, 7000, "credited"),
    ]
    assert "It pays 5000 satoshis" in text and "It is credited" in text
    code, found, text = ask("deposits", "explain", world.OTHER_TXID)
    assert (code, found) == (1, {"deposits": [], "invoice": None, "node": None})
    assert "No deposit of this transaction" in text


def test_who_spent_how_much_yesterday_and_on_what(ask: Ask, ids: World) -> None:
    code, found, text = ask(*QUESTIONS["who spent 40,000 sats yesterday"])
    (account,) = found["accounts"]
    (group,) = account["groups"]
    assert (code, account["account_id"], account["sats"]) == (0, ids.busy, 1440 * 25 + 6 * 705)
    assert (group["group_id"], group["numbers"]) == ("busy", [world.BUSY_NUMBER])
    assert (group["minutes_sats"], group["messages"], group["messages_sats"], group["setup_sats"]) == (
        36_000,
        6,
        4230,
        0,
    )
    assert f"account {ids.busy}: 40,230 satoshis" in text and "36,000 for minutes, 4,230 for 6 SMS" in text
    _, less, _ = ask("accounts", "spending", "--day", "2018-01-09")
    spent = {each["account_id"]: each["sats"] for each in less["accounts"]}
    assert spent == {ids.busy: 40_230, ids.hooked: 1440 * 13, ids.out: 988}
    assert ask("accounts", "spending", "--day", "yesterday", "--at-least", "40231")[1] == {"accounts": []}


def test_which_sms_the_webhook_did_not_get_and_why(ask: Ask, ids: World) -> None:
    code, found, text = ask(*QUESTIONS["which SMS did the webhook not get"])
    before, delivered, refused, waiting = ids.messages
    assert (code, found["received"], found["undelivered_count"], found["is_complete"]) == (1, 4, 3, True)
    shown = {each["message_id"]: (each["state"], each["last_status"], each["reason"]) for each in found["undelivered"]}
    assert shown == {
        waiting: ("waiting", 503, "HTTP 503"),
        refused: ("parked", 400, "HTTP 400"),
        before: ("none", None, "the number had no webhook when the SMS arrived"),
    }
    assert f"message {delivered}," not in text and f"delivery {ids.deliveries[1]}" in text and "HTTP 503" in text
    assert ask("deliveries", "explain", world.HOOKED_NUMBER, "--since", "today")[:1] == (0,)


def test_how_much_is_owed_and_held(ask: Ask) -> None:
    code, found, text = ask(*QUESTIONS["how much do we owe and hold"])
    deposited = 1000 + 500_000 + 100_000 + 5000 + 7000
    assert (code, found["held_sats"], found["owed_sats"] + found["revenue_sats"]) == (0, deposited, deposited)
    assert found["is_covered"] and "owed <= held: every balance is covered" in text


def test_which_group_loses_money(ask: Ask) -> None:
    code, found, text = ask(*QUESTIONS["which group loses money"])
    groups = {
        each["group_id"]: (each["revenue_sats"], each["cost_sats"], each["margin_sats"]) for each in found["groups"]
    }
    plain = 988 + 1440 * 13
    assert code == 0
    assert groups == {"losing": (0, 3000, -3000), "plain": (plain, 0, plain), "busy": (40_230, 0, 40_230)}
    assert [each["group_id"] for each in found["groups"] if each["loses_money"]] == ["losing"]
    assert "groups that lose money: losing (-3,000)" in text
    assert "total       losing" in ask("money", "--since", "2018-01-08")[2]


def test_which_accounts_share_a_network_and_hold_unpaid_addresses(ask: Ask, ids: World) -> None:
    code, found, text = ask(*QUESTIONS["which accounts share a network"])
    (network,) = found["networks"]
    assert (code, network["account_count"], network["unpaid_addresses"]) == (0, 2, 2)
    assert [each["account_id"] for each in network["accounts"]] == [*ids.twins]
    assert "192.0.2" not in text and f"account {ids.alone}:" not in text
    listed = ask("accounts", "list", "--network", network["network"])[1]["accounts"]
    assert [each["id"] for each in listed] == [*ids.twins]
    assert len(ask("accounts", "networks", "--at-least", "1")[1]["networks"]) == 2


def test_what_a_request_did(ask: Ask, ids: World) -> None:
    code, found, text = ask(*QUESTIONS["what did this request do"])
    (request,) = found["requests"]
    assert (code, request["account_id"], request["status"]) == (0, ids.busy, 201)
    assert [(each["kind"], each["values"].get("e164")) for each in request["effects"]] == [
        ("rental", world.BUSY_NUMBER),
        ("transfer", None),
    ]
    assert request["effects"][1]["values"]["amount"] == 500
    assert (
        f"POST /api/v1/numbers by account {ids.busy}" in text and f"rental {ids.rentals[world.BUSY_NUMBER]}: " in text
    )
    code, found, text = ask("requests", "show", world.REFUSED)
    assert (code, found["requests"][0]["code"]) == (0, "insufficient_funds") and "it changed nothing" in text
    assert "it changed nothing" in ask("requests", "show", world.REPEATED)[2]
    code, found, text = ask("requests", "show", f"dlv_{ids.deliveries[1]}")
    assert (code, found["delivery"]["values"]["state"]) == (0, "parked") and "HTTP 400" in text


def test_which_carrier_is_slow_since_when(ask: Ask) -> None:
    code, found, text = ask(*QUESTIONS["which carrier is slow"])
    acme, steady = found["answers"]
    assert code == 0  # there are no links, and so none that is down
    assert (acme["carrier"], acme["is_slow"], acme["slow_since"]) == ("acme", True, at(world.SLOW_FROM_US))
    assert (acme["median_ms_before"], acme["median_ms"]) == (200, 6000)
    assert (steady["is_slow"], steady["median_ms"]) == (False, 100)
    assert (
        f"carrier acme is slow since {at(world.SLOW_FROM_US)}: half of the answers to submits take 6 s or more" in text
    )
    assert "before, 0.2 s" in text
    warnings = ask("doctor")[1]["warnings"]
    assert [warning.split(" since ")[0] for warning in warnings if "slow" in warning] == ["carrier acme is slow"]


def test_what_is_stored_about_an_account(ask: Ask, ids: World) -> None:
    code, found, text = ask(*QUESTIONS["what is stored about an account"])
    assert (code, found["id"]) == (0, ids.hooked)
    stored = {each["data"]: (each["count"], each["oldest_at"]) for each in found["stored"]}
    received = at(world.TUESDAY_US + HOUR_US)
    assert stored["SMS"] == stored["texts of SMS"] == (4, received)
    assert stored["rentals"] == stored["webhook URLs and forwarding numbers of rentals"] == (1, at(world.TUESDAY_US))
    assert stored["deposits"] == (1, at(world.NOW_US)) and stored["deliveries"][0] == 3
    assert stored["networks of unpaid addresses, as keyed hashes"] == (0, None)
    assert "texts of SMS: 4, the oldest of 2018-01-09" in text
    assert world.TEXT not in text + json.dumps(found)


def test_the_page_answers_the_ten_questions_with_these_commands(
    answers_database: tuple[str, World], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = [block.code.splitlines() for block in blocks(PAGE) if THIS in block.run_by.values()]
    commands = [tuple(shlex.split(first.removeprefix("$ dtmf-server "))) for first, *_ in shown]
    assert commands == [*QUESTIONS.values()]
    for command, (_, *expected) in zip(commands, shown, strict=True):
        capsys.readouterr()
        main([*command, "--database", answers_database[0]])
        lines = capsys.readouterr().out.splitlines()
        assert [line for line in expected if line not in lines] == [], f"{command}: {lines}"


def test_the_seeded_database_is_consistent(answers_database: tuple[str, World]) -> None:
    db = open_database(answers_database[0])
    try:
        assert db.read_blocking(verify.differences) == []
    finally:
        db.close()


EMPTY = {
    "numbers": (1, "was never in stock"),
    "deposits": (1, "No deposit of this transaction"),
    "deliveries": (1, "was never in stock"),
    "money": (0, "no group earned or cost anything"),
    "requests": (1, "nothing is recorded"),
    "carriers": (0, "no carrier has been started"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_empty_database_gets_a_truthful_answer(
    database_url: str, question: str, capsys: pytest.CaptureFixture[str]
) -> None:
    db = open_database(database_url)
    initialise(db, {})
    db.close()
    arguments = QUESTIONS[question]
    code = main([*arguments, "--database", database_url])
    out, err = capsys.readouterr()
    expected = EMPTY.get(arguments[0]) or {
        "spending": (0, "no account spent as much"),
        "networks": (0, "no network has unpaid addresses of several accounts"),
        "show": (1, "no account has"),
    }.get(arguments[1])
    assert expected is not None and code == expected[0]
    assert expected[1] in out + err


@pytest.mark.parametrize(
    "arguments",
    [
        ("accounts", "spending", "--day", "tomorrow"),
        ("accounts", "spending", "--at-least", "-1"),
        ("numbers", "explain", "+12025550101", "--day", "2018-13-01"),
        ("deliveries", "explain"),
        ("requests", "show"),
    ],
)
def test_invalid_options_are_refused(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        main(arguments)
    assert exited.value.code == 2 and re.search("error: ", capsys.readouterr().err)


@pytest.mark.parametrize("what", ["req_", "", "dlv_", "dlv_x", "dlv_999999", "req_00000000000000ff", "x" * 500])
def test_an_unknown_request_is_not_invented(ask: Ask, what: str) -> None:
    code, found, text = ask("requests", "show", what)
    assert (code, found) == (1, {"requests": [], "delivery": None}) and "nothing is recorded" in text
