"""`dtmf-server carriers check --receive` against a simulated Twilio: what arrives is compared and explained."""

import argparse
import re
from collections.abc import Callable
from typing import Any

import pytest

from dtmf_server.carriers.base import CheckResult
from dtmf_server.cli import canary as command
from dtmf_server.config import Config
from dtmf_server.workers import canaries
from support.providers.twilio import Message
from support.twilio_carrier import OURS
from support.twilio_line import Line

Start = Callable[..., Line]
OTHER = "+12025550100"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canaries, "POLL_INTERVAL_S", 0.05)


def check(line: Line, *, timeout: int = 60, **changes: Any) -> tuple[CheckResult, dict[str, Any]]:
    """Run the test of the command, with the service that runs in this process."""
    options = {"name": "twilio", "receive": OURS, "sender": OTHER, "through": None, "timeout": timeout} | changes
    return command.test_receiving(line.db, argparse.Namespace(**options), Config(mode="sandbox"))


@pytest.fixture
def line(start: Start) -> Line:
    """The service, whose number is free, and a provider that has the sender too."""
    line = start(rented=False)
    line.provider.buy(OTHER)
    line.eventually(line.carrier.can_submit)
    return line


def answers(line: Line, arriving: Callable[[str], str], **more: Any) -> None:
    """Let what is sent to our number arrive there, with its text changed."""
    line.provider.on_submit = lambda sms: deliver(line, sms, arriving, **more)


def deliver(line: Line, sms: Message, arriving: Callable[[str], str], **more: Any) -> None:
    line.provider.receive(sms.to, sms.sender, arriving(sms.body), **more)
    line.provider.report(sms, "delivered")


@pytest.mark.parametrize(
    ("arriving", "code", "result", "is_ok", "said"),
    [
        (lambda text: text, None, "received", True, "unchanged. One-time codes reach this number"),
        (lambda text: f"FW: {text}", None, "differs", True, "but as 'FW: Your DTMF"),
        (lambda text: re.sub("[0-9]", "*", text), None, "redacted", False, "Renters can't receive one-time codes"),
        (lambda _: "", 30038, "redacted", False, "without its code: ''"),
    ],
)
def test_what_arrives_is_compared(
    line: Line, arriving: Callable[[str], str], code: int | None, result: str, is_ok: bool, said: str
) -> None:
    answers(line, arriving, error_code=code)
    found, shown = check(line)
    assert (found.is_ok, shown["result"], shown["e164"], shown["from"]) == (is_ok, result, OURS, OTHER)
    assert found.detail.startswith(f"{result}: an SMS from {OTHER} through twilio arrived after ")
    assert said in found.detail and shown["seconds"] >= 0 and shown["arrived_by"] == "twilio"
    assert line.rows("SELECT * FROM messages") == line.rows("SELECT * FROM transfers") == []
    assert line.rows("SELECT * FROM strays") == line.rows("SELECT * FROM early_receipts") == []
    (row,) = line.rows("SELECT * FROM canaries")
    assert (row["e164"], row["carrier"], row["kind"], row["result"]) == (OURS, "twilio", "one_time_code", result)
    (said_before,) = command.result_lines([row])
    assert said_before.startswith(f"canary {OURS} at twilio: one-time codes ")


def test_an_sms_that_does_not_arrive_is_reported_and_stored(line: Line) -> None:
    found, shown = check(line, timeout=1)
    assert (found.is_ok, shown["result"]) == (False, "nothing") and "did not reach" in found.detail
    assert [row["result"] for row in line.rows("SELECT * FROM canaries")] == ["nothing"]


@pytest.mark.parametrize(("fault", "said"), [("code_21610", "was not sent: "), ("500_after", "may not have been sent")])
def test_an_sms_that_was_not_sent_says_nothing_about_receiving(
    line: Line, fault: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    line.provider.faults.append(fault)
    found, shown = check(line, timeout=1)
    assert (found.is_ok, shown["result"]) == (False, None) and said in found.detail
    assert line.rows("SELECT * FROM canaries") == []
    assert len(line.provider.outbound()) <= 1


def test_a_carrier_that_is_not_running_is_named(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = check(line, through="owl")
    assert "the running service does not have this carrier" in found.detail


def test_without_a_running_service_nothing_is_sent(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "CLAIM_S", 0.5)
    line = start(rented=False, workers=False)
    found, shown = check(line)
    assert (found.is_ok, found.detail, shown["result"]) == (False, command.NOT_TAKEN, None)
    assert [row["state"] for row in line.rows("SELECT state FROM canary_runs")] == ["over"]


def test_a_rented_number_is_refused(start: Start) -> None:
    found, _ = check(start())
    assert found.is_ok is False and f"{OURS} is rented" in found.detail
