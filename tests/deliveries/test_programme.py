"""When a webhook that failed is tried again: by the programme, by what the receiver asked for, by who waits behind."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

from dtmf import DTMF
from dtmf_server.core.backoff import DELAYS_S, JITTER, LIFE_S
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage.db import Database
from support.webhook_receiver import Posted, Receiver, Reply, receiving
from support.webhook_steps import (
    HOUR_S,
    MINUTE_S,
    ON_SQLITE,
    attempts,
    deliveries,
    events,
    rent,
    settle,
    states,
)

LATE = 1 + JITTER


def always(status: int, **headers: str) -> Callable[[Posted], Reply]:
    """An answer that is always this one; header names are written with underscores."""
    reply = Reply(status, {name.replace("_", "-"): value for name, value in headers.items()})
    return lambda _: reply


def by_path(posted: Posted) -> Reply:
    """The status that stands in the path, with the Retry-After that may stand behind it."""
    _, status, *asked = posted.path.split("/")
    return Reply(int(status), {"Retry-After": asked[0]} if asked else {})


def to_each(dtmf: DTMF, receiver: Receiver, *paths: str) -> None:
    """An SMS to each of these paths of the receiver, and the first attempt."""
    receiver.answer = by_path
    for path in paths:
        dtmf.sandbox.receive(rent(dtmf, "webhook", receiver.url.replace("webhook", path)), "+1234", path)
    settle(dtmf)


@ON_SQLITE
def test_a_4xx_is_parked_after_five_attempts(dtmf: DTMF, db: Database, receiver: Receiver) -> None:
    refusals = ["400", "401", "403", "404", "405", "409", "413", "422", "451", "499"]
    to_each(dtmf, receiver, *refusals)
    for delay_s in DELAYS_S[:4]:
        assert states(db) == ["waiting"] * len(refusals)
        dtmf.sandbox.advance(delay_s * LATE)
    assert states(db) == ["parked"] * len(refusals)
    dtmf.sandbox.advance(LIFE_S)
    assert Counter(receiver.contents) == dict.fromkeys(refusals, 5)
    said = sorted(event["data"] for event in events(db, "delivery.parked"))
    assert len(said) == len(refusals)
    assert all(any(f"answered {status}" in data for data in said) for status in refusals)


@ON_SQLITE
def test_what_may_pass_is_tried_beyond_five_attempts(dtmf: DTMF, db: Database, receiver: Receiver) -> None:
    passing = ["408", "425", "429", "300", "302", "500", "503", "599", "0"]
    to_each(dtmf, receiver, *passing)
    for delay_s in DELAYS_S[:6]:
        dtmf.sandbox.advance(delay_s * LATE)
    assert Counter(receiver.contents) == dict.fromkeys(passing, 7)
    assert states(db) == ["waiting"] * len(passing)
    receiver.answer = always(204)
    dtmf.sandbox.advance(DELAYS_S[6] * LATE)
    assert states(db) == ["delivered"] * len(passing)


@ON_SQLITE
def test_retry_after_is_honoured_within_bounds(dtmf: DTMF, db: Database, receiver: Receiver) -> None:
    expected_s = {
        "503/1800": 1800,
        "429/1800": 1800,
        "503/0": 5,  # never sooner than the programme
        "429/3": 5,
        "503/9999999": 10 * HOUR_S,  # nor to be forgotten
        "503/soon": 5,
        "500/1800": 5,  # only 429 and 503 may ask
        "404/1800": 5,
    }
    to_each(dtmf, receiver, *expected_s)
    (now_us,) = {row["at_us"] for row in attempts(db)}
    for row, (path, asked_s) in zip(deliveries(db), expected_s.items(), strict=True):
        assert asked_s <= (row["due_at_us"] - now_us) / 1_000_000 <= asked_s * LATE, path


@ON_SQLITE
def test_the_head_of_a_line_is_tried_every_30_minutes_for_72_hours_though_it_was_asked_for_rest(
    dtmf: DTMF, db: Database, runtime: Runtime, receiver: Receiver
) -> None:
    at_us: list[int] = []

    def note(posted: Posted) -> Reply:
        if posted.json["content"] == "head":
            at_us.append(db.read_blocking(runtime.clock.now_us))
        return Reply(503, {"Retry-After": "36000"})

    receiver.answer = note
    number = rent(dtmf, "webhook", receiver.url)
    for text in ("head", "behind"):
        dtmf.sandbox.receive(number, "+1234", text)
    settle(dtmf)
    first_us = deliveries(db)[0]["created_at_us"]
    while states(db)[0] == "waiting":
        dtmf.sandbox.advance(30 * MINUTE_S)
    gaps = [after - before for before, after in pairwise(at_us)]
    assert max(gaps) <= 30 * MINUTE_S * 1_000_000
    assert LIFE_S - 30 * MINUTE_S <= (at_us[-1] - first_us) / 1_000_000 <= LIFE_S


@ON_SQLITE
def test_a_delivery_put_off_for_hours_becomes_the_head_of_a_line_when_another_comes(
    dtmf: DTMF, db: Database, receiver: Receiver
) -> None:
    receiver.answer = always(503, Retry_After="36000")
    number = rent(dtmf, "webhook", receiver.url)
    dtmf.sandbox.receive(number, "+1234", "alone")
    for delay_s in DELAYS_S:
        dtmf.sandbox.advance(delay_s * LATE)
    before = receiver.contents.count("alone")
    assert deliveries(db)[0]["due_at_us"] > newest_attempt_us(db) + 9 * HOUR_S * 1_000_000
    dtmf.sandbox.receive(number, "+1234", "behind")
    dtmf.sandbox.advance(30 * MINUTE_S)
    assert receiver.contents.count("alone") == before + 1


def newest_attempt_us(db: Database) -> int:
    """When the newest attempt was made."""
    return max(int(row["at_us"]) for row in attempts(db))


def test_410_switches_off_and_parks_all_that_waits_each_with_an_event(
    dtmf: DTMF, db: Database, receiver: Receiver
) -> None:
    receiver.answer = always(503)
    number = rent(dtmf, "webhook", receiver.url)
    other = rent(dtmf, "webhook", receiver.url)
    for text in ("one", "two", "three"):
        dtmf.sandbox.receive(number, "+1234", text)
    settle(dtmf)
    receiver.answer = always(410)
    dtmf.sandbox.advance(DELAYS_S[0] * LATE)
    assert states(db) == ["parked"] * 3
    assert {row["reason"] for row in deliveries(db)} == {"the receiver answered 410"}
    assert len(events(db, "delivery.parked")) == 3
    (event,) = events(db, "action.disabled")
    assert number in event["data"]
    assert dtmf.number(number)["sms_forwarded_to"] is None
    assert dtmf.number(other)["sms_forwarded_to"] == receiver.url
    receiver.answer = always(200)
    dtmf.set_sms_action(number, "webhook", receiver.url)
    for row in deliveries(db):
        dtmf.retry_delivery(row["id"])
    settle(dtmf)
    assert states(db) == ["delivered"] * 3
    assert receiver.contents[-3:] == ["one", "two", "three"]


def test_a_url_changed_while_the_old_one_is_tried_is_tried_at_once(dtmf: DTMF, db: Database) -> None:
    with receiving() as new, receiving() as old:
        number = rent(dtmf, "webhook", old.url)

        def change(_: Posted) -> int:
            dtmf.set_sms_action(number, "webhook", new.url)
            return answers.pop(0)

        answers = [500, 410]
        old.answer = change
        for text in ("fails meanwhile", "is gone meanwhile"):
            dtmf.set_sms_action(number, "webhook", old.url)
            dtmf.sandbox.receive(number, "+1234", text)
            settle(dtmf)
        assert new.contents == old.contents == ["fails meanwhile", "is gone meanwhile"]
    assert states(db) == ["delivered"] * 2
    assert events(db, "action.disabled") == []
    assert [row["status"] for row in attempts(db)] == [500, 200, 410, 200]


def test_a_changed_url_is_followed_by_what_had_failed_hours_ago_and_what_never_was_tried(
    dtmf: DTMF, db: Database, receiver: Receiver
) -> None:
    receiver.answer = always(500)
    number = rent(dtmf, "webhook", receiver.url)
    dtmf.sandbox.receive(number, "+1234", "failed")
    for delay_s in DELAYS_S:
        dtmf.sandbox.advance(delay_s)
    dtmf.sandbox.receive(number, "+1234", "never tried")
    with receiving() as moved:
        dtmf.set_sms_action(number, "webhook", moved.url)
        settle(dtmf)
        assert moved.contents == ["failed", "never tried"]
    assert states(db) == ["delivered"] * 2


@ON_SQLITE
def test_an_sms_the_receiver_can_not_take_is_not_tried_with_every_other_that_it_takes(
    dtmf: DTMF, db: Database, receiver: Receiver
) -> None:
    receiver.answer = lambda posted: 500 if posted.json["content"] == "poison" else 200
    dtmf.sandbox.receive(rent(dtmf, "webhook", receiver.url), "+1234", "poison")
    number = rent(dtmf, "webhook", receiver.url)
    dtmf.sandbox.advance(10 * HOUR_S)
    before = receiver.contents.count("poison")
    for _ in range(60):
        dtmf.sandbox.receive(number, "+1234", "fine")
        dtmf.sandbox.advance(1)
    assert receiver.contents.count("fine") == 60
    assert receiver.contents.count("poison") - before <= 2


@ON_SQLITE
def test_a_text_erased_before_it_could_be_delivered_is_parked_and_never_posted_empty(
    account: int, db: Database, serve: Callable[..., str], receiver: Receiver
) -> None:
    from harness import HOUR_US, new_token

    receiver.answer = always(500)
    with DTMF(new_token(), base_url=serve(retention_us=HOUR_US)) as dtmf:
        number = rent(dtmf, "webhook", receiver.url)
        dtmf.sandbox.receive(number, "+1234", "secret")
        dtmf.end_rental(number)
        dtmf.sandbox.advance(2 * HOUR_S)
        receiver.answer = always(200)
        dtmf.sandbox.advance(10 * HOUR_S)
    assert "" not in receiver.contents
    assert states(db) == ["parked"]
    assert "erased" in deliveries(db)[0]["reason"]
