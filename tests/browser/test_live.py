"""Open pages update live and catch up after a disconnect."""

from playwright.sync_api import expect

from dtmf_server.storage.db import Database
from harness import give_coins, open_account

from .conftest import Open, receive, sign_in


def test_an_sms_appears_without_a_reload(opened: Open, db: Database, e164: str) -> None:
    page = sign_in(opened())
    page.evaluate("window.kept = true")
    expect(page.get_by_text("Waiting for your first message")).to_be_visible()
    for number in range(3):
        receive(db, e164, f"Your code is 12345{number}")
        expect(page.locator("#inbox li").first).to_contain_text(f"Your code is 12345{number}")
    expect(page.locator("#inbox li")).to_have_count(3)
    expect(page.locator("#inbox button.code").first).to_have_text("123452")
    expect(page.locator("#bar-balance")).to_contain_text("997 872")
    assert page.evaluate("window.kept"), "nothing was loaded again"


def test_a_reconnecting_page_misses_nothing(opened: Open, db: Database, e164: str) -> None:
    page = sign_in(opened())
    receive(db, e164, "before")
    expect(page.locator("#inbox li")).to_have_count(1)
    page.context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('offline'))")
    for number in range(20):
        receive(db, e164, f"meanwhile {number}")
    page.context.set_offline(False)
    expect(page.locator("#inbox li")).to_have_count(21)
    expect(page.locator("#inbox li").first).to_contain_text("meanwhile 19")


def test_other_pages_follow_too(opened: Open, db: Database, e164: str, account_id: int) -> None:
    number, money = sign_in(opened()), sign_in(opened())
    number.goto(f"/numbers/{e164}")
    number.get_by_label("To", exact=True).fill("+4477")
    money.goto("/transactions")
    receive(db, e164, "hello there")
    expect(number.locator("#talk")).to_contain_text("hello there")
    expect(number.get_by_label("To", exact=True)).to_have_value("+4477")
    expect(money.locator("#transactions")).to_contain_text("SMS received")


def test_other_accounts_messages_do_not_appear(opened: Open, db: Database, e164: str) -> None:
    other_id = open_account(db, seed=2)
    give_coins(db, other_id, 1000)
    page = sign_in(opened(), seed=2)
    receive(db, e164, "not for you")
    page.goto(f"/numbers/{e164}")
    expect(page.get_by_role("heading", name="You aren't renting this number")).to_be_visible()
    page.goto("/messages")
    expect(page.get_by_text("not for you")).to_have_count(0)


def test_search_updates_while_typing(opened: Open, db: Database, e164: str) -> None:
    for word in ("apple", "pear", "plum"):
        receive(db, e164, f"a text about {word}")
    page = sign_in(opened())
    expect(page.locator("#inbox li")).to_have_count(3)
    page.get_by_role("searchbox").press_sequentially("PEAR")
    expect(page.locator("#inbox li")).to_have_count(1)
    expect(page.locator("#inbox li")).to_contain_text("pear")
    receive(db, e164, "one more pear")
    expect(page.locator("#inbox li")).to_have_count(2)
    page.get_by_role("searchbox").fill("")
    expect(page.locator("#inbox li")).to_have_count(4)
