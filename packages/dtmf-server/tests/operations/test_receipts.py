"""Receipts match their message by the carrier's reference in any notation, and update it once."""

import threading
from collections.abc import Callable

import pytest

from dtmf_server.core.backoff import Verdict
from dtmf_server.core.inbound import Receipt
from dtmf_server.core.receipt_refs import canonical, spellings
from dtmf_server.core.submission import Segments
from dtmf_server.operations import account, deliver, doubt, ingest, receipts, rent, send, submit, verify
from dtmf_server.storage import canaries, carriers, messages
from dtmf_server.storage.db import Database, Tx
from dtmf_server.storage.delivery_log import Attempt
from harness import DAY_US, START_US, give_coins, open_account

PHONE = "+31612345678"
COINS = 100_000


class Sender:
    """An account that sends, and the carrier that accepts its SMS."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.account_id = open_account(db)
        give_coins(db, self.account_id, COINS)
        rental = db.write_blocking(lambda tx: rent.start(tx, self.account_id, "free", now_us=START_US, cooldown_us=0))
        self.e164 = rental["e164"]
        db.write_blocking(lambda tx: carriers.add(tx, "london"))

    def sends(self, *, text: str = "hello", to: str = PHONE) -> int:
        message = self.db.write_blocking(
            lambda tx: send.send(
                tx,
                self.account_id,
                sender=self.e164,
                to=to,
                content=text,
                now_us=START_US,
                daily_limit=None,
            )
        )
        return int(message["id"])

    def taken(self, message_id: int, *refs: str, before_commit: Callable[[], object] = lambda: None) -> None:
        (work,) = self.db.write_blocking(
            lambda tx: deliver.claim(tx, now_us=START_US, wall_us=START_US, lease_us=1, limit=9, except_destinations=[])
        )
        assert work.message_id == message_id

        def hand_over(tx: Tx) -> None:
            submit.handed_over(
                tx,
                work,
                message_id,
                carrier="london",
                refs=refs,
                attempt=Attempt(START_US, 0, None, "taken", None),
                now_us=START_US,
                wall_us=START_US,
            )
            before_commit()

        self.db.write_blocking(hand_over)

    def doubted(self) -> int:
        """Send an SMS whose submit the carrier does not answer."""
        message_id = self.sends()
        (work,) = self.db.write_blocking(
            lambda tx: deliver.claim(tx, now_us=START_US, wall_us=START_US, lease_us=1, limit=9, except_destinations=[])
        )
        unanswered = deliver.FailedAttempt(
            work, Verdict.RETRY, Attempt(START_US, 0, None, "no answer", None), None, 0.0
        )
        what = {"carrier": "london", "segments": Segments(1, {}, (1,)), "now_us": START_US, "wall_us": START_US}
        self.db.write_blocking(lambda tx: doubt.begin(tx, unanswered, message_id, **what))
        return message_id

    def tested_to(self, e164: str) -> None:
        """Send an operator's test from the account's number."""
        what = {"carrier": "london", "e164": e164, "sender": self.e164, "sent_by": "london", "text": "code 777777"}
        run = self.db.write_blocking(lambda tx: canaries.add(tx, **what, wall_us=START_US))
        self.db.write_blocking(lambda tx: canaries.set_state(tx, run, "submitted", wall_us=START_US))

    def sent_under(self, *refs: str, text: str = "hello") -> int:
        message_id = self.sends(text=text)
        self.taken(message_id, *refs)
        return message_id

    def told(self, *said: Receipt, carrier: str = "london") -> None:
        self.db.write_blocking(lambda tx: carriers.add(tx, carrier))
        self.db.write_blocking(
            lambda tx: ingest.ingest_batch(tx, carrier, said, live=(), now_us=START_US, wall_us=START_US)
        )

    def message(self, message_id: int) -> tuple[str, int]:
        row = self.db.read_blocking(lambda tx: messages.by_id(tx, message_id))
        assert row is not None
        return row["status"], row["cost"]

    def balance(self) -> int:
        return self.db.read_blocking(lambda tx: account.balance(tx, self.account_id, now_us=START_US))


@pytest.fixture
def sender(db: Database) -> Sender:
    return Sender(db)


@pytest.mark.parametrize(
    ("answered", "reported"),
    [
        ("abc-1", "abc-1"),
        ("ABC-1", "abc-1"),
        ("00012345", "12345"),
        ("12345", "0000012345"),
        ("1A2B3C4D", "439041101"),  # hexadecimal in the answer, decimal in the receipt
        ("439041101", "1a2b3c4d"),  # and vice versa
        ("439041101", "1A2B3C4D"),
        ("0", "0"),
        ("f47ac10b-58cc-4372-a567-0e02b2c3d479", "f47ac10b-58cc-4372-a567-0e02b2c3d479"),
    ],
)
def test_a_receipt_matches_its_message_in_any_notation_of_the_reference(
    sender: Sender, answered: str, reported: str
) -> None:
    message_id = sender.sent_under(answered)
    assert sender.message(message_id) == ("sent", 1000)
    sender.told(Receipt(reported, True, "", "31612345678"))
    assert sender.message(message_id) == ("delivered", 1000)


def test_a_failed_message_is_refunded_once_with_its_reason(sender: Sender) -> None:
    message_id = sender.sent_under("7")
    for _ in range(3):
        sender.told(Receipt("7", False, "the phone can't be reached"))
    assert sender.message(message_id) == ("failed", 0)
    assert sender.balance() == COINS
    row = sender.db.read_blocking(lambda tx: tx.one("SELECT reason FROM messages WHERE id = :id", id=message_id))
    assert row is not None and row["reason"] == "the phone can't be reached"
    assert sender.db.read_blocking(verify.differences) == []


def test_delivered_and_failed_are_final(sender: Sender) -> None:
    one, two = sender.sent_under("1"), sender.sent_under("2")
    sender.told(Receipt("1", True), Receipt("2", False), Receipt("1", False), Receipt("2", True))
    assert sender.message(one) == ("delivered", 1000)
    assert sender.message(two) == ("failed", 0)


def test_a_long_message_is_delivered_with_its_last_segment(sender: Sender) -> None:
    message_id = sender.sent_under("1", "2", "3", text="a" * 400)
    sender.told(Receipt("3", True), Receipt("1", True), Receipt("1", True))
    assert sender.message(message_id)[0] == "sent"
    sender.told(Receipt("2", True))
    assert sender.message(message_id) == ("delivered", 3000)


def test_a_long_message_fails_with_its_first_segment_that_does(sender: Sender) -> None:
    message_id = sender.sent_under("1", "2", text="a" * 200)
    sender.told(Receipt("1", True), Receipt("2", False, "expired"))
    assert sender.message(message_id) == ("failed", 0)


def test_a_receipt_before_the_answer_to_its_submit_is_applied_once_that_is_stored(sender: Sender) -> None:
    message_id = sender.sends()
    sender.told(Receipt("1A", True, "", "31612345678"))
    assert sender.message(message_id)[0] == "queued"
    sender.taken(message_id, "26")
    assert sender.message(message_id)[0] == "delivered"
    assert sender.db.read_blocking(lambda tx: tx.all("SELECT id FROM early_receipts")) == []


def test_a_receipt_concurrent_with_the_answer_to_its_submit_matches(sender: Sender) -> None:
    message_id = sender.sends()
    told = threading.Thread(target=sender.told, args=(Receipt("26", True),))

    def cross() -> None:  # the receipt is stored, or waits, between the answer's write and its commit
        told.start()
        told.join(1)

    sender.taken(message_id, "26", before_commit=cross)
    told.join()
    assert sender.message(message_id)[0] == "delivered"


@pytest.mark.parametrize(("tested", "status"), [(False, "delivered"), (True, "in_doubt")])
def test_the_receipt_of_an_operators_test_settles_no_sms_in_doubt(sender: Sender, tested: bool, status: str) -> None:
    message_id = sender.doubted()
    if tested:
        sender.tested_to(PHONE)
    sender.told(Receipt("77", True, "", sender=PHONE, to=sender.e164))
    assert sender.message(message_id)[0] == status


def test_a_reference_matches_as_written_before_it_matches_in_the_other_base(sender: Sender) -> None:
    sixteen = sender.sent_under("16")
    ten = sender.sent_under("10")  # which is 16 in hexadecimal
    sender.told(Receipt("16", True))
    assert (sender.message(sixteen)[0], sender.message(ten)[0]) == ("delivered", "sent")


def test_the_other_base_matches_only_if_the_phone_matches(sender: Sender) -> None:
    message_id = sender.sent_under("10")
    sender.told(Receipt("16", True, "", "33639980011"))
    assert sender.message(message_id)[0] == "sent"
    sender.told(Receipt("16", True, "", "0612345678"))  # the same phone, in national format
    assert sender.message(message_id)[0] == "delivered"


def test_a_reference_of_another_carrier_does_not_match(sender: Sender) -> None:
    message_id = sender.sent_under("7")
    sender.told(Receipt("7", True), carrier="paris")
    assert sender.message(message_id)[0] == "sent"


def test_a_reused_reference_matches_the_newest_message(sender: Sender) -> None:
    old, new = sender.sent_under("7"), sender.sent_under("7")
    sender.told(Receipt("7", True))
    assert (sender.message(old)[0], sender.message(new)[0]) == ("sent", "delivered")


def test_an_sms_accepted_without_a_reference_counts_as_sent(sender: Sender) -> None:
    message_id = sender.sent_under("")
    assert sender.message(message_id)[0] == "sent"
    sender.told(Receipt("", True))
    assert sender.message(message_id)[0] == "sent"


def test_references_too_old_for_a_receipt_are_deleted(sender: Sender) -> None:
    sender.sent_under("7")
    sender.told(Receipt("8", True))
    later_us = START_US + 2 * 3_600_000_000
    assert sender.db.write_blocking(lambda tx: receipts.forget(tx, wall_us=later_us)) == 1
    assert sender.db.write_blocking(lambda tx: receipts.forget(tx, wall_us=later_us + 9 * DAY_US)) == 1


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        ("007", ["7"]),
        ("000", ["000", "0"]),
        ("10", ["10", "a", "16"]),
        ("FF", ["ff", "255"]),
        ("xyz", ["xyz"]),
        ("", [""]),
        (" 1\0", ["1"]),
        ("9" * 64, ["9" * 64]),
        ("٣", ["٣"]),
    ],
)
def test_the_spellings_of_a_reference(ref: str, found: list[str]) -> None:
    assert spellings(ref) == found
    assert canonical(ref) == found[0]
