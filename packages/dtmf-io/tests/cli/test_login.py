"""`dtmf login` and `dtmf logout`: the credentials file, and which token is sent to which server."""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from dtmf import DTMF
from harness import new_token
from support.cli_process import TOKEN, Refused, Run

from ..stub import Stub, problem, reply


@pytest.fixture
def service(dtmf: DTMF, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of the service, with nothing set in the environment."""
    address = os.environ["DTMF_URL"]
    monkeypatch.delenv("DTMF_URL")
    monkeypatch.delenv("DTMF_TOKEN")
    return address


@pytest.fixture
def file(home: Path) -> Path:
    """The path of the credentials file."""
    return home / "config" / "dtmf" / "login.json"


def test_a_token_from_standard_input_is_saved_in_a_private_file(run: Run, service: str, file: Path) -> None:
    said = run("login", "--url", service, stdin=f"{TOKEN}\n")
    assert (said.code, said.err) == (0, "")
    assert said.out == f"Signed in to {service}, 100,000 sats. Saved in {file}\n"
    assert json.loads(file.read_text()) == {"url": service, "token": TOKEN}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(file.parent.iterdir()) == [file]
    assert run("account", "--json").out == '{\n  "balance": 100000\n}\n'


def test_a_second_login_replaces_the_first(run: Run, service: str, file: Path) -> None:
    run("login", "--url", service, stdin=TOKEN)
    file.chmod(0o644)
    assert run("login", "--url", f"{service}/", stdin=f"  {TOKEN} \n").code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run("account").code == 0


@pytest.mark.parametrize("token", [new_token(9), "dtmf_wrong", "your token"])
def test_a_rejected_token_is_not_saved(refused: Refused, service: str, file: Path, token: str) -> None:
    code, said = refused("login", "--url", service, stdin=token)
    assert (code, said) == (3, f"{service} rejected this token; nothing was saved")
    assert not file.exists()


@pytest.mark.parametrize("typed", ["", "\n", "   \n", "dtmf_ü\n", "dtmf_\x07\n"])
def test_a_malformed_token_is_rejected_before_it_is_sent(
    refused: Refused, service: str, file: Path, typed: str
) -> None:
    assert refused("login", "--url", service, stdin=typed)[0] == 3
    assert not file.exists()


def test_an_unreachable_service_leaves_the_saved_token(run: Run, service: str, file: Path) -> None:
    run("login", "--url", service, stdin=TOKEN)
    assert run("login", "--url", "http://127.0.0.1:1", stdin=new_token(3)).code == 7
    assert json.loads(file.read_text())["token"] == TOKEN


def test_logout_deletes_the_saved_token(run: Run, refused: Refused, service: str, file: Path) -> None:
    run("login", "--url", service, stdin=TOKEN)
    assert run("logout").out == "The saved token was deleted.\n"
    assert not file.exists()
    assert run("logout").out == "No token was saved.\n"
    assert refused("account")[0] == 3


def test_the_environment_overrides_the_saved_token_with_a_warning(
    run: Run, service: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("login", "--url", service, stdin=TOKEN)
    monkeypatch.setenv("DTMF_TOKEN", new_token(8))
    said = run("account")
    assert (said.code, "correct DTMF_TOKEN" in said.err) == (3, True)
    assert "DTMF_TOKEN is set and overrides" in run("login", "--url", service, stdin=TOKEN).err
    assert "DTMF_TOKEN is still set" in run("logout").err


def test_a_saved_token_is_not_sent_to_another_address(
    refused: Refused, run: Run, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("login", "--url", service, stdin=TOKEN)
    monkeypatch.setenv("DTMF_URL", "http://127.0.0.1:1")
    code, said = refused("account")
    assert code == 3
    assert said.startswith(f"the saved token is for {service}, but DTMF_URL is http://127.0.0.1:1: set DTMF_TOKEN too")
    monkeypatch.setenv("DTMF_URL", f"{service}/")
    assert run("account").code == 0


def test_a_token_of_the_environment_is_sent_to_the_saved_address(
    run: Run, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("login", "--url", service, stdin=TOKEN)
    monkeypatch.setenv("DTMF_TOKEN", TOKEN)
    assert service in run("account").out


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o610])
def test_a_file_that_others_can_read_is_rejected(
    refused: Refused, run: Run, service: str, file: Path, mode: int
) -> None:
    run("login", "--url", service, stdin=TOKEN)
    file.chmod(mode)
    assert refused("account") == (3, f"{file} can be read by others, so its token is not used: chmod 600 {file}")


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"url": 1, "token": 2}', '{"url": "x"}', "[" * 10_000])
def test_a_file_with_other_content_is_rejected(refused: Refused, home: Path, file: Path, content: str) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(content)
    file.chmod(0o600)
    assert refused("account") == (3, f"{file} was not written by dtmf login: run dtmf login to replace it")


def test_a_folder_that_cannot_be_created_is_an_error(refused: Refused, service: str, home: Path) -> None:
    (home / "config").write_text("a file")
    code, said = refused("login", "--url", service, stdin=TOKEN)
    assert code == 1
    assert said.startswith(f"can't save the token in {home}/config/dtmf/login.json: ")


def test_a_relative_configuration_folder_is_ignored(
    run: Run, service: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setattr("sys.platform", "linux")
    assert run("login", "--url", service, stdin=TOKEN).code == 0
    assert (home / ".config" / "dtmf" / "login.json").exists()


def test_an_unencrypted_connection_causes_a_warning(run: Run, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtmf.cli.connect.LOOPBACK", set())
    assert "the token is sent to this address unencrypted" in run("login", "--url", service, stdin=TOKEN).err


@pytest.fixture
def sandbox(service: str, home: Path) -> Path:
    """A ./data folder as written by `dtmf-server run`."""
    folder = home / "data"
    folder.mkdir()
    (folder / "token").write_text(f"{TOKEN}\n")
    (folder / "token").chmod(0o600)
    (folder / "url").write_text(f"{service}\n")
    return folder


def test_the_sandbox_of_this_folder_is_found_without_a_login(run: Run, sandbox: Path, service: str) -> None:
    assert service in run("account").out


def test_login_sandbox_saves_the_token_of_the_sandbox(
    run: Run, sandbox: Path, service: str, file: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("login", "--sandbox").code == 0
    assert json.loads(file.read_text()) == {"url": service, "token": TOKEN}
    (home / "elsewhere").mkdir()
    monkeypatch.chdir(home / "elsewhere")
    assert run("account").code == 0
    run("logout")
    assert run("account").code == 3
    assert run("login", "--data", sandbox).code == 0


def test_login_sandbox_without_a_sandbox_is_an_error(refused: Refused, home: Path) -> None:
    assert refused("login", "--sandbox") == (
        3,
        "there is no sandbox in data: set its folder with --data, or start one with make run",
    )


def test_a_data_folder_cannot_redirect_to_another_machine(refused: Refused, sandbox: Path) -> None:
    (sandbox / "url").write_text("https://example.org\n")
    assert refused("account") == (3, "no token: dtmf login, or set DTMF_TOKEN")


def test_a_sandbox_token_that_others_can_read_is_rejected(refused: Refused, sandbox: Path) -> None:
    (sandbox / "token").chmod(0o644)
    code, said = refused("account")
    assert (code, "can be read by others" in said) == (3, True)


@pytest.fixture
def elsewhere() -> Iterator[Stub]:
    """Another server on this machine, which records its requests."""
    server = Stub()
    server.then(problem(401, "unauthenticated"))
    yield server
    server.close()


@pytest.mark.regression("tokens-go-to-their-server-only")
def test_a_sandbox_token_is_not_sent_to_another_server(
    *, refused: Refused, sandbox: Path, elsewhere: Stub, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DTMF_URL", elsewhere.url)
    code, said = refused("account")
    assert elsewhere.received == []
    assert code == 3
    assert said.startswith(f"the token in data is for {service}, but DTMF_URL is {elsewhere.url}: set DTMF_TOKEN too")
    code, said = refused("login", "--sandbox", "--url", elsewhere.url)
    assert elsewhere.received == []
    assert (code, said) == (3, f"the token in data is for {service}, not for {elsewhere.url}: remove --url")


@pytest.mark.regression("tokens-go-to-their-server-only")
def test_a_token_without_an_address_is_not_sent(
    refused: Refused, sandbox: Path, elsewhere: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sandbox / "url").unlink()
    monkeypatch.setenv("DTMF_URL", elsewhere.url)
    assert refused("account")[0] == 3
    assert elsewhere.received == []


@pytest.mark.regression("tokens-go-to-their-server-only")
@pytest.mark.parametrize("is_kept", [True, False])
def test_different_spellings_of_an_address_are_the_same_server(
    *, run: Run, sandbox: Path, service: str, monkeypatch: pytest.MonkeyPatch, is_kept: bool
) -> None:
    if is_kept:
        assert run("login", "--url", service, stdin=TOKEN).code == 0
        (sandbox / "token").unlink()
    for same in (f"{service}/", service.replace("http:", "HTTP:"), f"{service}//"):
        monkeypatch.setenv("DTMF_URL", same)
        assert run("account").code in {0, 4}, same
    for other in (service.replace("http:", "https:"), service.replace("127.0.0.1", "localhost"), f"{service}0", "x"):
        monkeypatch.setenv("DTMF_URL", other)
        said = run("account")
        assert (said.code, f"DTMF_URL is {other}" in said.err) == (3, True), said


def test_a_redirect_does_not_receive_the_token(
    run: Run, elsewhere: Stub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Stub()
    server.then(reply(307, Location=f"{elsewhere.url}/api/v1/account"))
    monkeypatch.setenv("DTMF_URL", server.url)
    monkeypatch.setenv("DTMF_TOKEN", TOKEN)
    assert run("account").code == 1
    assert elsewhere.received == []
    server.close()
