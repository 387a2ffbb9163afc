"""Drafts: input takes effect, is redisplayed or is refused, and is never lost."""

from collections.abc import Callable
from urllib.parse import quote, urlsplit

import pytest

from dtmf_server.runtime.clock import Clock
from dtmf_server.server import startup
from dtmf_server.storage.db import Database, Tx
from harness import DAY_US, FakeWall, give_coins, new_token
from support.visitor import Page, Visitor

from .conftest import ONE_ENGINE

Visit = Callable[[], Visitor]
HOOK = "http://127.0.0.1:9999/sms"
OTHER_HOOK = "http://127.0.0.1:9998/sms"
PHONE = "+447700900123"


def action(db: Database) -> tuple[str | None, str | None]:
    """Return the SMS action of the account's number."""
    (row,) = db.read_blocking(lambda tx: tx.all("SELECT action, destination FROM rentals WHERE ended_at_us IS NULL"))
    return row["action"], row["destination"]


# --- a form with a choice and fields beside it -----------------------------------------------------------------------


@pytest.mark.regression("typed-without-its-radio-button")
@pytest.mark.parametrize(
    ("before", "typed", "after"),
    [
        ({}, {"webhook_url": HOOK}, ("webhook", HOOK)),
        ({}, {"forward_to": "+44 7700 900123"}, ("forward", PHONE)),
        ({"action": "forward", "forward_to": PHONE}, {"webhook_url": HOOK}, ("webhook", HOOK)),
        ({"action": "webhook", "webhook_url": HOOK}, {"forward_to": PHONE}, ("forward", PHONE)),
        ({"action": "webhook", "webhook_url": HOOK}, {"webhook_url": "", "forward_to": PHONE}, ("forward", PHONE)),
        ({"action": "webhook", "webhook_url": HOOK}, {"webhook_url": OTHER_HOOK}, ("webhook", OTHER_HOOK)),
        ({"action": "webhook", "webhook_url": HOOK}, {"action": "store"}, (None, None)),
        ({"action": "webhook", "webhook_url": HOOK}, {}, ("webhook", HOOK)),
        ({}, {"webhook_url": "  "}, (None, None)),
    ],
)
@ONE_ENGINE
def test_a_typed_destination_takes_effect_without_choosing_its_option(
    renter: Visitor, db: Database, e164: str, before: dict[str, str], typed: dict[str, str], after: tuple[str, str]
) -> None:
    where = (f"/numbers/{e164}", f"/numbers/{e164}/action")
    if before:
        renter.do(*where, **before)
    page = renter.do(*where, **typed)
    assert page.status == 200 and action(db) == after, page.text


@pytest.mark.regression("typed-without-its-radio-button")
@pytest.mark.parametrize(
    ("before", "typed"),
    [
        ({}, {"webhook_url": HOOK, "forward_to": PHONE}),
        ({}, {"action": "webhook", "webhook_url": HOOK, "forward_to": PHONE}),
        ({}, {"action": "forward", "webhook_url": HOOK}),
        ({"action": "webhook", "webhook_url": HOOK}, {"action": "store", "webhook_url": OTHER_HOOK}),
        ({"action": "webhook", "webhook_url": HOOK}, {"webhook_url": OTHER_HOOK, "forward_to": PHONE}),
    ],
)
@ONE_ENGINE
def test_contradictory_input_is_refused_and_changes_nothing(
    renter: Visitor, db: Database, e164: str, before: dict[str, str], typed: dict[str, str]
) -> None:
    where = (f"/numbers/{e164}", f"/numbers/{e164}/action")
    if before:
        renter.do(*where, **before)
    kept = action(db)
    page = renter.do(*where, **typed)
    for _ in range(2):  # resubmitting it unchanged is refused too
        assert page.status == 422 and page.error_at("action"), page.text
        assert action(db) == kept
        fields = page.form(where[1]).fields
        assert {name: fields[name] for name in typed} == typed
        page = renter.send(page, where[1])


@pytest.mark.regression("typed-without-its-radio-button")
@ONE_ENGINE
def test_a_cleared_field_is_redisplayed_empty(renter: Visitor, e164: str) -> None:
    where = (f"/numbers/{e164}", f"/numbers/{e164}/action")
    renter.do(*where, action="webhook", webhook_url=HOOK)
    page = renter.do(*where, webhook_url="")
    assert page.status == 422 and page.form(where[1]).fields["webhook_url"] == ""


@pytest.mark.regression("typed-without-its-radio-button")
@ONE_ENGINE
def test_no_notice_claims_what_did_not_happen(renter: Visitor, e164: str) -> None:
    pending = renter.do("/sandbox", "/sandbox/faucet", amount="1000", pending="yes")
    assert "have arrived" not in pending.text and "once they’re confirmed" in pending.text
    csrf_token = renter.open("/tokens").form("/tokens").fields["csrf_token"]
    assert "queued again" not in renter.post("/deliveries/retry", {"csrf_token": csrf_token}).text


# --- deep links ------------------------------------------------------------------------------------------------------


@pytest.mark.regression("deep-links-lose-their-plus")
@pytest.mark.parametrize(
    "address",
    [
        "/numbers/+12025550100",
        "/numbers/%2B12025550100",
        "/messages?q=a+b%26c&before=7",
        "/messages?q=%C3%A9%E2%82%AC",
        "/deliveries?state=parked",
        "/numbers/+12025550100?before=3",
    ],
)
@ONE_ENGINE
def test_a_deep_link_survives_signing_in(visit: Visit, account_id: int, e164: str, address: str) -> None:
    visitor = visit()
    page = visitor.open(address)
    assert page.path == "/sign-in"
    answer = visitor.send(page, "/sign-in", follow=False, token=new_token(1))
    assert answer.headers["location"] == address
    assert visitor.open(address).path.startswith(urlsplit(address).path[:9])


@pytest.mark.parametrize(
    "address",
    [
        *("//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example/", "https:evil.example"),
        *(
            "/%2f/evil.example",
            "/%2F%2Fevil.example",
            "/%5cevil.example",
            "/%255cevil.example",
            "/%252f%252fevil.example",
        ),
        *("/./\t/evil.example", "/a/..//evil.example", "/..//evil.example", "/\r\nLocation: https://evil.example"),
        *(
            "/%0d%0aSet-Cookie:x=1",
            "/\t//evil.example",
            " //evil.example",
            "/sign-in",
            "/sign-out",
            "/live",
            "",
            "messages",
        ),
        *("javascript:alert(1)", "/messages#x", "/" + "a" * 2000, "/messages?q=\u00e9", "/%00", "///evil.example"),
    ],
)
@ONE_ENGINE
def test_signing_in_never_redirects_to_another_site(visit: Visit, account_id: int, address: str) -> None:
    visitor = visit()
    page = visitor.open(f"/sign-in?next={quote(address, safe='')}")
    assert visitor.send(page, "/sign-in", follow=False, token=new_token(1)).headers["location"] == "/messages"
    second = visit()
    answer = second.send(second.open("/sign-in"), "/sign-in", follow=False, token=new_token(1), next=address)
    assert answer.headers["location"] == "/messages"


# --- a session that has ended ----------------------------------------------------------------------------------------

TYPED = [
    ("send", {"to": "+13105550123", "content": "Ünder way,\r\n<b>see you</b> & 'all' \"soon\" \U0001f600"}),
    ("action", {"action": "webhook", "webhook_url": HOOK}),
    ("/tokens", {"label": "my <bot>"}),
    ("/deliveries/warnings", {"warnings_url": HOOK}),
    ("/sandbox/phone", {"from": "GitHub", "text": "Your code is 428613"}),
    ("/sandbox/faucet", {"amount": "12345"}),
]


def state(db: Database) -> list[object]:
    """Return the state these forms change, without the status of sent SMS, which the carrier may change at any moment."""
    tables = ("messages", "rentals", "tokens", "accounts", "simulated_outputs")

    def rows(tx: Tx, table: str) -> list[dict[str, object]]:
        return [{**dict(row), "status": None} for row in tx.all(f"SELECT * FROM {table}")]

    return db.read_blocking(lambda tx: [rows(tx, table) for table in tables])


@pytest.mark.regression("an-expired-session-loses-the-draft")
@pytest.mark.parametrize("gone", ["session", "cookie"])
@pytest.mark.parametrize(("where", "typed"), TYPED, ids=[where for where, _ in TYPED])
@ONE_ENGINE
def test_a_form_submitted_after_the_session_ended_survives_signing_in(
    renter: Visitor, db: Database, wall: FakeWall, e164: str, where: str, typed: dict[str, str], gone: str
) -> None:
    to = where if where.startswith("/") else f"/numbers/{e164}/{where}"
    on = {"/tokens": "/tokens", "/deliveries/warnings": "/deliveries"}.get(to, "/sandbox" if "sandbox" in to else "")
    page = renter.open(on or f"/numbers/{e164}")
    if gone == "session":
        wall.advance(us=20 * DAY_US)
    else:
        renter.client.cookies.clear()
    before = state(db)
    refused = renter.send(page, to, **typed)
    shown = next(reversed(typed.values())).replace("\r\n", " ")
    assert state(db) == before
    assert refused.status in (401, 403) and shown in refused.text, refused.text
    assert not any(value in str(refused.headers) for value in typed.values()), "no text is in a cookie or an address"
    if gone == "cookie":
        refused = renter.send(refused, to)
    wrong = renter.send(refused, "/sign-in", token=new_token(99))
    assert wrong.status == 401 and shown in wrong.text
    asked = renter.send(wrong, "/sign-in", token=new_token(1))
    assert asked.status == 200 and shown in asked.text and state(db) == before, "nothing is sent by signing in"
    done = renter.send(asked, to, follow=False)
    assert done.status in (200, 303)
    after = state(db)
    assert after != before
    assert renter.send(asked, to, follow=False).status in (200, 303, 409)
    assert state(db) == after, "pressed twice it is done once"


@ONE_ENGINE
def test_a_forged_draft_is_ignored(visit: Visit, account_id: int, db: Database) -> None:
    for draft in (
        '{"path":"/account/delete","fields":{"agreed":"yes","given_up":"1000000"}}',
        '{"path":"//evil.example/numbers/+12025550100/send","fields":{"content":"x"}}',
        '{"path":"https://evil.example/tokens","fields":{"label":"x"}}',
        '{"path":"/tokens","fields":"x"}',
        '{"path":"/tokens","fields":{"label":["x"]}}',
        '{"path":"/tokens","fields":{"label":"' + "x" * 21_000 + '"}}',
        *("[]", "null", "{", '"x"', "\ud800"[:0]),
    ):
        visitor = visit()
        answer = visitor.send(visitor.open("/sign-in"), "/sign-in", follow=False, token=new_token(1), draft=draft)
        assert answer.status == 303 and answer.headers["location"] == "/messages", draft[:60]


@ONE_ENGINE
def test_a_button_pressed_after_the_session_ended_leads_back_to_its_page(
    renter: Visitor, db: Database, wall: FakeWall, e164: str
) -> None:
    for path, to in (
        ("/rent/us-mobile", "/rent/us-mobile"),
        (f"/numbers/{e164}/end", f"/numbers/{e164}/end"),
        ("/account/delete", "/account/delete"),
        ("/top-up", "/top-up"),
    ):
        page = renter.open(path)
        wall.advance(us=20 * DAY_US)
        before = state(db)
        refused = renter.send(page, to)
        assert refused.status == 401 and "nothing changed" in refused.text and state(db) == before, path
        again = renter.send(refused, "/sign-in", token=new_token(1))
        assert again.path == path


# --- pages of their own ----------------------------------------------------------------------------------------------


def tokens(db: Database) -> int:
    """Count the rows."""
    return len(db.read_blocking(lambda tx: tx.all("SELECT id FROM tokens")))


@pytest.mark.regression("loading-the-token-page-again")
@ONE_ENGINE
def test_reloading_the_new_token_page_creates_no_second_token(renter: Visitor, db: Database) -> None:
    page = renter.open("/tokens")
    first = renter.send(page, "/tokens", label="my bot")
    assert first.status == 200 and "dtmf_" in first.text and tokens(db) == 2
    again = renter.send(page, "/tokens", label="my bot")
    assert tokens(db) == 2 and again.status == 409
    assert "already created" in again.text and "dtmf_" not in again.text and "revoke" in again.text
    assert "dtmf_" in renter.send(page, "/tokens", label="another name").text, "which is another form"


@pytest.mark.regression("loading-the-token-page-again")
@ONE_ENGINE
def test_reloading_the_first_token_page_opens_no_second_account(visit: Visit, db: Database) -> None:
    visitor = visit()
    page = visitor.open("/sign-up")
    assert "dtmf_" in visitor.send(page, "/sign-up").text
    before = tokens(db)
    again = visitor.send(page, "/sign-up")
    assert tokens(db) == before and "already exists" in again.text and "dtmf_" not in again.text


@pytest.mark.regression("a-used-link-says-what-to-do")
@ONE_ENGINE
def test_a_used_link_explains_what_to_do(visit: Visit, db: Database, wall: FakeWall, account_id: int) -> None:
    link = startup.sign_in_link(db, Clock(sandbox=True, wall=wall), new_token(1))
    visitor = visit()
    page = visitor.open(link)
    assert visitor.send(page, "/sign-in/link").path == "/messages"
    for used in (visitor.open(link), visitor.send(page, "/sign-in/link")):
        assert used.status in (403, 404) and "already signed in" in used.text, used.text
        assert any(given.get("href") == "/messages" for _, given in used.tags)
    stranger = visit()
    used = stranger.open(link)
    assert (
        used.status == 404
        and "already been used" in used.text
        and "/sign-in/link" not in [f.action for f in used.forms]
    )
    assert "Sign in with a token" in used.text and "prints a new link" in used.text


@pytest.mark.regression("deleting-the-account-has-a-page")
@ONE_ENGINE
def test_deleting_the_account_leads_to_a_page_that_says_so(renter: Visitor) -> None:
    gone = renter.do("/account/delete", "/account/delete", agreed="yes")
    assert gone.status == 200 and "Your account has been deleted" in gone.text
    assert "Your account has been deleted" in renter.open("/account/deleted").text, "loading it again does nothing"
    assert renter.open("/messages").path == "/sign-in"


# --- the landing page and the clock ----------------------------------------------------------------------------------


def example_of(page: Page) -> str:
    """Return the group that the example rents."""
    return page.html.partition('start_rental("')[2].partition('"')[0]


@pytest.mark.regression("the-example-rents-the-cheapest")
@ONE_ENGINE
def test_the_landing_pages_example_rents_the_cheapest_available_group(visit: Visit, db: Database) -> None:
    def change(statement: str) -> None:
        db.write_blocking(lambda tx: tx.run(statement))

    assert example_of(visit().open("/")) == "free"
    change("UPDATE groups SET setup_cost = 9000 WHERE id = 'free'")
    assert example_of(visit().open("/")) == "us-mobile"
    change("UPDATE numbers SET released_at_us = 9000000000000000 WHERE group_id = 'us-mobile'")
    assert example_of(visit().open("/")) == "tiny"
    change("UPDATE groups SET sms_support = false, cost_per_inbound_message = NULL WHERE id = 'tiny'")
    assert example_of(visit().open("/")) == "free"


@pytest.mark.regression("the-sandbox-clock-is-shown")
@ONE_ENGINE
def test_every_page_shows_how_far_the_clock_is_ahead(
    renter: Visitor, visit: Visit, db: Database, account_id: int, e164: str
) -> None:
    paths = [
        "/messages",
        "/rent",
        "/rent/tiny",
        f"/numbers/{e164}",
        "/top-up",
        "/transactions",
        "/numbers",
        "/deliveries",
        "/tokens",
    ]
    paths += ["/account", "/sandbox", "/rentals", "/", "/sign-in", "/sign-up"]
    assert [path for path in paths if "the clock is" in renter.open(path).text] == []
    give_coins(db, account_id, 1_000_000)
    renter.do("/sandbox", "/sandbox/clock", advance_s="3600")
    renter.do("/sandbox", "/sandbox/clock", advance_s="600")
    missing = [path for path in paths if "the clock is 1 h 10 min ahead" not in renter.open(path).text]
    assert missing == []
    assert "the clock is 1 h 10 min ahead" in visit().open("/").text
