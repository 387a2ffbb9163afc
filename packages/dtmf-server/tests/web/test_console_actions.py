"""Suspending and resuming an account on the console: only after a recent sign-in, with a reason, and recorded."""

from collections.abc import Callable

import pytest

from dtmf_server.operations.operator_sign_in import RECENT_US
from dtmf_server.storage import operator_actions
from dtmf_server.storage.db import Database
from harness import FakeWall
from support.console import NOW_US, SIGN_IN, live
from support.visitor import Visitor

from .conftest import ONE_ENGINE

pytestmark = ONE_ENGINE


@pytest.fixture
def lived(db: Database, wall: FakeWall) -> int:
    """An account with a live rental."""
    found = live(db)
    wall.at_us = NOW_US
    return found


def audited(db: Database, account_id: int) -> list[tuple[str, str, str, str]]:
    """Return what operators did to the account, newest first."""
    rows = db.read_blocking(lambda tx: operator_actions.newest_of_account(tx, account_id, before=100, limit=100))
    return [(row["operator"], row["action"], row["object"], row["reason"]) for row in rows]


def test_an_account_is_suspended_and_resumed(lived: int, operator: Visitor, db: Database) -> None:
    path = f"/operator/accounts/{lived}"
    page = operator.do(path, f"{path}/suspend", reason="sends spam")
    assert (page.status, page.path) == (200, path)
    assert "The account is suspended" in page.text and "suspended 2018-01-11" in page.text
    assert "Live rentals 1" in page.text, "held"
    assert "suspended" in operator.open("/operator/accounts").text
    page = operator.do(path, f"{path}/resume", reason="it was a mistake")
    assert "The account is resumed" in page.text
    assert audited(db, lived)[:2] == [
        ("ada", "accounts resume", f"account {lived}", "it was a mistake"),
        ("ada", "accounts suspend", f"account {lived}, rentals held", "sends spam"),
    ]


def test_the_rentals_of_an_account_can_be_ended(lived: int, operator: Visitor, db: Database) -> None:
    path = f"/operator/accounts/{lived}"
    page = operator.do(path, f"{path}/suspend", reason="sends spam", end_rentals="1")
    assert "Live rentals 0" in page.text
    assert audited(db, lived)[0][2] == f"account {lived}, rentals ended"


@pytest.mark.parametrize("action", ["suspend", "resume"])
def test_an_action_needs_a_recent_sign_in(
    lived: int, operator: Visitor, link: Callable[..., str], db: Database, wall: FakeWall, action: str
) -> None:
    path = f"/operator/accounts/{lived}"
    if action == "resume":
        operator.do(path, f"{path}/suspend", reason="sends spam")
    before = operator.open(path)
    recorded = audited(db, lived)
    wall.advance(us=RECENT_US)
    refused = operator.send(before, f"{path}/{action}", reason="too late")
    assert refused.status == 403 and "Sign in again to do this" in refused.text
    assert audited(db, lived) == recorded
    page = operator.open(path)
    assert "Sign in again to do this" in page.text and f"{path}/{action}" not in page.html
    assert operator.do(link("another"), SIGN_IN).path == "/operator"
    assert operator.do(path, f"{path}/{action}", reason="in time").status == 200
    assert len(audited(db, lived)) == len(recorded) + 1


def test_an_action_needs_a_reason(lived: int, operator: Visitor, db: Database) -> None:
    path, recorded = f"/operator/accounts/{lived}", audited(db, lived)
    for reason in ("", "   ", "x" * 501, "two\nlines"):
        page = operator.do(path, f"{path}/suspend", reason=reason, end_rentals="1")
        assert page.status == 422 and "Give a reason" in page.error_at("reason"), reason
        assert page.form(f"{path}/suspend").fields["end_rentals"] == "1", "what was chosen stays"
    assert audited(db, lived) == recorded


def test_an_action_is_done_once(lived: int, operator: Visitor, db: Database) -> None:
    path = f"/operator/accounts/{lived}"
    page = operator.open(path)
    operator.send(page, f"{path}/suspend", reason="sends spam")
    again = operator.send(page, f"{path}/suspend", reason="sends spam")
    assert again.status == 409 and "is already suspended" in again.text
    assert [action for _, action, _, _ in audited(db, lived)].count("accounts suspend") == 1


def test_an_action_needs_a_session_and_the_forms_token(lived: int, operator: Visitor, browse, db: Database) -> None:
    path, recorded = f"/operator/accounts/{lived}", audited(db, lived)
    assert operator.post(f"{path}/suspend", {"reason": "x"}).status == 403
    fields = {**operator.open(path).form(f"{path}/suspend").fields, "reason": "x"}
    assert operator.post(f"{path}/suspend", fields, Origin="https://evil.example").status == 403
    stranger = browse()
    token = stranger.open(SIGN_IN + "?key=none").forms
    assert token == [], "there is no form without a link"
    assert stranger.post(f"{path}/suspend", fields).status == 403
    assert operator.post("/operator/accounts/999999/suspend", fields).status == 404
    assert audited(db, lived) == recorded
