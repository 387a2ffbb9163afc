"""Failures of commands: an exit code, and one line that says how to fix the error."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from dtmf import DTMF
from dtmf_server.storage.db import Database
from harness import new_token, open_account
from support.cli_process import TOKEN, Refused, Run, process

from ..stub import Stub, problem


@pytest.fixture
def stub(home: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    """A service with scripted responses."""
    server = Stub()
    monkeypatch.setenv("DTMF_URL", server.url)
    monkeypatch.setenv("DTMF_TOKEN", TOKEN)
    yield server
    server.close()


@pytest.fixture
def unreachable(home: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An address that refuses connections: bound, but not listening."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setenv("DTMF_URL", url)
        monkeypatch.setenv("DTMF_TOKEN", TOKEN)
        yield url


def test_no_token(refused: Refused, home: object) -> None:
    assert refused("account") == (3, "no token: dtmf login, or set DTMF_TOKEN")


@pytest.mark.parametrize("token", ["dtmf_wrong", new_token(7), "your token"])
def test_a_wrong_token_in_the_environment(
    refused: Refused, dtmf: DTMF, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("DTMF_TOKEN", token)
    code, said = refused("account")
    assert code == 3
    assert said.endswith(": correct DTMF_TOKEN")
    assert token not in said


@pytest.mark.parametrize("token", ["dtmf_x\n", " dtmf_x", "dtmf_ü"])
def test_a_token_that_no_header_can_carry(
    refused: Refused, home: object, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("DTMF_TOKEN", token)
    code, said = refused("account")
    assert (code, token.strip() in said) == (3, False)
    assert "token" in said


@pytest.mark.parametrize("url", ["nonsense", "http://", "http://127.0.0.1:99999", "http://h/?q=1", "http://ü.example"])
def test_a_malformed_address(refused: Refused, home: object, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DTMF_TOKEN", TOKEN)
    monkeypatch.setenv("DTMF_URL", url)
    code, said = refused("account")
    assert code == 2
    assert repr(url)[1:-1] in said


@pytest.mark.parametrize("line", ["show +12025550199", "end +12025550199", "action +12025550199 none"])
def test_a_number_that_is_not_rented(refused: Refused, dtmf: DTMF, line: str) -> None:
    code, said = refused(*line.split())
    assert code == 4
    assert "+12025550199" in said
    assert said.endswith(": see dtmf numbers")


def test_an_unknown_group(refused: Refused, dtmf: DTMF) -> None:
    assert refused("rent", "nope") == (4, "group 'nope' does not exist: see dtmf groups")


def test_an_unknown_delivery(refused: Refused, dtmf: DTMF) -> None:
    assert refused("deliveries", "retry", "7")[0] == 4


def test_insufficient_funds(refused: Refused, db: Database, dtmf: DTMF, monkeypatch: pytest.MonkeyPatch) -> None:
    open_account(db, seed=1)
    monkeypatch.setenv("DTMF_TOKEN", new_token(1))
    code, said = refused("rent", "us-mobile")
    assert code == 5
    assert said.endswith(": dtmf topup 13")


def test_no_number_available(refused: Refused, dtmf: DTMF) -> None:
    dtmf.start_rental("tiny")
    code, said = refused("rent", "tiny")
    assert code == 6
    assert said.endswith(": try another group (dtmf groups)")


def test_an_unreachable_service(refused: Refused, unreachable: str) -> None:
    code, said = refused("account")
    assert code == 7
    assert said.startswith(f"the connection to {unreachable} failed: ")
    assert said.endswith(
        ": is the service running there? To use another address, set DTMF_URL or run dtmf login --url …"
    )


def test_an_unreachable_service_in_a_subprocess(unreachable: str) -> None:
    done = process("account", "--json")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (7, "", 1)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("status", "members", "code", "end"),
    [
        (403, {"code": "signup_closed", "detail": "no sign-up"}, 3, "no sign-up"),
        (422, {"code": "destination_not_served", "detail": "no such place"}, 2, "no such place"),
        (409, {"code": "last_token", "detail": "the last one"}, 1, "the last one"),
        (429, {"code": "daily_limit_reached", "detail": "enough"}, 9, "enough"),
        (404, {}, 4, "the service responded with status 404"),
        (418, {}, 1, "the service responded with status 418"),
        (301, {}, 1, "correct base_url= or DTMF_URL"),
    ],
)
def test_other_error_responses(
    refused: Refused, stub: Stub, status: int, members: dict[str, Any], code: int, end: str
) -> None:
    stub.then(problem(status, **members))
    found, said = refused("account")
    assert (found, said.endswith(end)) == (code, True), said


def test_a_server_error_includes_the_request_id(refused: Refused, stub: Stub) -> None:
    stub.then(problem(500, code="internal_error", detail="it broke", request_id="req-1"))
    assert refused("account") == (7, "it broke (request req-1)")


def test_an_unreadable_response(refused: Refused, stub: Stub) -> None:
    stub.answers(["no", "account"])
    code, said = refused("account")
    assert code == 7
    assert "Is this the address of the service?" in said


def test_an_echoed_token_does_not_reach_the_terminal(refused: Refused, stub: Stub) -> None:
    stub.then(problem(400, detail=f"bad header: Bearer {TOKEN} \x1b[2J"))
    code, said = refused("account")
    assert code == 2
    assert TOKEN not in said
    assert "\x1b" not in said


def test_ctrl_c_is_quiet(run: Run, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(DTMF, "account", interrupted)
    said = run("account", "--json")
    assert (said.code, said.out, said.err) == (130, "", "")


@pytest.mark.regression("environment-is-named")
@pytest.mark.parametrize(
    ("variable", "value", "url"),
    [
        ("SSL_CERT_FILE", "/nonexistent.pem", "https://numbers.invalid"),
        ("SSL_CERT_FILE", "/", "https://numbers.invalid"),
        ("HTTP_PROXY", "ftp://x", "http://numbers.invalid"),
        ("HTTPS_PROXY", "http://h:notaport", "https://numbers.invalid"),
        ("all_proxy", "socks5://h:1", "http://numbers.invalid"),
    ],
)
def test_an_environment_that_prevents_every_connection_is_one_line(
    *, home: object, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, url: str
) -> None:
    monkeypatch.setenv("DTMF_URL", url)
    monkeypatch.setenv("DTMF_TOKEN", TOKEN)
    monkeypatch.setenv(variable, value)
    ended = process("account")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (7, "", 1)
    assert ended.stderr.startswith("dtmf: ")
    assert ended.stderr.rstrip().endswith(f"Correct or unset {variable}")
