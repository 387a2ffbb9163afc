"""Invoices through the API and both clients: created, paid in the sandbox, listed, waited for, and refused."""

import threading
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from dtmf import DTMF, AsyncDTMF, DTMFError, InsufficientFundsError, InvalidRequestError, NotFoundError, TimedOutError
from dtmf_server.core.errors import TooManyInvoices
from dtmf_server.core.rates import RateUnavailable
from dtmf_server.payments.lightning import bolt11
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage.db import Database
from harness import START_US, FakeWall, give_coins, new_token, open_account, runtime_over, serving
from lightning.conftest import EXTERNAL_IDS, Account, asked, books_are_right
from support.webhook_receiver import receiving


@pytest.fixture
def dtmf(url: str, db: Database) -> Iterator[DTMF]:
    """A client of an account without coins."""
    open_account(db)
    with DTMF(new_token(), base_url=url) as client:
        yield client


def test_an_invoice_is_paid_and_credited(dtmf: DTMF, db: Database) -> None:
    invoice = dtmf.new_invoice(1234)
    assert list(invoice) == ["id", "payment_hash", "invoice", "amount", "status", "created_at", "expires_at"]
    assert (invoice["amount"], invoice["status"]) == (1234, "open")
    decoded = bolt11.decode(invoice["invoice"])
    assert (decoded.payment_hash, decoded.amount_msat, decoded.prefix) == (invoice["payment_hash"], 1_234_000, "bcrt")
    assert (decoded.description, decoded.expiry_s) == ("DTMF top-up", 3600)
    assert dtmf.sandbox.pay(invoice)["status"] == "settled"
    assert dtmf.account() == {"balance": 1234}
    assert dtmf.invoice(invoice["id"]) == {**invoice, "status": "settled"}
    assert list(dtmf.invoices()) == [{**invoice, "status": "settled"}]
    (row,) = dtmf.transactions()
    assert (row["kind"], row["amount"], row["reference"]) == ("lightning_deposit", 1234, invoice["payment_hash"])
    assert books_are_right(db)


async def test_the_async_client_has_the_same_calls(dtmf: DTMF, url: str) -> None:
    async with AsyncDTMF(new_token(), base_url=url) as client:
        invoice = await client.new_invoice()
        assert invoice["amount"] is None
        await client.sandbox.pay(invoice["invoice"], 77)
        event = await client.wait_for_deposit(invoice)
        assert (event["kind"], event["method"], event["amount"]) == ("deposit.credited", "lightning", 77)
        assert event["invoice_id"] == invoice["id"]
        assert [each["status"] async for each in client.invoices()] == ["settled"]
        assert (await client.invoice(invoice["id"]))["status"] == "settled"


def test_a_deposit_to_an_address_is_waited_for_and_has_its_method(dtmf: DTMF) -> None:
    address = dtmf.new_address()
    dtmf.sandbox.pay(dtmf.new_invoice(5))
    dtmf.sandbox.deposit(address["address"], 1000)
    event = dtmf.wait_for_deposit(address)
    assert (event["method"], event["address"], event["amount"]) == ("bitcoin", address["address"], 1000)
    assert dtmf.wait_for_deposit(address["address"]) == event


def test_the_next_deposit_is_waited_for(dtmf: DTMF) -> None:
    dtmf.sandbox.pay(dtmf.new_invoice(5))
    with pytest.raises(TimedOutError, match=r"no deposit was credited within 0\.05 s"):
        dtmf.wait_for_deposit(timeout=0.05)
    second = dtmf.new_invoice(6)
    found: list[Any] = []
    waiting = threading.Thread(target=lambda: found.append(dtmf.wait_for_deposit(second, timeout=30)))
    waiting.start()
    dtmf.sandbox.pay(second)
    waiting.join()
    assert found[0]["amount"] == 6


@pytest.mark.parametrize("target", ["lnbcrt1abc", 0, True, b"x", "", {"address": 5}])
def test_an_invalid_target_of_a_wait_is_refused_before_any_request(dtmf: DTMF, target: Any) -> None:
    with pytest.raises(ValueError, match=r"must be|pass the dict"):
        dtmf.wait_for_deposit(target)


@pytest.mark.parametrize("amount", [0, -1, 1.5, b"1", True, 2**63])
def test_an_invalid_amount_is_refused_before_any_request(dtmf: DTMF, amount: Any) -> None:
    with pytest.raises(ValueError, match="amount must be a whole number of at least 1"):
        dtmf.new_invoice(amount)


def test_faults_of_the_node_credit_once(dtmf: DTMF, db: Database, wall: FakeWall) -> None:
    late, twice, unreported = dtmf.new_invoice(100), dtmf.new_invoice(20), dtmf.new_invoice(3)
    dtmf.sandbox.pay(twice, fault="twice")
    assert dtmf.account() == {"balance": 20}
    assert dtmf.sandbox.pay(unreported, fault="unreported")["status"] == "open"
    assert dtmf.account() == {"balance": 20}
    dtmf.sandbox.advance(7200)
    assert dtmf.account() == {"balance": 23}
    assert dtmf.invoice(late["id"])["status"] == "expired"
    with pytest.raises(DTMFError) as refused:
        dtmf.sandbox.pay(late)
    assert refused.value.code == "invoice_expired"
    assert dtmf.sandbox.pay(late, 150, fault="late")["status"] == "settled"
    assert dtmf.account() == {"balance": 173}
    with pytest.raises(DTMFError) as refused:
        dtmf.sandbox.pay(twice)
    assert refused.value.code == "invoice_paid"
    assert books_are_right(db)


def test_bad_input_is_refused(dtmf: DTMF, url: str) -> None:
    ask = asked(url, new_token())
    for body in (
        {"amount": 0},
        {"amount": -5},
        {"amount": 2**53},
        {"amount": 1.5},
        {"amount": "x"},
        {"amount": [1]},
        {"amoun": 1},
    ):
        refused = ask("POST", "/invoices", body)
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request"), body
    invoice = dtmf.new_invoice(1000)
    for amount in (999, 2001):
        with pytest.raises(InvalidRequestError, match="must be from 1000 to 2000 satoshis"):
            dtmf.sandbox.pay(invoice, amount)
    for text in ("lnbc1x", invoice["invoice"][:-1], "lntb" + invoice["invoice"][6:]):
        with pytest.raises(InvalidRequestError, match="is not an invoice of this account"):
            dtmf.sandbox.pay(text)
    with pytest.raises(InvalidRequestError, match="amount: is missing"):
        dtmf.sandbox.pay(dtmf.new_invoice())
    with pytest.raises(NotFoundError):
        dtmf.invoice(10**6)
    assert dtmf.account() == {"balance": 0}


def test_a_retry_returns_the_same_invoice(dtmf: DTMF, url: str) -> None:
    ask = asked(url, new_token())
    first = ask("POST", "/invoices", {"amount": 5}, Idempotency_Key="a")
    assert first.status_code == 201
    assert ask("POST", "/invoices", {"amount": 5}, Idempotency_Key="a").json() == first.json()
    assert ask("POST", "/invoices", {"amount": 6}, Idempotency_Key="a").json()["code"] == "idempotency_mismatch"
    assert len(list(dtmf.invoices())) == 1


def test_a_request_waits_until_the_invoice_is_settled(dtmf: DTMF, url: str) -> None:
    invoice, ask, found = dtmf.new_invoice(5), asked(url, new_token()), []
    waiting = threading.Thread(target=lambda: found.append(ask("GET", f"/invoices/{invoice['id']}?wait=30").json()))
    waiting.start()
    dtmf.sandbox.pay(invoice)
    waiting.join()
    assert found[0]["status"] == "settled"
    assert ask("GET", f"/invoices/{invoice['id']}?wait=30").json() == found[0]


def test_at_most_100_invoices_of_an_account_are_open(dtmf: DTMF) -> None:
    for _ in range(100):
        dtmf.new_invoice(1)
    with (
        DTMF(new_token(), base_url=dtmf._settings.base_url, max_retries=0) as impatient,
        pytest.raises(DTMFError) as no,
    ):
        impatient.new_invoice(1)
    assert no.value.code == "too_many_invoices"
    dtmf.sandbox.advance(3601)
    assert dtmf.new_invoice(1)["status"] == "open"


def test_a_refused_purchase_says_what_is_missing_and_where_to_pay_it(dtmf: DTMF) -> None:
    with pytest.raises(InsufficientFundsError) as refused:
        dtmf.start_rental("us-mobile")
    assert (refused.value.shortfall, refused.value.topup_url) == (13, "/top-up?amount=13")


def test_a_deposit_is_posted_to_the_accounts_webhook(dtmf: DTMF) -> None:
    with receiving() as receiver:
        dtmf.set_account_webhook(receiver.url)
        invoice = dtmf.new_invoice(5)
        dtmf.sandbox.pay(invoice)
        body = receiver.wait_for(1)[0].json
    assert body["type"] == "deposit.credited"
    assert body["data"] == {
        "method": "lightning",
        "invoice_id": invoice["id"],
        "payment_hash": invoice["payment_hash"],
        "amount": 5,
    }


def test_without_a_node_the_refusal_says_so(runtime: Runtime, db: Database) -> None:
    open_account(db)
    runtime.invoices = None
    with serving(runtime, workers=False) as url:
        refused = asked(url, new_token())("POST", "/invoices", {"amount": 5})
        assert (refused.status_code, refused.json()["code"]) == (409, "lightning_not_configured")
        assert asked(url, new_token())("GET", "/invoices").json() == []
        paid = asked(url, new_token())("POST", "/sandbox/pay", {"invoice": "lnbcrt1"})
        assert paid.status_code == 404


def test_invoices_are_limited_per_minute_and_half_is_reserved_for_known_renters(db: Database, wall: FakeWall) -> None:
    runtime = runtime_over(db, wall=wall)

    def account(seed: int) -> Account:
        return Account(runtime, open_account(db, seed=seed), EXTERNAL_IDS)

    def refused(one: Account) -> bool:
        try:
            one.want(is_limited=True)
        except TooManyInvoices as error:
            assert error.members == {"retry_after": 60}
            return True
        return False

    newcomers = [account(seed) for seed in range(16)]
    wanted = [[refused(one) for _ in range(11)] for one in newcomers]
    assert all(each == [False] * 10 + [True] for each in wanted[:15])
    assert all(wanted[15]), "150 newcomers' invoices are the most"
    known = [account(seed) for seed in range(100, 116)]
    for one in known:
        give_coins(db, one.id, 1)
    assert [refused(one) for one in known for _ in range(10)] == [False] * 150 + [True] * 10
    wall.advance(seconds=61)
    assert not refused(newcomers[15])
    assert wall.at_us > START_US


class Rates:
    """A rate of 50,000 euros, unless it is not available."""

    currency = "EUR"
    is_down = False

    async def current_rate(self) -> Decimal:
        if self.is_down:
            raise RateUnavailable("the source is down")
        return Decimal(50_000)


async def test_an_amount_in_the_operators_currency_is_converted_to_satoshis(
    dtmf: DTMF, url: str, runtime: Runtime
) -> None:
    with pytest.raises(InvalidRequestError, match="no exchange rate for EUR"):
        dtmf.new_invoice("5eur")
    rates = runtime.rates = Rates()
    invoice = dtmf.new_invoice("5eur")
    assert invoice["amount"] == 10_000
    async with AsyncDTMF(new_token(), base_url=url) as client:
        assert (await client.new_invoice("€0.01"))["amount"] == 20
        assert (await client.new_invoice("0.001btc"))["amount"] == 100_000
    with pytest.raises(InvalidRequestError, match="only for EUR, not for USD"):
        dtmf.new_invoice("5usd")
    for amount in ("0eur", "eur", "5 000,000eur", "-5eur", "9" * 15 + "eur", "five"):
        with pytest.raises(InvalidRequestError, match="amount"):
            dtmf.new_invoice(amount)
    for nothing in ("", "5eur\n", "x" * 41):
        with pytest.raises(ValueError, match="amount must be"):
            dtmf.new_invoice(nothing)
    rates.is_down = True
    with pytest.raises(DTMFError, match="amount in satoshis") as caught:
        dtmf.new_invoice("5eur")
    assert caught.value.code == "currency_unavailable"
    assert dtmf.new_invoice(7)["amount"] == 7


def test_a_retry_of_an_amount_in_a_currency_returns_the_first_invoice_at_its_rate(
    dtmf: DTMF, url: str, runtime: Runtime
) -> None:
    runtime.rates = Rates()
    ask = asked(url, new_token())
    first = ask("POST", "/invoices", {"amount": "5eur"}, Idempotency_Key="once")
    runtime.rates.current_rate = _doubled  # type: ignore[method-assign]  # the price rises
    assert ask("POST", "/invoices", {"amount": "5eur"}, Idempotency_Key="once").json() == first.json()
    assert ask("POST", "/invoices", {"amount": "5eur"}, Idempotency_Key="new").json()["amount"] == 5000


async def _doubled() -> Decimal:
    return Decimal(100_000)
