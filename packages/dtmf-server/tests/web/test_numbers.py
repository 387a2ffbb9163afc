"""Accounts with more numbers than a list shows."""

from urllib.parse import quote, urlencode

import pytest

from dtmf_server.core.rental import action_for
from dtmf_server.operations import rent, suspend
from dtmf_server.storage.db import Database, Tx
from harness import MINUTE_US, START_US, FakeWall
from support.visitor import Visitor

LISTS = {"/messages": 47, "/sandbox": 2, "/deliveries": 2}  # how many more there are


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


def test_a_list_of_the_newest_shows_how_many_more_there_are_and_links_to_them(
    renter: Visitor, e164s: list[str]
) -> None:
    for path, more in LISTS.items():
        page = renter.open(path)
        assert f"{more} more numbers aren’t shown here." in page.text, path
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


def find(renter: Visitor, **asked: str) -> list[str]:
    return linked(renter.open("/numbers?" + urlencode(asked)))


@pytest.fixture
def varied(db: Database, account_id: int, wall: FakeWall) -> dict[str, str]:
    """Numbers of two countries, with labels, actions and a limit."""

    def start(tx: Tx) -> dict[str, str]:
        found = {}
        for name, group, minutes in [
            ("plain", "us-mobile", None),
            ("Größe 100%", "free", None),
            ("soon", "us-mobile", 60),
        ]:
            rental = rent.start(tx, account_id, group, now_us=wall(), cooldown_us=0, label=name, max_minutes=minutes)
            found[name] = rental["e164"]
        tx.run("UPDATE groups SET country_code = 'de' WHERE id = 'free'")
        rent.set_action(tx, account_id, found["plain"], action_for("https://receiver.example/"), now_us=wall())
        return found

    return db.write_blocking(start)


def test_numbers_are_found_by_label_digits_country_action_and_end(renter: Visitor, varied: dict[str, str]) -> None:
    plain, german, soon = varied["plain"], varied["Größe 100%"], varied["soon"]
    assert find(renter, q="0%") == [german] and find(renter, q="%") == [german] and find(renter, q="_") == []
    assert find(renter, q="PLAIN") == [plain] and find(renter, q=plain[2:]) == [plain]
    assert find(renter, q=f"{plain[:2]} ({plain[2:5]}) {plain[5:]}") == [plain]
    assert find(renter, country="de") == [german] and find(renter, country="fr") == []
    assert find(renter, action="webhook") == [plain] and find(renter, action="forward") == []
    assert set(find(renter, action="store")) == {german, soon}
    assert find(renter, ending="1") == [soon] and find(renter, ending="1", action="webhook") == []
    assert len(find(renter, q="", country="", action="")) == 3
    assert "No active rental matches." in renter.open("/numbers?q=nothing").text


def test_filters_stay_while_paging(renter: Visitor, e164s: list[str]) -> None:
    page = renter.open("/numbers?action=webhook&q=202")
    (older,) = (given["href"] for tag, given in page.tags if tag == "a" and "before=" in given.get("href", ""))
    assert "action=webhook" in older and "q=202" in older
    assert linked(page) + linked(renter.open(older)) == e164s[::-1]


def test_several_rentals_end_at_once_after_a_confirmation(
    renter: Visitor, other: Visitor, varied: dict[str, str]
) -> None:
    chosen = [varied["plain"], varied["soon"]]
    address = "/rentals/end?" + urlencode([("e164", e164) for e164 in [*chosen, chosen[0], "+99", "x"]])
    assert "No numbers chosen" in other.open(address).text, "the numbers of others"
    page = renter.open(address)
    assert "End your rentals of 2 numbers?" in page.text and len(linked(renter.open("/numbers"))) == 3
    done = renter.send(page, "/rentals/end")
    assert done.path == "/numbers" and linked(done) == [varied["Größe 100%"]]
    assert renter.send(page, "/rentals/end").path == "/numbers", "a second tab"
    assert {href.partition("?")[0] for href in linked(renter.open("/rentals"))} == set(chosen)


def test_nothing_chosen_ends_nothing(renter: Visitor, varied: dict[str, str]) -> None:
    assert "No numbers chosen" in renter.open("/rentals/end").text
    page = renter.open(f"/rentals/end?e164={quote(varied['plain'])}")
    assert "No numbers chosen" in renter.send(page, "/rentals/end", numbers="nothing +99").text
    assert len(linked(renter.open("/numbers"))) == 3


def test_a_suspended_renter_ends_nothing(renter: Visitor, db: Database, account_id: int, e164: str) -> None:
    page = renter.open(f"/rentals/end?e164={quote(e164)}")
    db.write_blocking(lambda tx: suspend.suspend(tx, account_id, now_us=START_US))
    assert renter.send(page, "/rentals/end").status == 403
    assert linked(renter.open("/numbers")) == [e164]
