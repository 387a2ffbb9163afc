"""A receiver that is down for a day, then flaps, loses nothing and gets it in order; so does our own restart."""

import threading
from collections import Counter
from random import Random

import effort
from dtmf import DTMF
from dtmf_server.core.backoff import PROBE_S
from dtmf_server.operations import deliver
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import delivery_log
from dtmf_server.storage.db import Database
from dtmf_server.storage.delivery_queue import HEAD_OF_LINE_TIMEOUT_US
from dtmf_server.workers.delivery_worker import LEASE_US
from harness import FakeWall, new_token, runtime_over, serving
from support.webhook_receiver import Posted, Receiver, receiving
from support.webhook_steps import DAY_S, MINUTE_S, ON_SQLITE, deliveries, rent, settle, states


def out_of_order(db: Database) -> list[tuple[int, int]]:
    """First attempts that overtook an earlier SMS of their number without having waited a minute for it."""
    found = []
    lines: dict[int, list[dict[str, int]]] = {}
    for row in deliveries(db):
        for earlier in lines.setdefault(row["rental_id"], []):
            overtakes = row["first_attempt_us"] is not None and (
                earlier["first_attempt_us"] is None or row["first_attempt_us"] < earlier["first_attempt_us"]
            )
            if overtakes and row["first_attempt_us"] < row["created_at_us"] + HEAD_OF_LINE_TIMEOUT_US:
                found.append((earlier["id"], row["id"]))
        lines[row["rental_id"]].append(row)
    return found


def let_time_pass(dtmf: DTMF, random: Random, numbers: list[str], *, of_s: float, sms: int) -> None:
    """So many SMS at random numbers, at random times within `of_s`."""
    for _ in range(sms):
        dtmf.sandbox.receive(random.choice(numbers), "+1234", "text")
        dtmf.sandbox.advance(random.expovariate(sms / of_s))


def test_a_day_down_and_then_flapping_loses_nothing_and_is_made_good_within_a_minute(dtmf: DTMF, db: Database) -> None:
    random = Random(effort.WEBHOOKS_SEED)
    print(f"DTMF_WEBHOOKS_SEED={effort.WEBHOOKS_SEED}")
    accepted: Counter[int] = Counter()
    share_up = 0.0

    def flap(posted: Posted) -> int:
        status = 200 if random.random() < share_up else random.choice([0, 302, 500, 503, 429, 408])
        if status == 200:
            accepted[posted.json["id"]] += 1
        return status

    with receiving(flap, down=True) as receiver:
        numbers = [rent(dtmf, "webhook", receiver.url) for _ in range(effort.WEBHOOKS_NUMBERS)]
        let_time_pass(dtmf, random, numbers, of_s=DAY_S, sms=effort.WEBHOOKS_SMS)
        assert set(states(db)) == {"waiting"}
        receiver.bring_up()
        share_up = 0.3
        let_time_pass(dtmf, random, numbers, of_s=3600, sms=effort.WEBHOOKS_SMS)
        share_up = 0.0
        dtmf.sandbox.receive(numbers[0], "+1234", "one more, so that something waits")
        dtmf.sandbox.advance(DAY_S / 8)
        assert Counter(states(db))["waiting"] >= 1
        share_up = 1.0
        back_s = next((s for s in range(1, 10 * MINUTE_S) if all_delivered_after_another_second(dtmf, db)), None)
    undelivered = sum(state != "delivered" for state in states(db))
    times_taken = {row["message_id"]: accepted[row["message_id"]] for row in deliveries(db)}
    doubles = sum(times - 1 for times in times_taken.values() if times > 1)
    overtaken = out_of_order(db)
    print(f"{len(times_taken)} SMS down and flapping: {undelivered} undelivered, {doubles} delivered twice,")
    print(f"{len(overtaken)} first attempts out of order, all there {back_s} s after the receiver was back")
    assert len(times_taken) == 2 * effort.WEBHOOKS_SMS + 1
    assert (undelivered, overtaken) == (0, [])
    assert set(times_taken.values()) == {1}, "delivered twice, or never"
    assert back_s is not None and back_s <= MINUTE_S


def all_delivered_after_another_second(dtmf: DTMF, db: Database) -> bool:
    """Whether nothing waits any more once a second has passed."""
    dtmf.sandbox.advance(1)
    return int(db.read_blocking(lambda tx: delivery_log.standing(tx, now_us=0))["waiting"]) == 0


def test_all_that_waits_anywhere_for_a_destination_is_delivered_once_it_answers_one(dtmf: DTMF, db: Database) -> None:
    with receiving(down=True) as receiver:
        numbers = [rent(dtmf, "webhook", receiver.url) for _ in range(3)]
        for number in numbers:
            dtmf.sandbox.receive(number, "+1234", "alone in its line")
        for passing_s in (DAY_S / 2, DAY_S / 2, MINUTE_S):
            dtmf.sandbox.advance(passing_s)
        receiver.bring_up()
        dtmf.sandbox.receive(rent(dtmf, "webhook", receiver.url), "+1234", "new")
        settle(dtmf)
        assert receiver.contents == ["new", *["alone in its line"] * 2]  # the third was tried a moment ago
        dtmf.sandbox.advance(PROBE_S)
        assert receiver.contents == ["new", *["alone in its line"] * 3]
        assert {posted.json["e164"] for posted in receiver.posted[1:]} == set(numbers)
    assert states(db) == ["delivered"] * 4


def test_an_attempt_that_was_under_way_when_its_destination_came_back_is_tried_again_within_a_minute(
    dtmf: DTMF, db: Database, runtime: Runtime, wall: FakeWall, receiver: Receiver
) -> None:
    slow, quick = rent(dtmf, "webhook", receiver.url), rent(dtmf, "webhook", receiver.url)
    receiver.answer = lambda _: 500
    dtmf.sandbox.receive(slow, "+1234", "begun before")
    for _ in range(3):
        dtmf.sandbox.advance(DAY_S / 2)
    receiver.answer = lambda posted: 500 if posted.json["e164"] == slow else 200
    for _ in range(6):  # until the host may have several at once again
        dtmf.sandbox.receive(quick, "+1234", "warming up")
        settle(dtmf)
    taken = threading.Event()
    receiver.answer = lambda posted: 500 if posted.json["e164"] == slow and taken.wait(20) else 200
    before = len(receiver.posted)
    wall.advance(seconds=11 * 3600)
    runtime.db.wakeups.notify({"clock"})
    receiver.wait_for(before + 1)
    dtmf.sandbox.receive(quick, "+1234", "taken meanwhile")
    looks = iter(range(2000))
    while states(db).count("delivered") < 7:
        assert next(looks, None) is not None, "what came meanwhile was not taken"
        receiver.wait_for(before + 2)
    taken.set()
    settle(dtmf)
    assert states(db) == ["waiting", *["delivered"] * 7]
    receiver.answer = lambda _: 200
    dtmf.sandbox.advance(MINUTE_S)
    assert states(db) == ["delivered"] * 8


def test_what_became_due_together_arrives_one_by_one_in_each_numbers_order(dtmf: DTMF, db: Database) -> None:
    under_way: Counter[str] = Counter()
    together = threading.Event()

    def answer(posted: Posted) -> int:
        e164 = posted.json["e164"]
        under_way[e164] += 1
        if under_way[e164] > 1:
            together.set()
        together.wait(0.05)  # long enough for another of the same number to come, if it may
        under_way[e164] -= 1
        return 200

    with receiving(500) as failing, receiving(answer) as receiver:
        numbers = [rent(dtmf, "webhook", failing.url) for _ in range(2)]
        for n in range(5):
            for number in numbers:
                dtmf.sandbox.receive(number, "+1234", f"{n}")
        dtmf.sandbox.advance(DAY_S)
        for number in numbers:
            dtmf.set_sms_action(number, "webhook", receiver.url)
        settle(dtmf)
        arrived = [(posted.json["e164"], posted.json["content"]) for posted in receiver.posted]
    assert not together.is_set()
    for number in numbers:
        assert [text for e164, text in arrived if e164 == number] == [f"{n}" for n in range(5)]


def test_a_burst_to_one_host_is_delivered_without_anybody_waiting_for_the_clock(
    dtmf: DTMF, db: Database, receiver: Receiver
) -> None:
    numbers = [rent(dtmf, "webhook", f"{receiver.url}/{n}") for n in range(30)]
    for number in numbers:
        dtmf.sandbox.receive(number, "+1234", "all at once")
    settle(dtmf)
    assert states(db) == ["delivered"] * 30


@ON_SQLITE
def test_every_number_of_a_host_that_refuses_at_once_is_tried(dtmf: DTMF, db: Database, receiver: Receiver) -> None:
    receiver.answer = lambda _: 500
    for number in [rent(dtmf, "webhook", receiver.url) for _ in range(20)]:
        dtmf.sandbox.receive(number, "+1234", "tried")
    settle(dtmf)
    assert {row["attempts"] for row in deliveries(db)} == {1}
    dtmf.sandbox.advance(DAY_S)
    assert {row["attempts"] for row in deliveries(db)} == {2}


def test_a_restart_in_the_middle_loses_nothing_and_what_was_held_need_not_wait_for_a_lease(
    account: int, db: Database, wall: FakeWall
) -> None:
    stopped = threading.Event()
    with receiving(lambda _: 200 if stopped.wait(20) else 500) as receiver:
        with serving(runtime_over(db, wall=wall)) as url, DTMF(new_token(), base_url=url) as dtmf:
            for n, number in enumerate([rent(dtmf, "webhook", receiver.url) for _ in range(5)]):
                dtmf.sandbox.receive(number, "+1234", f"{n}")
            receiver.wait_for(2)  # the others are held
        stopped.set()
        cut_off = receiver.contents
        assert len(cut_off) == 2
        assert states(db) == ["waiting"] * 5
        with serving(runtime_over(db, wall=wall)):
            receiver.wait_for(5)
            assert sorted(receiver.contents) == [f"{n}" for n in range(5)]
        wall.advance(us=LEASE_US + 1)
        with serving(runtime_over(db, wall=wall)) as url, DTMF(new_token(), base_url=url) as dtmf:
            settle(dtmf)
        assert sorted(receiver.contents[5:]) == sorted(cut_off)
    assert states(db) == ["delivered"] * 5


def test_a_worker_that_died_keeps_its_lease_until_it_runs_out_by_the_wall(
    account: int, db: Database, wall: FakeWall, receiver: Receiver
) -> None:
    runtime = runtime_over(db, wall=wall)
    with serving(runtime, workers=False) as url, DTMF(new_token(), base_url=url) as dtmf:
        held, other = rent(dtmf, "webhook", receiver.url), rent(dtmf, "webhook", receiver.url)
        dtmf.sandbox.receive(held, "+1234", "held by the dead")
        now_us = wall()
        claimed = db.write_blocking(
            lambda tx: deliver.claim(
                tx, now_us=now_us, wall_us=now_us, lease_us=LEASE_US, limit=10, except_destinations=[]
            )
        )
        assert [work.text for work in claimed] == ["held by the dead"]
        dtmf.sandbox.receive(held, "+1234", "behind it")
    wall.advance(us=LEASE_US - 1)
    with serving(runtime) as url, DTMF(new_token(), base_url=url) as dtmf:
        dtmf.sandbox.receive(other, "+1234", "of another number")
        receiver.wait_for(1)
        assert receiver.contents == ["of another number"]
        wall.advance(us=1)
        settle(dtmf)
    assert receiver.contents == ["of another number", "held by the dead", "behind it"]
    assert states(db) == ["delivered"] * 3
