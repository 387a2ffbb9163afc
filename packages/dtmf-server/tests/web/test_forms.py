"""Forms: CSRF protection, idempotency, errors at fields."""

from collections.abc import Callable

import pytest

from dtmf_server.core.number_supply import PRICE_UNIT, Terms
from dtmf_server.storage import rentals, supplies
from dtmf_server.storage.db import Database
from dtmf_server.web.renter import routes
from harness import new_token
from support.visitor import Page, Visitor

from .conftest import ONE_ENGINE

Visit = Callable[[], Visitor]


def post_paths(e164: str) -> list[str]:
    """The actions of all forms."""
    handlers = [handler for handler in routes.HANDLERS if "POST" in handler.http_methods]
    filled = {"{e164:str}": e164, "{group_id:str}": "us-mobile", "{delivery_id:int}": "1", "{token_id:int}": "1"}
    found = []
    for handler in handlers:
        (path,) = handler.paths
        for mark, value in filled.items():
            path = path.replace(mark, value)
        found.append(path)
    assert len(found) > 15 and not any("{" in path for path in found)
    return found


FULL = {
    "to": "+13105550123",
    "content": "x",
    "action": "store",
    "label": "x",
    "agreed": "yes",
    "given_up": "9999999",
    "amount": "1",
    "advance_s": "600",
    "from": "x",
    "text": "x",
    "e164": "+12025550100",
    "token": new_token(2),
}


def fingerprint(db: Database) -> list[object]:
    """Return the state that a form could change."""
    tables = "accounts transfers rentals messages deliveries addresses tokens web_sessions service simulated_blocks"

    def read(tx) -> list[object]:
        return [[tuple(dict(row).values()) for row in tx.all(f"SELECT * FROM {name}")] for name in tables.split()]

    return db.read_blocking(read)


def test_forms_without_a_valid_csrf_token_are_rejected(
    renter: Visitor, other: Visitor, db: Database, e164: str
) -> None:
    csrf_token = renter.open("/tokens").form("/tokens").fields["csrf_token"]
    foreign = other.open("/tokens").form("/tokens").fields["csrf_token"]
    before = fingerprint(db)
    for path in post_paths(e164):
        for origin, given in (
            (renter.url, ""),
            (renter.url, foreign),
            (renter.url, csrf_token[:-1] + ("0" if csrf_token[-1] != "0" else "1")),
            ("https://evil.example", csrf_token),
            ("null", csrf_token),
            (renter.url.replace("http:", "https:"), csrf_token),
        ):
            page = renter.post(path, {**FULL, "csrf_token": given}, Origin=origin)
            assert page.status == 403, (path, origin, given)
            assert "Nothing changed" in page.text
        without = Page(renter.client.post(path, data={**FULL, "csrf_token": csrf_token}))
        assert without.status == 403, f"{path} without an origin"
    assert fingerprint(db) == before


@ONE_ENGINE
def test_malformed_forms_get_an_error_page(renter: Visitor, e164: str) -> None:
    path = f"/numbers/{e164}/send"
    for status, body, kind in (
        (400, b"a=%ff", "application/x-www-form-urlencoded"),
        (400, "é".encode(), "application/x-www-form-urlencoded"),
        (400, b"&".join(b"a%d=1" % n for n in range(100)), "application/x-www-form-urlencoded"),
        (413, b"a=" + b"x" * 70_000, "application/x-www-form-urlencoded"),
        (415, b"{}", "application/json"),
        (415, b"", "multipart/form-data; boundary=x"),
    ):
        answer = renter.client.post(path, content=body, headers={"Content-Type": kind, "Origin": renter.url})
        page = Page(answer)
        assert page.status == status, (body[:20], page.text)
        assert "Nothing changed" in page.text and "Traceback" not in page.html


def test_a_form_submitted_twice_takes_effect_once(renter: Visitor, db: Database, account_id: int) -> None:
    page = renter.open("/rent/us-mobile")
    first = renter.send(page, "/rent/us-mobile", follow=False)
    second = renter.send(page, "/rent/us-mobile", follow=False)
    assert first.status == second.status == 303
    assert first.headers["location"] == second.headers["location"]
    assert len(db.read_blocking(lambda tx: rentals.live(tx, account_id))) == 1


@pytest.mark.parametrize(
    ("form", "fields", "at", "said"),
    [
        ("send", {"to": "", "content": "hello"}, "to", "country code"),
        ("send", {"to": "07700 900123", "content": "hello"}, "to", "country code"),
        ("send", {"to": "0044 7700 900123", "content": "hello"}, "to", "+447700900123"),
        ("send", {"to": "+44٧٧٠٠900123", "content": "hello"}, "to", "digits only"),
        ("send", {"to": "+447700900123", "content": "  "}, "content", "the text"),
        ("send", {"to": "+447700900123", "content": "x" * 1601}, "content", "too long"),
        ("send", {"to": "+447700900123", "content": "a\0b"}, "content", "NUL"),
        ("action", {"action": "forward", "forward_to": "later"}, "forward_to", "country code"),
        ("action", {"action": "forward", "forward_to": "+12025550100"}, "forward_to", "forward to itself"),
        ("action", {"action": "webhook", "webhook_url": ""}, "webhook_url", "https://"),
        ("action", {"action": "webhook", "webhook_url": "https://user:pass@example.org/"}, "webhook_url", ""),
        ("action", {"action": "webhook", "webhook_url": "http://10.0.0.1/"}, "webhook_url", ""),
        ("action", {"action": "webhook", "webhook_url": "+447700900123"}, "webhook_url", "https://"),
        ("action", {"action": "explode"}, "action", "one of the three"),
    ],
)
@ONE_ENGINE
def test_an_error_is_shown_at_its_field_with_what_was_typed(
    renter: Visitor, e164: str, form: str, fields: dict[str, str], at: str, said: str
) -> None:
    page = renter.do(f"/numbers/{e164}", f"/numbers/{e164}/{form}", **fields)
    assert page.status == 422 and said in page.error_at(at) and page.error_at(at)
    kept = page.form(f"/numbers/{e164}/{form}").fields
    assert {name: kept[name] for name in fields if "\0" not in fields[name] and fields[name] != "explode"} == {
        name: value for name, value in fields.items() if "\0" not in value and value != "explode"
    }
    corrected = {"to": "+44 (7700) 900-123", "content": "hello"} if form == "send" else {"action": "store"}
    assert renter.send(page, f"/numbers/{e164}/{form}", **corrected).status == 200


def test_a_number_is_asked_for_where_numbers_are_bought_on_demand(
    renter: Visitor, other: Visitor, db: Database
) -> None:
    assert other.do("/rent/tiny", "/rent/tiny").status == 200
    assert 'href="/rent/tiny"' not in renter.open("/rent").html
    assert "No numbers in this group are available" in renter.open("/rent/tiny").text
    terms = Terms(stock_min=0, stock_max=5, setup_price_max=0, month_price_max=PRICE_UNIT, currency="USD")
    db.write_blocking(lambda tx: supplies.put(tx, "tiny", carrier="nobody", terms=terms))
    assert 'href="/rent/tiny"' in renter.open("/rent").html
    refused = renter.do("/rent/tiny", "/rent/tiny")
    assert refused.status == 409 and "a new one is being bought: try again in 15 seconds" in refused.text
    (wanted,) = db.read_blocking(lambda tx: tx.all("SELECT state, group_id FROM supply_numbers"))
    assert (wanted["state"], wanted["group_id"]) == ("wanted", "tiny")


def test_insufficient_funds_and_sold_out_groups_are_explained(renter: Visitor, other: Visitor, db: Database) -> None:
    page = renter.open("/rent/tiny")
    assert other.do("/rent/tiny", "/rent/tiny").status == 200
    late = renter.send(page, "/rent/tiny")
    assert late.status == 409 and "rented or in cooldown" in late.text
    assert "sold out" in renter.open("/rent").text
    poor = Visitor(renter.url)
    with poor:
        poor.do("/", "/sign-up")
        page = poor.open("/rent/us-mobile")
        assert "13 sats short" in page.text and "Pay and rent" in page.text
        csrf_token = poor.open("/tokens").form("/tokens").fields["csrf_token"]
        page = poor.post("/rent/us-mobile", {"csrf_token": csrf_token})  # not from a page that shows prices
        assert page.status == 402 and "Top up 13 sats" in page.text
        assert "/top-up?amount=13&amp;return=/rent/us-mobile" in page.html


@ONE_ENGINE
@pytest.mark.parametrize(
    ("amount", "said"), [("", "whole number"), ("-5", "whole number"), ("1e9", "whole number"), ("9" * 30, "whole")]
)
def test_the_faucet_explains_amounts(renter: Visitor, amount: str, said: str) -> None:
    page = renter.do("/sandbox", "/sandbox/faucet", amount=amount)
    assert page.status == 422 and said in page.error_at("amount")
    assert renter.send(page, "/sandbox/faucet", amount="12 345").status == 200
    assert "+12 345" in renter.open("/transactions").text
