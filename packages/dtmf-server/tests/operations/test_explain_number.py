"""`numbers explain` names the true end of a rental, however it ended, also before the meter has written it."""

from functools import partial

import pytest

from dtmf_server.cli.explanations import end_text, number_lines
from dtmf_server.core import api_token
from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.rental import Action, ActionKind
from dtmf_server.core.token_grant import Grant
from dtmf_server.operations import deliver, explain_number, rent, tokens
from dtmf_server.operations.explain_number import NumberExplanation, UnknownNumber
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage import api_requests, carriers
from dtmf_server.storage.api_requests import ApiRequest
from dtmf_server.storage.db import Database, Tx
from dtmf_server.storage.delivery_log import Attempt
from harness import MINUTE_US, START_US, give_coins, new_token, open_account

NUMBER = "+12025550200"  # of group 'tiny': 50 satoshis at the start, 7 a minute
LATER_US = START_US + 60 * MINUTE_US


@pytest.fixture
def renter(db: Database) -> int:
    give_coins(db, account_id := open_account(db), 1000)
    return account_id


def explained(db: Database, *, now_us: int = LATER_US) -> NumberExplanation:
    return db.read_blocking(partial(explain_number.explain, e164=NUMBER, now_us=now_us, wall_us=now_us))


def start(db: Database, renter: int, **limits: int) -> int:
    row = db.write_blocking(
        lambda tx: rent.start(tx, renter, "tiny", now_us=START_US, cooldown_us=0, max_sats=None, **limits)
    )
    return int(row["id"])


def test_a_run_out_that_the_meter_has_not_written_is_explained(db: Database, renter: int) -> None:
    start(db, renter)
    (story,) = explained(db, now_us=START_US + 10_000 * MINUTE_US).rentals
    assert story.end is not None and (story.end.reason, story.end.at_us) == ("depleted", START_US + 135 * MINUTE_US)
    assert story.end.balance is None and end_text(story.end) == "the balance ran out"  # booked is only the first minute
    (story,) = explained(db).rentals
    assert story.end is None


def test_a_limit_is_named(db: Database, renter: int) -> None:
    start(db, renter, max_minutes=5)
    (story,) = explained(db).rentals
    assert story.end is not None and (story.end.reason, story.end.at_us) == ("limit", START_US + 5 * MINUTE_US)
    assert end_text(story.end) == "it reached a limit that its renter set: max_minutes 5"


def test_the_request_that_ended_it_is_named(db: Database, renter: int) -> None:
    rental_id = start(db, renter)

    def end(tx: Tx) -> None:
        tx.changes = {}
        rent.end(tx, renter, NUMBER, now_us=LATER_US)
        new = ApiRequest(
            request_id="req_1",
            account_id=renter,
            token_id=None,
            operation="DELETE /api/v1/number",
            status=204,
            at_wall_us=LATER_US,
            changes=tx.changes,
        )
        api_requests.add(tx, [new])

    db.write_blocking(end)
    (story,) = explained(db).rentals
    assert (story.rental_id, story.end and story.end.request_id) == (rental_id, "req_1")
    assert story.end is not None and end_text(story.end) == "its renter ended it (dtmf-server requests show req_1)"


def test_a_rental_ended_without_a_recorded_request_says_so(db: Database, renter: int) -> None:
    start(db, renter)
    db.write_blocking(lambda tx: rent.end(tx, renter, NUMBER, now_us=LATER_US))
    (story,) = explained(db).rentals
    assert story.end is not None and "on the website or by a request that is no longer recorded" in end_text(story.end)


def test_a_revoked_token_is_named(db: Database, renter: int) -> None:
    def run(tx: Tx) -> None:
        sha256 = api_token.sha256(new_token(5))
        grant = Grant(("rent",), None, None, None, None, None)
        token_id = tokens.add(tx, renter, token_sha256=sha256, label="ci job", now_us=START_US, asked=grant)
        rent.start(tx, renter, "tiny", now_us=START_US, cooldown_us=0, started_by=token_id)
        tokens.revoke(tx, renter, token_id, now_us=LATER_US)

    db.write_blocking(run)
    (story,) = explained(db).rentals
    assert story.end is not None and story.end.reason == "token"
    assert end_text(story.end) == "the token 'ci job' that started it was revoked 2018-01-01T02:01:01Z"


def test_a_live_rental_shows_what_keeps_sms_away(db: Database, renter: int) -> None:
    give_coins(db, renter, 10_000)
    start(db, renter)
    action = Action(ActionKind.WEBHOOK, "https://hooks.example.com/x")
    db.write_blocking(lambda tx: rent.set_action(tx, renter, NUMBER, action, now_us=START_US))
    db.write_blocking(lambda tx: receive_many(tx, [InboundMessage(NUMBER, "+1", "x")], now_us=START_US))

    def gone(tx: Tx) -> None:
        (work,) = deliver.claim(
            tx, now_us=START_US, wall_us=START_US, lease_us=MINUTE_US, limit=1, except_destinations=[]
        )
        attempt = Attempt(START_US, 1, 410, "HTTP 410", None)
        deliver.disable_webhook(tx, work, attempt=attempt, now_us=START_US)
        row = ("1", "down", START_US, 0, 0, 0, 0, 0, "the carrier closed the connection")
        carriers.note_links(tx, [row], carrier="acme", wall_us=START_US)

    db.write_blocking(gone)
    found = explained(db)
    (story,) = found.rentals
    assert (story.end, story.sms_forwarded, story.last_sms_at_us) == (None, None, START_US)
    assert [(each.at_us, each.reason) for each in story.webhook_disabled] == [(START_US, "HTTP 410")]
    lines = [*number_lines(found)]
    assert "  its webhook was switched off 2018-01-01T01:01:01Z: HTTP 410" in lines
    assert "link acme 1 is down now: the carrier closed the connection" in lines


@pytest.mark.parametrize("what", ["+12025559999", "", "12025550200", "+1" * 200])
def test_a_number_that_was_never_in_stock_is_refused(db: Database, what: str) -> None:
    with pytest.raises(UnknownNumber):
        db.read_blocking(partial(explain_number.explain, e164=what, now_us=START_US, wall_us=START_US))


def test_a_number_that_was_never_rented_has_no_story(db: Database) -> None:
    found = explained(db)
    assert [*number_lines(found)] == [f"{NUMBER}: group tiny, not rented", "no account rented it then"]
