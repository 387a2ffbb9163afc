"""Paying in a browser: an open page sees the payment without a reload, and goes on to what it was for."""

import re

import pytest
from playwright.sync_api import Page, expect

from dtmf import DTMF
from dtmf_server.operations import rent
from dtmf_server.storage.db import Database
from harness import START_US, FakeWall, give_coins, new_token, open_account

from .conftest import Open, sign_in


@pytest.fixture
def page(opened: Open, db: Database) -> Page:
    """A window signed in to an account without coins."""
    open_account(db, seed=3)
    return sign_in(opened(), seed=3)


@pytest.fixture
def wallet(url: str, page: Page) -> DTMF:
    """Another device of the same renter."""
    return DTMF(new_token(3), base_url=url)


def pay(wallet: DTMF) -> None:
    """Pay the newest invoice."""
    *_, newest = wallet.invoices()
    wallet.sandbox.pay(newest)


def test_a_payment_is_confirmed_without_a_reload(page: Page, wallet: DTMF) -> None:
    page.goto("/top-up")
    page.get_by_label("Amount").fill("50k")
    page.get_by_role("button", name="Show QR code").click()
    expect(page.get_by_text("Waiting for the payment")).to_be_visible()
    page.evaluate("window.kept = true")
    before = page.locator("#payment").bounding_box()
    page.get_by_role("button", name="Copy invoice").click()  # it has the focus when the page changes
    pay(wallet)
    expect(page.get_by_text("The payment has arrived")).to_be_visible()
    expect(page.locator("#bar-balance")).to_contain_text("50\u202f000")
    expect(page.locator("#deposits")).to_contain_text("credited")
    expect(page.get_by_role("button", name="Pay with the test wallet")).to_have_count(0)
    assert page.evaluate("window.kept"), "nothing was loaded again"
    after = page.locator("#payment").bounding_box()
    assert before and after and (before["y"], before["width"]) == (after["y"], after["width"])


def test_a_paid_top_up_returns_to_the_earlier_page(page: Page, wallet: DTMF) -> None:
    page.goto("/top-up?amount=1234&return=/tokens")
    page.get_by_role("button", name="Show QR code").click()
    expect(page.locator("#payment").get_by_text("1\u202f234")).to_be_visible()
    pay(wallet)
    page.wait_for_url("**/tokens")
    page.goto("/top-up?invoice=1&return=/tokens")  # opened again, it stays
    expect(page.get_by_text("The payment has arrived")).to_be_visible()
    expect(page.get_by_role("link", name="Continue")).to_have_attribute("href", "/tokens")


def test_a_renter_without_a_balance_pays_and_has_the_number(page: Page, wallet: DTMF) -> None:
    page.goto("/rent/us-mobile")
    page.get_by_label("+12025550102").check()
    page.get_by_role("button", name="Pay and rent").click()
    expect(page.get_by_text("Waiting for the payment")).to_be_visible()
    pay(wallet)
    page.wait_for_url("**/numbers/+12025550102?done=rented")
    page.go_back()
    page.wait_for_url("**/numbers/+12025550102?done=rented")
    assert [number["e164"] for number in wallet.numbers()] == ["+12025550102"]


def test_a_number_that_went_meanwhile_is_not_rented(page: Page, wallet: DTMF, db: Database) -> None:
    page.goto("/rent/tiny")
    page.get_by_role("button", name="Pay and rent").click()
    expect(page.get_by_text("Waiting for the payment")).to_be_visible()
    other = open_account(db, seed=4)
    give_coins(db, other, 1000)
    db.write_blocking(lambda tx: rent.start(tx, other, "tiny", now_us=START_US, cooldown_us=0))
    pay(wallet)
    expect(page.get_by_text("Another renter took the last number")).to_be_visible()
    expect(page.get_by_role("link", name="United States")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Another renter took the last number")).to_be_visible()
    assert wallet.numbers() == []


def test_a_payment_while_the_session_is_over_is_used_after_signing_in(page: Page, wallet: DTMF, opened: Open) -> None:
    page.goto("/rent/us-mobile")
    page.get_by_role("button", name="Pay and rent").click()
    expect(page.get_by_text("Waiting for the payment")).to_be_visible()
    second = sign_in(opened(), seed=3)
    second.goto("/account")
    second.get_by_role("button", name="Sign out everywhere").click()
    pay(wallet)
    page.wait_for_url(re.compile(r"/sign-in\?next="))
    page.get_by_label("Token").fill(new_token(3))
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile(r"/numbers/.*done=rented"))
    assert len(wallet.numbers()) == 1


def test_an_invoice_that_expires_while_the_page_is_open_shows_it(page: Page, wall: FakeWall) -> None:
    wall.advance(seconds=-3597)
    page.goto("/top-up?amount=5")
    page.get_by_role("button", name="Show QR code").click()
    expect(page.get_by_text("Waiting for the payment")).to_be_visible()
    wall.advance(seconds=3597)
    page.reload()
    wall.advance(seconds=3)
    expect(page.get_by_text("This invoice has expired")).to_be_visible()
