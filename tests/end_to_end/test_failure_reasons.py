"""The renter sees why an SMS failed: in the API, both clients, events, the command line and the website."""

from typing import Any

import pytest

from dtmf import DTMF
from dtmf_server.core.inbound import InboundMessage, Receipt
from dtmf_server.operations import ingest
from dtmf_server.operations.receive import REDACTED
from dtmf_server.storage import messages
from dtmf_server.storage.db import Database
from end_to_end.clients import BOTH, client_of
from harness import START_US, new_token
from support.inspect import ON_SQLITE, rent, settle
from support.visitor import Visitor

REFUSED, UNDELIVERED = "+15005550001", "+15005550002"
HOSTILE = "<script>alert(1)</script> \u202egnp\x1b[31m\0\n" + "x" * 5000


@pytest.mark.parametrize("kind", BOTH, ids=["sync", "async"])
def test_both_clients_return_the_reason(dtmf: DTMF, db: Database, url: str, kind: Any) -> None:
    number = rent(dtmf)
    for to in (REFUSED, UNDELIVERED):
        dtmf.send_message(number, to, "hello")
    dtmf.sandbox.receive(number, "+1234", "received")
    settle(dtmf)
    with client_of(kind, new_token(), url) as client:
        found = {each["to"]: each for each in client.messages(number)}
    assert (found[REFUSED]["status"], found[REFUSED]["reason"]) == ("failed", "the carrier does not know this number")
    assert found[UNDELIVERED]["reason"] == "the phone can't be reached"
    assert found[number]["reason"] is None
    assert list(found[REFUSED])[-2:] == ["status", "reason"]
    status = "SELECT data FROM events WHERE kind = 'message.status' ORDER BY id"
    told = "".join(row["data"] for row in db.read_blocking(lambda tx: tx.all(status)))
    assert "the carrier does not know this number" in told and "the phone can't be reached" in told


def test_hostile_words_of_a_carrier_are_bounded_and_harmless(dtmf: DTMF, db: Database, url: str) -> None:
    number = rent(dtmf)
    sent = dtmf.send_message(number, "+13105550123", "hello")
    settle(dtmf)
    db.write_blocking(lambda tx: messages.set_status(tx, sent["id"], status="sent"))
    receipt = Receipt(f"simulated-{sent['id']}", False, HOSTILE)
    redacted = InboundMessage(number, "Bank", "Your code is ***", redacted=True)
    db.write_blocking(
        lambda tx: ingest.ingest_batch(tx, "simulator", [receipt, redacted], live=(), now_us=START_US, wall_us=START_US)
    )
    (failed,) = [each for each in dtmf.messages() if not each["inbound"]]
    reason = failed["reason"]
    assert reason is not None and reason.startswith("<script>alert(1)</script>") and len(reason) == 200
    assert not {"\x1b", "\0", "\n", "\u202e"} & set(reason)
    for event in dtmf.events():  # never ends by itself
        if event["kind"] == "message.status" and event["status"] == "failed":
            assert event["reason"] == reason
            break
    with Visitor(url) as visitor:
        visitor.sign_in(new_token())
        page = visitor.open(f"/numbers/{number}")
        assert "<script>alert" not in page.html and "failed: <script>alert(1)</script>" in page.text
        for path in (f"/numbers/{number}", "/messages"):
            assert f"Changed by the carrier: {REDACTED}" in visitor.open(path).text


@ON_SQLITE
def test_an_unknown_outcome_has_a_reason(dtmf: DTMF, db: Database) -> None:
    number = rent(dtmf)
    sent = dtmf.send_message(number, "+13105550123", "hello")
    settle(dtmf)
    db.write_blocking(
        lambda tx: messages.set_status(tx, sent["id"], status="unknown", reason="the carrier never confirmed it")
    )
    assert [each["reason"] for each in dtmf.messages(number)] == ["the carrier never confirmed it"]
