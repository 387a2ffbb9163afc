"""The pages of docs/carriers/ lead to the first SMS: their commands run in order, as written, in an environment without
anything else, against a simulated phone, smsd's tables, Twilio and Telnyx.

A page's configuration is used as written; the environment replaces the addresses and secrets in it. In commands, only the
phone's address is replaced. The blocks that need a real modem, a phone or root are marked with their reason."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dtmf_server.runtime.clock import wall_us
from support import markdown
from support.paths import ROOT
from support.providers.android import SimulatedPhone
from support.providers.gammu import Smsd
from support.providers.telnyx import telnyx
from support.providers.twilio import Twilio
from support.server_process import SOURCE

FRIEND, GENEROUS_S = "+14155550123", 90.0
Where = tuple[ExitStack, Path, str]  # of the provider; the folder, and the URL of the service


@dataclass
class Given:
    """The simulated parts of a page. `replaced` are addresses in commands, `receive` lets an SMS arrive."""

    number: str
    receive: Callable[[], object]
    environment: dict[str, str] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)
    typed: str = ""
    started: Callable[[], object] = lambda: None


def android(stack: ExitStack, _folder: Path, _url: str) -> Given:
    phone = stack.enter_context(SimulatedPhone(wall_us))

    def receive() -> None:
        phone.receive(FRIEND, "hello")
        phone.post_due()

    def ping() -> None:
        phone.ping()
        phone.post_due()

    return Given(
        "+447700900001",
        receive,
        replaced={"http://192.168.1.20:8080": phone.url},
        typed=f"{phone.password}\n",
        started=ping,
    )


def gammu(stack: ExitStack, folder: Path, _url: str) -> Given:
    tables, ended = Smsd(str(folder / "smsd.db")), threading.Event()
    tables.create()

    def live() -> None:
        while True:
            tables.alive(wall_us())
            if ended.wait(1.0):
                return

    thread = threading.Thread(target=live)
    thread.start()
    stack.callback(thread.join)
    stack.callback(ended.set)
    return Given(
        "+447700900001",
        lambda: tables.receive("hello", at_us=wall_us()),
        {"DTMF_CARRIER__0__DATABASE": tables.database},
    )


def twilio(stack: ExitStack, _folder: Path, url: str) -> Given:
    provider = stack.enter_context(Twilio())
    number = "+12025550123"
    provider.buy(number, sms_url=f"{url}/callbacks/carriers/twilio#rc=3&rp=all")
    secrets = {"ACCOUNT_SID": provider.account_sid, "AUTH_TOKEN": provider.token, "BASE_URL": provider.url}
    return Given(
        number,
        lambda: provider.receive(number, FRIEND, "hello"),
        {f"DTMF_CARRIER__0__{name}": value for name, value in secrets.items()},
    )


def telnyx_account(stack: ExitStack, _folder: Path, url: str) -> Given:
    provider = stack.enter_context(telnyx(webhook_url=f"{url}/callbacks/carriers/telnyx"))
    (number,) = provider.numbers
    secrets = {"API_KEY": provider.api_key, "PUBLIC_KEY": provider.public_key, "BASE_URL": provider.url}
    return Given(
        number,
        lambda: provider.deliver(provider.received(number, FRIEND, "hello")),
        {f"DTMF_CARRIER__0__{name}": value for name, value in secrets.items()},
    )


GIVEN = {"android": android, "gammu": gammu, "twilio": twilio, "telnyx": telnyx_account}


class Terminal:
    """A bare environment: a PATH with `dtmf-server`, a home, and the settings of the page."""

    def __init__(self, folder: Path, given: Given, port: int, url: str) -> None:
        place = folder / "bin"
        place.mkdir()
        program = place / "dtmf-server"
        program.write_text(f'#!/bin/sh\nPYTHONPATH="{SOURCE}" exec "{sys.executable}" -P -m dtmf_server "$@"\n')
        program.chmod(0o755)
        self._folder, self._given = folder, given
        self._env = {"PATH": f"{place}:/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8"} | given.environment
        self._env |= {"DTMF_SERVER__PORT": str(port), "DTMF_SERVER__PUBLIC_URL": url}

    def run(self, code: str) -> "subprocess.CompletedProcess[str]":
        for written, simulated in self._given.replaced.items():
            code = code.replace(written, simulated)
        return subprocess.run(
            ["bash", "-eu", "-c", code], input=self._given.typed, text=True, capture_output=True,
            cwd=self._folder, env=self._env, timeout=GENEROUS_S, check=False,
        )  # fmt: skip

    @contextmanager
    def started(self, code: str) -> Iterator[None]:
        """Run the service until the block ends."""
        process = subprocess.Popen(
            ["bash", "-c", code], cwd=self._folder, env=self._env, stdout=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            assert any("production on" in line for line in process.stdout), "the service did not start"
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def until(self, code: str, part: str = "", status: int = 0) -> None:
        """Repeat a command until its output has this part and its exit status is this."""
        until_s = time.monotonic() + GENEROUS_S
        while part not in (done := self.run(code)).stdout or done.returncode != status:
            assert time.monotonic() < until_s, done


@pytest.mark.parametrize("name", GIVEN)
def test_a_page_leads_to_the_first_sms(name: str, tmp_path: Path) -> None:
    page = ROOT / "docs" / "carriers" / f"{name}.md"
    every = [*markdown.blocks(page)]
    configuration = next(block.code for block in every if block.language == "toml")
    commands = [block.code for block in every if block.language == "sh" and not block.not_run]
    assert any(code.startswith("dtmf-server run ") for code in commands)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        given = GIVEN[name](stack, tmp_path, url)
        terminal = Terminal(tmp_path, given, port, url)
        if not any("dtmf.toml <<" in code for code in commands):
            (tmp_path / "dtmf.toml").write_text(configuration)
        for code in commands:
            if code.startswith("dtmf-server run "):
                stack.enter_context(terminal.started(code))
                given.started()
                terminal.until("dtmf-server carriers --config dtmf.toml")
                continue
            done = terminal.run(code)
            assert done.returncode == 0, (code, done.stdout, done.stderr)
            assert "FAILED" not in done.stdout
        given.receive()
        terminal.until("dtmf-server carriers --config dtmf.toml", f"  {given.number}: 1, ")


def test_the_carriers_settings_in_the_pages_are_valid(tmp_path: Path) -> None:
    from dtmf_server import config
    from dtmf_server.carriers.registry import settings_class

    secrets = {
        "twilio": {"AUTH_TOKEN": "secret", "API_SECRET": "secret"},
        "telnyx": {"API_KEY": "secret"},
        "android": {"PASSWORD": "secret", "SIGNING_KEY": "secret"},
        "gammu": {},
    }
    for name, more in secrets.items():
        blocks = [
            each.code for each in markdown.blocks(ROOT / "docs" / "carriers" / f"{name}.md") if each.language == "toml"
        ]
        assert blocks
        for code in blocks:
            path = tmp_path / "dtmf.toml"
            path.write_text(code if "mode =" in code else f'mode = "production"\n{code}')
            used = {key: value for key, value in more.items() if key != "API_SECRET" or "api_key" in code}
            environment = {f"DTMF_CARRIER__0__{key}": value for key, value in used.items()}
            assert config.load(path, environment, settings_of=settings_class).carrier
