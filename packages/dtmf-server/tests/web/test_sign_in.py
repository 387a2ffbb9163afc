"""Sign-up, sign-in and sign-out: the token is shown once, the browser stores only a session, sessions end."""

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path

import pytest

from dtmf import DTMF
from dtmf_server.cli.main import main
from dtmf_server.core import api_token
from dtmf_server.operations import sign_in
from dtmf_server.runtime.clock import Clock
from dtmf_server.server import startup
from dtmf_server.storage.db import Database
from dtmf_server.storage.schema import metadata
from harness import DAY_US, FakeWall, new_token
from support.visitor import Visitor

from .conftest import ONE_ENGINE

Visit = Callable[[], Visitor]


def token_on(page) -> str:
    """Return the token that a page shows."""
    return next(word for word in page.text.split() if api_token.is_well_formed(word))


def test_one_click_opens_an_account_and_shows_its_token_once(visit: Visit) -> None:
    visitor = visit()
    page = visitor.do("/", "/sign-up")
    shown = token_on(page)
    answer = visitor.client.get("/api/v1/account", headers={"Authorization": f"Bearer {shown}"})
    assert (answer.status_code, answer.json()) == (200, {"balance": 0})
    assert any(given.get("data-copy") == shown for _, given in page.tags)
    assert any(given.get("download") and shown in given["href"] for _, given in page.tags)
    assert visitor.open("/messages").path == "/messages", "signing up signs in"
    assert all(shown not in visitor.open(path).html for path in ("/", "/messages", "/tokens", "/account"))


def test_a_token_signs_in_and_the_cookie_is_another_secret(renter: Visitor, db: Database) -> None:
    cookie = renter.client.cookies["dtmf"]
    assert new_token(1) not in cookie and not api_token.is_well_formed(cookie)
    answer = renter.client.get("/api/v1/account", headers={"Authorization": f"Bearer {cookie}"})
    assert answer.status_code == 401
    assert renter.client.get("/api/v1/account").status_code == 401, "a cookie opens no API"

    def everything(tx) -> str:
        return "".join(
            f"{dict(row)}" for table in metadata.sorted_tables for row in tx.all(f"SELECT * FROM {table.name}")
        )

    stored = db.read_blocking(everything)
    assert cookie not in stored and new_token(1) not in stored


@ONE_ENGINE
def test_the_cookie_is_kept_from_scripts_and_other_sites(visit: Visit, account_id: int) -> None:
    visitor = visit()
    page = visitor.send(visitor.open("/sign-in"), "/sign-in", follow=False, token=new_token(1))
    (cookie,) = page.headers.get_list("set-cookie")
    parts = {part.strip().lower() for part in cookie.split(";")}
    assert {"httponly", "samesite=lax", "path=/"} <= parts
    assert "secure" not in parts and cookie.startswith("dtmf="), "plain http on loopback"
    assert not any(part.startswith("domain") for part in parts)


@ONE_ENGINE
@pytest.mark.parametrize("how", ["public_url", "proxy"])
def test_over_https_the_cookie_is_bound_to_this_host(serve: Callable[..., str], account_id: int, how: str) -> None:
    settings = {"trusted_proxies": (ip_network("127.0.0.1"),)}
    headers = {"X-Forwarded-Proto": "https", "Host": "numbers.example.org"}
    if how == "public_url":
        settings, headers = {"public_url": "https://numbers.example.org"}, {}
    with Visitor(serve(**settings)) as visitor:
        first = visitor.look("/sign-in", **headers)
        cookie = first.headers["set-cookie"].partition(";")[0]
        fields = {**first.form("/sign-in").fields, "token": new_token(1)}
        sent = {**headers, "Origin": "https://numbers.example.org", "Cookie": cookie}
        page = visitor.post("/sign-in", fields, follow=False, **sent)
        assert page.status == 303
        set_cookie = page.headers["set-cookie"]
        assert set_cookie.startswith("__Host-dtmf=") and "secure" in set_cookie.lower()


@ONE_ENGINE
@pytest.mark.parametrize("host", ["numbers.example.org", "localhost.example.org", "127.0.0.1.example.org"])
def test_a_production_service_refuses_to_sign_in_over_http(
    serve: Callable[..., str], account_id: int, host: str
) -> None:
    with Visitor(serve(sandbox=False)) as visitor:
        page = visitor.look("/sign-in", Host=host)
        fields = {**page.form("/sign-in").fields, "token": new_token(1)}
        headers = {"Host": host, "Origin": f"http://{host}"}
        headers["Cookie"] = page.headers["set-cookie"].partition(";")[0]
        refused = visitor.post("/sign-in", fields, **headers)
        assert refused.status == 403 and "https" in refused.text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "Paste your token"),
        ("hunter2", "begin with dtmf_"),
        ("dtmf_tooshort", "copy all of it"),
        (new_token(99), "No account has this token"),
        ("dtmf_" + "é" * 36, "copy all of it"),
        ("x" * 5000, "begin with dtmf_"),
    ],
)
@ONE_ENGINE
def test_a_wrong_token_is_explained_at_its_field_and_not_repeated(visit: Visit, given: str, said: str) -> None:
    page = visit().sign_in(given)
    assert page.status == 401 and page.path == "/sign-in"
    assert said in page.error_at("token")
    assert not given or f'value="{given}"' not in page.html


@ONE_ENGINE
def test_wrong_tokens_are_limited_by_address_and_right_ones_are_not_counted(visit: Visit, account_id: int) -> None:
    for _ in range(12):
        assert visit().sign_in(new_token(1)).path == "/messages"
    for _ in range(10):
        assert visit().sign_in(new_token(99)).status == 401
    visitor = visit()
    page = visitor.sign_in(new_token(1))
    assert page.status == 429 and "Try again in" in page.error_at("token")
    assert 0 < int(page.headers["retry-after"]) <= 30
    assert visitor.open("/messages").path == "/sign-in"


def test_a_link_signs_in_once(visit: Visit, db: Database, wall: FakeWall, account_id: int) -> None:
    link = startup.sign_in_link(db, Clock(sandbox=True, wall=wall), new_token(1))
    for _ in range(2):  # opening the link, as previews do, doesn't use it up
        assert visit().open(link).status == 200
    visitor = visit()
    assert visitor.do(link, "/sign-in/link").path == "/messages"
    page = visit().open(link)
    assert page.status == 404 and "already been used" in page.text


@ONE_ENGINE
def test_a_link_expires(visit: Visit, db: Database, wall: FakeWall, account_id: int) -> None:
    link = startup.sign_in_link(db, Clock(sandbox=True, wall=wall), new_token(1))
    wall.advance(us=DAY_US)
    assert visit().open(link).status == 404


def test_signing_out_ends_the_session_here_and_everywhere(renter: Visitor, visit: Visit) -> None:
    second, third = visit(), visit()
    for visitor in (second, third):
        visitor.sign_in(new_token(1))
    kept = renter.client.cookies["dtmf"]
    assert renter.do("/messages", "/sign-out").path == "/"
    renter.client.cookies.clear()
    renter.client.cookies.set("dtmf", kept)
    assert renter.open("/messages").path == "/sign-in", "the old cookie opens nothing"
    assert second.open("/messages").path == "/messages"
    assert "on 2 browsers" in second.open("/account").text
    assert second.do("/account", "/account/sign-out").path == "/sign-in"
    assert third.open("/messages").path == "/sign-in"


def test_revoking_a_token_ends_the_sessions_it_opened(renter: Visitor, visit: Visit) -> None:
    shown = token_on(renter.do("/tokens", "/tokens", label="my bot"))
    second = visit()
    second.sign_in(shown)
    page = second.open("/tokens")
    mine = next(form.action for form in page.forms if "revoke" in form.action and form.action.split("/")[2] != "1")
    assert renter.do("/tokens", mine).path == "/tokens"
    assert second.open("/messages").path == "/sign-in"
    assert renter.open("/messages").path == "/messages"


@pytest.mark.parametrize(("days", "visits", "stands"), [(13, 1, True), (14, 1, False), (10, 8, True), (10, 9, False)])
@ONE_ENGINE
def test_a_session_ends_when_it_is_idle_and_when_it_is_old(
    renter: Visitor, wall: FakeWall, days: int, visits: int, stands: bool
) -> None:
    for _ in range(visits - 1):
        wall.advance(us=days * DAY_US)
        assert renter.open("/messages").path == "/messages"
    wall.advance(us=days * DAY_US)
    assert (renter.open("/messages").path == "/messages") is stands


@pytest.mark.parametrize(
    ("asked", "goes"),
    [
        ("/top-up", "/top-up"),
        ("/numbers/+12025550100", "/numbers/+12025550100"),
        ("//evil.example", "/messages"),
        ("https://evil.example", "/messages"),
        ("/\\evil.example", "/messages"),
        ("/sign-out", "/messages"),
        ("javascript:alert(1)", "/messages"),
        ("/%0d%0aSet-Cookie:x=1", "/messages"),
    ],
)
@ONE_ENGINE
def test_signing_in_redirects_to_the_requested_page_and_never_to_another_site(
    visit: Visit, account_id: int, asked: str, goes: str
) -> None:
    visitor = visit()
    page = visitor.open("/sign-in")
    answer = visitor.send(page, "/sign-in", follow=False, token=new_token(1), next=asked)
    if asked == "/%0d%0aSet-Cookie:x=1":
        assert "set-cookie:x" not in str(answer.headers).lower() and "\n" not in answer.headers["location"]
    else:
        assert answer.headers["location"] == goes


def test_signing_in_again_returns_to_the_previous_page(visit: Visit, account_id: int) -> None:
    visitor = visit()
    page = visitor.open("/top-up")
    assert page.path == "/sign-in" and "Sign in to continue" in page.text
    assert visitor.send(page, "/sign-in", token=new_token(1)).path == "/top-up"


@ONE_ENGINE
@pytest.mark.parametrize("mode", ["invite", "closed"])
def test_closed_sign_up_has_no_button_and_cannot_be_bypassed(serve: Callable[..., str], mode: str) -> None:
    with Visitor(serve(sandbox=False, signup=mode)) as visitor:
        page = visitor.open("/sign-up")
        assert "operator" in page.text and not [form for form in page.forms if form.action == "/sign-up"]
        csrf_token = visitor.open("/sign-in").form("/sign-in").fields["csrf_token"]
        assert visitor.post("/sign-up", {"csrf_token": csrf_token}).status == 403


def test_with_closed_sign_up_the_operator_opens_accounts(
    serve: Callable[..., str], database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Visitor(serve(sandbox=False, signup="closed")) as visitor:
        (tmp_path / "dtmf.toml").write_text(f'mode = "production"\nserver.public_url = "{visitor.url}"\n')
        arguments = ["accounts", "open", "--database", database_url]
        assert main([*arguments, "--config", str(tmp_path / "dtmf.toml")]) == 0
        given, link = capsys.readouterr().out.splitlines()
        assert DTMF(given, base_url=visitor.url).account() == {"balance": 0}
        page = visitor.send(visitor.open(link.removeprefix(visitor.url)), "/sign-in/link")
        assert page.path == "/messages"
        assert main(arguments) == 0
        (another,) = capsys.readouterr().out.splitlines()  # no public URL is configured
        assert another != given and DTMF(another, base_url=visitor.url).addresses() == []


def test_expired_sessions_and_links_are_purged(renter: Visitor, db: Database, wall: FakeWall, account_id: int) -> None:
    startup.sign_in_link(db, Clock(sandbox=True, wall=wall), new_token(1))
    assert db.write_blocking(lambda tx: sign_in.forget(tx, wall_us=wall())) == 0
    assert renter.open("/messages").path == "/messages"
    assert db.write_blocking(lambda tx: sign_in.forget(tx, wall_us=wall() + sign_in.IDLE_US)) == 1
    assert db.read_blocking(lambda tx: tx.all("SELECT id FROM web_sessions UNION SELECT id FROM sign_in_links")) == []
