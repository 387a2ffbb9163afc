"""`dtmf-server carriers trace NAME` shows what a running service exchanges with a carrier, without texts and secrets."""

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dtmf_server.carriers.smpp.pdu import Command, Pdu, Sm
from dtmf_server.storage import migrate
from postgres import drop_database, fresh_database
from smpp.smsc import Smsc
from support.providers.twilio import Twilio
from support.server_process import COMMAND, Service, command, environment, request

CANARY, PHONE, PUBLIC_URL = "canary", "+31612345678", "https://sms.example.net"
TOKEN = f"{CANARY}-token"
SMPP = """\
[[carrier]]
name = "london"
host = "127.0.0.1"
port = {port}
system_id = "dtmf"
password = "canary-password"
"""
TWILIO = f"""\
[[carrier]]
name = "cloud"
kind = "twilio"
base_url = "{{url}}"
account_sid = "{{account_sid}}"
auth_token = "{TOKEN}"

[server]
public_url = "{PUBLIC_URL}"
"""


class Traced:
    """The command, running; `entries` is what it has shown."""

    def __init__(self, name: str, *at: str | Path) -> None:
        arguments = ["carriers", "trace", name, "--json", "--seconds", "600", *map(str, at)]
        self.process = subprocess.Popen(
            [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment()
        )
        self.entries: list[dict[str, Any]] = []
        self._some = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                with self._some:
                    self.entries.append(json.loads(line))
                    self._some.notify_all()

    def until(self, direction: str, *parts: str, count: int = 1) -> str:
        """Wait for an entry, or several, with these parts; return its text."""

        def found() -> list[str]:
            texts = [each["text"] for each in self.entries if each["direction"] == direction]
            matching = [text for text in texts if all(part in text for part in parts)]
            return matching if len(matching) >= count else []

        with self._some:
            assert self._some.wait_for(found, 60), f"{parts} is not in {self.entries}"
            return found()[0]

    def stop(self) -> int:
        """End it as Ctrl-C does; return its exit code."""
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(60)
        self._reader.join(60)
        return code

    def shown(self) -> str:
        return json.dumps(self.entries, ensure_ascii=False)


@contextmanager
def traced(name: str, *at: str | Path, processes: int = 1) -> Iterator[Traced]:
    """Run the command until the block ends."""
    tracer = Traced(name, *at)
    try:
        tracer.until("note", "records", count=processes)
        yield tracer
    finally:
        assert tracer.stop() == 130


def rented(service: Service) -> str:
    """Rent a number of the sandbox."""
    (address,) = request(service.url, service.token, "POST", "/addresses").json.values()
    deposit = {"address": address, "amount": 1_000_000}
    assert request(service.url, service.token, "POST", "/sandbox/deposit", deposit).status < 300
    return str(request(service.url, service.token, "POST", "/numbers", {"group_id": "gb-mobile"}).json["e164"])


def send(service: Service, e164: str, text: str) -> None:
    body = {"from": e164, "to": PHONE, "content": text}
    assert request(service.url, service.token, "POST", "/message", body).status < 300


def assert_masked(shown: str, e164: str) -> None:
    """No text, secret or whole number, as characters or in hexadecimal."""
    for secret in (CANARY, "123456", e164.removeprefix("+"), PHONE.removeprefix("+")):
        octets = secret.encode()
        assert secret not in shown and octets.hex() not in shown and octets.hex(" ") not in shown
    assert f"{CANARY}-token" not in shown


def test_smpp_pdus_are_decoded_and_shown_in_hexadecimal(tmp_path: Path) -> None:
    with Smsc() as smsc:
        path = tmp_path / "dtmf.toml"
        path.write_text(SMPP.format(port=smsc.port))
        at = ("--config", path, "--data", tmp_path)
        with Service(tmp_path, "--config", path) as service:
            service.wait_ready()
            smsc.wait("bound")
            e164 = rented(service)
            with traced("london", *at) as tracer:
                smsc.do("drop")
                bind = tracer.until("out", "bind_transceiver sequence=1 system_id=dtmf password=<15 octets>")
                assert " ·· ·· " in bind and "00 00 00 09" in bind
                tracer.until("in", "bind_transceiver_resp sequence=1 ESME_ROK")
                text = f"{CANARY} 123456".encode()
                body = Sm(source_addr="31612345678", destination_addr=e164[1:], short_message=text)
                smsc.send(Pdu(Command.DELIVER_SM, 7, body))
                found = tracer.until("in", "deliver_sm sequence=7", "short_message=<13 octets>")
                assert "source_addr=3161…78 (11 characters)" in found
                tracer.until("out", "deliver_sm_resp sequence=7 ESME_ROK")
                send(service, e164, f"{CANARY} sent")
                tracer.until("out", "submit_sm sequence=", "short_message=<11 octets>")
                tracer.until("in", "submit_sm_resp sequence=", "ESME_ROK message_id=")
            assert_masked(tracer.shown(), e164)
            lines = command("carriers", "trace", "london", *at, "--seconds", "2").out.splitlines()
            assert " note process " in lines[0] and lines[0].endswith(" records")
    assert CANARY not in "\n".join([*service.out, *service.err])


def provider_of(stack_url: str, twilio: Twilio, e164: str) -> None:
    twilio.buy(e164, sms_url=f"{PUBLIC_URL}/callbacks/carriers/cloud")
    twilio.reach[PUBLIC_URL] = stack_url


def exchange(tracer: Traced, service: Service, twilio: Twilio, e164: str) -> None:
    """Receive an SMS, send one, get its receipt, and refuse a forged callback; each is in the trace."""
    sms = twilio.receive(e164, PHONE, f"{CANARY} 123456")
    received = tracer.until("in", "callback POST /callbacks/carriers/cloud", sms.sid)
    assert f"From={PHONE[:4]}…{PHONE[-2:]} (12 characters)" in received and "Body=<13 characters>" in received
    tracer.until("out", "callback accepted")
    send(service, e164, f"{CANARY} sent")
    tracer.until("out", "POST /2010-04-01/Accounts/", "Body=<11 characters>")
    tracer.until("in", "HTTP 201", '"status": "queued"')
    twilio.report(twilio.outbound()[-1], "delivered")
    tracer.until("in", "callback POST", "MessageStatus=delivered")
    twilio.post_raw(
        f"{PUBLIC_URL}/callbacks/carriers/cloud?x={CANARY}",
        f"Body={CANARY}&To={CANARY}&MessageSid=x".encode(),
        "application/x-www-form-urlencoded",
        {"X-Twilio-Signature": CANARY},
    )
    tracer.until("out", "callback 403 callback_not_signed: wrong signature")
    twilio.post_raw(f"{PUBLIC_URL}/callbacks/carriers/cloud", CANARY.encode(), "text/plain", {})
    tracer.until("out", "callback 403 callback_not_signed: no signature")


def test_http_requests_and_callbacks_are_shown(tmp_path: Path) -> None:
    with Twilio(token=TOKEN) as twilio:
        path = tmp_path / "dtmf.toml"
        path.write_text(TWILIO.format(url=twilio.url, account_sid=twilio.account_sid))
        at = ("--config", path, "--data", tmp_path)
        with Service(tmp_path, "--config", path) as service:
            service.wait_ready()
            e164 = rented(service)
            provider_of(service.url, twilio, e164)
            with traced("cloud", *at) as tracer:
                exchange(tracer, service, twilio, e164)
            assert_masked(tracer.shown(), e164)


def test_the_processes_of_one_service_are_traced_together(tmp_path: Path, postgres_url: str) -> None:
    url = fresh_database(postgres_url)
    with Twilio(token=TOKEN) as twilio:
        path = tmp_path / "dtmf.toml"
        path.write_text(TWILIO.format(url=twilio.url, account_sid=twilio.account_sid))
        at = ("--config", path, "--database", url)
        with Service(tmp_path, *at, command="api") as api, Service(tmp_path, *at, command="worker") as worker:
            api.wait_ready(), worker.wait_ready()
            e164 = rented(api)
            provider_of(api.url, twilio, e164)
            with traced("cloud", *at, processes=2) as tracer:
                exchange(tracer, api, twilio, e164)
            assert_masked(tracer.shown(), e164)
    drop_database(postgres_url, url)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("paris",), "carrier paris is not in the configuration; configured: london"),
        (("london", "--seconds", "0"), "whole number of seconds from 1 to 3600"),
    ],
)
def test_a_wrong_command_is_explained(tmp_path: Path, options: tuple[str, ...], complaint: str) -> None:
    path = tmp_path / "dtmf.toml"
    path.write_text(SMPP.format(port=1))
    said = command("carriers", "trace", *options, "--config", path, "--data", tmp_path)
    assert said.code == 2 and complaint in said.err


def test_without_a_running_service_it_says_so(tmp_path: Path) -> None:
    path = tmp_path / "dtmf.toml"
    path.write_text(SMPP.format(port=1))
    migrate.upgrade(f"sqlite:///{tmp_path / 'dtmf.db'}")
    said = command("carriers", "trace", "london", "--config", path, "--data", tmp_path, "--seconds", "1")
    assert (said.code, said.out) == (1, "") and "no running service records" in said.err
