"""The website for a suspended account: everything can be read, a banner says why, and only topping up changes something."""

from dtmf_server.operations import suspend
from dtmf_server.storage.db import Database
from dtmf_server.web.renter.routes import HANDLERS
from harness import START_US, new_token
from support.visitor import Visitor

from .conftest import ONE_ENGINE, receive

BANNER = "This account is suspended."
# Forms that need no session, or end one.
WITHOUT_ACCOUNT = {"/sign-in", "/sign-up", "/sign-in/link", "/sign-out"}
ALLOWED = {"/top-up", "/top-up/address", "/account/sign-out"} | {
    f"/sandbox/{name}" for name in ("phone", "faucet", "pay", "clock")
}


def stop(db: Database, account_id: int) -> None:
    db.write_blocking(lambda tx: suspend.suspend(tx, account_id, now_us=START_US))


def test_only_these_forms_are_open_to_a_suspended_account() -> None:
    forms = [route for route in HANDLERS if "POST" in {str(getattr(m, "value", m)) for m in route.http_methods}]
    paths = {path: route for route in forms for path in route.paths}
    assert paths.keys() >= ALLOWED | WITHOUT_ACCOUNT
    assert {path for path, route in paths.items() if route.opt.get("while_suspended")} == ALLOWED


@ONE_ENGINE
def test_a_suspended_renter_signs_in_reads_and_tops_up(
    db: Database, renter: Visitor, account_id: int, e164: str
) -> None:
    receive(db, e164, "the code is 493817")
    assert BANNER not in renter.open("/messages").text
    stop(db, account_id)
    for path in ("/messages", f"/numbers/{e164}", "/rent", "/top-up", "/account", "/tokens", "/transactions"):
        assert BANNER in renter.open(path).text, path
    assert "493817" in renter.open("/messages").text
    assert renter.do("/top-up", "/top-up/address").status == 200
    renter.do("/messages", "/sign-out")
    assert BANNER in renter.sign_in(new_token(1)).text


@ONE_ENGINE
def test_other_forms_of_a_suspended_renter_are_refused(
    db: Database, renter: Visitor, account_id: int, e164: str
) -> None:
    stop(db, account_id)
    for page, form, fields in (
        (f"/numbers/{e164}", f"/numbers/{e164}/send", {"to": "+447700900777", "content": "hello"}),
        (f"/numbers/{e164}/end", f"/numbers/{e164}/end", {}),
        ("/rent/us-mobile", "/rent/us-mobile", {}),
        ("/tokens", "/tokens", {"label": "laptop"}),
        ("/account/delete", "/account/delete", {"agreed": "yes"}),
    ):
        refused = renter.do(page, form, **fields)
        assert (refused.status, "Ask the operator to resume it" in refused.text) == (403, True), form
    db.write_blocking(lambda tx: suspend.resume(tx, account_id, now_us=START_US))
    assert renter.do(f"/numbers/{e164}/end", f"/numbers/{e164}/end").status == 200
