"""Accounts with more numbers than a list shows."""

import pytest

from dtmf_server.core.rental import action_for
from dtmf_server.operations import rent
from dtmf_server.storage.db import Database, Tx
from harness import MINUTE_US, FakeWall
from support.visitor import Visitor

LISTS = ("/messages", "/sandbox", "/deliveries")


@pytest.fixture
def e164s(db: Database, account_id: int, wall: FakeWall) -> list[str]:
    """52 numbers, each with a webhook, oldest first."""

    def start(tx: Tx) -> list[str]:
        found = []
        for _ in range(52):
            e164 = rent.start(tx, account_id, "us-mobile", now_us=wall(), cooldown_us=0)["e164"]
            action = action_for("https://receiver.example/")
            rent.set_action(tx, account_id, e164, action, now_us=wall())
            found.append(e164)
        return found

    return db.write_blocking(start)


def linked(page: Visitor | object) -> list[str]:
    """Return the numbers that a page links to, in order."""
    hrefs = [given.get("href", "") for tag, given in page.tags if tag == "a"]  # type: ignore[attr-defined]  # a page
    return [href.removeprefix("/numbers/") for href in hrefs if href.startswith("/numbers/+")]


def test_a_list_of_the_newest_50_shows_how_many_more_there_are_and_links_to_them(
    renter: Visitor, e164s: list[str]
) -> None:
    for path in LISTS:
        page = renter.open(path)
        assert "2 more numbers aren’t shown here." in page.text, path
        assert ("a", "/numbers") in {(tag, given.get("href")) for tag, given in page.tags}, path
        assert e164s[-1] in page.text and e164s[0] not in page.text, path


def test_all_numbers_are_paged(renter: Visitor, e164s: list[str]) -> None:
    page = renter.open("/numbers")
    (older,) = (given["href"] for tag, given in page.tags if tag == "a" and "before=" in given.get("href", ""))
    rest = renter.open(older)
    assert linked(page) + linked(rest) == e164s[::-1]
    assert (len(linked(page)), "before=" in rest.html) == (50, False)


def test_a_short_list_does_not_mention_more_numbers(renter: Visitor, e164: str) -> None:
    for path in LISTS:
        assert "shown here" not in renter.open(path).text, path
    assert linked(renter.open("/numbers")) == [e164]


def test_a_depleted_number_not_yet_settled_is_not_listed(renter: Visitor, e164s: list[str], wall: FakeWall) -> None:
    assert len(linked(renter.open("/numbers"))) == 50
    wall.advance(us=100_000 * MINUTE_US)
    assert linked(renter.open("/numbers")) == []
    assert "shown here" not in renter.open("/messages").text


def test_the_numbers_of_others_are_not_listed(other: Visitor, e164s: list[str]) -> None:
    page = other.open("/numbers")
    assert (page.status, linked(page)) == (200, [])
    assert "You have no active rentals." in page.text
