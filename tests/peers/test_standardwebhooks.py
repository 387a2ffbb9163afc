"""npm's `standardwebhooks` verifies webhooks as received, and nothing else."""

import base64
import json
import subprocess
from pathlib import Path
from random import Random

import effort
from dtmf import DTMF
from harness import START_US, FakeWall
from support.webhook_receiver import Posted, Receiver
from support.webhook_steps import ON_SQLITE, TEXTS, changed, post_one, rent

HERE = Path(__file__).parent
START_S = START_US // 1_000_000
TOLERANCE_S = 5 * 60
BOUND_S = 120

Case = tuple[Posted, str, int]  # received request, secret, time of verification


def verified_by_npm(cases: list[Case]) -> list[bool]:
    """Return the cases that the npm package verifies."""
    lines = [
        json.dumps(
            {
                "secret": secret,
                "now": now_s,
                "headers": posted.headers,
                "body": base64.b64encode(posted.body).decode(),
            }
        )
        for posted, secret, now_s in cases
    ]
    done = subprocess.run(
        ["node", "verify_webhooks.mjs"],
        cwd=HERE,
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    verdicts = done.stdout.splitlines()
    assert len(verdicts) == len(cases)
    assert set(verdicts) <= {"valid", "refused"}
    return [verdict == "valid" for verdict in verdicts]


@ON_SQLITE
def test_every_delivered_body_verifies_within_five_minutes_of_its_timestamp(dtmf: DTMF, receiver: Receiver) -> None:
    number, secret = rent(dtmf, "webhook", receiver.url), dtmf.webhook_secret()
    arrived = [post_one(dtmf, receiver, number, text) for text in TEXTS]
    for off_s, is_valid in ((0, True), (TOLERANCE_S, True), (-TOLERANCE_S, True), (400, False), (-400, False)):
        verdicts = verified_by_npm([(posted, secret, START_S + off_s) for posted in arrived])
        assert verdicts == [is_valid] * len(TEXTS), off_s


@ON_SQLITE
def test_both_secrets_verify_during_a_rotation_and_only_the_new_one_afterwards(
    dtmf: DTMF, wall: FakeWall, receiver: Receiver
) -> None:
    number, old = rent(dtmf, "webhook", receiver.url), dtmf.webhook_secret()
    new = dtmf.rotate_webhook_secret()
    during = post_one(dtmf, receiver, number)
    wall.advance(seconds=86_400)
    after, after_s = post_one(dtmf, receiver, number), START_S + 86_400
    cases = [(during, old, START_S), (during, new, START_S), (after, old, after_s), (after, new, after_s)]
    assert verified_by_npm(cases) == [True, True, False, True]


@ON_SQLITE
def test_no_webhook_with_a_changed_bit_verifies(dtmf: DTMF, receiver: Receiver) -> None:
    random = Random(effort.WEBHOOKS_SEED)
    print(f"DTMF_WEBHOOKS_SEED={effort.WEBHOOKS_SEED}")
    number, secret = rent(dtmf, "webhook", receiver.url), dtmf.webhook_secret()
    posted = post_one(dtmf, receiver, number, "signed")
    parts = ["body", "webhook-id", "webhook-timestamp", "webhook-signature"]
    forged = [changed(posted, random.choice(parts), random) for _ in range(effort.WEBHOOKS_FLIPS)]
    verdicts = verified_by_npm([(posted, secret, START_S), *((each, secret, START_S) for each in forged)])
    print(f"{len(forged)} forged webhooks: {sum(verdicts[1:])} accepted")
    assert verdicts[0]
    assert [each for each, is_valid in zip(forged, verdicts[1:], strict=True) if is_valid] == []
