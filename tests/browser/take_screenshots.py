"""`make screenshots` renders docs/screenshots/ again: each page on a desktop and on a phone, in light and dark."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dtmf_server.operations import rent
from dtmf_server.server import sandbox_seed
from dtmf_server.storage.db import Database, Tx
from dtmf_server.storage.open import open_database
from harness import DAY_US, START_US, FakeWall, give_coins, initialise, open_account

from .conftest import DESKTOP, PHONE, Open, receive, sign_in

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
PAGES = {"landing": "/", "messages": "/messages", "number": "/numbers/{e164}", "rent": "/rent", "top-up": "/top-up"}
PAGES |= {"pay": "/top-up?invoice=1", "sandbox": "/sandbox"}
SMALLER = """async ([png, quality]) => {
  const image = new Image()
  image.src = 'data:image/png;base64,' + png
  await image.decode()
  const canvas = document.createElement('canvas')
  canvas.width = image.width
  canvas.height = image.height
  canvas.getContext('2d').drawImage(image, 0, 0)
  return canvas.toDataURL('image/webp', quality).split(',')[1]
}"""


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """A sandbox with its default catalog."""
    database = open_database(database_url)
    initialise(database, {})
    database.write_blocking(sandbox_seed.stock_sandbox)
    yield database
    database.close()


@pytest.fixture
def account_id(db: Database) -> int:
    """An account with a few coins; its token is `new_token(1)`."""
    found = open_account(db, seed=1)
    give_coins(db, found, 60_000)
    return found


@pytest.fixture
def e164(db: Database, account_id: int) -> str:
    """One of the account's two numbers."""

    def start(tx: Tx) -> str:
        first, _ = (
            rent.start(tx, account_id, id_, now_us=START_US, cooldown_us=0) for id_ in ("gb-mobile", "us-local")
        )
        return str(first["e164"])

    return db.write_blocking(start)


def furnish(db: Database, wall: FakeWall, account_id: int, page: Page, e164: str) -> None:
    """A week of activity in an account."""
    for day in range(4):
        wall.advance(us=DAY_US)
        give_coins(db, account_id, 30_000 + 20_000 * day, now_us=wall())
        receive(db, e164, f"Your verification PIN: 5519{day}", sender="Hetzner", at_us=wall())
    for sender, text in (
        ("ACME Bank", "One-time code 729104 for your transfer of £40.00. Never share this code."),
        ("+447700900876", "Running ten minutes late, sorry! See you at the café."),
        ("Signal", "Your Signal code is 482-913. Do not share it with anyone. https://signal.org.example/verify"),
        ("GitHub", "Your GitHub authentication code: 604 118"),
    ):
        wall.advance(seconds=600)
        receive(db, e164, text, sender=sender, at_us=wall())
    page.goto(f"/numbers/{e164}")
    page.get_by_label("To", exact=True).fill("+447700900876")
    page.get_by_label("Text").fill("No hurry \N{SMILING FACE WITH SMILING EYES}")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#talk")).to_contain_text("No hurry")
    page.get_by_label("Also post it to a webhook").check()
    page.get_by_label("URL").fill("http://127.0.0.1:9999/sms")
    page.get_by_role("button", name="Save").click()
    page.goto("/deliveries")
    page.get_by_role("button", name="Send test").click()
    page.goto("/top-up")
    page.get_by_role("button", name="Create address").click()
    page.get_by_role("button", name="Add 100 000 test sats").click()
    page.get_by_role("button", name="Add as unconfirmed").click()
    expect(page.get_by_text("0 of 2 confirmations")).to_be_visible()
    page.goto("/top-up?amount=50k")
    page.get_by_role("button", name="Show QR code").click()
    expect(page.get_by_text("Waiting for the payment")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_take(opened: Open, db: Database, wall: FakeWall, account_id: int, e164: str, scheme: str) -> None:
    furnish(db, wall, account_id, sign_in(opened()), e164)
    paper = opened()
    for viewport in (DESKTOP, PHONE):
        page = sign_in(opened(viewport=viewport, color_scheme=scheme))
        for name, path in PAGES.items():
            page.goto(path.format(e164=e164))
            page.evaluate("document.fonts.ready")
            png = base64.b64encode(page.screenshot(full_page=True)).decode()
            webp = base64.b64decode(paper.evaluate(SMALLER, [png, 0.6]))
            (FOLDER / f"{name}-{viewport['width']}-{scheme}.webp").write_bytes(webp)
