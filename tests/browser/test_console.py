"""The operator's console in Chromium: axe finds no violations and nothing overflows, in light and dark, on phone and
desktop; signing in works by mouse, without JavaScript."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from dtmf_server.operations.operator_sign_in import RECENT_US
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage.db import Database
from harness import FakeWall, serving_console
from support.console import NOW_US, SIGN_IN, live, make_link

from .conftest import DESKTOP, PHONE, Open
from .test_access import violations

PAGES = ("", "/money", "/accounts", "/accounts?q=nothing", "/numbers", "/prices", "/carriers", "/deposits", "/audit")
PAGES += ("/deposits?tab=lightning", "/deposits?tab=suspense", "/nowhere", "/sign-in", "/sign-in?key=used")
OF_ACCOUNT = ("", "/ledger", "/rentals", "/deliveries", "/actions")
PROBLEMS = ["carrier paris has never been started with this database: start dtmf-server run or dtmf-server worker"]


@pytest.fixture
def url(runtime: Runtime) -> Iterator[str]:
    """The URL of the console."""
    with serving_console(runtime, diagnose=lambda: ([*PROBLEMS], ["1 SMS is in doubt"])) as address:
        yield address


@pytest.fixture
def account_id(db: Database, wall: FakeWall) -> int:
    """The account that does the most on a service with some history."""
    found = live(db)
    wall.at_us = NOW_US
    return found


@pytest.fixture
def sign_in(db: Database) -> Callable[[Page], None]:
    """Return a function that signs in with a new link."""

    def sign_in(page: Page) -> None:
        page.goto(make_link(db, key="link", wall_us=NOW_US))
        page.get_by_role("button", name="Sign in as ada").click()
        expect(page.get_by_role("heading", name="Health", exact=True)).to_be_visible()

    return sign_in


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_in_the_console_and_nothing_overflows(
    opened: Open,
    account_id: int,
    sign_in: Callable[[Page], None],
    wall: FakeWall,
    scheme: str,
    viewport: dict[str, int],
) -> None:
    page = opened(color_scheme=scheme, viewport=viewport)
    sign_in(page)
    found = []
    for path in (*PAGES, *(f"/accounts/{account_id}{tab}" for tab in OF_ACCOUNT)):
        page.goto(f"/operator{path}")
        found += [f"{path}: {violation}" for violation in violations(page)]
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], path
    page.goto("/operator/money")
    page.get_by_text("Figures of every day").click()
    found += [f"figures: {violation}" for violation in violations(page)]
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], "figures"
    page.goto(f"/operator/accounts/{account_id}")
    page.get_by_label("Reason").fill(" ")
    page.get_by_role("button", name="Suspend account").click()
    found += [f"refused: {violation}" for violation in violations(page)]
    page.get_by_label("Reason").fill("sends spam")
    page.get_by_role("button", name="Suspend account").click()
    expect(page.get_by_text("The account is suspended")).to_be_visible()
    found += [f"suspended: {violation}" for violation in violations(page)]
    wall.advance(us=RECENT_US)
    page.reload()
    expect(page.get_by_text("Sign in again to do this")).to_be_visible()
    found += [f"not recent: {violation}" for violation in violations(page)]
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], "not recent"
    assert found == []


def test_an_operator_finds_an_account_without_javascript(
    opened: Open, account_id: int, sign_in: Callable[[Page], None]
) -> None:
    page = opened(java_script_enabled=False)
    sign_in(page)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Accounts").click()
    page.get_by_label("Find an account").fill("+12025550200")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("heading", name=f"Account {account_id}")).to_be_visible()
    page.get_by_role("navigation", name="Account").get_by_role("link", name="Rentals").click()
    expect(page.get_by_role("cell", name="tiny").first).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("The console has no passwords")).to_be_visible()
    page.goto("/operator/money")
    assert page.url.endswith(SIGN_IN)
