"""The whole story by clicking, on a desktop and on a phone, with and without scripts."""

import re

import pytest
from playwright.sync_api import Page, expect

from dtmf_server.core import api_token

from .conftest import DESKTOP, PHONE, Open

WINDOWS = {
    "desktop": {"viewport": DESKTOP},
    "phone": {"viewport": PHONE, "has_touch": True, "is_mobile": True},
    "without scripts": {"viewport": PHONE, "java_script_enabled": False},
}


@pytest.mark.parametrize("window", WINDOWS)
def test_a_newcomer_completes_the_whole_story(opened: Open, window: str) -> None:
    page = opened(**WINDOWS[window])
    page.goto("/")
    page.get_by_role("button", name="Create account").click()
    shown = page.locator("#new-token").inner_text()
    assert api_token.is_well_formed(shown)
    page.get_by_role("link", name="Continue").click()
    top_up(page)
    e164 = rent(page)
    text_it(page, e164)
    answer(page, e164)
    give_back(page, e164)


def top_up(page: Page) -> None:
    """Top up, starting from an empty inbox."""
    page.get_by_role("main").get_by_role("link", name="Top up").click()
    page.get_by_role("button", name="Create address").click()
    expect(page.locator("#address")).to_contain_text("bcrt1")
    page.get_by_role("button", name="Add 100 000 test sats").click()
    expect(page.get_by_text("credited", exact=True)).to_be_visible()
    expect(page.locator(".balance")).to_contain_text(re.compile("100.000"))


def rent(page: Page) -> str:
    """Rent a number from the catalog."""
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Rent").click()
    page.get_by_role("link", name="Rent United States mobile").click()
    page.get_by_role("button", name="Rent for").click()
    expect(page.get_by_text("The number is yours")).to_be_visible()
    return page.locator("#e164").inner_text()


def text_it(page: Page, e164: str) -> None:
    """Text the number from the test phone; find the code in the inbox."""
    page.get_by_role("link", name="Send a test message").click()
    page.get_by_label("From", exact=True).fill("GitHub")
    page.get_by_label("Text").fill("Your code is 604 118")
    page.get_by_role("button", name="Send to your number").click()
    expect(page.get_by_text("The message has arrived")).to_be_visible()
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Messages").click()
    expect(page.locator("#inbox")).to_contain_text("Your code is 604 118")
    expect(page.locator("#inbox .code")).to_have_text("604118")
    page.get_by_role("link", name=re.compile(re.escape(e164))).first.click()


def answer(page: Page, e164: str) -> None:
    """Send, see an error, fix it, set a forward."""
    page.get_by_label("To", exact=True).fill("13105550123")
    page.get_by_label("Text").fill("Thank you")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_label("To", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Text")).to_have_value("Thank you")
    page.get_by_label("To", exact=True).fill("+1 310 555 0123")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#talk")).to_contain_text("Thank you")
    page.get_by_label("Also forward it").check()
    page.get_by_label("Phone number").fill("+44 7700 900123")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("New messages will be forwarded to +447700900123")).to_be_visible()
    expect(page.get_by_label("Phone number")).to_have_value("+447700900123")


def give_back(page: Page, e164: str) -> None:
    """End the rental, check its cost, sign out."""
    page.get_by_role("link", name="End rental").click()
    page.get_by_role("button", name="End rental").click()
    expect(page.get_by_text("Rental ended")).to_be_visible()
    page.goto(f"/numbers/{e164}")
    expect(page.get_by_text("This rental has ended: ended by you")).to_be_visible()
    page.goto("/transactions")
    expect(page.locator("#transactions")).to_contain_text("SMS sent")
    page.get_by_role("button", name="Sign out").click()
    page.goto("/messages")
    expect(page.get_by_label("Token")).to_be_visible()
