"""Topping up: an invoice and its QR code, its states, the return to an earlier page, and the links that ask for it."""

from collections.abc import Callable
from decimal import Decimal
from html import unescape

import pytest

from dtmf_server.core.rates import RateUnavailable
from dtmf_server.operations import rent
from dtmf_server.payments.lightning import bolt11
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage.db import Database
from harness import START_US, FakeWall, give_coins, new_token, open_account, serving
from support.visitor import Page, Visitor

from .conftest import ONE_ENGINE

EVIL = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "/%5Cevil.example",
    "/%2F/evil.example",
    "https://evil.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\x00evil",
    "/ /evil.example",
    "/\u2028/evil.example",
    "/messages/../..//evil.example",
    "/sign-out",
    "/" + "x" * 2000,
]


class Rates:
    """A rate of 50,000 euros, unless it is not available."""

    currency = "EUR"
    is_down = False

    async def current_rate(self) -> Decimal:
        if self.is_down:
            raise RateUnavailable("the source is down")
        return Decimal(50_000)


@pytest.fixture
def rates(runtime: Runtime) -> Rates:
    """The operator's exchange rate."""
    runtime.rates = Rates()
    return runtime.rates


@pytest.fixture
def poor(db: Database, visit: Callable[[], Visitor]) -> Visitor:
    """A browser signed in to an account without coins."""
    open_account(db, seed=3)
    visitor = visit()
    visitor.sign_in(new_token(3))
    return visitor


def uri(page: Page) -> str:
    """Return the address of the QR code."""
    return next(
        given["href"] for tag, given in page.tags if tag == "a" and given.get("aria-label") == "Open in a wallet"
    )


def onward(page: Page) -> str | None:
    """Return where a paid page leads by itself."""
    return next((given["href"] for tag, given in page.tags if tag == "a" and "data-onward" in given), None)


def reloads(page: Page) -> bool:
    return any(tag == "meta" and given.get("http-equiv") == "refresh" for tag, given in page.tags)


def test_an_invoice_is_shown_paid_and_listed_without_a_script(poor: Visitor) -> None:
    page = poor.do("/top-up", "/top-up", amount="50k")
    assert page.status == 200 and "50 000 sats" in page.text and reloads(page)
    address, _, query = uri(page).removeprefix("bitcoin:").partition("?")
    amount, _, invoice = query.partition("&lightning=")
    assert address.startswith("bcrt1") and amount == "amount=0.0005"
    assert bolt11.decode(invoice.lower()).amount_msat == 50_000_000
    assert invoice.lower() in page.text and "expires at" in page.text
    page = poor.send(page, "/sandbox/pay")
    assert page.path == "/top-up" and "The payment has arrived" in page.text and not reloads(page)
    assert "balance is 50 000 sats" in page.text and onward(page) is None
    assert "credited" in page.text
    poor.do("/top-up", "/sandbox/faucet")
    history = poor.open("/top-up").text
    assert "Lightning" in history and "Bitcoin" in history and history.count("credited") >= 2


@ONE_ENGINE
def test_a_small_amount_is_only_offered_by_lightning(poor: Visitor) -> None:
    assert uri(poor.do("/top-up", "/top-up", amount="13")).startswith("LIGHTNING:LNBCRT")


@ONE_ENGINE
def test_a_link_tops_up_exactly_its_amount_and_returns(poor: Visitor) -> None:
    page = poor.open("/top-up?amount=1234&return=/numbers/%2B12025550100%3Frental%3D5")
    page = poor.send(page, "/top-up")
    assert "1 234 sats" in page.text
    page = poor.send(page, "/sandbox/pay")
    assert onward(page) == "/numbers/+12025550100?rental=5"


@ONE_ENGINE
def test_return_leads_only_to_this_site(poor: Visitor) -> None:
    for path in EVIL:
        shown = Page(poor.client.get("/top-up", params={"amount": "5", "return": path}))
        assert shown.status == 200 and "return" not in shown.form("/top-up").fields, path
        fields = {**shown.form("/top-up").fields, "return": path, "key": repr(path)}
        paid = poor.post("/top-up", fields)
        assert paid.path == "/top-up" and "5 sats" in paid.text, path
        paid = poor.send(paid, "/sandbox/pay", back=path)
        assert paid.path == "/sandbox", path
        done = Page(poor.client.get("/top-up", params={"invoice": "1", "return": path}))
        assert "has arrived" in done.text and onward(done) is None, path
        assert "evil" not in "".join(given.get("href", "") for tag, given in done.tags if tag == "a"), path


@ONE_ENGINE
@pytest.mark.parametrize("amount", ["", "0", "-5", "1e9", "5eur", "9" * 30, "21000001btc", "abc", "<b>", "5\x00"])
def test_wrong_amounts_are_explained_at_the_field(poor: Visitor, amount: str) -> None:
    page = poor.do("/top-up", "/top-up", amount=amount)
    assert page.status == 422 and page.error_at("amount")
    assert page.form("/top-up").fields["amount"] == amount
    assert Page(poor.client.get("/top-up", params={"amount": amount})).status == (422 if amount else 200)


@ONE_ENGINE
def test_amounts_can_be_in_the_operators_currency(poor: Visitor, rates: Rates) -> None:
    page = poor.do("/top-up", "/top-up", amount="5 eur")
    assert "10 000 sats" in page.text and "≈ 5.00 EUR" in page.text
    assert "only for EUR" in poor.do("/top-up", "/top-up", amount="5usd").error_at("amount")
    rates.is_down = True
    page = poor.do("/top-up", "/top-up", amount="5eur")
    assert page.status == 503 and "amount in satoshis" in page.text
    page = poor.do("/top-up", "/top-up", amount="5000")
    assert "5 000 sats" in page.text and "EUR" not in page.text


def test_a_form_sent_twice_creates_one_invoice(poor: Visitor, db: Database) -> None:
    page = poor.open("/top-up")
    first, second = poor.send(page, "/top-up", amount="5k"), poor.send(page, "/top-up", amount="5k")
    assert uri(first) == uri(second)
    assert len(db.read_blocking(lambda tx: tx.all("SELECT id FROM lightning_invoices"))) == 1


def test_an_expired_invoice_can_be_renewed_and_a_late_payment_is_credited(poor: Visitor) -> None:
    page = poor.do("/top-up", "/top-up", amount="700")
    poor.do("/sandbox", "/sandbox/clock", advance_s="86400")
    page = poor.open("/top-up?invoice=1")
    assert "has expired" in page.text and not reloads(page)
    assert "700 sats" in poor.send(page, "/top-up").text
    refused = poor.do("/sandbox", "/sandbox/pay", invoice="1")
    assert refused.status == 409 and "expired" in refused.text
    assert "The invoice is paid" in poor.do("/sandbox", "/sandbox/pay", invoice="1", fault="late").text
    assert "arrived" in poor.open("/top-up?invoice=1").text and "700 sats" in poor.open("/messages").text


def test_an_invoice_reported_twice_is_credited_once(poor: Visitor) -> None:
    poor.do("/top-up", "/top-up", amount="700")
    poor.do("/sandbox", "/sandbox/pay", invoice="1", fault="twice")
    assert "700 sats" in poor.open("/messages").text
    assert "no unpaid invoices" in poor.open("/sandbox").text


def test_another_renters_invoice_is_not_shown_or_paid(poor: Visitor, other: Visitor) -> None:
    page = poor.do("/top-up", "/top-up", amount="700")
    foreign = other.open("/top-up?invoice=1")
    assert foreign.status == 404 and uri(page) not in unescape(foreign.html)
    assert other.open("/rent/us-mobile?invoice=1").status == 200
    other.do("/top-up", "/top-up", amount="5")
    assert other.do("/sandbox", "/sandbox/pay", invoice="1").error_at("invoice")


@ONE_ENGINE
def test_an_ended_session_keeps_the_amount(poor: Visitor, visit: Callable[[], Visitor]) -> None:
    page, second = poor.open("/top-up?return=/rent"), visit()
    second.sign_in(new_token(3))
    second.do("/account", "/account/sign-out")
    late = poor.send(page, "/top-up", amount="900")
    assert late.status == 401
    draft = poor.send(late, "/sign-in", token=new_token(3))
    page = poor.send(draft, "/top-up")
    assert "900 sats" in page.text
    assert onward(poor.send(page, "/sandbox/pay")) == "/rent"


@ONE_ENGINE
def test_without_lightning_the_amount_is_in_the_code_of_the_address(runtime: Runtime, db: Database) -> None:
    open_account(db, seed=3)
    runtime.invoices = None
    with serving(runtime, workers=False) as url, Visitor(url) as visitor:
        visitor.sign_in(new_token(3))
        page = visitor.send(visitor.open("/top-up?amount=5k&return=/rent"), "/top-up/address")
        assert uri(page).endswith("?amount=0.00005") and "5 000 sats" in page.text
        page = visitor.open("/rent/us-mobile")
        assert "Pay and rent" not in page.text and "Top up 13 sats" in page.text


@ONE_ENGINE
def test_warnings_link_to_the_amount_and_back(poor: Visitor, db: Database, wall: FakeWall) -> None:
    account_id = db.read_blocking(lambda tx: tx.one("SELECT max(id) AS id FROM accounts"))["id"]
    give_coins(db, account_id, 100)
    db.write_blocking(lambda tx: rent.start(tx, account_id, "us-mobile", now_us=START_US, cooldown_us=0))
    page = poor.open("/transactions?before=9")
    assert "Low balance" in page.text and "Top up 18 720 sats for another day" in page.text
    assert "/top-up?amount=18720&return=/transactions%3Fbefore%3D9" in unescape(page.html)
    wall.advance(seconds=3600)
    page = poor.open("/messages")
    assert "Your balance ran out" in page.text
    assert "/top-up?amount=18720&return=/messages" in unescape(page.html)
