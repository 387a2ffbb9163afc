"""Accessibility: axe finds no violations, pages work by keyboard, and phones need no horizontal scrolling."""

from functools import cache
from importlib.resources import files
from itertools import product

import pytest
from playwright.sync_api import Page, expect

from dtmf_server.operations import rent
from dtmf_server.storage.db import Database, Tx
from harness import START_US

from .conftest import DESKTOP, PHONE, Open, receive, sign_in

PUBLIC = ("/", "/sign-in", "/sign-up", "/sign-in/link", "/sign-in/link?key=used", "/account/deleted", "/nowhere")
PRIVATE = ("/messages", "/messages?q=nothing", "/rent", "/rent?type=local", "/rent/us-mobile", "/numbers/{e164}")
PRIVATE += ("/numbers/{e164}/end", "/top-up", "/transactions", "/deliveries", "/tokens", "/account")
PRIVATE += ("/top-up?amount=x", "/top-up?invoice=1", "/top-up?invoice=2", "/top-up?invoice=3")
PRIVATE += (
    "/account/delete",
    "/sandbox",
    "/rentals",
    "/rentals/end?e164={e164}",
    "/numbers",
    "/numbers?q=2&action=store",
)
PRIVATE += ("/numbers/+12025550200",)  # has ended
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@cache
def axe() -> str:
    """The source of axe-core, from its wheel."""
    return (files("axe_playwright_python") / "axe.min.js").read_text()


def violations(page: Page) -> list[str]:
    """Return axe's violations on the page."""
    page.evaluate(axe())
    found = page.evaluate("tags => axe.run(document, {runOnly: tags})", STANDARDS)
    assert len(found["passes"]) > 10, "axe has looked"
    return [f"{v['id']}: {node['target']} {node['failureSummary']}" for v in found["violations"] for node in v["nodes"]]


def live_in(db: Database, page: Page, e164: str) -> None:
    """Give all pages content, including hostile texts."""
    for text in ("Your code is 604 118", "\u202eevil https://evil.example/x", "x" * 10_000, "word " * 2_000):
        receive(db, e164, text, sender="\u202e" + "N" * 60)

    def run_out(tx: Tx) -> None:
        (account,) = tx.all("SELECT account_id FROM rentals WHERE e164 = :e164", e164=e164)
        rent.start(tx, account["account_id"], "tiny", now_us=START_US, cooldown_us=0)
        rent.end(tx, account["account_id"], "+12025550200", now_us=START_US)
        tx.run(
            "UPDATE rentals SET end_reason = 'depleted', ended_at_us = started_at_us + 1 WHERE e164 = '+12025550200'"
        )

    db.write_blocking(run_out)
    page.goto(f"/numbers/{e164}")
    page.get_by_label("Also post it to a webhook").check()
    page.get_by_label("URL").fill("http://127.0.0.1:9999/" + "long" * 60)
    page.get_by_role("button", name="Save").click()
    page.goto("/deliveries")
    page.get_by_role("button", name="Send test").click()
    expect(page.locator(".log li").first).to_be_visible()
    page.goto("/tokens")
    page.get_by_label("Name").fill("my bot " + "x" * 90)
    page.get_by_role("button", name="Create token").click()
    page.goto("/tokens")
    page.get_by_label("Name").fill("agent")
    page.get_by_text("Restrict it").click()
    page.get_by_label("rent numbers").check()
    page.get_by_label("Sats in all").fill("2000")
    page.get_by_label("Expires").select_option("in 7 days")
    page.get_by_role("button", name="Create token").click()
    page.goto("/tokens")
    expect(page.get_by_text("At most in all")).to_be_visible()
    page.goto("/top-up")
    page.get_by_role("button", name="Create address").click()
    page.get_by_role("button", name="Add as unconfirmed").click()
    expect(page.get_by_text("0 of 2 confirmations")).to_be_visible()
    for _ in range(3):
        page.goto("/top-up?amount=50k")
        page.get_by_role("button", name="Show QR code").click()
        expect(page.get_by_text("Waiting for the payment")).to_be_visible()
    page.goto("/top-up?invoice=2")
    page.get_by_role("button", name="Pay with the test wallet").click()
    expect(page.get_by_text("The payment has arrived")).to_be_visible()
    db.write_blocking(lambda tx: tx.run("UPDATE lightning_invoices SET expires_at_us = created_at_us + 1 WHERE id = 3"))


@pytest.mark.parametrize(("scheme", "size"), [*product(["light", "dark"], ["desktop", "phone"])])
def test_axe_finds_nothing_and_nothing_overflows(opened: Open, db: Database, e164: str, scheme: str, size: str) -> None:
    viewport = PHONE if size == "phone" else DESKTOP
    page = opened(color_scheme=scheme, viewport=viewport)
    found = []
    for path in PUBLIC:
        page.goto(path)
        found += [f"{path}: {violation}" for violation in violations(page)]
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], path
    sign_in(page)
    live_in(db, page, e164)
    for path in (place.format(e164=e164) for place in PRIVATE):
        page.goto(path)
        found += [f"{path}: {violation}" for violation in violations(page)]
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], path
    page.goto("/sign-up")
    page.get_by_role("main").get_by_role("button", name="Create account").click()
    found += [f"new token: {violation}" for violation in violations(page)]
    page.goto("/tokens")
    page.get_by_text("Restrict it").click()
    found += [f"token form: {violation}" for violation in violations(page)]
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], "token form"
    page.goto("/rent/us-mobile")
    found += [f"low balance: {violation}" for violation in violations(page)]
    page.get_by_role("button", name="Pay and rent").click()
    expect(page.get_by_text("Waiting for the payment")).to_be_visible()
    found += [f"offer: {violation}" for violation in violations(page)]
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], "offer"
    assert found == []


def test_the_dashboard_works_by_keyboard(opened: Open, db: Database, e164: str) -> None:
    receive(db, e164, "Your code is 604 118")
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    sign_in(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("searchbox")).to_be_focused()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "where the focus is can be seen"
    for _ in range(2):
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Copy the code 604118")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "604118"


def test_wrong_tokens_are_limited_on_the_page(opened: Open, account_id: int) -> None:
    page = opened()
    page.goto("/sign-in")
    for _ in range(11):
        page.get_by_label("Token").fill("dtmf_wrong")
        page.get_by_role("main").get_by_role("button", name="Sign in").click()
        expect(page.get_by_label("Token")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#token-error")).to_contain_text("Try again in")


def test_the_dashboard_is_light(opened: Open, db: Database, e164: str) -> None:
    for number in range(50):
        receive(db, e164, f"Your verification code is {number:06d}. It is valid for ten minutes.")
    page = sign_in(opened())
    page.goto("/messages")
    for _ in range(500):  # wait_for_function would evaluate a string in the page, which the policy forbids
        if page.evaluate("performance.getEntriesByName('first-contentful-paint').length > 0"):
            break
        page.wait_for_timeout(20)
    weight = page.evaluate(
        """() => {
          const painted = performance.getEntriesByName('first-contentful-paint')[0].startTime
          const loaded = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
            .filter(entry => !entry.name.includes('/live'))
          return {
            before: loaded.filter(entry => entry.startTime < painted).length,
            bytes: loaded.reduce((sum, entry) => sum + entry.encodedBodySize, 0),
          }
        }"""
    )
    assert weight["before"] <= 4
    assert 1_000 < weight["bytes"] <= 60_000
