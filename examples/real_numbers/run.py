#!/usr/bin/env python3
"""Receive, send and fail over with an Android phone, a GSM modem and Twilio, none of which you need to own.

    .venv/bin/python examples/real_numbers/run.py

The service, gammu-smsd and all HTTP requests are real. The phone, the modem and Twilio are simulated on this machine: by the
same programs that test the service. README.md shows what to change for real ones.

Exit status: 0 on success, 1 if a step had an unexpected result, 2 if gammu-smsd is not installed.
"""

import contextlib
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic, sleep, time_ns
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from dtmf import DTMF  # noqa: E402 - the tests' folder first
from peers.modem import Modem  # noqa: E402 - the same
from peers.smsd import Smsd  # noqa: E402 - the same
from support.android_carrier import connect  # noqa: E402 - the same
from support.providers.android import SimulatedPhone  # noqa: E402 - the same
from support.providers.gammu import Smsd as Tables  # noqa: E402 - the same
from support.providers.twilio import Twilio  # noqa: E402 - the same
from support.server_process import Service, command  # noqa: E402 - the same

PHONE, MODEM, CLOUD = "+12025550201", "+12025550202", "+12025550203"  # our numbers; 555-01xx and 555-02xx are fictional
FRIEND = "+13105550123"
PATIENCE_S = 90.0
LINKS = 4  # the phone has two: its API and its webhooks
INSTALL = "this example needs gammu-smsd: on Debian or Ubuntu, apt install gammu gammu-smsd libdbd-sqlite3"
CONFIGURATION = """\
[server]
public_url = "{url}"

[[carrier]]
name = "pixel"
kind = "android"
url = "{phone}"
password = "phone-password"
signing_key = "phone-signing-key"
sims = {{ 1 = "+12025550201" }}

[[carrier]]
name = "usb"
kind = "gammu"
database = "{smsd}"
modems = {{ modem1 = "+12025550202" }}
time_zone = "UTC"

[[carrier]]
name = "cloud"
kind = "twilio"
account_sid = "{account_sid}"
auth_token = "{token}"
base_url = "{twilio}"
"""
GROUPS = """\
id,type,name,country_code,setup_cost,rental_cost_per_minute,cost_per_inbound_message,carriers
phone,mobile,Phone,us,100,5,50,pixel cloud
modem,mobile,Modem,us,100,5,50,usb
cloud,mobile,Cloud,us,100,5,50,cloud
"""
NUMBERS = f"e164,group_id\n{PHONE},phone\n{MODEM},modem\n{CLOUD},cloud\n"


class Unexpected(Exception):
    """A step had an unexpected result."""


@dataclass
class World:
    """The simulated phone, modem and Twilio, and the real gammu-smsd on the modem."""

    phone: SimulatedPhone
    modem: Modem
    twilio: Twilio
    smsd: Smsd

    def deliver(self, e164: str, text: str) -> None:
        """Let an SMS arrive at one of our numbers."""
        {
            PHONE: lambda: self.phone.receive(FRIEND, text),
            MODEM: lambda: self.modem.deliver(FRIEND, text),
            CLOUD: lambda: self.twilio.receive(CLOUD, FRIEND, text),
        }[e164]()

    def report(self, text: str) -> str:
        """Wait until an SMS with this text was sent; let its receipt say that it was delivered. Return what sent it."""
        by, report = until(lambda: next(self._sent(text), None), f"{text!r} to leave")
        report()
        return str(by)

    def _sent(self, text: str) -> Iterator[tuple[str, Callable[[], object]]]:
        for id_, message in self.phone.messages.items():
            if message.body["textMessage"]["text"] == text:
                yield "the phone", partial(self.phone.report, id_, "Delivered")
        yield from (("the modem", partial(self.modem.report, sent)) for sent in self.modem.sent if sent.text == text)
        for sms in self.twilio.outbound():
            if sms.body == text:
                yield "Twilio", partial(self.twilio.report, sms, "delivered")


@contextlib.contextmanager
def simulated(folder: Path) -> Iterator[World]:
    """Run the phone, the modem with gammu-smsd, and Twilio, until the block ends."""
    tables = Tables(str(folder / "smsd.db"))
    tables.create()
    with (
        SimulatedPhone(lambda: time_ns() // 1000) as phone,
        Modem(folder / "tty") as modem,
        Twilio() as twilio,
        Smsd(folder, folder / "tty", tables) as smsd,
        posting(phone),
    ):
        yield World(phone, modem, twilio, smsd)


@contextlib.contextmanager
def posting(phone: SimulatedPhone) -> Iterator[None]:
    """Let the phone post its webhooks, until the block ends."""
    ended = threading.Event()

    def post() -> None:
        while not ended.wait(0.1):
            phone.post_due()

    thread = threading.Thread(target=post)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextlib.contextmanager
def service(folder: Path, world: World) -> Iterator[DTMF]:
    """Run the service with its three carriers, and import their numbers."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    connect(world.phone, url)
    for e164 in (CLOUD, PHONE):  # Twilio may send from the phone's number too
        world.twilio.buy(e164, sms_url=f"{url}/callbacks/carriers/cloud")
    config = folder / "dtmf.toml"
    values = {"url": url, "phone": world.phone.url, "smsd": folder / "smsd.db", "twilio": world.twilio.url}
    config.write_text(CONFIGURATION.format(account_sid=world.twilio.account_sid, token=world.twilio.token, **values))
    at = ("--config", config, "--data", folder)
    with Service(folder, "--config", config, port=port) as process:
        process.wait_ready()
        for name, content in (("groups", GROUPS), ("numbers", NUMBERS)):
            (folder / f"{name}.csv").write_text(content)
            said = command(name, "import", folder / f"{name}.csv", *at)
            if said.code:
                raise Unexpected(said.out + said.err)
        world.phone.ping()
        for line in until(lambda: links(at), "every carrier to be up"):
            print(f"  {line.partition(', heard')[0]}")
        with DTMF(process.token, base_url=process.url) as dtmf:
            yield dtmf


def links(at: tuple[str | Path, ...]) -> list[str]:
    """Return the links that `dtmf-server carriers` shows, once all are up: exit status 0."""
    said = command("carriers", *at)
    found = said.out.splitlines()
    return found if said.code == 0 and len(found) >= LINKS else []


def play(dtmf: DTMF, world: World) -> None:
    """Receive and send with each number, then end the phone and send with its number again."""
    dtmf.sandbox.deposit(dtmf.new_address()["address"], 100_000)
    for group, e164 in (("phone", PHONE), ("modem", MODEM), ("cloud", CLOUD)):
        expect(dtmf.start_rental(group)["e164"], e164)
        code = e164[-6:]
        world.deliver(e164, f"{code} is your code")
        expect(dtmf.wait_for_code(e164, timeout=PATIENCE_S), code)
        print(f"{group}: rented {e164}, received the code {code}")
        sent_and_delivered(dtmf, world, e164, f"hello from the {group}")
    world.phone.vanish()
    print("phone: switched off")
    sent_and_delivered(dtmf, world, PHONE, "hello without the phone")
    print(f"balance: {dtmf.account()['balance']} sats; every SMS was sent once and paid once")


def sent_and_delivered(dtmf: DTMF, world: World, e164: str, text: str) -> None:
    """Send an SMS, and wait for its receipt."""
    before = dtmf.account()["balance"]
    id_ = dtmf.send_message(e164, FRIEND, text)["id"]
    by = world.report(text)
    until(lambda: any(each["id"] == id_ and each["status"] == "delivered" for each in dtmf.messages(e164)), "a receipt")
    print(f"  sent {text!r} by {by}: delivered, {before - dtmf.account()['balance']} sats")


def expect(found: object, wanted: object) -> None:
    """Raise Unexpected unless these are equal."""
    if found != wanted:
        raise Unexpected(f"{found!r} instead of {wanted!r}")


def until(look: Callable[[], Any], what: str) -> Any:
    """Wait until `look` finds something; return it. Raises Unexpected after PATIENCE_S."""
    until_s = monotonic() + PATIENCE_S
    while not (found := look()):
        if monotonic() > until_s:
            raise Unexpected(f"waited {PATIENCE_S:.0f} s for {what}")
        sleep(0.1)
    return found


def main() -> int:
    """Run the example. Return the exit status."""
    if not shutil.which("gammu-smsd") or not list(Path("/usr/lib").rglob("libdbdsqlite3.so")):
        print(INSTALL, file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory() as name, simulated(Path(name)) as world:
            print("the service is bound to a phone, a modem under gammu-smsd, and Twilio:")
            with service(Path(name), world) as dtmf:
                play(dtmf, world)
    except Unexpected as error:
        print(f"unexpected: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
