"""From an empty folder to the first SMS: `dtmf-server init` on a terminal, then exactly the commands that it prints."""

import os
import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dtmf_server import config
from dtmf_server.carriers.registry import settings_class
from dtmf_server.cli.main import main
from support.providers.android import SimulatedPhone
from support.providers.twilio import Twilio
from support.server_process import COMMAND, Said, environment
from support.terminal import Terminal

PROGRAMS = {"dtmf-server": COMMAND, "dtmf": [sys.executable, "-P", "-m", "dtmf"]}
NUMBER = "+447911123456"
COMMANDS_MAX, ANSWERS_MAX = 6, 8


def wall_us() -> int:
    return time.time_ns() // 1000


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def phone() -> Iterator[SimulatedPhone]:
    with SimulatedPhone(wall_us, sims={1: None}, password="4711-secret") as simulated:
        yield simulated


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "service").mkdir()
    return tmp_path / "service"


def steps(output: str) -> list[list[str]]:
    """Return the commands that the output of init tells the operator to run."""
    lines = output.partition("\nNext:\n")[2].splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.strip().startswith("dtmf")]


def finished(command: list[str], folder: Path, **env: str) -> Said:
    """Run a command in the folder to its end."""
    done = subprocess.run(
        [*PROGRAMS[command[0]], *command[1:]],
        cwd=folder,
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def server(folder: Path, *words: object) -> Terminal:
    return Terminal(*words, program=COMMAND, folder=folder, **environment())


class Script:
    """Answers on a terminal, counted."""

    def __init__(self, folder: Path, *words: object) -> None:
        self.terminal = server(folder, "init", *words)
        self.answers = 0

    def answer(self, question: str, answer: str) -> None:
        self.terminal.until(question)
        self.terminal.said = ""
        self.terminal.types(f"{answer}\n")
        self.answers += 1


def answered(folder: Path, phone: SimulatedPhone, *words: object) -> tuple[Script, str]:
    """Set up the phone on a terminal; return the script and what was printed at the end."""
    script = Script(folder, *words)
    script.answer("What do you have?", "phone")
    script.answer("Address that the app shows", phone.url)
    script.answer("Password that the app shows", phone.password)
    script.answer("Address at which it reaches this service", "")
    script.answer("Number of SIM 1", "+44 7911 123456")
    script.answer("Prices: suggested, or free", "")
    code, said = script.terminal.ended()
    assert code == 0, said
    return script, said


def test_six_commands_and_eight_answers_lead_to_the_first_sms(folder: Path, phone: SimulatedPhone) -> None:
    script, said = answered(folder, phone, "--port", free_port())
    assert phone.password not in said
    commands = steps(said)
    assert [command[1] for command in commands] == ["run", "sandbox", "rent", "wait", "carriers"]
    run, deposit, rent, wait, check = commands
    service = server(folder, *run[1:])
    try:
        service.until("DTMF_TOKEN=")
        for command in (deposit, rent):
            done = finished(command, folder)
            assert done.code == 0, done
        phone.receive("+447700900123", "Your code is 428613")
        assert phone.post_due() == [200]
        done = finished(wait, folder)
        assert (done.code, "428613" in done.out) == (0, True), done
        assert "ok      login" in finished(check, folder).out
    finally:
        service.types("\x03")
    assert service.ended()[0] == 0
    done_commands = 1 + len([run, deposit, rent, wait])
    assert done_commands <= COMMANDS_MAX and script.answers <= ANSWERS_MAX
    print(f"{done_commands} commands, {script.answers} answers")


def test_secrets_are_in_files_of_their_own(folder: Path, phone: SimulatedPhone) -> None:
    answered(folder, phone)
    text = (folder / "dtmf.toml").read_text()
    assert phone.password not in text and phone.signing_key not in text
    for name in ("phone-password", "phone-signing_key"):
        assert (folder / "secrets" / name).stat().st_mode & 0o777 == 0o600
    (carrier,) = config.load(folder / "dtmf.toml", {}, settings_of=settings_class).carrier
    assert (carrier.password, carrier.signing_key) == (phone.password, phone.signing_key)  # type: ignore[attr-defined]  # of the kind


def test_ctrl_c_leaves_nothing(folder: Path, phone: SimulatedPhone) -> None:
    questions = [
        ("What do you have?", "1"),
        ("Address that the app shows", phone.url),
        ("Password that the app shows", phone.password),
        ("Address at which it reaches this service", ""),
        ("Number of SIM 1", NUMBER),
        ("Prices: suggested, or free", ""),
    ]
    for stop, (question, _) in enumerate(questions):
        script = Script(folder)
        for asked, answer in questions[:stop]:
            script.answer(asked, answer)
        script.terminal.until(question)
        script.terminal.types("\x03")
        code, said = script.terminal.ended()
        assert (code, "nothing was written" in said, [*folder.iterdir()]) == (130, True, []), said


def test_wrong_answers_are_asked_for_again(folder: Path, phone: SimulatedPhone) -> None:
    script = Script(folder)
    script.answer("What do you have?", "telephone")
    script.answer("choose one of phone, modem", "phone")
    script.answer("Address that the app shows", "192.168.1.20:8080")
    script.answer("must be a URL like", phone.url)
    script.answer("Password", "wrong")
    script.answer("Address at which it reaches", "http://192.168.1.2:8000")
    script.answer("must begin with https://", "")
    script.terminal.until("the user name or the password is wrong")
    script.answer(f"[{phone.url}]", "")
    script.answer("Password", phone.password)
    script.answer("Address at which it reaches", "")
    script.answer("Number of SIM 1", "0791")
    script.answer("is not a number like", NUMBER)
    script.answer("Prices", "cheap")
    script.answer("enter suggested or free", "free")
    assert script.terminal.ended()[0] == 0
    assert (folder / "dtmf.toml").exists()


# --- without a terminal -----------------------------------------------------------------------------------------


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
    second = [*options[:-4], "--number", "+447911123457", "--name", "two"]
    assert init(*second).code == 0
    assert file.read_bytes().startswith(first)
    names = [each.name for each in config.load(file, {}, settings_of=settings_class).carrier]
    assert names == ["phone", "two"]


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


def test_a_recovery_of_deposits_is_still_what_its_options_ask_for(init: Init, folder: Path) -> None:
    said = init("--gap", "5").err
    assert "init needs bitcoin.rpc, and a descriptor" in said and contents(folder) == {}


def test_nothing_yet_is_a_sandbox(init: Init, folder: Path) -> None:
    done = init("--carrier", "nothing")
    assert (done.code, "dtmf groups" in done.out) == (0, True)
    assert config.load(folder / "dtmf.toml", {}).mode == "sandbox"


def test_twilios_own_numbers_are_imported_and_production_lists_what_is_missing(init: Init, folder: Path) -> None:
    secret = folder.parent / "token"
    with Twilio() as provider:
        provider.buy("+12025550199")
        secret.write_text(provider.token)
        port = free_port()
        words = [
            "--carrier",
            "twilio",
            "--account-sid",
            provider.account_sid,
            "--secret-file",
            secret,
            "--mode",
            "production",
        ]
        words += ["--base-url", provider.url, "--public-url", "https://sms.example.net", "--port", port]
        done = init(*words)
    assert done.code == 0, done
    assert "imported group us-twilio: +12025550199" in done.out
    assert "https://sms.example.net/callbacks/carriers/twilio#rc=3&rp=all" in done.out
    text = (folder / "dtmf.toml").read_text()
    assert 'mode = "production"' in text and '[signup]\nmode = "closed"' in text
    run, opened, *_ = steps(done.out)
    service = server(folder, *run[1:])
    try:
        said = service.until("a way to pay")
        assert "Missing    prices for sending" in said and "Missing    a carrier" not in said
        token = finished(opened, folder).out.split()[0]
        env = {"DTMF_TOKEN": token, "DTMF_URL": f"http://127.0.0.1:{port}"}
        rented = finished(["dtmf", "rent", "us-twilio"], folder, **env)
        assert (rented.code, "+12025550199" in rented.out) == (0, True), rented
    finally:
        service.types("\x03")
    assert service.ended()[0] == 0


def test_production_without_anything_says_what_is_missing(folder: Path) -> None:
    (folder / "dtmf.toml").write_text('mode = "production"\n')
    service = server(folder, "run", "--config", "dtmf.toml", "--port", "0")
    try:
        service.until("a way to pay")
        lines = re.findall(r"Missing {4}(.*?)[,:]", service.said)
        assert lines == ["a carrier", "groups with prices", "prices for sending", "a way to pay"]
    finally:
        service.types("\x03")
    assert service.ended()[0] == 0
