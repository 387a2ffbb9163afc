"""Arriving SMS: parts are joined and never mixed, redeliveries are recognised, genuine repeats are stored."""

from itertools import permutations
from random import Random

import pytest

from dtmf_server.core.inbound import Concatenation, InboundMessage, Part, Receipt
from dtmf_server.core.sms_encoding import Coding
from dtmf_server.operations import ingest, rent, verify
from dtmf_server.storage import carriers, inbound_log, message_parts
from dtmf_server.storage.db import Database
from harness import DAY_US, START_US, give_coins, open_account

SECOND_US = 1_000_000
PATIENCE_US = 300 * SECOND_US
A, B = 101, 102  # links


class Desk:
    """One carrier's arrivals at a rented number; the wall clock stands still until it is moved."""

    def __init__(self, db: Database, carrier: str = "london", *, seed: int = 0) -> None:
        self.db, self.carrier, self.wall_us = db, carrier, START_US
        account_id = open_account(db, seed=seed)
        give_coins(db, account_id, 1_000_000)
        self.e164 = db.write_blocking(lambda tx: rent.start(tx, account_id, "free", now_us=START_US, cooldown_us=0))[
            "e164"
        ]
        db.write_blocking(lambda tx: carriers.add(tx, carrier))

    def brings(self, *batch: InboundMessage | Receipt, live: tuple[int, ...] = (A,)) -> list[int]:
        """Deliver a batch; return its notes."""
        return self.db.write_blocking(
            lambda tx: ingest.ingest_batch(tx, self.carrier, batch, live=live, now_us=START_US, wall_us=self.wall_us)
        )

    def answered(self, notes: list[int]) -> None:
        from dtmf_server.storage import inbound_log

        self.db.write_blocking(lambda tx: inbound_log.answered(tx, notes, wall_us=self.wall_us))

    def forgets(self) -> int:
        return self.db.write_blocking(lambda tx: ingest.forget(tx, wall_us=self.wall_us))

    def gives_up(self) -> int:
        return self.db.write_blocking(
            lambda tx: ingest.flush_incomplete(
                tx, self.carrier, patience_us=PATIENCE_US, now_us=START_US, wall_us=self.wall_us
            )
        )

    def sms(self, text: str, *, digest: str = "", link: int = A) -> InboundMessage:
        return InboundMessage(self.e164, "+49151", text, digest or text, link)

    def part(
        self,
        text: str | bytes,
        number: int,
        total: int = 3,
        *,
        ref: int = 7,
        bits: int = 8,
        sender: str = "+49151",
        coding: Coding = "gsm7",
    ) -> InboundMessage:
        octets = text if isinstance(text, bytes) else text.encode()
        return InboundMessage(self.e164, sender, Part(Concatenation(ref, bits, total, number), octets, coding))

    def texts(self) -> list[str]:
        rows = self.db.read_blocking(lambda tx: tx.all("SELECT content FROM messages ORDER BY id"))
        return [row["content"] for row in rows]

    def waiting(self) -> int:
        return len(self.db.read_blocking(lambda tx: message_parts.waiting(tx, self.carrier, [self.e164])))


@pytest.fixture
def desk(db: Database) -> Desk:
    return Desk(db)


@pytest.mark.parametrize("order", list(permutations([1, 2, 3])))
def test_parts_arriving_one_by_one_in_any_order_are_joined_by_the_last(desk: Desk, order: tuple[int, ...]) -> None:
    for number in order:
        assert desk.texts() == []
        desk.brings(desk.part(f"<{number}>", number))
    assert desk.texts() == ["<1><2><3>"]
    assert desk.waiting() == 0


def test_parts_in_one_batch_are_joined_at_the_position_of_the_last(desk: Desk) -> None:
    desk.brings(desk.sms("first"), desk.part("b", 2, 2), desk.sms("second"), desk.part("a", 1, 2), desk.sms("third"))
    assert desk.texts() == ["first", "second", "ab", "third"]


def test_an_emoji_split_between_parts_and_transactions_is_joined(desk: Desk) -> None:
    octets = "x😀".encode("utf-16-be")
    desk.brings(desk.part(octets[4:], 2, 2, coding="ucs2"))
    desk.brings(desk.part(octets[:4], 1, 2, coding="ucs2"))
    assert desk.texts() == ["x😀"]


def test_the_same_reference_with_another_sender_width_or_total_is_another_message(desk: Desk) -> None:
    different = [{}, {"sender": "+49152"}, {"bits": 16}, {"ref": 8}, {"total": 4}, {"bits": 17}]
    batches = [
        [desk.part(f"{index}{number}", number, **kind) for number in range(1, kind.get("total", 3) + 1)]
        for index, kind in enumerate(different)
    ]
    shuffled = [part for batch in batches for part in batch]
    Random(5).shuffle(shuffled)
    for part in shuffled:
        desk.brings(part)
    assert sorted(desk.texts()) == ["010203", "111213", "212223", "313233", "41424344", "515253"]


def test_the_same_sender_and_reference_at_two_of_our_numbers_is_two_messages(desk: Desk) -> None:
    other = Desk(desk.db, seed=1).e164
    desk.brings(desk.part("a1", 1, 2), InboundMessage(other, "+49151", Part(Concatenation(7, 8, 2, 2), b"b2", "gsm7")))
    assert desk.texts() == []
    desk.brings(desk.part("a2", 2, 2), InboundMessage(other, "+49151", Part(Concatenation(7, 8, 2, 1), b"b1", "gsm7")))
    assert sorted(desk.texts()) == ["a1a2", "b1b2"]


def test_the_same_reference_over_another_carrier_is_another_message(desk: Desk) -> None:
    desk.brings(desk.part("a1", 1, 2))
    desk.db.write_blocking(lambda tx: carriers.add(tx, "paris"))
    desk.carrier = "paris"
    desk.brings(desk.part("b2", 2, 2))
    assert desk.texts() == []


def test_a_reference_reused_after_its_message_is_complete_starts_another(desk: Desk) -> None:
    for text in ("a", "b"):
        for number in (1, 2):
            desk.brings(desk.part(f"{text}{number}", number, 2))
    assert desk.texts() == ["a1a2", "b1b2"]


def test_a_part_that_arrives_twice_is_used_once(desk: Desk) -> None:
    desk.brings(desk.part("a", 1, 2))
    desk.brings(desk.part("a", 1, 2), desk.part("a", 1, 2))
    assert desk.waiting() == 1
    desk.brings(desk.part("b", 2, 2))
    assert desk.texts() == ["ab"]


def test_indistinguishable_messages_are_shown_part_by_part_rather_than_mixed(desk: Desk) -> None:
    for part in (desk.part("a1", 1, 2), desk.part("b1", 1, 2), desk.part("b2", 2, 2), desk.part("a2", 2, 2)):
        desk.brings(part)
    assert desk.texts() == []
    desk.wall_us += PATIENCE_US
    assert desk.gives_up() == 4
    assert desk.texts() == ["a1[…]", "b1[…]", "[…]b2", "[…]a2"]
    assert desk.waiting() == 0


def test_an_incomplete_message_is_delivered_with_its_gaps_marked(desk: Desk) -> None:
    desk.brings(desk.part("a", 1, 4), desk.part("d", 4, 4))
    desk.wall_us += PATIENCE_US - 1
    assert desk.gives_up() == 0
    desk.brings(desk.part("b", 2, 4))
    desk.wall_us += 1
    assert desk.gives_up() == 1  # the timeout counts from the first part
    assert desk.texts() == ["ab[…]d"]
    assert desk.gives_up() == 0


def test_a_part_that_arrives_after_the_timeout_is_delivered_too(desk: Desk) -> None:
    desk.brings(desk.part("a", 1, 2))
    desk.wall_us += PATIENCE_US
    desk.gives_up()
    desk.brings(desk.part("b", 2, 2))
    desk.wall_us += PATIENCE_US
    desk.gives_up()
    assert desk.texts() == ["a[…]", "[…]b"]


def test_parts_for_an_unrented_number_are_counted_as_one_stray_and_deleted(desk: Desk) -> None:
    stray = [InboundMessage("+12125550101", "+1", Part(Concatenation(1, 8, 2, n), b"x", "gsm7")) for n in (1, 2)]
    desk.brings(*stray)
    assert desk.db.read_blocking(lambda tx: tx.one("SELECT unrouted_messages AS n FROM service"))["n"] == 1
    assert desk.texts() == []


def test_a_storm_of_parts_shuffled_colliding_and_missing_mixes_no_texts(desk: Desk) -> None:
    random, sent, shown = Random(11), {}, []
    keys = [(f"+4915{s}", ref, bits, total) for s in "123" for ref in (0, 1) for bits in (8, 16) for total in (2, 3, 4)]
    for wave in range(4):  # each wave reuses the same senders, references, widths and totals
        stream = []
        for index, (phone, ref, bits, total) in enumerate(keys):
            message, missing = wave * 100 + index, random.choice([0, 0, 0, random.randint(1, total)])
            sent[message] = (total, missing)
            stream += [
                desk.part(f"<{message}:{number}>", number, total, ref=ref, bits=bits, sender=phone)
                for number in range(1, total + 1)
                if number != missing
            ]
        random.shuffle(stream)
        while stream:
            batch = stream[: random.randint(1, 20)]
            del stream[: len(batch)]
            desk.brings(*batch)
        desk.wall_us += PATIENCE_US
        desk.gives_up()
    for text in desk.texts():
        pieces = [piece.split(":") for piece in text.replace("[…]", "").strip("<>").split("><")]
        assert len({message for message, _ in pieces}) == 1, f"mixed: {text}"
        assert sorted(int(number) for _, number in pieces) == [int(number) for _, number in pieces], text
        shown += [(int(message), int(number)) for message, number in pieces]
    expected = [(m, n) for m, (total, missing) in sent.items() for n in range(1, total + 1) if n != missing]
    assert sorted(shown) == sorted(expected)
    assert desk.db.read_blocking(verify.differences) == []


def test_an_identical_sms_on_the_same_link_is_another_sms(desk: Desk) -> None:
    first = desk.brings(desk.sms("yes"), desk.sms("yes"))
    desk.wall_us += SECOND_US
    desk.brings(desk.sms("yes"))
    desk.answered(first)
    desk.wall_us += 5 * SECOND_US
    desk.brings(desk.sms("yes"))
    assert desk.texts() == ["yes"] * 4


def test_an_unacknowledged_sms_is_recognised_on_a_new_link_however_late(desk: Desk) -> None:
    desk.brings(desk.sms("code 1"))
    desk.wall_us += 3600 * SECOND_US
    (note,) = desk.brings(desk.sms("code 1", link=B), live=(B,))
    assert note
    assert desk.texts() == ["code 1"]


@pytest.mark.parametrize(("later_s", "times"), [(0, 1), (59, 1), (60, 2), (3600, 2)])
def test_an_acknowledged_sms_may_be_redelivered_on_a_new_link_for_a_minute(
    desk: Desk, later_s: int, times: int
) -> None:
    desk.answered(desk.brings(desk.sms("code 1")))
    desk.wall_us += later_s * SECOND_US
    desk.brings(desk.sms("code 1", link=B), live=(B,))
    assert desk.texts() == ["code 1"] * times


def test_a_repeat_over_a_second_live_link_is_genuine(desk: Desk) -> None:
    desk.brings(desk.sms("yes"), live=(A, B))
    desk.brings(desk.sms("yes", link=B), live=(A, B))
    assert desk.texts() == ["yes", "yes"]


def test_each_stored_sms_matches_only_one_redelivery(desk: Desk) -> None:
    desk.brings(desk.sms("yes"), desk.sms("yes"))
    desk.brings(*[desk.sms("yes", link=B)] * 3, live=(B,))
    assert desk.texts() == ["yes"] * 3


def test_an_unacknowledged_redelivery_may_be_redelivered_again(desk: Desk) -> None:
    desk.brings(desk.sms("yes"))
    for link in (B, 103, 104):
        desk.wall_us += SECOND_US
        desk.brings(desk.sms("yes", link=link), live=(link,))
    assert desk.texts() == ["yes"]


@pytest.mark.parametrize(("waited_s", "times"), [(9, 2), (10, 1), (30, 1)])
def test_on_the_same_link_an_sms_is_redelivered_only_after_a_timeout(desk: Desk, waited_s: int, times: int) -> None:
    desk.brings(desk.sms("slow"))
    desk.wall_us += waited_s * SECOND_US
    desk.brings(desk.sms("slow"))
    assert desk.texts() == ["slow"] * times


def test_a_redelivered_part_is_recognised_too(desk: Desk) -> None:
    def part(number: int, link: int) -> InboundMessage:
        return InboundMessage(
            desk.e164, "+1", Part(Concatenation(1, 8, 2, number), b"%d" % number, "gsm7"), f"p{number}", link
        )

    desk.brings(part(1, A))
    desk.brings(part(1, B), part(2, B), live=(B,))
    desk.brings(part(2, 103), live=(103,))
    assert desk.texts() == ["12"]
    assert desk.waiting() == 0


def test_an_sms_with_a_reference_is_stored_once_however_often_and_late_it_arrives(desk: Desk) -> None:
    sms = InboundMessage(desk.e164, "+49151", "code 1", carrier_ref="SM1")
    same_text = InboundMessage(desk.e164, "+49151", "code 1", carrier_ref="SM2")
    assert desk.brings(sms, sms, same_text) == [0, 0, 0]
    for _ in range(3):
        desk.wall_us += 23 * 3600 * SECOND_US
        desk.forgets()
        assert desk.brings(sms, live=()) == [0]
    assert desk.texts() == ["code 1", "code 1"]


def test_the_same_reference_of_another_carrier_is_another_sms(desk: Desk) -> None:
    sms = InboundMessage(desk.e164, "+49151", "code 1", carrier_ref="SM1")
    desk.brings(sms)
    desk.carrier = "paris"
    desk.brings(sms)
    assert desk.texts() == ["code 1", "code 1"]


def test_deduplication_rows_that_can_no_longer_match_are_deleted(desk: Desk) -> None:
    desk.answered(desk.brings(desk.sms("answered")))
    desk.brings(desk.sms("unanswered"))
    desk.wall_us += 121 * SECOND_US
    forget = lambda: desk.db.write_blocking(lambda tx: ingest.forget(tx, wall_us=desk.wall_us))  # noqa: E731 - said once
    assert forget() == 1
    desk.wall_us += 4 * DAY_US
    assert forget() == 1


def test_thousands_of_deduplication_rows_are_deleted_in_batches(desk: Desk) -> None:
    many = inbound_log.FORGOTTEN_AT_ONCE + 1
    desk.answered(desk.brings(*(desk.sms(str(n)) for n in range(many))))
    desk.wall_us += 121 * SECOND_US
    forgotten = [desk.db.write_blocking(lambda tx: ingest.forget(tx, wall_us=desk.wall_us)) for _ in range(3)]
    assert forgotten == [many - 1, 1, 0]


def test_a_failed_batch_stores_nothing(desk: Desk) -> None:
    with pytest.raises(UnicodeEncodeError):
        desk.brings(desk.part("a", 1), desk.sms("fine"), desk.sms("\ud800"))
    assert desk.texts() == [] and desk.waiting() == 0
    assert desk.db.read_blocking(lambda tx: tx.all("SELECT id FROM arrivals")) == []
