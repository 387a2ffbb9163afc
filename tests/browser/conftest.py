"""Fixtures of the tests with a real browser: Chromium, and clicking users. No script is mocked, nothing is awaited by
sleeping, and whatever a page's policy forbids fails the test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations import rent
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage.db import Database
from harness import START_US, give_coins, new_token, open_account

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
FLAGS += ["--disable-sync", "--force-prefers-reduced-motion"]
PATIENCE_MS = 20_000
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1440, "height": 900}
# Console messages that are expected: responses that tests provoke.
EXPECTED = ("the server responded with a status of 4", "net::ERR_INTERNET_DISCONNECTED")

Open = Callable[..., Page]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(params=["sqlite"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Use one database engine: pages don't depend on it."""
    path = tmp_path / "dtmf.db"
    path.write_bytes(request.getfixturevalue("migrated_sqlite").read_bytes())
    return f"sqlite:///{path}"


@pytest.fixture
def opened(chromium: Browser, url: str) -> Iterator[Open]:
    """Return a function that opens a new browser window: `opened(viewport=…, color_scheme=…)`."""
    complaints: list[str] = []
    with ExitStack() as stack:

        def open_window(**options: object) -> Page:
            context: BrowserContext = chromium.new_context(
                **{"base_url": url, "viewport": DESKTOP, "locale": "en-GB", "timezone_id": "UTC", **options}
            )
            stack.callback(context.close)
            context.set_default_timeout(PATIENCE_MS)
            if options.get("java_script_enabled", True):
                context.add_init_script(
                    "addEventListener('securitypolicyviolation', e =>"
                    " console.error('forbidden:', e.violatedDirective, e.blockedURI))"
                )
            page = context.new_page()
            page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            return page

        yield open_window
    assert [said for said in complaints if not any(part in said for part in EXPECTED)] == []


@pytest.fixture
def account_id(db: Database) -> int:
    """An account with coins; its token is `new_token(1)`."""
    found = open_account(db, seed=1)
    give_coins(db, found, 1_000_000)
    return found


@pytest.fixture
def e164(db: Database, account_id: int) -> str:
    """A number that the account rents."""
    return db.write_blocking(
        lambda tx: str(rent.start(tx, account_id, "us-mobile", now_us=START_US, cooldown_us=0)["e164"])
    )


def sign_in(page: Page, seed: int = 1) -> Page:
    """Sign in by typing the token."""
    page.goto("/sign-in")
    page.get_by_label("Token").fill(new_token(seed))
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/messages")
    return page


def receive(db: Database, to: str, content: str, sender: str = "GitHub", at_us: int = START_US) -> None:
    """Receive an SMS."""
    db.write_blocking(lambda tx: receive_many(tx, [InboundMessage(to, sender, content)], now_us=at_us))
