"""No SMS that a carrier accepted is free, no refused SMS stays charged, and none is sent twice, whatever the renter does
and wherever the process dies while the carrier holds a submit."""

import asyncio
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from dtmf_server.carriers.base import CarrierMessage
from dtmf_server.carriers.smpp.carrier import SmppCarrier
from dtmf_server.carriers.smpp.carrier import Smsc as Settings
from dtmf_server.carriers.smpp.events import Times
from dtmf_server.carriers.smpp.pdu import Body, Command, Pdu, Sm, SmResp
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.rental import Action, ActionKind
from dtmf_server.operations import close_account, receive, rent, send, verify
from dtmf_server.operations.ledger import open_ledger
from dtmf_server.runtime.clock import wall_us
from dtmf_server.storage import numbers
from dtmf_server.storage.db import Database, Tx
from effort import SMPP_KILLS, SMPP_LATE_S, SMPP_SEED, SMPP_SUBMITS
from harness import DAY_US, give_coins, open_account, runtime_over, serving
from smpp import dying_submit
from smpp.smsc import Smsc
from smpp.test_kill import configured, rented
from support.server_process import Service, request, rows

PROGRAM = [sys.executable, str(Path(dying_submit.__file__))]
AT_ONCE = 200
PHONE = "+31612345678"
TAKES, REFUSES, SILENT = 0, 0x0B, -1
STEPS = ["before", "held", "answered", "late"]
RESPONSE_S = 1.0
# The net charge booked for each message, after refunds.
BOOKED = (
    "SELECT m.account_id, m.content, m.status, (SELECT coalesce(sum(CASE kind WHEN 'message_sent' THEN amount"
    "  ELSE -amount END), 0) FROM transfers WHERE kind IN ('message_sent', 'message_refunded')"
    "  AND ref = CAST(m.id AS TEXT)) AS sats FROM messages m WHERE NOT m.inbound"
)


@dataclass
class Case:
    """One SMS, what disturbs it and when, and how the carrier answers."""

    text: str
    step: str
    disturbance: str
    verdict: int
    account_id: int = 0
    e164: str = ""
    pdu: Pdu | None = None


class Renter:
    """Acts as a renter at the worst moment."""

    def __init__(self, db: Database, cases: Sequence[Case]) -> None:
        self.db, self.by_text = db, {case.text: case for case in cases}

    def begins(self, case: Case, seed: int) -> None:
        """Give an account coins and a number, and send an SMS from it or forward one."""
        db = self.db
        case.account_id = open_account(db, seed=seed, now_us=wall_us())
        give_coins(db, case.account_id, 10_000, now_us=wall_us())
        rental = db.write_blocking(
            lambda tx: rent.start(tx, case.account_id, "us-mobile", now_us=wall_us(), cooldown_us=0)
        )
        case.e164 = rental["e164"]
        if case.disturbance in ("parks", "goes elsewhere", "goes to a webhook"):
            self._act(case, Action(ActionKind.FORWARD, PHONE))
            inbound = [InboundMessage(case.e164, "+1234", case.text)]
            db.write_blocking(lambda tx: receive.receive_many(tx, inbound, now_us=wall_us()))
        else:
            to = {"sender": case.e164, "to": PHONE, "content": case.text}
            terms = {"now_us": wall_us(), "daily_limit": None}
            db.write_blocking(lambda tx: send.send(tx, case.account_id, **to, **terms))

    def disturbs(self, case: Case) -> None:
        """Cause the case's disturbance."""
        db, terms = self.db, {"now_us": wall_us()}
        actions = {"parks": None, "goes elsewhere": Action(ActionKind.FORWARD, "+31687654321")}
        actions["goes to a webhook"] = Action(ActionKind.WEBHOOK, "https://example.org/")
        if case.disturbance in actions:
            self._act(case, actions[case.disturbance])
        elif case.disturbance == "ends":
            db.write_blocking(lambda tx: rent.end(tx, case.account_id, case.e164, **terms))
        elif case.disturbance == "deletes":
            everything = {"given_up_max": 10**9, "wall_us": wall_us()}
            db.write_blocking(lambda tx: close_account.close_account(tx, case.account_id, **everything, **terms))
        elif case.disturbance == "runs out":
            db.write_blocking(lambda tx: _settle(tx, case.account_id, now_us=wall_us() + 365 * DAY_US))

    def _act(self, case: Case, action: Action | None) -> None:
        terms = {"now_us": wall_us()}
        self.db.write_blocking(lambda tx: rent.set_action(tx, case.account_id, case.e164, action, **terms))


def _settle(tx: Tx, account_id: int, *, now_us: int) -> None:
    with open_ledger(tx, [account_id], now_us=now_us):
        pass


class Watched(SmppCarrier):
    """The real carrier, which lets the renter act just before an SMS is written, and when its answer arrives."""

    renter: Renter

    async def submit(self, message_id: int, message: CarrierMessage) -> Sequence[str]:
        case = next((case for text, case in self.renter.by_text.items() if message.text.endswith(text)), None)
        if case is not None and case.step == "before":
            await asyncio.to_thread(self.renter.disturbs, case)
        try:
            return await super().submit(message_id, message)
        finally:
            if case is not None and case.step == "answered":
                await asyncio.to_thread(self.renter.disturbs, case)


@dataclass
class Tally:
    """Violations; each must be 0."""

    taken_and_not_paid: int = 0
    refused_and_not_refunded: int = 0
    sent_twice: int = 0

    def add(self, other: "Tally") -> None:
        self.taken_and_not_paid += other.taken_and_not_paid
        self.refused_and_not_refunded += other.refused_and_not_refunded
        self.sent_twice += other.sent_twice


def text_of(pdu: Pdu) -> str:
    assert isinstance(pdu.body, Sm)
    return pdu.body.short_message.decode().rpartition(": ")[2]


def submits(smsc: Smsc) -> Counter[str]:
    """Return how often each text was submitted."""
    return Counter(text_of(pdu) for pdu in smsc.pdus_so_far(lambda pdu: pdu.command == Command.SUBMIT_SM))


def eventually(look: Callable[[], object], *, within_s: float = 60.0) -> None:
    until = time.monotonic() + within_s
    while not look():
        assert time.monotonic() < until, "nothing found in time"
        time.sleep(0.02)


def answer(smsc: Smsc, case: Case) -> None:
    assert case.pdu is not None
    body = SmResp(message_id=f"{case.pdu.sequence:X}") if case.verdict == TAKES else Body()
    smsc.send(Pdu(Command.SUBMIT_SM_RESP, case.pdu.sequence, body, case.verdict))


def play(
    db: Database, smsc: Smsc, renter: Renter, cases: list[Case], chance: random.Random, seeds: Iterator[int]
) -> None:
    """Play all cases concurrently, each disturbed at its step."""
    for case in cases:
        renter.begins(case, next(seeds))
    db.wakeups.notify({"deliveries"})
    for _ in cases:
        pdu = smsc.pdu(lambda pdu: pdu.command == Command.SUBMIT_SM)
        renter.by_text[text_of(pdu)].pdu = pdu
    for case in cases:
        if case.step == "held":
            renter.disturbs(case)
    for case in cases:
        if case.step != "late" and case.verdict != SILENT:
            answer(smsc, case)
    still = "SELECT 1 FROM deliveries WHERE submitted_at_us IS NOT NULL LIMIT 1"
    eventually(lambda: not db.read_blocking(lambda tx: tx.all(still)))
    late = sorted((chance.uniform(0, SMPP_LATE_S), n) for n, case in enumerate(cases) if case.step == "late")
    for _, n in late:
        renter.disturbs(cases[n])
    began_s = time.monotonic()
    for after_s, n in late:
        threading.Event().wait(max(0.0, began_s + after_s - time.monotonic()))
        if cases[n].verdict != SILENT:
            answer(smsc, cases[n])
    ids = [case.account_id for case in cases if case.step == "late" and case.verdict != SILENT]
    doubts = "SELECT 1 FROM messages WHERE status = 'in_doubt' AND account_id = ANY(:ids) LIMIT 1"
    eventually(lambda: not db.read_blocking(lambda tx: tx.all(doubts, ids=ids)))


def tally(db: Database, smsc: Smsc, cases: list[Case]) -> Tally:
    """Count the violations."""
    found, sent = Tally(), submits(smsc)
    booked = {row["account_id"]: row for row in db.read_blocking(lambda tx: tx.all(BOOKED))}
    for case in cases:
        row = booked[case.account_id]
        expected = {TAKES: ("sent",), REFUSES: ("failed",), SILENT: ("in_doubt",)}[case.verdict]
        assert row["status"] in expected, (case, row["status"])
        found.taken_and_not_paid += case.verdict != REFUSES and row["sats"] <= 0
        found.refused_and_not_refunded += case.verdict == REFUSES and row["sats"] != 0
        found.sent_twice += sent[case.text] != 1
    return found


def test_accepted_sms_are_charged_and_refused_ones_refunded_whatever_the_renter_does(
    db: Database, smsc: Smsc, capsys: pytest.CaptureFixture[str]
) -> None:
    chance, numbered, seeds = random.Random(SMPP_SEED), count(), count(10)
    disturbances = ["parks", "goes elsewhere", "goes to a webhook", "ends", "deletes", "runs out", "nothing"]
    cases = [
        Case(
            f"text-{next(numbered):05}",
            STEPS[n % 4],
            chance.choice(disturbances),
            chance.choice([TAKES, REFUSES, SILENT]),
        )
        for n in range(SMPP_SUBMITS)
    ]
    db.write_blocking(lambda tx: numbers.add_numbers(tx, "us-mobile", [f"+1303{n:07}" for n in range(SMPP_SUBMITS)]))
    smsc.do("set", submit=[SILENT] * (SMPP_SUBMITS + 100))
    renter, wrong = Renter(db, cases), Tally()
    settings = Settings(
        "london", "127.0.0.1", smsc.port, "dtmf", "secret", window=1000, times=Times(response_s=RESPONSE_S)
    )
    carrier = Watched(settings, new_id=count(1).__next__, uniform=random.random, wall_us=wall_us)
    carrier.renter = renter
    with ExitStack() as stack:
        stack.enter_context(serving(runtime_over(db), carriers=[carrier]))
        smsc.wait("bound")
        for at in range(0, len(cases), AT_ONCE):
            batch = cases[at : at + AT_ONCE]
            play(db, smsc, renter, batch, chance, seeds)
            wrong.add(tally(db, smsc, batch))
    with capsys.disabled():
        print(
            f"\non {db.dialect.name}: {len(cases)} SMS disturbed while their carrier held them, seed {SMPP_SEED}: {shown(wrong)}"
        )
    assert wrong == Tally(), f"seed {SMPP_SEED}"
    assert db.read_blocking(verify.differences) == []


def shown(wrong: Tally) -> str:
    return (
        f"{wrong.taken_and_not_paid} accepted but not charged, {wrong.refused_and_not_refunded} refused but not refunded,"
        f" {wrong.sent_twice} sent twice"
    )


@pytest.mark.parametrize("run", range(SMPP_KILLS))
def test_a_process_killed_while_carriers_hold_its_sms_sends_none_twice_or_free(
    tmp_path: Path, run: int, capsys: pytest.CaptureFixture[str]
) -> None:
    chance, step = random.Random(SMPP_SEED + run), dying_submit.STEPS[run % 4]
    data, texts = tmp_path / "data", [f"text-{n}" for n in range(8)]
    texts[chance.randrange(8)] += "-DIE"
    with Smsc() as smsc:
        config = configured(tmp_path, smsc.port)
        if step == "written":
            smsc.do("set", submit=[SILENT] * 99)
        with Service(data, "--config", config, program=[*PROGRAM, step]) as service:
            e164 = rented(service.wait_ready())
            smsc.wait("bound")
            for text in texts:
                message = {"from": e164, "to": PHONE, "content": text}
                try:
                    request(service.url, service.token, "POST", "/message", message)
                except OSError:  # it is already dead
                    break
            if step == "written":
                for _ in texts:
                    smsc.pdu(lambda pdu: pdu.command == Command.SUBMIT_SM)
                service.kill()
            smsc.wait("closed")
            service.wait(60)
        smsc.do("set", submit=[])
        with Service(data, "--config", config) as service:
            service.wait_ready()
            smsc.wait("bound")
            queued = "SELECT 1 FROM messages WHERE status = 'queued'"
            eventually(lambda: not rows(data / "dtmf.db", queued))
        sent, wrong = submits(smsc), Tally()
        for _, text, status, sats in rows(data / "dtmf.db", BOOKED):
            wrong.taken_and_not_paid += sats <= 0
            wrong.sent_twice += sent[text] > 1
            assert status in ("sent", "in_doubt"), (text, status)
            assert sent[text] == 1 or status == "in_doubt", (text, status)
    with capsys.disabled():
        print(f"\nkilled {step} with {len(texts)} SMS at the carrier, seed {SMPP_SEED + run}: {shown(wrong)}")
    assert wrong == Tally()
