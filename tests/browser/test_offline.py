"""Pages show when they are offline or the service is unreachable, block submissions, and show when it is back."""

import pytest
from playwright.sync_api import expect

from dtmf_server.storage.db import Database
from harness import START_US

from .conftest import DESKTOP, PHONE, Open, receive, sign_in


@pytest.mark.regression("the-page-says-when-it-is-offline")
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_an_offline_page_shows_a_notice_and_keeps_what_was_typed(
    opened: Open, db: Database, e164: str, viewport: dict[str, int]
) -> None:
    page = sign_in(opened(viewport=viewport))
    page.goto(f"/numbers/{e164}")
    page.get_by_label("To", exact=True).fill("+13105550123")
    page.get_by_label("Text").fill("I am in a tunnel")
    page.context.set_offline(True)
    page.evaluate("dispatchEvent(new Event('offline'))")  # Chromium notifies background pages late, if at all
    status = page.locator("#connection[role=status]")
    expect(status).to_contain_text("You’re offline")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("nothing was sent")).to_be_visible()
    expect(page.get_by_label("Text")).to_have_value("I am in a tunnel")
    receive(db, e164, "meanwhile")
    page.context.set_offline(False)
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(status).to_contain_text("Back online")
    expect(page.locator("#talk")).to_contain_text("meanwhile")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#talk")).to_contain_text("I am in a tunnel")


@pytest.mark.regression("the-page-says-when-it-is-offline")
def test_a_page_shows_when_the_service_is_unreachable_and_when_it_is_back(
    opened: Open, db: Database, e164: str
) -> None:
    page = sign_in(opened())
    page.route("**/live?*", lambda route: route.abort("internetdisconnected"))
    page.reload()
    status = page.locator("#connection[role=status]")
    expect(status).to_contain_text("We lost the connection to the service")
    receive(db, e164, "meanwhile", at_us=START_US)
    page.unroute("**/live?*")
    expect(status).to_contain_text("Back online")
    expect(page.locator("#inbox")).to_contain_text("meanwhile")


def test_without_a_script_a_page_shows_no_connection_notice(opened: Open, e164: str) -> None:
    page = sign_in(opened(java_script_enabled=False))
    expect(page.locator("#connection")).to_be_hidden()


@pytest.mark.regression("an-expired-session-loses-the-draft")
def test_a_page_whose_session_ended_keeps_what_was_typed(opened: Open, db: Database, e164: str) -> None:
    page = sign_in(opened())
    page.goto(f"/numbers/{e164}")
    page.get_by_label("To", exact=True).fill("+13105550123")
    page.get_by_label("Text").fill("a long text, nearly done")
    db.write_blocking(lambda tx: tx.run("DELETE FROM web_sessions"))
    receive(db, e164, "which has the page look again")
    expect(page.locator("#connection")).to_contain_text("Your session has ended")
    expect(page.get_by_label("Text")).to_have_value("a long text, nearly done")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text("We saved what you typed")).to_be_visible()
    expect(page.get_by_text("a long text, nearly done")).to_be_visible()
