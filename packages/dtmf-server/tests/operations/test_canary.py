"""A canary, the operator's test SMS, is recognized, costs nothing, and never reaches a renter."""

import asyncio
from typing import Any

import pytest

from dtmf_server.core.errors import NoNumbersAvailable
from dtmf_server.core.inbound import InboundMessage, Receipt
from dtmf_server.operations import canary, ingest, rent, strays, verify
from dtmf_server.storage import canaries, carriers
from dtmf_server.storage.db import Database, Row
from harness import DAY_US, MINUTE_US, START_US, give_coins, open_account

E164, SENDER = "+12025550200", "+12025550100"  # the one number of its group, and another one
CODE = "482913"
TEXT = f"Your DTMF verification code is {CODE}"


class Operator:
    """The operator, a carrier, and a renter who wants the number."""

    def __init__(self, db: Database) -> None:
        self.db, self.renter = db, open_account(db)
        give_coins(db, self.renter, 100_000_000)
        db.write_blocking(lambda tx: carriers.add(tx, "pigeon"))

    def begins(self, **changes: Any) -> Row:
        terms: dict[str, Any] = {
            "carrier": "pigeon", "e164": E164, "sender": SENDER, "sent_by": "pigeon", "code": CODE,
            "timeout_us": MINUTE_US, "now_us": START_US, "wall_us": START_US,
        } | changes  # fmt: skip
        return self.db.write_blocking(lambda tx: canary.begin(tx, **terms))

    def sent(self) -> Row:
        """Begin a test whose SMS the carrier has accepted."""
        run = self.begins()
        assert self.db.write_blocking(lambda tx: canary.claim(tx, wall_us=START_US)) is not None
        assert self.db.write_blocking(lambda tx: canary.claim(tx, wall_us=START_US)) is None, "it is sent once"
        self.db.write_blocking(lambda tx: canary.submitted(tx, run["id"], wall_us=START_US))
        return run

    def ends(self, run: Row, *, timed_out: bool = True) -> Row:
        return self.db.write_blocking(lambda tx: canary.end(tx, run["id"], timed_out=timed_out, wall_us=START_US))

    def brings(self, *items: InboundMessage | Receipt, at_us: int = START_US) -> None:
        self.db.write_blocking(
            lambda tx: ingest.ingest_batch(tx, "pigeon", items, live=(), now_us=at_us, wall_us=at_us)
        )

    def rents(self, at_us: int = START_US) -> str:
        terms: Any = {"now_us": at_us, "cooldown_us": 0}
        return str(self.db.write_blocking(lambda tx: rent.start(tx, self.renter, "tiny", **terms))["e164"])

    def stored(self) -> list[str]:
        return [row["content"] for row in self.rows("SELECT content FROM messages ORDER BY id")]

    def results(self) -> list[tuple[str, str]]:
        return [(row["kind"], row["result"]) for row in self.db.read_blocking(canaries.results)]

    def rows(self, statement: str) -> list[Row]:
        return self.db.read_blocking(lambda tx: tx.all(statement))

    def unowned(self) -> int:
        return sum(stray.count for stray in self.db.read_blocking(strays.latest))


@pytest.fixture
def operator(db: Database) -> Operator:
    return Operator(db)


def sms(text: str, sender: str = SENDER, **more: Any) -> InboundMessage:
    return InboundMessage(E164, sender, text, **more)


@pytest.mark.parametrize(
    ("arrived", "result"),
    [
        (sms(TEXT), "received"),
        (sms(TEXT, "2025550100"), "received"),
        (sms(f"Sent from a trial account - {TEXT}", "InfoSMS"), "differs"),
        (sms("Your DTMF verification code is ******"), "redacted"),
        (sms("", redacted=True), "redacted"),
        (sms(TEXT, redacted=True), "redacted"),
        (sms("[removed]", "12025550100"), "redacted"),
    ],
)
def test_a_canary_is_compared_and_is_neither_a_message_nor_a_stray(
    operator: Operator, arrived: InboundMessage, result: str
) -> None:
    transfers = operator.rows("SELECT * FROM transfers")
    run = operator.sent()
    operator.brings(arrived)
    assert operator.results() == [("one_time_code", result)]
    assert operator.ends(run)["received"] == arrived.text
    assert (operator.stored(), operator.unowned()) == ([], 0)
    assert operator.rows("SELECT * FROM transfers") == transfers
    assert operator.rents() == E164, "the number can be rented again"
    assert operator.db.read_blocking(verify.differences) == []


def test_other_sms_for_the_tested_number_are_strays(operator: Operator) -> None:
    operator.sent()
    operator.brings(sms("hello", "+447700900999"), sms(f"a parcel {CODE[:5]}", "Shop"))
    assert (operator.results(), operator.unowned()) == ([], 2)


def test_a_number_under_test_cannot_be_rented_and_a_rented_one_cannot_be_tested(operator: Operator) -> None:
    run = operator.begins()
    with pytest.raises(NoNumbersAvailable):
        operator.rents()
    with pytest.raises(canary.CannotTest, match="is being tested"):
        operator.begins()
    operator.ends(run, timed_out=False)
    assert operator.rents() == E164
    with pytest.raises(canary.CannotTest, match="is rented"):
        operator.begins()
    with pytest.raises(canary.CannotTest, match="not in stock"):
        operator.begins(e164="+447700900999")


def test_a_number_whose_test_was_killed_can_be_rented_after_its_time(operator: Operator) -> None:
    operator.sent()
    assert operator.rents(START_US + 3 * MINUTE_US) == E164


async def test_a_test_and_a_rental_at_the_same_time_never_both_have_the_number(operator: Operator) -> None:
    db = operator.db
    for turn in range(20):
        terms: Any = {"now_us": START_US + turn * MINUTE_US, "cooldown_us": 0}
        tests: Any = {
            "carrier": "pigeon", "e164": E164, "sender": SENDER, "sent_by": "pigeon", "code": CODE,
            "timeout_us": 1, "now_us": START_US + turn * MINUTE_US, "wall_us": START_US,
        }  # fmt: skip
        tested, rented = await asyncio.gather(
            db.write(lambda tx, terms=tests: canary.begin(tx, **terms)),
            db.write(lambda tx, terms=terms: rent.start(tx, operator.renter, "tiny", **terms)),
            return_exceptions=True,
        )
        assert isinstance(tested, BaseException) or isinstance(rented, BaseException)
        if not isinstance(tested, BaseException):
            run = tested
            await db.write(lambda tx, run=run: canary.end(tx, run["id"], timed_out=False, wall_us=START_US))
        if not isinstance(rented, BaseException):
            await db.write(
                lambda tx, at=terms["now_us"]: rent.end(tx, operator.renter, E164, now_us=at)  # type: ignore[misc]  # a default
            )


def test_nothing_arrived_counts_only_if_the_carrier_has_the_sms_and_the_wait_was_over(operator: Operator) -> None:
    waiting = operator.begins()
    operator.ends(waiting)
    assert operator.results() == []
    for timed_out, expected in ((False, []), (True, [("one_time_code", "nothing")])):
        operator.ends(operator.sent(), timed_out=timed_out)
        assert operator.results() == expected


def test_a_late_canary_never_reaches_the_next_renter(operator: Operator) -> None:
    operator.ends(operator.sent())
    operator.rents()
    late_us = START_US + 6 * DAY_US
    operator.brings(sms("Your bank's code is 111222", "Bank"), sms("", SENDER, redacted=True), at_us=START_US)
    assert operator.results() == [("one_time_code", "redacted")]
    operator.brings(sms(TEXT), sms("", "Bank", redacted=True), at_us=late_us)
    assert operator.stored() == ["Your bank's code is 111222", TEXT, ""], "one SMS per test; the second is the renter's"


def test_a_late_canary_with_its_code_corrects_the_result(operator: Operator) -> None:
    operator.ends(operator.sent())
    operator.rents()
    operator.brings(sms(TEXT, "anybody"), at_us=START_US + 6 * DAY_US)
    assert operator.results() == [("one_time_code", "received")]
    assert operator.stored() == []


def test_a_renters_own_code_is_delivered(operator: Operator) -> None:
    operator.ends(operator.sent())
    operator.rents()
    other = "Your DTMF verification code is 111222"
    operator.brings(sms(other, "Bank"), sms("code removed", "Bank", redacted=True))
    assert operator.stored() == [other, "code removed"]


def test_a_short_code_has_its_own_result(operator: Operator) -> None:
    run = operator.begins(sender="72975")
    operator.db.write_blocking(lambda tx: canary.claim(tx, wall_us=START_US))
    operator.brings(sms(TEXT, "72975"))
    operator.ends(run)
    operator.sent()
    operator.brings(sms("***"))
    assert operator.results() == [("one_time_code", "redacted"), ("short_code", "received")]


def test_receipts_of_a_canary_change_nothing(operator: Operator) -> None:
    operator.brings(Receipt("ref", True, sender=E164, to=SENDER, message_id=10**17 + 1))
    assert operator.rows("SELECT * FROM early_receipts") == []


def test_the_default_sender_is_another_free_number_of_the_carrier(operator: Operator) -> None:
    run = operator.begins(sender=None)
    assert run["sender"] not in (E164, None)
    operator.ends(run)
    operator.db.write_blocking(lambda tx: tx.run("UPDATE groups SET carriers = 'owl' WHERE id <> 'tiny'"))
    with pytest.raises(canary.CannotTest, match="--from"):
        operator.begins(sender=None)


def test_tests_are_forgotten_after_a_week(operator: Operator) -> None:
    operator.ends(operator.sent())
    for days, count in ((6, 0), (8, 1)):
        wall_us = START_US + days * DAY_US
        assert operator.db.write_blocking(lambda tx, at=wall_us: canary.forget(tx, wall_us=at)) == count
    assert operator.results() == [("one_time_code", "nothing")], "the result stays"
