"""SMS that arrive as a batch: charged individually, stored in one transaction, and a bad one does not block the rest."""

import asyncio
from collections.abc import Sequence

import pytest

from dtmf_server.carriers.base import CarrierMessage, InboundSink, LinkStats, NotStored
from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.rental import action_for
from dtmf_server.operations import account, rent, verify
from dtmf_server.operations.receive import receive_many
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage.db import Database, Row, Tx
from dtmf_server.workers.carrier_links import run_carrier, store_batch
from dtmf_server.workers.carrier_router import CarrierRouter
from harness import START_US, give_coins, open_account

BROKEN = "a lone surrogate, which no database stores: \ud800"
NOT_RENTED = "+12025550199"
SMS_COST, MINUTE_COST = 705, 13


def rented(db: Database, coins: int, *, seed: int = 0, to: str | None = None) -> tuple[int, str]:
    """Create an account with this many coins left after renting a us-mobile number, with this action."""
    account_id = open_account(db, seed=seed)
    give_coins(db, account_id, coins + MINUTE_COST)

    def start(tx: Tx) -> str:
        e164 = str(rent.start(tx, account_id, "us-mobile", now_us=START_US, cooldown_us=0)["e164"])
        rent.set_action(tx, account_id, e164, action_for(to), now_us=START_US)
        return e164

    return account_id, db.write_blocking(start)


def receive(db: Database, *inbound: InboundMessage, now_us: int = START_US) -> list[int | None]:
    return db.write_blocking(lambda tx: receive_many(tx, inbound, now_us=now_us))


def rows(db: Database, statement: str) -> list[Row]:
    found = db.read_blocking(lambda tx: tx.all(statement))
    assert db.read_blocking(verify.differences) == []
    return found


def balance(db: Database, account_id: int, *, now_us: int = START_US) -> int:
    return db.read_blocking(lambda tx: account.balance(tx, account_id, now_us=now_us))


def sms(to: str, content: str = "hello") -> InboundMessage:
    return InboundMessage(to, "+1234", content)


def test_each_sms_of_a_batch_costs_its_price(db: Database) -> None:
    account_id, e164 = rented(db, 5000)
    receive(db, sms(e164), sms(e164), sms(e164))
    assert balance(db, account_id) == 5000 - 3 * SMS_COST
    assert [row["cost"] for row in rows(db, "SELECT cost FROM messages ORDER BY id")] == [SMS_COST] * 3


def test_a_batch_is_charged_until_the_balance_is_empty_and_its_other_sms_are_free(db: Database) -> None:
    account_id, e164 = rented(db, 2 * SMS_COST + 1)
    ids = receive(db, *[sms(e164)] * 5)
    assert None not in ids and len(set(ids)) == 5
    assert [row["cost"] for row in rows(db, "SELECT cost FROM messages ORDER BY id")] == [SMS_COST, SMS_COST, 1, 0, 0]
    assert balance(db, account_id) == 0


def test_a_batch_charges_each_account_for_its_own_sms(db: Database) -> None:
    (first, first_number), (second, second_number) = rented(db, 2000), rented(db, 100, seed=1)
    receive(db, sms(first_number), sms(second_number), sms(first_number), sms(second_number))
    assert (balance(db, first), balance(db, second)) == (2000 - 2 * SMS_COST, 0)


def test_the_minutes_before_a_batch_are_paid_before_its_sms(db: Database) -> None:
    account_id, e164 = rented(db, 2 * MINUTE_COST + 5)
    receive(db, sms(e164), sms(e164), now_us=START_US + 150_000_000)
    assert [row["cost"] for row in rows(db, "SELECT cost FROM messages ORDER BY id")] == [5, 0]
    assert balance(db, account_id, now_us=START_US + 150_000_000) == 0


def test_strays_are_counted_but_not_stored_and_keep_their_place_in_the_answer(db: Database) -> None:
    _, e164 = rented(db, 5000)
    ids = receive(db, sms(NOT_RENTED, "secret"), sms(e164), sms("+12025550777", "secret"), sms(NOT_RENTED, "secret"))
    assert [id_ is None for id_ in ids] == [True, False, True, True]
    assert rows(db, "SELECT unrouted_messages AS n FROM service")[0]["n"] == 3
    assert [row["content"] for row in rows(db, "SELECT content FROM messages")] == ["hello"]


def test_an_sms_after_the_run_out_is_a_stray_even_before_the_meter_runs(db: Database) -> None:
    account_id, e164 = rented(db, 0)
    assert receive(db, sms(e164), now_us=START_US + 60_000_000) == [None]
    assert rows(db, "SELECT ended_at_us, end_reason FROM rentals")[0]["ended_at_us"] == START_US + 60_000_000
    assert rows(db, "SELECT unrouted_messages AS n FROM service")[0]["n"] == 1
    assert balance(db, account_id, now_us=START_US + 60_000_000) == 0


def test_a_batch_of_only_strays_changes_no_account(db: Database) -> None:
    assert receive(db, sms(NOT_RENTED), sms(NOT_RENTED)) == [None, None]
    assert rows(db, "SELECT unrouted_messages AS n FROM service")[0]["n"] == 2
    assert rows(db, "SELECT id FROM transfers") == []


def test_a_batch_queues_one_delivery_per_forward_and_webhook_and_none_without_action(db: Database) -> None:
    _, plain = rented(db, 5000)
    _, forwarded = rented(db, 5000, seed=1, to="+442071838750")
    _, posted = rented(db, 0, seed=2, to="https://example.org/hook")
    receive(db, sms(posted), sms(plain), sms(forwarded), sms(posted), sms(NOT_RENTED))
    queued = rows(
        db,
        "SELECT r.e164, d.kind, d.destination, d.state FROM deliveries d JOIN rentals r ON r.id = d.rental_id"
        " ORDER BY d.id",
    )
    assert [(row["e164"], row["kind"], row["destination"], row["state"]) for row in queued] == [
        (posted, "webhook", "https://example.org/hook", "waiting"),
        (forwarded, "forward", "+442071838750", "waiting"),
        (posted, "webhook", "https://example.org/hook", "waiting"),
    ]


class HandsOver:
    """A carrier that delivers one batch and records the return value of `receive`."""

    name = "hands over"

    def __init__(self, batch: list[InboundMessage]) -> None:
        self.batch, self.said = batch, asyncio.get_running_loop().create_future()

    async def run(self, sink: InboundSink) -> None:
        try:
            self.said.set_result(await sink.receive(self.batch, ()))
        except Exception as error:
            self.said.set_exception(error)

    async def submit(self, message_id: int, message: CarrierMessage) -> Sequence[str]:
        raise AssertionError("this test sends nothing")

    def can_submit(self) -> bool:
        return False

    def traffic(self) -> Sequence[LinkStats]:
        return ()


async def hand_over(runtime: Runtime, *messages: InboundMessage) -> None:
    carrier = HandsOver(list(messages))
    await run_carrier(runtime, carrier, CarrierRouter([carrier]))
    await carrier.said


async def test_an_sms_that_breaks_its_batch_is_refused_alone(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    db = runtime.db
    account_id, e164 = rented(db, 5000)
    with pytest.raises(NotStored) as refused:
        await hand_over(
            runtime,
            InboundMessage(e164, "+1234", "before"),
            InboundMessage(e164, "+1234", BROKEN),
            InboundMessage(NOT_RENTED, "+1234", "stray"),
            InboundMessage(e164, "+1234", "after"),
        )
    assert refused.value.places == [1], "the carrier must know which one not to acknowledge"
    assert [row["content"] for row in rows(db, "SELECT content FROM messages ORDER BY id")] == ["before", "after"]
    assert rows(db, "SELECT unrouted_messages AS n FROM service")[0]["n"] == 1, "counted once, though tried twice"
    assert balance(db, account_id) == 5000 - 2 * SMS_COST, "charged once, though tried twice"
    assert "can't be stored" in caplog.text
    assert "surrogate" not in caplog.text.replace("UnicodeEncodeError", "") and e164 not in caplog.text


async def test_a_broken_sms_on_its_own_is_refused(runtime: Runtime) -> None:
    _, e164 = rented(runtime.db, 5000)
    with pytest.raises(NotStored) as refused:
        await hand_over(runtime, InboundMessage(e164, "+1234", BROKEN))
    assert refused.value.places == [0] and rows(runtime.db, "SELECT id FROM messages") == []


async def test_a_batch_is_stored_before_receive_returns(runtime: Runtime) -> None:
    _, e164 = rented(runtime.db, 5000)
    await hand_over(runtime, *[InboundMessage(e164, "Bank", f"code {n}") for n in range(5)])
    stored = rows(runtime.db, "SELECT content FROM messages ORDER BY id")
    assert [row["content"] for row in stored] == [f"code {n}" for n in range(5)]


async def test_a_full_database_refuses_the_batch_after_one_attempt() -> None:
    asked = []

    async def full_disk(inbound: Sequence[InboundMessage]) -> Sequence[int]:
        asked.append(len(inbound))
        raise StorageUnavailable

    with pytest.raises(StorageUnavailable):
        await store_batch([InboundMessage(NOT_RENTED, "+1234", "a")] * 2, full_disk)
    assert asked == [2]


async def test_a_failure_while_retrying_a_batch_one_by_one_reports_every_sms_not_stored() -> None:
    stored: list[str] = []

    async def fails_after_the_first(inbound: Sequence[InboundMessage]) -> Sequence[int]:
        if len(inbound) > 1:
            raise ValueError(BROKEN)
        if stored:
            raise StorageUnavailable
        stored.append(str(inbound[0].content))
        return [7]

    with pytest.raises(NotStored) as refused:
        await store_batch([InboundMessage(NOT_RENTED, "+1234", text) for text in "abc"], fails_after_the_first)
    assert stored == ["a"] and refused.value.places == [1, 2] and refused.value.notes == [7]
