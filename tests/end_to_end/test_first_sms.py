"""From an empty folder to the first SMS: `dtmf-server init` on a terminal, then exactly the commands that it prints, which
are those of docs/first-real-sms.md."""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dtmf_server import config
from dtmf_server.carriers.registry import settings_class
from support.markdown import blocks
from support.operator_setup import NUMBER, Script, finished, free_port, server, wall_us
from support.paths import ROOT
from support.providers.android import SimulatedPhone
from support.providers.gammu import Smsd
from support.providers.twilio import Twilio
from support.shell import commands
from support.terminal import Terminal

COMMANDS_MAX, ANSWERS_MAX = 6, 8
TEXT = "Your code is 428613"
PAGE, THIS = "docs/first-real-sms.md", "tests/end_to_end/test_first_sms.py"


def next_second_us() -> int:
    """A time of an SMSC, in whole seconds, that is not before the rental of this second."""
    return wall_us() + 1_000_000


@pytest.fixture
def phone() -> Iterator[SimulatedPhone]:
    with SimulatedPhone(wall_us, sims={1: None}, password="4711-secret") as simulated:
        yield simulated


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "service").mkdir()
    return tmp_path / "service"


def steps(output: str) -> list[list[str]]:
    """Return the commands that init prints."""
    lines = output.partition("\nNext:\n")[2].splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.strip().startswith("dtmf")]


def documented(number: int, *, port: int) -> list[list[str]]:
    """Return the commands after init of one of the three ways on the page."""
    found = [block for block in blocks(ROOT / PAGE) if THIS in block.run_by.values()]
    init, *others = [shlex.split(command) for command, _ in commands(found[number].code.replace("8000", str(port)))]
    assert (len(found), init) == (3, ["dtmf-server", "init"])
    return others


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


def run_to_the_first_sms(folder: Path, way: list[list[str]], receive: Callable[[], object], *, answers: int) -> None:
    """Run the commands after init; `receive` lets the SMS arrive before the last one, which has to print it."""
    run, *others, wait = way
    service = server(folder, *run[1:])
    try:
        service.until("DTMF_TOKEN=")
        for command in others:
            done = finished(command, folder)
            assert done.code == 0, done
        receive()
        done = finished(wait, folder)
        assert (done.code, "428613" in done.out) == (0, True), done
    finally:
        service.types("\x03")
    assert service.ended()[0] == 0
    assert 1 + len(way) <= COMMANDS_MAX and answers <= ANSWERS_MAX


def test_six_commands_and_eight_answers_lead_to_the_first_sms_on_a_phone(folder: Path, phone: SimulatedPhone) -> None:
    port = free_port()
    script, said = answered(folder, phone, "--port", port)
    assert phone.password not in said
    *way, check = steps(said)
    assert way == documented(0, port=port) and check[1:3] == ["carriers", "check"]

    def receive() -> None:
        phone.receive("+447700900123", TEXT, at_us=next_second_us())
        assert phone.post_due() == [200]
        assert "ok      login" in finished(check, folder).out

    run_to_the_first_sms(folder, way, receive, answers=script.answers)


def test_six_commands_and_eight_answers_lead_to_the_first_sms_on_a_modem(folder: Path) -> None:
    smsd = Smsd(str(folder.parent / "smsd.db"))
    smsd.create()
    smsd.alive(wall_us())
    port = free_port()
    script = Script(folder, "--port", port)
    script.answer("What do you have?", "modem")
    script.answer("SQLite file or postgresql:// URL", str(folder.parent / "smsd.db"))
    script.answer("phoneid of the modem", "")
    script.answer("Time zone", "")
    script.answer("Number of the modem's SIM", NUMBER)
    script.answer("Prices", "")
    code, said = script.terminal.ended()
    assert code == 0, said
    *way, _ = steps(said)
    assert way == documented(1, port=port)
    run_to_the_first_sms(
        folder,
        way,
        lambda: smsd.receive(TEXT, at_us=next_second_us()),
        answers=script.answers,
    )


def test_secrets_are_in_files_of_their_own(folder: Path, phone: SimulatedPhone) -> None:
    answered(folder, phone)
    text = (folder / "dtmf.toml").read_text()
    assert phone.password not in text and phone.signing_key not in text
    for name in ("phone-password", "phone-signing_key"):
        assert (folder / "secrets" / name).stat().st_mode & 0o777 == 0o600
    (carrier,) = config.load(folder / "dtmf.toml", {}, settings_of=settings_class).carrier
    assert (carrier.password, carrier.signing_key) == (phone.password, phone.signing_key)  # type: ignore[attr-defined]  # of the kind


def interrupt(terminal: Terminal) -> None:
    """Press Ctrl-C until it is heard: Python misses one between its last check for signals and the read."""
    for _ in range(5):
        terminal.types("\x03")
        try:
            terminal.until("nothing was written", within_s=10)
        except AssertionError:
            continue
        return


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
        interrupt(script.terminal)
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


def test_six_commands_and_eight_answers_lead_to_a_number_at_twilio(folder: Path) -> None:
    """The service is in production: the account's numbers are imported, and the rest is listed as missing."""
    port = free_port()
    with Twilio() as provider:
        provider.buy("+12025550199")
        words = ["--base-url", provider.url, "--mode", "production", "--port", port]
        script = Script(folder, *words)
        script.answer("What do you have?", "twilio")
        script.answer("Account SID", provider.account_sid)
        script.answer("Auth token", provider.token)
        script.answer("Address at which it reaches", "https://sms.example.net")
        script.answer("[+12025550199]", "")
        script.answer("Prices", "")
        code, said = script.terminal.ended()
    assert code == 0, said
    assert "imported group us-twilio: +12025550199" in said
    assert "https://sms.example.net/callbacks/carriers/twilio#rc=3&rp=all" in said
    text = (folder / "dtmf.toml").read_text()
    assert 'mode = "production"' in text and '[signup]\nmode = "closed"' in text
    *way, _ = steps(said)
    assert way == documented(2, port=port) and 1 + len(way) <= COMMANDS_MAX and script.answers <= ANSWERS_MAX
    run, opened, _, rent, _ = way
    service = server(folder, *run[1:])
    try:
        said = service.until("a way to pay")
        assert "Missing    prices for sending" in said and "Missing    a carrier" not in said
        token = finished(opened, folder).out.split()[0]
        rented = finished(rent, folder, DTMF_TOKEN=token, DTMF_URL=f"http://127.0.0.1:{port}")
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
