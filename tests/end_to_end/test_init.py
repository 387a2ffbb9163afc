"""`dtmf-server init` without a terminal: an option for each question, and bad input that changes nothing."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dtmf_server import config
from dtmf_server.carriers.registry import settings_class
from dtmf_server.cli.main import main
from support.operator_setup import NUMBER, free_port, wall_us
from support.providers.android import SimulatedPhone
from support.server_process import Said


@pytest.fixture
def phone() -> Iterator[SimulatedPhone]:
    with SimulatedPhone(wall_us, sims={1: None}, password="4711-secret") as simulated:
        yield simulated


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "service").mkdir()
    return tmp_path / "service"


Init = Callable[..., Said]


@pytest.fixture
def init(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Init:
    """Run `dtmf-server init` in the folder, in this process."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("dtmf_server.cli.main.setup", lambda *_args, **_options: None)
    for name in [name for name in os.environ if name.startswith("DTMF_")]:
        monkeypatch.delenv(name)

    def run(*words: object) -> Said:
        try:
            code = main(["init", *map(str, words)])
        except SystemExit as ended:
            code = int(str(ended.code))
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run


@pytest.fixture
def options(folder: Path, phone: SimulatedPhone) -> list[str]:
    """Every answer about the phone, as options."""
    secret = folder.parent / "password"
    secret.write_text(f"{phone.password}\n")
    where = ["--carrier", "phone", "--phone-url", phone.url, "--secret-file", str(secret)]
    return [*where, "--number", NUMBER, "--port", str(free_port())]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_options_answer_every_question(init: Init, options: list[str]) -> None:
    done = init(*options)
    assert (done.code, done.err) == (0, ""), done
    assert "imported group gb-phone: +447911123456" in done.out and "(April 2026)" in done.out


def test_a_second_carrier_is_added_and_nothing_else_changes(init: Init, folder: Path, options: list[str]) -> None:
    file = folder / "dtmf.toml"
    before = '# mine\r\nmode = "sandbox"\r\n[server] # here\r\nport = 8001\r\n\r\n[limits]\r\nsends_per_day = 7'
    file.write_bytes(before.encode())
    file.chmod(0o640)
    assert init(*options).code == 0
    text = file.read_bytes().decode()
    url = 'public_url = "http://127.0.0.1:8001"\r\n'
    assert text.replace(url, "").startswith(f"{before}\r\n\r\n# An Android phone") and url in text
    assert "\n" not in text.replace("\r\n", "") and file.stat().st_mode & 0o777 == 0o640
    first = file.read_bytes()
    again = init(*options)
    assert (again.code, "has a carrier 'phone' already" in again.err) == (2, True), again
    with SimulatedPhone(wall_us, sims={1: None}, password="4711-secret") as other:
        second = ["--phone-url", other.url, "--number", "+447911123457", "--name", "two"]
        assert init(*options, *second).code == 0
    assert file.read_bytes().startswith(first)
    names = [each.name for each in config.load(file, {}, settings_of=settings_class).carrier]
    assert names == ["phone", "two"]


def test_a_phone_of_another_carrier_keeps_its_key_and_webhooks(
    init: Init, folder: Path, options: list[str], phone: SimulatedPhone
) -> None:
    assert init(*options).code == 0
    before, key, webhooks = contents(folder), phone.signing_key, [*phone.webhooks]
    again = init(*options, "--name", "again", "--number", "+447911123457")
    assert (again.code, "the carrier 'phone' is this phone" in again.err) == (2, True), again
    (folder / "dtmf.toml").write_text((folder / "dtmf.toml").read_text().replace("127.0.0.1:", "localhost:"))
    again = init(*options, "--name", "again")
    assert (again.code, f"{NUMBER} is already in the group 'gb-phone'" in again.err) == (2, True), again
    assert (phone.signing_key, [*phone.webhooks]) == (key, webhooks)
    assert {*contents(folder)} == {*before}


def test_a_carrier_elsewhere_is_not_added_to_a_sandbox(init: Init, folder: Path) -> None:
    (folder / "dtmf.toml").write_text('mode = "sandbox"\n')
    secret = folder.parent / "secret"
    secret.write_text("token")
    done = init("--carrier", "twilio", "--account-sid", "AC0", "--secret-file", secret)
    assert (done.code, "carriers on loopback only, and this twilio is elsewhere: use another" in done.err) == (2, True)


@pytest.fixture
def taken() -> Iterator[str]:
    """A port that another program uses."""
    with socket.create_server(("127.0.0.1", 0)) as program:
        yield str(program.getsockname()[1])


WRONG = {
    "wrong URL": (["--phone-url", "ftp://phone"], "--phone-url: must be a URL like"),
    "not the app": (["--phone-url", "http://127.0.0.1:1"], "FAILED  login: "),
    "phone off": ([], "FAILED  login: "),
    "wrong password": ([], "the user name or the password is wrong"),
    "no secret file": (["--secret-file", "nowhere"], "can't read nowhere: No such file"),
    "port taken": (["--port", "{taken}"], "port {taken} can't be used (Address already in use)"),
    "folder missing": (["--config", "nowhere/dtmf.toml"], "can't write to the folder nowhere"),
    "folder not writable": (["--config", "/proc/dtmf.toml"], "can't write to the folder /proc"),
    "broken file": ([], "dtmf.toml:2: not valid TOML"),
    "a typo in the file": ([], "dtmf.toml:1: mod is not a setting; the nearest is mode"),
    "a folder": (["--config", "."], "'.': can't read this configuration file: Is a directory"),
    "wrong number": (["--number", "0791"], "'0791' is not a number like"),
    "a fictional number": (["--number", "+447700900001"], "+447700900001 is already in the group 'gb-mobile'"),
    "wrong name": (["--name", "My phone"], "is not 1 to 40 of a-z"),
    "production over http": (
        ["--mode", "production", "--public-url", "http://sms.example"],
        "must begin with https://",
    ),
    "unknown carrier": (["--carrier", "fax"], "--carrier: choose one of phone, modem, twilio"),
    "wrong prices": (["--prices", "cheap"], "--prices: enter suggested or free"),
}
FILES = {"broken file": 'mode = "sandbox"\n[server\n', "a typo in the file": 'mod = "sandbox"\n'}


@pytest.mark.parametrize("fault", WRONG)
def test_what_is_wrong_is_named_and_nothing_is_written(
    init: Init, folder: Path, options: list[str], phone: SimulatedPhone, taken: str, fault: str
) -> None:
    phone.is_off = fault == "phone off"
    phone.password = "another" if fault == "wrong password" else phone.password
    if fault in FILES:
        (folder / "dtmf.toml").write_text(FILES[fault])
    added, said = WRONG[fault]
    before = contents(folder)
    done = init(*options, *(word.format(taken=taken) for word in added))
    assert done.code in (1, 2) and said.format(taken=taken) in done.out + done.err, done
    assert contents(folder) == before


def test_without_a_terminal_the_missing_option_is_named(init: Init, folder: Path) -> None:
    assert "add --carrier" in init().err
    assert "add --phone-url" in init("--carrier", "phone").err
    assert "add --system-id" in init("--carrier", "smpp", "--smpp-host", "127.0.0.1").err
    assert contents(folder) == {}


def test_each_kind_of_carrier_can_be_written(init: Init, folder: Path, phone: SimulatedPhone) -> None:
    secret = folder.parent / "secret"
    secret.write_text(phone.password)
    shared = ["--secret-file", secret, "--no-check", "--public-url", "https://sms.example.net", "--mode", "production"]
    key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    kinds = {
        "phone": ["--phone-url", phone.url, "--number", "+447911123401"],
        "modem": ["--modem-database", "postgresql://smsd:4711-secret@db/smsd", "--number", "+447911123402"],
        "twilio": ["--account-sid", "AC0", "--number", "+447911123403,+12025550199"],
        "telnyx": ["--public-key", key, "--profile", "p1", "--number", "-"],
        "smpp": ["--smpp-host", "smsc.example.net", "--system-id", "dtmf", "--number", "+447911123405"],
    }
    for kind, words in kinds.items():
        done = init("--carrier", kind, *words, *shared)
        assert done.code == 0, done
    found = config.load(folder / "dtmf.toml", {}, settings_of=settings_class)
    assert [(each.name, each.kind) for each in found.carrier] == [
        ("phone", "android"),
        ("modem", "gammu"),
        ("twilio", "twilio"),
        ("telnyx", "telnyx"),
        ("smpp", "smpp"),
    ]
    assert phone.password not in (folder / "dtmf.toml").read_text()


def test_a_carrier_is_added_to_a_service_with_a_lightning_node(init: Init, folder: Path) -> None:
    node = '[lightning]\nkind = "phoenixd"\nurl = "http://127.0.0.1:9740"\npassword = "x"\n'
    (folder / "dtmf.toml").write_text(f'mode = "production"\n{node}')
    (folder.parent / "secret").write_text("token")
    words = ["--account-sid", "AC0", "--secret-file", folder.parent / "secret", "--public-url", "https://x.example"]
    done = init("--carrier", "twilio", "--no-check", "--number", "+12025550199", *words)
    assert (done.code, "prices in satoshis: 77 to start" in done.out) == (0, True), done


def test_a_recovery_of_deposits_is_still_what_its_options_ask_for(init: Init, folder: Path) -> None:
    said = init("--gap", "5").err
    assert "init needs bitcoin.rpc, and a descriptor" in said and contents(folder) == {}


def test_nothing_yet_is_a_sandbox(init: Init, folder: Path) -> None:
    done = init("--carrier", "nothing")
    assert (done.code, "dtmf groups" in done.out) == (0, True)
    assert config.load(folder / "dtmf.toml", {}).mode == "sandbox"
