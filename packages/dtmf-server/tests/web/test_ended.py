"""Low balance warnings, and pages of ended rentals, visible only to their renter."""

from collections.abc import Callable

import pytest

from dtmf import DTMF
from dtmf.errors import DTMFError
from dtmf_server.operations import meter, rent, retention
from dtmf_server.storage.db import Database
from harness import DAY_US, HOUR_US, MINUTE_US, START_US, FakeWall, give_coins, new_token, open_account
from support.visitor import Visitor

from .conftest import receive

Visit = Callable[[], Visitor]
MINUTES = 100  # of us-mobile, at 13 sats each, that the poor account can pay


@pytest.fixture
def poor_id(db: Database) -> int:
    """An account with a number, one SMS, and a balance for 100 minutes; its token is `new_token(3)`."""
    found = open_account(db, seed=3)
    give_coins(db, found, 705 + 13 * MINUTES)
    db.write_blocking(lambda tx: rent.start(tx, found, "us-mobile", now_us=START_US, cooldown_us=0))
    receive(db, "+12025550100", "Your code is 428613")
    return found


@pytest.fixture
def poor(visit: Visit, poor_id: int) -> Visitor:
    """A browser signed in to the poor account."""
    visitor = visit()
    visitor.sign_in(new_token(3))
    return visitor


def run_out(db: Database, wall: FakeWall, *, swept: bool = True) -> None:
    """Let the balance run out; `swept`: also run the meter."""
    wall.advance(us=MINUTES * MINUTE_US)
    if swept:
        db.write_blocking(lambda tx: meter.sweep(tx, now_us=wall()))


@pytest.mark.regression("money-runs-out-silently")
@pytest.mark.parametrize("swept", [True, False], ids=["swept", "not swept yet"])
def test_a_depleted_rental_keeps_its_page_and_says_why_it_ended(
    poor: Visitor, db: Database, wall: FakeWall, swept: bool
) -> None:
    run_out(db, wall, swept=swept)
    page = poor.open("/numbers/+12025550100")
    assert page.status == 200, page.text
    assert "balance ran out" in page.text and "Your code is 428613" in page.text
    assert "2 005 sats in total" in page.text
    assert not [form for form in page.forms if "/numbers/" in form.action], "nothing can be done with it"
    for path in ("/messages", "/rentals"):
        listed = poor.open(path)
        assert "+12025550100" in listed.text and "balance ran out" in listed.text, path


@pytest.mark.regression("money-runs-out-silently")
def test_a_depleted_account_does_not_see_the_welcome_text(visit: Visit, db: Database, wall: FakeWall) -> None:
    account_id = open_account(db, seed=3)
    give_coins(db, account_id, 13)
    db.write_blocking(lambda tx: rent.start(tx, account_id, "us-mobile", now_us=START_US, cooldown_us=0))
    visitor = visit()
    visitor.sign_in(new_token(3))
    wall.advance(us=HOUR_US)
    for _ in range(2):
        page = visitor.open("/messages")
        assert "Add funds to get started" not in page.text and "Your balance ran out" in page.text
        db.write_blocking(lambda tx: meter.sweep(tx, now_us=wall()))
    wall.advance(us=40 * DAY_US)
    db.write_blocking(lambda tx: retention.erase(tx, now_us=wall(), retention_us=30 * DAY_US))
    visitor.sign_in(new_token(3))
    page = visitor.open("/messages")
    assert "Add funds to get started" not in page.text and "Your balance is used up" in page.text


@pytest.mark.regression("money-runs-out-silently")
def test_every_page_warns_while_the_balance_is_low_and_after_it_ran_out(
    poor: Visitor, db: Database, wall: FakeWall, poor_id: int
) -> None:
    for path in ("/messages", "/rent", "/top-up", "/account", "/numbers/+12025550100"):
        assert "Your balance runs out in 1 h 40 min" in poor.open(path).text, path
    run_out(db, wall)
    for path in ("/messages", "/rent", "/top-up", "/account"):
        page = poor.open(path)
        assert "Your balance ran out." in page.text and "+12025550100" in page.text, path
        assert "runs out in" not in page.text, path
    give_coins(db, poor_id, 13 * 60 * 48, now_us=wall())
    wall.advance(us=MINUTE_US)
    db.write_blocking(lambda tx: rent.start(tx, poor_id, "us-mobile", now_us=wall(), cooldown_us=0))
    assert "ran out" not in poor.open("/rent").text, "renting again shows that it was noticed"
    assert "runs out in" not in poor.open("/rent").text, "two days are enough"


def test_a_rental_ended_by_its_renter_says_so_without_a_warning(renter: Visitor, db: Database, e164: str) -> None:
    receive(db, e164, "Your code is 604118")
    assert "You can find its messages" in renter.do(f"/numbers/{e164}/end", f"/numbers/{e164}/end").text
    page = renter.open(f"/numbers/{e164}")
    assert page.status == 200 and "ended by you" in page.text and "604118" in page.text
    assert "money ran out" not in renter.open("/messages").text


def test_each_rental_of_a_number_has_its_own_page(
    renter: Visitor, db: Database, wall: FakeWall, account_id: int
) -> None:
    for text in ("first", "second", "third"):
        db.write_blocking(lambda tx: rent.start(tx, account_id, "tiny", now_us=wall(), cooldown_us=0))
        receive(db, "+12025550200", f"the {text} text")
        if text != "third":
            db.write_blocking(lambda tx: rent.end(tx, account_id, "+12025550200", now_us=wall()))
        wall.advance(us=MINUTE_US)
    ids = [row["id"] for row in db.read_blocking(lambda tx: tx.all("SELECT id FROM rentals ORDER BY id"))]
    live = renter.open("/numbers/+12025550200")
    assert "the third text" in live.text and "the second text" not in live.text
    for id_, own, others in ((ids[0], "first", "second"), (ids[1], "second", "first")):
        assert f"?rental={id_}" in live.html
        page = renter.open(f"/numbers/+12025550200?rental={id_}")
        assert f"the {own} text" in page.text and f"the {others} text" not in page.text
    for wrong in (f"/numbers/+12025550100?rental={ids[0]}", "/numbers/+12025550200?rental=999999"):
        assert renter.open(wrong).status == 404, wrong


def test_ended_rentals_are_paged(renter: Visitor, db: Database, wall: FakeWall, account_id: int) -> None:
    def come_and_go(tx: object) -> None:
        for _ in range(52):
            found = rent.start(tx, account_id, "us-mobile", now_us=wall(), cooldown_us=0)
            rent.end(tx, account_id, found["e164"], now_us=wall())

    db.write_blocking(come_and_go)
    page = renter.open("/rentals")
    ids = [given["href"] for tag, given in page.tags if tag == "a" and "?rental=" in given.get("href", "")]
    (older,) = (given["href"] for tag, given in page.tags if tag == "a" and "before=" in given.get("href", ""))
    rest = renter.open(older)
    more = [given["href"] for tag, given in rest.tags if tag == "a" and "?rental=" in given.get("href", "")]
    assert (len(ids), len(more), len({*ids, *more})) == (50, 2, 52)


def test_only_the_renter_sees_an_ended_rentals_messages_until_they_are_erased(
    poor: Visitor, other: Visitor, visit: Visit, db: Database, wall: FakeWall
) -> None:
    run_out(db, wall)
    (rental,) = db.read_blocking(lambda tx: tx.all("SELECT id FROM rentals"))
    paths = ("/numbers/+12025550100", f"/numbers/+12025550100?rental={rental['id']}")
    for path in paths:
        assert other.open(path).status == 404 and "428613" not in other.open(path).text
        assert visit().open(path).path == "/sign-in"
    assert "+12025550100" not in other.open("/rentals").text + other.open("/messages").text
    wall.advance(us=DAY_US + MINUTE_US)
    while other.do("/rent/us-mobile", "/rent/us-mobile").path != "/numbers/+12025550100":
        pass  # the next renter of the same number
    for path in paths[:1]:
        page = other.open(path)
        assert page.status == 200 and "428613" not in page.text and "Earlier rentals" not in page.text
    assert other.open(paths[1]).status == 404
    assert "428613" in poor.open(paths[0]).text, "it is still its own renter's"
    wall.advance(us=29 * DAY_US)
    db.write_blocking(lambda tx: retention.erase(tx, now_us=wall(), retention_us=30 * DAY_US))
    poor.sign_in(new_token(3))
    assert [poor.open(path).status for path in paths] == [404, 404]


def test_an_sms_to_be_sent_from_an_ended_rental_is_not_lost(poor: Visitor, db: Database, wall: FakeWall) -> None:
    page = poor.open("/numbers/+12025550100")
    run_out(db, wall)
    answer = poor.send(page, "/numbers/+12025550100/send", to="+13105550123", content="I will be late")
    assert answer.status == 404
    assert "I will be late" in answer.text and "wasn’t sent" in answer.text and "balance ran out" in answer.text


@pytest.mark.regression("money-runs-out-silently")
@pytest.mark.parametrize("swept", [True, False], ids=["swept", "not swept yet"])
def test_the_api_says_when_and_why_a_rental_ended(
    poor_id: int, url: str, db: Database, wall: FakeWall, swept: bool
) -> None:
    run_out(db, wall, swept=swept)
    with DTMF(new_token(3), base_url=url) as dtmf:
        for call in (
            lambda: dtmf.number("+12025550100"),
            lambda: dtmf.end_rental("+12025550100"),
            lambda: dtmf.send_message("+12025550100", "+13105550123", "x"),
            lambda: dtmf.set_sms_action("+12025550100", None, None),
        ):
            with pytest.raises(DTMFError) as refusal:
                call()
            said = str(refusal.value)
            assert "2018-01-01T02:41:01" in said and "the balance ran out" in said, said
            assert "/api/v1/messages?e164=%2B12025550100" in said
        assert [message["content"] for message in dtmf.messages("+12025550100")] == ["Your code is 428613"]
        with pytest.raises(DTMFError) as refusal:
            dtmf.number("+12025550199")
        assert "ended" not in str(refusal.value)
