"""Restricted tokens on the website: created without JavaScript, and shown with what they have spent and reserved."""

from collections.abc import Callable

from dtmf_server.core import api_token
from dtmf_server.core.units import DAY_US
from dtmf_server.operations import rent, token_limits
from dtmf_server.storage import tokens
from dtmf_server.storage.db import Database, Tx
from harness import START_US, new_token
from support.connection import Connection
from support.visitor import Page, Visitor

from .conftest import ONE_ENGINE

pytestmark = ONE_ENGINE
RESTRICTED = {
    "label": "agent",
    "scope_read": "yes",
    "scope_rent": "yes",
    "sats_max": "2 000",
    "sats_per_day": "1 500",
    "rentals_max": "5",
    "expires_in": "7d",
    "groups": "us-mobile, tiny",
}


def plain(page: Page) -> str:
    """Return the text of a page with ordinary spaces."""
    return page.text.replace("\u202f", " ")


def token_on(page: Page) -> str:
    """Return the token that the page shows."""
    return page.html.partition('id="new-token">')[2].partition("<")[0]


def test_a_restricted_token_is_the_one_that_the_api_would_create(renter: Visitor, db: Database, url: str) -> None:
    page = renter.do("/tokens", "/tokens", **RESTRICTED)
    new = token_on(page)
    with Connection(url) as connection:
        shown = connection.ask("GET", "/api/v1/tokens/0", token=new).json
        assert connection.ask("POST", "/api/v1/addresses", {}, token=new).json["code"] == "scope_required"
    row = db.read_blocking(lambda tx: tokens.found(tx, api_token.sha256(new)))
    assert row is not None
    assert (shown["scopes"], shown["groups"]) == (["read", "rent"], ["us-mobile", "tiny"])
    assert (shown["sats_max"], shown["sats_per_day"], shown["rentals_max"]) == (2000, 1500, 5)
    (stored,) = db.read_blocking(lambda tx: tokens.by_ids(tx, [row["id"]])).values()
    assert stored["expires_wall_us"] - START_US >= 7 * DAY_US
    assert new not in renter.open("/tokens").html


def test_each_token_shows_what_is_reserved_and_spent(renter: Visitor, db: Database, account_id: int) -> None:
    renter.do("/tokens", "/tokens", **RESTRICTED)

    def rent_twice(tx: Tx) -> None:
        """Rent with the token: one rental that ends, and one that reserves its `max_sats`."""
        (row,) = tokens.restricted(tx)
        for max_sats in (750, 740):
            number = rent.start(
                tx, account_id, "us-mobile", now_us=START_US, cooldown_us=0, started_by=row["id"], max_sats=max_sats
            )
            if max_sats == 750:
                rent.end(tx, account_id, number["e164"], now_us=START_US)
        (row,) = tokens.restricted(tx)
        assert row["reserved_sats"] == 740 and row["spent_sats"] > 0
        expected.append(
            f"Spent {row['spent_sats']} sats Reserved 740 sats At most in all 2 000 sats "
            f"Today {token_limits.today(row, now_us=START_US):,} of 1 500 sats Rentals started 2 of 5".replace(",", " ")
        )

    expected: list[str] = []
    db.write_blocking(rent_twice)
    page = renter.open("/tokens")
    assert expected[0] in plain(page)
    assert "May read, rent Groups us-mobile, tiny Expires" in plain(page)


WRONG = [
    ({"sats_max": "0"}, "sats_max", "whole number"),
    ({"sats_per_day": "1.5"}, "sats_per_day", "whole number"),
    ({"rentals_max": "many"}, "rentals_max", "whole number"),
    ({"groups": "us-mobile nowhere"}, "groups", "doesn’t exist"),
    ({"groups": " ".join(map(str, range(101)))}, "groups", "at most 100"),
    ({"groups": "a\u202eb"}, "groups", ""),
    ({"expires_in": "99d"}, "expires_in", "Choose when the token expires"),
    ({"label": ""}, "label", "Enter a name"),
    ({"label": "x" * 101}, "label", "too long"),
]


def test_a_wrong_field_is_explained_and_the_others_keep_what_was_entered(renter: Visitor, db: Database) -> None:
    for wrong, field, said in WRONG:
        page = renter.do("/tokens", "/tokens", **{**RESTRICTED, **wrong})
        assert page.status == 422 and page.error_at(field), (wrong, page.text)
        assert said in page.error_at(field), wrong
        fields = page.form("/tokens").fields
        assert fields["scope_read"] == "yes" and "scope_send" not in fields
    assert db.read_blocking(tokens.restricted) == []


def test_a_restriction_that_means_nothing_does_not_create_an_unrestricted_token(renter: Visitor, db: Database) -> None:
    page = renter.do("/tokens", "/tokens", label="phone", groups=" , ")
    assert page.status == 422 and "Enter what restricts the token" in page.error_at("groups")


def test_a_token_that_nothing_restricts_is_unrestricted(visit: Callable[[], Visitor], renter: Visitor) -> None:
    new = token_on(renter.do("/tokens", "/tokens", label="phone"))
    assert visit().sign_in(new).path == "/messages"
    assert visit().sign_in(new_token(1)).path == "/messages"


def test_revoking_restricted_tokens_needs_no_second_unrestricted_one(renter: Visitor, db: Database) -> None:
    renter.do("/tokens", "/tokens", **RESTRICTED)
    page = renter.open("/tokens")
    assert "last unrestricted token" in page.text
    (row,) = db.read_blocking(tokens.restricted)
    assert f"/tokens/{row['id']}/revoke" in page.html and page.html.count("/revoke") == 1
    assert "Token revoked" in renter.send(page, f"/tokens/{row['id']}/revoke").text
