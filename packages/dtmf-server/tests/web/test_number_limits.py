"""Limits and the label of a rental on the website."""

from collections.abc import Callable

from dtmf_server.storage import rentals
from dtmf_server.storage.db import Database
from harness import give_coins, new_token, open_account
from support.visitor import Visitor

from .conftest import ONE_ENGINE

pytestmark = ONE_ENGINE
Visit = Callable[[], Visitor]


def test_limits_are_set_when_renting_and_changed_on_the_numbers_page(visit: Visit, db: Database) -> None:
    account_id = open_account(db, seed=5)
    give_coins(db, account_id, 20_000)
    renter = visit()
    renter.sign_in(new_token(5))
    page = renter.open("/rent/us-mobile")
    assert "At least 718 sats" in page.text.replace("\u202f", " ")
    low = renter.send(page, "/rent/us-mobile", max_sats="717")
    assert low.status == 422 and "must be at least 718" in low.text.lower()
    page = renter.send(low, "/rent/us-mobile", max_minutes="30", max_sats="9 000", label="sign-up")
    (rental,) = db.read_blocking(lambda tx: rentals.live(tx, account_id))
    assert (rental["max_minutes"], rental["max_sats"], rental["label"]) == (30, 9000, "sign-up")
    assert "sign-up" in page.text and "sats left" in page.text and "ends by itself" in page.text
    action = f"/numbers/{rental['e164']}/limits"
    form = page.form(action)
    assert (form.fields["max_minutes"], form.fields["label"]) == ("30", "sign-up")
    wrong = renter.send(page, action, max_minutes="1.5h")
    assert wrong.status == 422 and "Enter a whole number" in wrong.text
    page = renter.send(page, action, max_minutes="", max_sats="", label="")
    (rental,) = db.read_blocking(lambda tx: rentals.live(tx, account_id))
    assert (rental["max_minutes"], rental["max_sats"], rental["label"]) == (None, None, None)
