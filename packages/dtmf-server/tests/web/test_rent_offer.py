"""Pay and rent: a renter without a balance pays an invoice and has the number, at the price shown or not at all."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from dtmf_server.operations import rent, rent_offers
from dtmf_server.storage.db import Database, Row
from harness import START_US, give_coins, new_token, open_account
from support.visitor import Page, Visitor

GROUP = "/rent/us-mobile"
ACCEPT = "/rent/us-mobile/accept"
NUMBER = "+12025550142"


@pytest.fixture
def account_id(db: Database) -> int:
    """An account without coins."""
    return open_account(db, seed=1)


def choose(renter: Visitor, group: str = "us-mobile", **fields: str) -> Page:
    """Choose a number, and return the page that waits for the payment of its first minute."""
    return renter.do(f"/rent/{group}", f"/rent/{group}", **{"minutes": "1", **fields})


def rentals(db: Database) -> list[Row]:
    return db.read_blocking(lambda tx: tx.all("SELECT e164, setup_cost, cost_per_minute, account_id FROM rentals"))


def balance(db: Database, account_id: int) -> int:
    return int(
        db.read_blocking(lambda tx: tx.one("SELECT balance FROM accounts WHERE id = :id", id=account_id))["balance"]
    )


def submits_itself(page: Page) -> bool:
    return any(tag == "form" and "data-submit" in given for tag, given in page.tags)


def take(db: Database, group: str, *, e164: str | None = None) -> None:
    """Have another account rent."""
    other = open_account(db, seed=9)
    give_coins(db, other, 10_000)
    db.write_blocking(lambda tx: rent.start(tx, other, group, now_us=START_US, cooldown_us=0, e164=e164))


def change_price(db: Database, group: str, by: int) -> None:
    db.write_blocking(
        lambda tx: tx.run(
            "UPDATE groups SET rental_cost_per_minute = rental_cost_per_minute + :by WHERE id = :id", by=by, id=group
        )
    )


def test_a_paid_offer_is_rented_once(renter: Visitor, db: Database, account_id: int) -> None:
    page = choose(renter, e164=NUMBER)
    assert page.path == GROUP and NUMBER in page.text and "13 sats" in page.text and not submits_itself(page)
    assert rentals(db) == []
    page = renter.send(page, "/sandbox/pay")
    assert submits_itself(page) and "Rent for 13 sats" in page.text
    done = renter.send(page, ACCEPT)
    assert done.path == f"/numbers/{NUMBER}" and "is yours" in done.text
    for again in (renter.send(page, ACCEPT), renter.open(f"{GROUP}?invoice=1")):  # a second tab, and Back
        assert again.path == f"/numbers/{NUMBER}"
    assert [row["e164"] for row in rentals(db)] == [NUMBER] and balance(db, account_id) == 0


def test_a_crash_between_the_credit_and_the_rental_leaves_the_balance_and_the_offer(
    renter: Visitor, db: Database, account_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = renter.send(choose(renter, e164=NUMBER), "/sandbox/pay")

    def crash(*arguments: Any, **named: Any) -> None:
        rent.start(*arguments, **named)
        raise OSError("the process was killed")

    with monkeypatch.context() as patched:
        patched.setattr(rent_offers, "rent", SimpleNamespace(start=crash))
        assert renter.send(page, ACCEPT).status == 500
    assert rentals(db) == [] and balance(db, account_id) == 13
    later = renter.open(f"{GROUP}?invoice=1")
    assert submits_itself(later) and renter.send(later, ACCEPT).path == f"/numbers/{NUMBER}"
    assert [row["e164"] for row in rentals(db)] == [NUMBER] and balance(db, account_id) == 0


def test_two_tabs_that_submit_together_rent_once(renter: Visitor, db: Database, account_id: int) -> None:
    page = renter.send(choose(renter), "/sandbox/pay")
    give_coins(db, account_id, 1000)
    with ThreadPoolExecutor(4) as pool:
        found = [*pool.map(lambda _: renter.send(page, ACCEPT), range(4))]
    assert len({each.path for each in found}) == 1 and len(rentals(db)) == 1
    assert balance(db, account_id) == 1000


def test_a_form_sent_twice_makes_one_offer(renter: Visitor, db: Database) -> None:
    page = renter.open(GROUP)
    for _ in range(2):
        assert renter.send(page, GROUP, minutes="60").path == GROUP
    assert len(db.read_blocking(lambda tx: tx.all("SELECT id FROM lightning_invoices"))) == 1


def test_the_time_to_pay_for_is_chosen(renter: Visitor, account_id: int, db: Database) -> None:
    give_coins(db, account_id, 10)
    assert "770 sats" in choose(renter, minutes="60").text


def test_a_number_that_went_meanwhile_leaves_the_balance_and_offers_others(
    renter: Visitor, db: Database, account_id: int
) -> None:
    page = choose(renter, e164=NUMBER)
    take(db, "us-mobile", e164=NUMBER)
    page = renter.send(renter.send(page, "/sandbox/pay"), ACCEPT)
    assert page.path == GROUP and "Another renter took this number" in page.text and "+12025550101" in page.text
    assert not submits_itself(page)
    assert len(rentals(db)) == 1 and balance(db, account_id) == 13
    page = renter.send(page, GROUP)
    assert page.path.startswith("/numbers/+1202") and balance(db, account_id) == 0


def test_the_last_number_of_a_group_that_went_leads_to_other_groups(renter: Visitor, db: Database) -> None:
    page = choose(renter, "tiny")
    take(db, "tiny")
    page = renter.send(renter.send(page, "/sandbox/pay"), "/rent/tiny/accept")
    assert "Another renter took the last number" in page.text and "Other groups with free numbers" in page.text
    assert any(given.get("href") == GROUP for tag, given in page.tags if tag == "a")


def test_nothing_is_rented_at_a_higher_price(renter: Visitor, db: Database, account_id: int) -> None:
    page = choose(renter, minutes="60")
    change_price(db, "us-mobile", 1)
    page = renter.send(renter.send(page, "/sandbox/pay"), ACCEPT)
    assert "The price went up" in page.text and rentals(db) == [] and balance(db, account_id) == 780
    change_price(db, "us-mobile", -1)  # a closed offer stays closed
    page = renter.open(f"{GROUP}?invoice=1")
    assert "Nothing was rented" in page.text and not submits_itself(page)
    token = page.form(GROUP).fields["csrf_token"]
    assert renter.post(ACCEPT, {"csrf_token": token, "invoice": "1"}).path == GROUP and rentals(db) == []


def test_a_lower_price_is_charged(renter: Visitor, db: Database, account_id: int) -> None:
    page = choose(renter)
    change_price(db, "us-mobile", -3)
    renter.send(renter.send(page, "/sandbox/pay"), ACCEPT)
    assert [row["cost_per_minute"] for row in rentals(db)] == [10] and balance(db, account_id) == 3


def test_with_enough_balance_too_nothing_is_rented_at_a_higher_price(
    renter: Visitor, db: Database, account_id: int
) -> None:
    give_coins(db, account_id, 1000)
    page = renter.open(GROUP)
    change_price(db, "us-mobile", 1)
    refused = renter.send(page, GROUP)
    assert refused.status == 409 and "price" in refused.text and "14" in refused.text and rentals(db) == []
    assert renter.send(refused, GROUP).path.startswith("/numbers/")


@pytest.mark.parametrize("prices", ["x", "1 2 3", "1 2 3 -4", "1 2 3 4 5", "9" * 99])
def test_prices_that_no_page_showed_are_refused(renter: Visitor, db: Database, prices: str) -> None:
    assert renter.do(GROUP, GROUP, prices=prices).status == 422 and rentals(db) == []


def test_a_payment_after_the_expiry_is_credited_and_nothing_is_rented(
    renter: Visitor, db: Database, account_id: int
) -> None:
    page = choose(renter)
    token = page.form("/sandbox/pay").fields["csrf_token"]
    renter.do("/sandbox", "/sandbox/clock", advance_s="86400")
    assert "Nothing was rented" in renter.open(f"{GROUP}?invoice=1").text
    renter.do("/sandbox", "/sandbox/pay", invoice="1", fault="late")
    page = renter.open(f"{GROUP}?invoice=1")
    assert "in your balance" in page.text and "offer has expired" in page.text and not submits_itself(page)
    assert renter.post(ACCEPT, {"csrf_token": token, "invoice": "1"}).path == GROUP
    assert rentals(db) == [] and balance(db, account_id) == 13


def test_another_deposit_that_suffices_is_as_good(renter: Visitor, db: Database, account_id: int) -> None:
    choose(renter, e164=NUMBER)
    renter.do("/top-up", "/top-up", amount="500")
    renter.do("/sandbox", "/sandbox/pay", invoice="2")
    page = renter.open(f"{GROUP}?invoice=1")
    assert submits_itself(page)
    assert renter.send(page, ACCEPT).path == f"/numbers/{NUMBER}" and balance(db, account_id) == 487


def test_a_balance_spent_meanwhile_leads_to_what_is_missing(renter: Visitor, db: Database, account_id: int) -> None:
    page = choose(renter)
    page = renter.send(page, "/sandbox/pay")
    renter.do("/rent/tiny", "/rent/tiny", minutes="1")  # offered too, as 13 sats don't cover it
    db.write_blocking(lambda tx: rent.start(tx, account_id, "us-mobile", now_us=START_US, cooldown_us=0))
    page = renter.send(page, ACCEPT)
    assert page.path == GROUP and "13 sats short" in page.text and not submits_itself(page)
    assert "/top-up?amount=13&amp;return=/rent/us-mobile%3Finvoice%3D1" in page.html


def test_an_ended_session_returns_to_the_offer(renter: Visitor, visit: Callable[[], Visitor]) -> None:
    page, second = choose(renter, e164=NUMBER), visit()
    second.sign_in(new_token(1))
    second.do("/sandbox", "/sandbox/pay", invoice="1")
    second.do("/account", "/account/sign-out")
    page = renter.open(f"{GROUP}?invoice=1")
    assert page.path == "/sign-in"
    page = renter.send(page, "/sign-in", token=new_token(1))
    assert page.path == GROUP and submits_itself(page)
    assert renter.send(page, ACCEPT).path == f"/numbers/{NUMBER}"


def test_offers_of_other_accounts_and_groups_are_not_accepted(renter: Visitor, other: Visitor, db: Database) -> None:
    page = renter.send(choose(renter), "/sandbox/pay")
    token = other.open("/tokens").form("/tokens").fields["csrf_token"]
    for path, invoice in ((ACCEPT, "1"), (ACCEPT, "99"), (ACCEPT, ""), (ACCEPT, "x"), ("/rent/nowhere/accept", "1")):
        other.post(path, {"csrf_token": token, "invoice": invoice})
    own = page.form(ACCEPT).fields
    renter.post("/rent/tiny/accept", own)
    assert renter.post(ACCEPT, {**own, "csrf_token": "x"}).status == 403
    assert rentals(db) == []
