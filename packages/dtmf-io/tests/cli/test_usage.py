"""Usage errors: a suggestion, exit code 2, and nothing sent."""

import pytest

from dtmf import DTMF
from support.cli_process import Refused, Run

WRONG = [
    ("acount", "there is no command 'acount'; did you mean account?"),
    ("Account", "there is no command 'Account'; did you mean account?"),
    ("trasnactions", "did you mean transactions?"),
    ("xyzzy", "there is no command 'xyzzy'; see dtmf --help"),
    ("''", "there is no command"),
    ("--jsn", "there is no option --jsn"),
    ("--versoin", "did you mean --version?"),
    ("--json account", "--json goes after the command: dtmf account --json"),
    ("-", "there is no option -"),
    ("--", "there is no option --"),
    ("account --jsn", "there is no option --jsn; did you mean --json?"),
    ("account --helpp", "did you mean --help?"),
    ("account -j", "there is no option -j"),
    ("account --no-json", "there is no option --no-json; did you mean --json?"),
    ("account --token dtmf_x", "there is no option --token"),
    ("account extra", "too many arguments: 'extra'"),
    ("account --json=maybe", "--json"),
    ("rent", "GROUP is missing"),
    ("rent us-mobile us-mobile", "too many arguments: 'us-mobile'"),
    ("rent ''", "group_id must be 1 to 64 characters"),
    ("show", "NUMBER is missing"),
    ("show 0123", "not an E.164 phone number: '0123'"),
    ("show +1٢3", "not an E.164 phone number"),
    ("show +12025550100\n", "not an E.164 phone number"),
    ("end +1202x --yes", "not an E.164 phone number"),
    ("groups moblie", "KIND must be mobile or local, not 'moblie'; did you mean mobile?"),
    ("send +12025550100 +13105550123", "TEXT is missing"),
    ("send +12025550100 13105550123 hi", "not an E.164 phone number: '13105550123'"),
    ("send +12025550100 +13105550123 ''", "content must be 1 to 1,600 characters"),
    ("send +12025550100 +13105550123 -", "content must be 1 to 1,600 characters"),
    ("action +12025550100", "WHAT is missing"),
    ("action +12025550100 forwad +44", "WHAT must be forward, webhook or none, not 'forwad'; did you mean forward?"),
    ("action +12025550100 forward", "forward needs a destination"),
    ("action +12025550100 webhook", "webhook needs a destination"),
    ("action +12025550100 forward https://example.org", "not an E.164 phone number"),
    ("action +12025550100 webhook +13105550123", "must be an http:// or https:// URL"),
    ("action +12025550100 none +13105550123", "none takes no destination"),
    ("topup many", "not an amount: 'many'"),
    ("topup 1.5", "not an amount"),
    ("topup 1,50,000", "not an amount"),
    ("topup 0", "not an amount"),
    ("topup ٣٠٠", "not an amount"),
    ("transactions --last many", "--last must be a whole number, not 'many'"),
    ("transactions --last -1", "--last must be a whole number of at least 0"),
    ("transactions --last", "--last needs a value"),
    ("transactions --last --json", "--last needs a value"),
    ("signup --claim -x", "--claim needs a value (a value that begins with a hyphen: --claim=-x)"),
    ("transactions --after -1", "after must be a whole number of at least 0"),
    ("transactions --after 9223372036854775808", "after must be a whole number"),
    ("messages 12", "not an E.164 phone number"),
    ("deliveries --state lost", "--state must be waiting, delivered, parked, in_doubt or unknown, not 'lost'"),
    ("deliveries retry", "DELIVERY is missing"),
    ("deliveries retry 0", "delivery_id must be a whole number of at least 1"),
    ("deliveries retry seven", "DELIVERY must be a whole number, not 'seven'"),
    ("deliveries rety 1", "did you mean retry?"),
    ("sandbox recieve", "there is no command 'recieve'; did you mean receive?"),
    ("sandbox xyzzy", "use one of: receive, deposit, pay, advance, clock, sent"),
    ("sandbox receive +12025550100", "SENDER is missing"),
    ("sandbox receive +12025550100 '' hi", "sender must be 1 to 64 characters"),
    ("sandbox deposit", "AMOUNT is missing"),
    ("sandbox deposit -- -5", "not an amount: '-5'"),
    ("sandbox deposit 5 --confirmations -1", "confirmations must be a whole number"),
    ("sandbox advance 2y", "not a duration: '2y'"),
    ("sandbox advance -- -1h", "not a duration"),
    ("sandbox advance inf", "not a duration"),
    ("completion tcsh", "SHELL must be bash, zsh or fish, not 'tcsh'"),
    ("login token", "too many arguments: 'token'"),
    ("login --url ftp://127.0.0.1", "must be an http:// or https:// URL"),
    ("login --url http://user@127.0.0.1", "without a user name"),
]


@pytest.mark.parametrize(("line", "meant"), WRONG, ids=[ascii(line) for line, _ in WRONG])
def test_usage_errors_suggest_a_correction(refused: Refused, dtmf: DTMF, line: str, meant: str) -> None:
    words = ["" if word == "''" else word for word in line.split(" ")]
    code, said = refused(*words)
    assert code == 2, said
    assert meant in said
    assert dtmf.numbers() == []
    assert dtmf.account() == {"balance": 100_000}


def test_control_characters_of_an_argument_do_not_reach_the_terminal(run: Run, dtmf: DTMF) -> None:
    said = run("show", "\x1b[2J\r\nforged")
    assert said.code == 2
    assert "\x1b" not in said.err
    assert said.err.count("\n") == 1
    assert "\x1b" not in run("\x1b[2J").err
