"""`dtmf wait` and `dtmf events`: messages that arrive in time, and timeouts."""

import json
import threading
from collections.abc import Iterator

import pytest

from dtmf import DTMF
from support.cli_process import Refused, Run, process


@pytest.fixture
def number(dtmf: DTMF) -> str:
    """A number that has received nothing."""
    return dtmf.start_rental("us-mobile")["e164"]


@pytest.fixture
def arriving(dtmf: DTMF, number: str) -> Iterator[threading.Event]:
    """An event that, once set, makes an SMS arrive."""
    go = threading.Event()

    def arrive() -> None:
        go.wait(30)
        dtmf.sandbox.receive(number, "BANK", "Your code is 428613")

    thread = threading.Thread(target=arrive)
    thread.start()
    yield go
    go.set()
    thread.join()


def test_only_the_code_is_printed(run: Run, number: str, arriving: threading.Event) -> None:
    arriving.set()
    assert run("wait", number, "--code", "--timeout", "20").out == "428613\n"


@pytest.mark.regression("cli-wait-code-at-gap")
def test_a_code_that_touches_a_gap_is_not_printed(run: Run, dtmf: DTMF, number: str) -> None:
    dtmf.sandbox.receive(number, "BANK", "Bank: your code 5520[…]")
    dtmf.sandbox.receive(number, "BANK", "[…]5520 is your code")
    dtmf.sandbox.receive(number, "BANK", "Your code is 552077")
    assert run("wait", number, "--code", "--timeout", "20").out == "552077\n"


def test_json_is_what_the_client_returns(run: Run, dtmf: DTMF, number: str) -> None:
    dtmf.sandbox.receive(number, "BANK", "Your code is 428613")
    assert json.loads(run("wait", number, "--json").out) == next(dtmf.messages(number))
    assert json.loads(run("wait", number, "--json", "--code").out) == "428613"
    assert "  Your code is 428613\n" in run("wait", number).out


def test_a_wait_starts_with_the_first_message_by_default(run: Run, dtmf: DTMF, number: str) -> None:
    for code in ("111222", "333444", "555666"):
        dtmf.sandbox.receive(number, "BANK", f"Your code is {code}")
    assert run("wait", number, "--code").out == "111222\n"
    assert run("wait", number, "--code", "--after", "1").out == "333444\n"
    assert run("wait", number, "--code", "--match", "5{3}").out == "555666\n"


def test_a_timeout_exits_with_8(refused: Refused, dtmf: DTMF, number: str) -> None:
    code, said = refused("wait", number, "--timeout", "0.1")
    assert code == 8
    assert said.startswith(f"no message arrived at {number} within 0.1 s")
    dtmf.sandbox.receive(number, "BANK", "hello")
    assert refused("wait", number, "--timeout", "0.1", "--new")[0] == 8
    assert refused("wait", number, "--timeout", "0.1", "--code")[0] == 8
    assert refused("wait", number, "--timeout", "0.1", "--match", "goodbye")[0] == 8


def test_an_unreachable_service_exits_with_7(refused: Refused, number: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DTMF_URL", "http://127.0.0.1:1")
    assert refused("wait", number, "--timeout", "0.2")[0] == 7


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["+12025550199"], "see dtmf numbers"),
        (["+12025550199", "--new"], "see dtmf numbers"),
        (["12025550100"], "not an E.164 phone number"),
        (["+12025550100", "--timeout", "soon"], "not a duration: 'soon'"),
        (["+12025550100", "--timeout", "0"], "timeout must be a number of seconds greater than 0"),
        (["+12025550100", "--match", "("], "match is not a regular expression"),
        (["+12025550100", "--after", "-1"], "after must be a whole number"),
        (["+12025550100", "--cod"], "did you mean --code?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_invalid_waits_are_rejected(refused: Refused, dtmf: DTMF, words: list[str], meant: str) -> None:
    code, said = refused("wait", *words)
    assert code in {2, 4}
    assert meant in said


def test_events_are_printed_one_per_line_until_the_pipe_closes(dtmf: DTMF, number: str) -> None:
    dtmf.sandbox.receive(number, "BANK", "Your code is 428613")
    dtmf.end_rental(number)
    code = (
        "import itertools, sys\nfrom dtmf import DTMF, cli\nevents = DTMF.events\n"
        "DTMF.events = lambda self, after: itertools.islice(events(self, after), 2)\nsys.exit(cli.main(sys.argv[1:]))"
    )
    found = [json.loads(line) for line in process("events", "--json", code=code).stdout.splitlines()]
    assert [event["kind"] for event in found] == ["message", "rental.ended"]
    said = process("events", code=code).stdout
    assert f"message  {number}" in said
    assert "  Your code is 428613\n" in said
