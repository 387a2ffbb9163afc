"""Webhooks are signed by Standard Webhooks: another's library verifies what really arrived, and nothing else.

tests/peers does the same with the library for Node.js.
"""

from contextlib import suppress
from datetime import UTC, datetime
from random import Random

import pytest
import standardwebhooks.webhooks
from standardwebhooks.webhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError as Forged

import effort
from dtmf import DTMF
from dtmf.webhook import WebhookVerificationError, verify
from dtmf_server.core.webhook_secret import OVERLAP_US
from dtmf_server.storage.db import Database
from harness import START_US, FakeWall, give_coins, new_token, open_account
from support.webhook_receiver import Posted, Receiver
from support.webhook_steps import ON_SQLITE, TEXTS, changed, post_one, rent, settle

START_S = START_US // 1_000_000


@pytest.fixture(autouse=True)
def their_clock(wall: FakeWall, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other library looks at the machine's clock; here it sees the test's."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> "Clock":
            return cls.fromtimestamp(wall() / 1_000_000, UTC)

    monkeypatch.setattr(standardwebhooks.webhooks, "datetime", Clock)


def verified(posted: Posted, secret: str, *, now_s: float) -> bool:
    """Whether a webhook verifies with this secret; both libraries have to agree."""
    try:
        theirs = Webhook(secret).verify(posted.body, posted.headers)
    except Forged:
        theirs = None
    try:
        ours = verify(posted.body, posted.headers, secret, now=now_s)
    except WebhookVerificationError:
        ours = None
    assert ours == theirs
    return ours is not None


def test_another_library_verifies_every_body_that_arrives(dtmf: DTMF, receiver: Receiver) -> None:
    number, secret = rent(dtmf, "webhook", receiver.url), dtmf.webhook_secret()
    arrived = [post_one(dtmf, receiver, number, text) for text in TEXTS]
    dtmf.test_webhook(number)
    settle(dtmf)
    posts = [*arrived, receiver.posted[-1]]
    refused = [posted for posted in posts if not verified(posted, secret, now_s=START_S)]
    print(f"{len(posts)} webhooks as they arrived: {len(refused)} refused")
    assert refused == []
    assert [posted.json["content"] for posted in arrived] == TEXTS
    assert len({posted.headers["webhook-id"] for posted in receiver.posted}) == len(TEXTS) + 1


@ON_SQLITE
def test_the_id_stays_and_the_timestamp_is_fresh_with_every_attempt(
    dtmf: DTMF, wall: FakeWall, receiver: Receiver
) -> None:
    number, secret = rent(dtmf, "webhook", receiver.url), dtmf.webhook_secret()
    receiver.answer = lambda _: 500
    post_one(dtmf, receiver, number)
    wall.advance(seconds=1000)
    settle(dtmf)
    first, second = receiver.posted
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert [int(posted.headers["webhook-timestamp"]) for posted in (first, second)] == [START_S, START_S + 1000]
    assert verified(second, secret, now_s=START_S + 1000)
    assert not verified(first, secret, now_s=START_S + 1000)


@ON_SQLITE
def test_the_timestamp_is_the_walls_however_far_the_sandbox_is_ahead(dtmf: DTMF, receiver: Receiver) -> None:
    number = rent(dtmf, "webhook", receiver.url)
    dtmf.sandbox.advance(200 * 86_400)
    assert verified(post_one(dtmf, receiver, number), dtmf.webhook_secret(), now_s=START_S)


def test_a_rotated_secret_overlaps_with_the_one_before_for_a_day_of_the_wall(
    dtmf: DTMF, wall: FakeWall, receiver: Receiver
) -> None:
    number, old = rent(dtmf, "webhook", receiver.url), dtmf.webhook_secret()
    new = dtmf.rotate_webhook_secret()
    assert new != old == old.strip()
    assert dtmf.webhook_secret() == new
    refused, forged = 0, 0
    for at_us, overlaps in ((0, True), (OVERLAP_US - 1, True), (OVERLAP_US, False), (30 * OVERLAP_US, False)):
        wall.at_us = START_US + at_us
        posted = post_one(dtmf, receiver, number)
        now_s = wall() / 1_000_000
        assert len(posted.headers["webhook-signature"].split(" ")) == 1 + overlaps
        by_new, by_old = (verified(posted, secret, now_s=now_s) for secret in (new, old))
        refused += (not by_new) + (overlaps and not by_old)
        forged += by_old and not overlaps
    print(
        f"6 webhooks as a rotation makes them: {refused} refused; 2 that are too late for the old secret: {forged} accepted"
    )
    assert (refused, forged) == (0, 0)


@ON_SQLITE
def test_simulated_time_does_not_end_the_overlap_and_a_second_rotation_drops_the_oldest(
    dtmf: DTMF, receiver: Receiver
) -> None:
    number, first = rent(dtmf, "webhook", receiver.url), dtmf.webhook_secret()
    second = dtmf.rotate_webhook_secret()
    dtmf.sandbox.advance(30 * 86_400)
    assert verified(post_one(dtmf, receiver, number), first, now_s=START_S)
    third = dtmf.rotate_webhook_secret()
    posted = post_one(dtmf, receiver, number)
    assert [verified(posted, secret, now_s=START_S) for secret in (third, second, first)] == [True, True, False]


@ON_SQLITE
def test_an_attempt_after_a_rotation_is_signed_with_the_secrets_of_that_moment(dtmf: DTMF, receiver: Receiver) -> None:
    number, old = rent(dtmf, "webhook", receiver.url), dtmf.webhook_secret()
    receiver.answer = lambda _: 500
    before = post_one(dtmf, receiver, number)
    new = dtmf.rotate_webhook_secret()
    dtmf.sandbox.advance(6)
    assert [verified(posted, new, now_s=START_S) for posted in (before, receiver.posted[-1])] == [False, True]
    assert verified(receiver.posted[-1], old, now_s=START_S)


def test_each_account_has_a_secret_of_its_own_which_signs_only_its_webhooks(
    dtmf: DTMF, db: Database, url: str, receiver: Receiver
) -> None:
    give_coins(db, open_account(db, seed=1), 100_000)
    with DTMF(new_token(1), base_url=url) as other:
        other.rotate_webhook_secret()
        mine = post_one(dtmf, receiver, rent(dtmf, "webhook", receiver.url))
        theirs = post_one(other, receiver, rent(other, "webhook", receiver.url))
        secrets = dtmf.webhook_secret(), other.webhook_secret()
        assert [[verified(p, s, now_s=START_S) for s in secrets] for p in (mine, theirs)] == [
            [True, False],
            [False, True],
        ]


@ON_SQLITE
def test_no_webhook_with_a_bit_changed_is_verified(dtmf: DTMF, receiver: Receiver) -> None:
    random = Random(effort.WEBHOOKS_SEED)
    print(f"DTMF_WEBHOOKS_SEED={effort.WEBHOOKS_SEED}")
    number, old = rent(dtmf, "webhook", receiver.url), dtmf.webhook_secret()
    one_signature = post_one(dtmf, receiver, number)
    new = dtmf.rotate_webhook_secret()
    two_signatures = post_one(dtmf, receiver, number)
    accepted = 0
    for _ in range(effort.WEBHOOKS_FLIPS):
        # Of two signatures one would stay as it is, so there only what both of them sign is changed.
        posted, secret = random.choice([(one_signature, old), (two_signatures, old), (two_signatures, new)])
        parts = ["body", "webhook-id", "webhook-timestamp", *(["webhook-signature"] if posted is one_signature else [])]
        part = random.choice(parts)
        forged = changed(posted, part, random)
        # The other library reads a signature as loosely as base64 may be read.
        accepted += accepts_ours(forged, secret) or (part != "webhook-signature" and accepts_theirs(forged, secret))
    print(f"{effort.WEBHOOKS_FLIPS} webhooks with a bit changed: {accepted} accepted")
    assert accepted == 0


def accepts_ours(posted: Posted, secret: str) -> bool:
    """Whether our own library takes the webhook."""
    with suppress(WebhookVerificationError):
        verify(posted.body, posted.headers, secret, now=START_S)
        return True
    return False


def accepts_theirs(posted: Posted, secret: str) -> bool:
    """Whether another's does."""
    with suppress(Forged, UnicodeDecodeError):
        Webhook(secret).verify(posted.body, posted.headers)
        return True
    return False
