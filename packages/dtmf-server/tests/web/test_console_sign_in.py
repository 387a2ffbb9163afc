"""The operator's console: one-time links, sessions that end, and requests of other sites and hosts, which are refused."""

import hashlib
from collections.abc import Callable

import httpx2

from dtmf_server.operations import operator_sign_in
from dtmf_server.operations.audit import By
from dtmf_server.operations.operator_sign_in import IDLE_US, LINK_US, SESSION_MAX_US
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import operator_actions
from dtmf_server.storage.db import Database
from harness import FakeWall, new_token, open_account, serving, serving_console
from support.console import SIGN_IN
from support.visitor import Page, Visitor

from .conftest import KEY, ONE_ENGINE

pytestmark = ONE_ENGINE


def actions(db: Database) -> list[tuple[str, str, str]]:
    """Return the audit log, oldest first."""
    rows = db.read_blocking(lambda tx: operator_actions.newest(tx, before=100, limit=100))
    return [(row["operator"], row["action"], row["object"]) for row in reversed(rows)]


def count(db: Database, table: str) -> int:
    """Return the number of rows."""
    return len(db.read_blocking(lambda tx: tx.all(f"SELECT id FROM {table}")))


def test_a_link_signs_in_once_and_says_whom(
    browse: Callable[[], Visitor], link: Callable[..., str], db: Database
) -> None:
    visitor, path = browse(), link()
    for _ in range(3):  # a preview, and a reload
        assert "Sign in as ada" in visitor.open(path).text
    assert count(db, "operator_sessions") == 0
    page = visitor.do(path, SIGN_IN)
    assert (page.status, page.path) == (200, "/operator")
    assert "Signed in as ada" in page.text
    other = browse()
    again = other.open(path)
    assert again.status == 404 and "already used" in again.text
    fields = {**browse().open(link("unused")).form(SIGN_IN).fields, "link": KEY}
    assert other.post(SIGN_IN, fields).status == 403, "a form of another browser"
    assert other.open("/operator").path == SIGN_IN
    assert actions(db)[:2] == [("root", "operator link", "ada"), ("ada", "operator sign-in", "console")]


def test_a_used_link_cannot_be_posted_again(browse: Callable[[], Visitor], link: Callable[..., str]) -> None:
    path = link()
    first, second = browse(), browse()
    pages = [visitor.open(path) for visitor in (first, second)]
    assert first.send(pages[0], SIGN_IN).path == "/operator"
    refused = second.send(pages[1], SIGN_IN)
    assert refused.status == 404 and "already used" in refused.text
    assert second.open("/operator").path == SIGN_IN


def test_only_hashes_of_links_and_cookies_are_stored(operator: Visitor, db: Database, link: Callable[..., str]) -> None:
    link("another")
    rows = db.read_blocking(
        lambda tx: [*tx.all("SELECT * FROM operator_links"), *tx.all("SELECT * FROM operator_sessions")]
    )
    stored = "".join(f"{dict(row)}" for row in rows)
    assert len(rows) == 2
    assert "another" not in stored and operator.client.cookies["dtmf-operator"] not in stored


def test_a_link_expires(browse: Callable[[], Visitor], link: Callable[..., str], wall: FakeWall) -> None:
    visitor = browse()
    page = visitor.open(link())
    wall.advance(us=LINK_US)
    assert visitor.send(page, SIGN_IN).status == 404
    assert visitor.open(f"{SIGN_IN}?key={KEY}").status == 404


def test_a_session_ends_after_30_idle_minutes(operator: Visitor, wall: FakeWall) -> None:
    for _ in range(3):
        wall.advance(us=IDLE_US - 1)
        assert operator.open("/operator").path == "/operator"
    wall.advance(us=IDLE_US)
    assert operator.open("/operator").path == SIGN_IN


def test_a_session_ends_after_12_hours_in_use(operator: Visitor, wall: FakeWall) -> None:
    begin = wall()
    while wall() + IDLE_US < begin + SESSION_MAX_US:
        wall.advance(us=IDLE_US - 1_000_000)
        assert operator.open("/operator").path == "/operator"
    wall.at_us = begin + SESSION_MAX_US
    assert operator.open("/operator").path == SIGN_IN


def test_signing_out_ends_the_session(operator: Visitor, db: Database) -> None:
    cookie = operator.client.cookies["dtmf-operator"]
    assert operator.do("/operator", "/operator/sign-out").path == SIGN_IN
    assert operator.client.cookies["dtmf-operator"] != cookie
    assert operator.look("/operator", Cookie=f"dtmf-operator={cookie}").status == 303, "the cookie is worthless"
    assert count(db, "operator_sessions") == 0
    assert actions(db)[-1] == ("ada", "operator sign-out", "console")


def test_signing_in_again_replaces_the_session(operator: Visitor, link: Callable[..., str], db: Database) -> None:
    before = operator.client.cookies["dtmf-operator"]
    assert operator.do(link("second", "grace"), SIGN_IN).path == "/operator"
    assert operator.client.cookies["dtmf-operator"] != before
    assert "Signed in as grace" in operator.open("/operator").text
    assert count(db, "operator_sessions") == 1


def test_a_revoked_session_ends_and_so_do_the_links_of_its_operator(
    operator: Visitor, db: Database, wall: FakeWall, link: Callable[..., str]
) -> None:
    path = link("unused")
    (row,) = db.read_blocking(lambda tx: operator_sign_in.sessions(tx, wall_us=wall()))
    db.write_blocking(lambda tx: operator_sign_in.revoke(tx, By("root", "laptop lost", wall()), row["id"]))
    assert operator.open("/operator").path == SIGN_IN
    assert operator.open(path).status == 404
    page = operator.post("/operator/sign-out", {"csrf_token": "x"})
    assert page.status in (401, 403)


def test_the_cookie_is_kept_from_scripts_and_other_sites(
    browse: Callable[[], Visitor], link: Callable[..., str]
) -> None:
    visitor = browse()
    page = visitor.send(visitor.open(link()), SIGN_IN, follow=False)
    (cookie,) = page.headers.get_list("set-cookie")
    parts = {part.strip().lower() for part in cookie.split(";")}
    assert cookie.startswith("dtmf-operator="), "plain HTTP on this machine"
    assert {"httponly", "samesite=strict", "path=/operator", "max-age=43200"} <= parts and "secure" not in parts
    assert not any(part.startswith("domain") for part in parts)


def test_over_https_the_cookie_is_bound_to_this_host(runtime: Runtime, link: Callable[..., str]) -> None:
    origin = "https://ops.example.org"
    with serving_console(runtime, origin=origin) as url, Visitor(url) as visitor:
        headers = {"Host": "ops.example.org"}
        first = visitor.look(link(), **headers)
        headers["Cookie"] = first.headers["set-cookie"].partition(";")[0]
        fields = first.form(SIGN_IN).fields
        assert visitor.look("/operator").status == 421, "only the public host is answered"
        refused = visitor.post(SIGN_IN, fields, follow=False, **headers, Origin="http://ops.example.org")
        assert refused.status == 403, "a page that a network could have forged"
        page = visitor.post(SIGN_IN, fields, follow=False, **headers, Origin=origin)
        set_cookie = page.headers["set-cookie"]
        assert page.status == 303
        assert set_cookie.startswith("__Host-dtmf-operator=")
        assert {"secure", "path=/"} <= {part.strip().lower() for part in set_cookie.split(";")}


def test_a_rebound_name_is_refused(operator: Visitor) -> None:
    for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8001", "10.0.0.1", "[::2]:8001"):
        page = operator.look("/operator", Host=host)
        assert page.status == 421 and "Signed in as" not in page.text, host


def test_a_forwarded_port_of_this_machine_is_accepted(operator: Visitor) -> None:
    for host in ("localhost:9001", "127.0.0.1", "[::1]:8001"):
        assert operator.look(SIGN_IN, Host=host).status == 200, host


def foreign(url: str) -> dict[str, dict[str, str]]:
    """Return the headers of posts by other sites."""
    port = url.rpartition(":")[2]
    return {
        "another site": {"Origin": "https://evil.example"},
        "a sandboxed frame": {"Origin": "null"},
        "another port": {"Origin": "http://127.0.0.1:1"},
        "another name of this machine": {"Origin": f"http://localhost:{port}"},
        "https": {"Origin": url.replace("http:", "https:")},
        "no origin, cross-site": {"Origin": "", "Sec-Fetch-Site": "cross-site"},
        "no origin, same-site": {"Origin": "", "Sec-Fetch-Site": "same-site"},
        "nothing": {"Origin": ""},
    }


def test_posts_of_other_sites_are_refused(operator: Visitor, db: Database) -> None:
    fields = operator.open("/operator").form("/operator/sign-out").fields
    for name, headers in foreign(operator.url).items():
        given = {key: value for key, value in headers.items() if value}
        page = Page(operator.client.post("/operator/sign-out", data=fields, headers=given))
        assert page.status == 403, name
    assert count(db, "operator_sessions") == 1


def test_a_form_without_its_token_is_refused(operator: Visitor, db: Database) -> None:
    for wrong in ({"x": "y"}, {"csrf_token": ""}, {"csrf_token": "a.b"}):
        assert operator.post("/operator/sign-out", wrong).status == 403, wrong
    assert count(db, "operator_sessions") == 1


def test_a_renters_session_is_worthless_here_and_the_reverse(operator: Visitor, runtime: Runtime, db: Database) -> None:
    open_account(db, seed=1)
    with serving(runtime, workers=False) as url, Visitor(url) as renter:
        renter.sign_in(new_token(1))
        of_renter, of_operator = renter.client.cookies["dtmf"], operator.client.cookies["dtmf-operator"]
        for name in ("dtmf", "dtmf-operator", "__Host-dtmf-operator"):
            assert httpx2.get(f"{operator.url}/operator", headers={"Cookie": f"{name}={of_renter}"}).status_code == 303
            headers = {"Cookie": f"{name}={of_operator}", "Accept": "text/html"}
            assert httpx2.get(f"{url}/messages", headers=headers).status_code == 303
        bearer = {"Authorization": f"Bearer {of_operator}"}
        assert httpx2.get(f"{url}/api/v1/account", headers=bearer).status_code == 401


def test_neither_listener_serves_what_belongs_to_the_other(operator: Visitor, runtime: Runtime) -> None:
    for path in (
        "/messages",
        "/sign-in",
        "/api/v1/account",
        "/schema/openapi.json",
        "/docs",
        "/healthz",
        "/mcp",
        "/rent",
    ):
        assert operator.open(path).status == 404, path
    with serving(runtime, workers=False) as url, Visitor(url) as renter:
        for path in ("/operator", SIGN_IN, "/operator/money", "/operator/"):
            assert renter.open(path).status == 404, path
        assert renter.post(SIGN_IN, {"link": KEY}).status == 404


def test_guesses_are_limited(browse: Callable[[], Visitor]) -> None:
    visitor = browse()
    page, guesses = visitor.open(f"{SIGN_IN}?key=guess"), 1
    while page.status == 404 and guesses < 100:  # a slow machine is allowed a few more
        page, guesses = visitor.open(f"{SIGN_IN}?key=guess{guesses}"), guesses + 1
    assert guesses > 10
    assert page.status == 429 and "Try again in" in page.text and int(page.headers["retry-after"]) > 0


def test_pages_run_no_script_and_are_in_no_frame(operator: Visitor) -> None:
    for page in (operator.open("/operator"), operator.open(SIGN_IN), operator.open("/operator/nothing")):
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src" not in policy and "frame-ancestors 'none'" in policy
        assert page.headers["cache-control"] == "no-store" and "<script" not in page.html
        assert not any("style" in given or name == "style" for name, given in page.tags)


def test_housekeeping_deletes_what_has_expired(
    operator: Visitor, link: Callable[..., str], db: Database, wall: FakeWall
) -> None:
    link("unused")
    wall.advance(us=LINK_US)
    assert db.write_blocking(lambda tx: operator_sign_in.forget(tx, wall_us=wall())) == 0
    assert (count(db, "operator_links"), count(db, "operator_sessions")) == (0, 1)
    wall.advance(us=IDLE_US)
    assert db.write_blocking(lambda tx: operator_sign_in.forget(tx, wall_us=wall())) == 1


def test_an_hours_old_sign_in_is_not_recent(operator: Visitor, db: Database, wall: FakeWall) -> None:
    sha256 = hashlib.sha256(operator.client.cookies["dtmf-operator"].encode()).digest()

    def is_recent() -> bool:
        found = db.read_blocking(lambda tx: operator_sign_in.session(tx, sha256, wall_us=wall()))
        return found.is_recent(wall_us=wall())

    assert is_recent()
    wall.advance(us=operator_sign_in.RECENT_US)
    assert not is_recent()
