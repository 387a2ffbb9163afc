"""Pages: security headers, no inline scripts, account isolation, error pages."""

from collections.abc import Callable

import pytest

from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.operations import account_webhook, deposit
from dtmf_server.payments.bitcoin.descriptor import SANDBOX_DESCRIPTOR, deriver
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage.db import Database
from dtmf_server.web.kit import static
from dtmf_server.web.renter import routes
from harness import START_US, FakeWall, new_token
from support.visitor import Visitor
from support.webhook_receiver import refused_port

from .conftest import ONE_ENGINE, receive

Visit = Callable[[], Visitor]
PUBLIC = {"/", "/sign-in", "/sign-up", "/sign-in/link", "/account/deleted"}


def get_paths(e164: str) -> list[str]:
    """All pages."""
    paths = [path for handler in routes.HANDLERS if "GET" in handler.http_methods for path in handler.paths]
    kept = [path for path in paths if not path.startswith(("/static", "/live", "/export"))]
    filled = [path.replace("{e164:str}", e164).replace("{group_id:str}", "us-mobile") for path in kept]
    assert len(filled) > 14 and not any("{" in path for path in filled)
    return filled


def test_every_page_complies_with_its_content_security_policy(
    renter: Visitor, visit: Visit, db: Database, e164: str
) -> None:
    receive(db, e164, "Your code is 428613")
    for path in get_paths(e164):
        page = renter.look(path)
        assert page.status == 200, path
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-content-type-options"] == "nosniff"
        for tag, given in page.tags:
            assert "style" not in given and not any(name.startswith("on") for name in given), (path, tag)
            assert tag != "script" or given["src"].startswith("/static/"), path
            assert tag != "style", path
            if tag == "a" and given.get("href", "").startswith("/") and "#" not in given["href"]:
                assert renter.look(given["href"]).status in (200, 303), f"{path} leads to {given['href']}"
        signed_out = visit().look(path)
        assert (signed_out.status == 200) is (path in PUBLIC), path


def test_another_renters_resources_are_not_found(renter: Visitor, other: Visitor, db: Database, e164: str) -> None:
    receive(db, e164, "Your code is 428613")
    renter.do(f"/numbers/{e164}", f"/numbers/{e164}/action", action="webhook", webhook_url="http://127.0.0.1:9999/x")
    renter.do("/deliveries", "/deliveries/test", e164=e164)
    csrf_token = other.open("/tokens").form("/tokens").fields["csrf_token"]
    for path in (f"/numbers/{e164}", f"/numbers/{e164}/end"):
        assert other.open(path).status == 404
    for path, fields in (
        (f"/numbers/{e164}/send", {"to": "+447700900123", "content": "x"}),
        (f"/numbers/{e164}/action", {"action": "store"}),
        (f"/numbers/{e164}/end", {}),
        ("/deliveries/1/retry", {}),
        ("/deliveries/test", {"e164": e164}),
        ("/tokens/1/revoke", {}),
        ("/sandbox/phone", {"to": e164, "from": "x", "text": "x"}),
    ):
        assert other.post(path, {**fields, "csrf_token": csrf_token}).status == 404, path
    for path in (
        "/messages",
        "/messages?q=428613",
        "/transactions",
        "/numbers",
        "/deliveries",
        "/sandbox",
        "/export/messages.json",
    ):
        assert e164 not in other.open(path).html and "Your code" not in other.open(path).html, path
    assert "428613" in renter.open("/messages").text


def test_the_warnings_url_can_be_set_and_cleared(renter: Visitor, db: Database, account_id: int) -> None:
    def url() -> str | None:
        return db.read_blocking(lambda tx: account_webhook.url(tx, account_id))

    page = renter.do("/deliveries", "/deliveries/warnings", warnings_url=" http://localhost:9999/warn ")
    assert "will be posted to this URL" in page.text and url() == "http://localhost:9999/warn"
    page = renter.do("/deliveries", "/deliveries/warnings", warnings_url="https://192.168.1.1/")
    assert "not a public address" in page.text and url() == "http://localhost:9999/warn"
    assert page.form("/deliveries/warnings").fields["warnings_url"] == "https://192.168.1.1/"
    page = renter.open("/deliveries")
    assert page.form("/deliveries/warnings").fields["warnings_url"] == "http://localhost:9999/warn"
    page = renter.do("/deliveries", "/deliveries/warnings", warnings_url="")
    assert "warnings are turned off" in page.text and url() is None


def test_one_button_retries_all_parked_webhooks(renter: Visitor, db: Database, e164: str) -> None:
    hook = f"http://127.0.0.1:{refused_port()}/"
    renter.do(f"/numbers/{e164}", f"/numbers/{e164}/action", action="webhook", webhook_url=hook)
    for text in ("one", "two"):
        receive(db, e164, text)
    assert "Retry all webhooks" not in renter.open("/deliveries").text
    renter.do(f"/numbers/{e164}", f"/numbers/{e164}/action", action="store")
    parked = "SELECT id FROM deliveries WHERE state = 'parked'"
    assert len(db.read_blocking(lambda tx: tx.all(parked))) == 2
    page = renter.do("/deliveries?state=parked", "/deliveries/retry")
    assert "queued again" in page.text
    assert db.read_blocking(lambda tx: tx.all(parked)) == []


def test_the_whole_story_without_a_script(visit: Visit, db: Database, wall: FakeWall) -> None:
    renter = visit()
    renter.do("/", "/sign-up")
    assert "Add funds to get started" in renter.open("/messages").text
    page = renter.do("/top-up", "/top-up/address")
    assert "bcrt1" in page.text and any(tag == "svg" for tag, _ in page.tags)
    page = renter.do("/top-up", "/sandbox/faucet")
    assert page.path == "/top-up" and "credited" in page.text
    assert "No numbers yet" in renter.open("/messages").text
    page = renter.do("/rent/us-mobile", "/rent/us-mobile")
    e164 = page.path.removeprefix("/numbers/")
    assert page.path.startswith("/numbers/+1202") and "is yours" in page.text
    assert "Waiting for your first message" in renter.open("/messages").text
    renter.do("/sandbox", "/sandbox/phone", **{"to": e164, "from": "GitHub", "text": "Your code is 604 118"})
    page = renter.open("/messages")
    assert "Your code is 604 118" in page.text and "604118" in page.text
    assert "604 118" in renter.open("/messages?q=CODE").text
    assert "No messages contain" in renter.open("/messages?q=nothing%25like_this").text
    page = renter.do(
        page.path and f"/numbers/{e164}", f"/numbers/{e164}/send", to="+13105550123", content="Thanks\r\n!"
    )
    assert "is on its way" in page.text
    page = renter.do(f"/numbers/{e164}", f"/numbers/{e164}/action", action="forward", forward_to="+44 7700 900123")
    assert page.form(f"/numbers/{e164}/action").fields["forward_to"] == "+447700900123"
    renter.do("/sandbox", "/sandbox/clock", advance_s="86400")
    assert "Minutes" in renter.open("/transactions").text
    page = renter.open(f"/numbers/{e164}/end")
    assert renter.send(page, f"/numbers/{e164}/end").path == "/numbers"
    over = renter.open(f"/numbers/{e164}")
    assert over.status == 200 and "ended by you" in over.text and "Your code is 604 118" in over.text
    assert "Your code is 604 118" in renter.open("/messages").text


@ONE_ENGINE
def test_unknown_urls_show_browsers_a_page_and_programs_json(visit: Visit) -> None:
    visitor = visit()
    page = visitor.open("/nowhere")
    assert page.status == 404 and "Page not found" in page.text
    assert "content-security-policy" in page.headers
    wrong = visitor.client.get("/sign-out")
    assert wrong.status_code == 405 and "text/html" in wrong.headers["content-type"]
    for path in ("/nowhere", "/api/v1/nowhere"):
        answer = visitor.client.get(path, headers={"Accept": "*/*"})
        assert answer.headers["content-type"] == "application/problem+json"
    assert visitor.client.get("/api/v1/nowhere").headers["content-type"] == "application/problem+json"
    asked = visitor.client.get("/api/v1/account", headers={"Accept": "text/html"})
    assert asked.headers["content-type"] == "application/problem+json"


@ONE_ENGINE
def test_rate_limited_browsers_get_an_error_page(serve: Callable[..., str]) -> None:
    with Visitor(serve(requests_per_second=0.01, request_burst=2)) as visitor:
        for _ in range(2):
            assert visitor.look("/").status == 200
        page = visitor.look("/")
        assert page.status == 429 and "Try again in" in page.text and int(page.headers["retry-after"]) > 0


@ONE_ENGINE
def test_error_pages_of_a_failing_service_show_no_traceback(
    renter: Visitor, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stopping(*_: object) -> None:
        raise StorageUnavailable("the service is stopping; nothing was stored")

    async def broken(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    form = renter.open("/tokens").form("/tokens").fields
    for failure, status, words in ((stopping, 503, "wasn't saved"), (broken, 500, "wrong on our side")):
        monkeypatch.setattr(type(runtime.db), "read", failure)
        monkeypatch.setattr(type(runtime.db), "write", failure)
        for page in (renter.look("/messages"), renter.look("/"), renter.post("/tokens", {**form, "label": "x"})):
            assert page.status == status and words in page.text
            assert "secret detail" not in page.html and "Traceback" not in page.html
        monkeypatch.undo()


@ONE_ENGINE
def test_submitting_a_form_after_the_session_expired_asks_to_sign_in(renter: Visitor, visit: Visit) -> None:
    page, second = renter.open("/rent/us-mobile"), visit()
    second.sign_in(new_token(1))
    second.do("/account", "/account/sign-out")
    late = renter.send(page, "/rent/us-mobile")
    assert late.status == 401 and "nothing changed" in late.text


@ONE_ENGINE
def test_sandbox_pages_exist_only_in_a_sandbox(serve: Callable[..., str], db: Database, account_id: int) -> None:
    with Visitor(serve(sandbox=False)) as visitor:
        page = visitor.sign_in(new_token(1))
        assert page.path == "/messages" and "Sandbox" not in page.text
        assert visitor.open("/sandbox").status == 404
        csrf_token = visitor.open("/tokens").form("/tokens").fields["csrf_token"]
        for path in ("/sandbox/phone", "/sandbox/faucet", "/sandbox/clock"):
            assert visitor.post(path, {"csrf_token": csrf_token, "amount": "5", "advance_s": "600"}).status == 404
        assert "regtest" not in visitor.open("/top-up").text


@ONE_ENGINE
def test_a_sandbox_on_a_real_chain_has_no_faucet(serve: Callable[..., str], db: Database, account_id: int) -> None:
    derive = deriver(SANDBOX_DESCRIPTOR, "regtest")
    db.write_blocking(lambda tx: deposit.new_address(tx, account_id, derive=derive, now_us=START_US))
    with Visitor(serve(network="regtest", node="http://127.0.0.1:1")) as visitor:
        visitor.sign_in(new_token(1))
        for path in ("/sandbox", "/top-up"):
            page = visitor.open(path)
            assert page.status == 200 and "faucet" not in page.html.lower(), path
        csrf_token = visitor.open("/tokens").form("/tokens").fields["csrf_token"]
        assert visitor.post("/sandbox/faucet", {"csrf_token": csrf_token, "amount": "5"}).status == 404


@ONE_ENGINE
def test_the_dashboard_is_small(renter: Visitor, db: Database, e164: str) -> None:
    for number in range(50):
        receive(db, e164, f"Your verification code is {number:06d}. It is valid for ten minutes.")
    page = renter.look("/messages")
    assert page.headers["content-encoding"] == "gzip"
    html = int(page.headers["content-length"])
    files = [file for name, file in static.FILES.items() if name in ("site.css", "site.js", "icon.svg")]
    assert html + sum(len(file.zipped) for file in files) <= 60_000
    linked = [given for tag, given in page.tags if (tag == "link" and given["rel"] == "stylesheet") or tag == "script"]
    assert len(linked) + 1 <= 4, "requests before anything is seen"


@ONE_ENGINE
def test_static_files_are_immutable_and_named_by_content(visit: Visit) -> None:
    visitor = visit()
    address = static.address("site.css")
    answer = visitor.client.get(address)
    assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/css")
    assert visitor.look(address.replace("site.css", "..%2f..%2fsite.py")).status == 404
    assert visitor.look("/static/0000000000000000/site.css").status == 404
