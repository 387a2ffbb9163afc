"""The console's pages: each shows what the commands show, in pages of limited length, and never a text or a secret."""

from collections.abc import Callable

import pytest

from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import deposits
from dtmf_server.storage.db import Database, Tx
from harness import FakeWall, give_coins, open_account, serving_console
from support.console import ADDRESS, LOST_TXID, NOW_US, PAYMENT_HASH, SIGN_IN, TEXT, TXID, live, make_link
from support.visitor import Visitor

from .conftest import ONE_ENGINE

PAGES = ("", "/money", "/accounts", "/numbers", "/prices", "/carriers", "/deposits", "/deposits?tab=lightning")
PAGES += ("/deposits?tab=suspense", "/audit", "/money?day=2018-01-03", "/money?day=x", "/numbers?after=%2B12025550150")
OF_ACCOUNT = ("", "/ledger", "/rentals", "/deliveries", "/actions")


@pytest.fixture
def lived(db: Database, wall: FakeWall) -> int:
    """An account of a service with some history."""
    found = live(db)
    wall.at_us = NOW_US
    return found


def test_every_page_works_on_an_empty_service(operator: Visitor) -> None:
    for path in PAGES:
        page = operator.open(f"/operator{path}")
        assert page.status == 200, (path, page.text)


def test_every_page_shows_the_service_on_either_engine(lived: int, link: Callable[..., str], browse, db) -> None:
    operator = browse()
    operator.do(link(), SIGN_IN)
    pages = {path: operator.open(f"/operator{path}") for path in PAGES}
    pages |= {path: operator.open(f"/operator/accounts/{lived}{path}") for path in OF_ACCOUNT if path}
    pages["account"] = operator.open(f"/operator/accounts/{lived}")
    assert {path: page.status for path, page in pages.items() if page.status != 200} == {}
    everything = "".join(page.html for page in pages.values())
    assert TEXT not in everything and "604118" not in everything and "verysecret" not in everything
    assert "\u202e" not in everything
    assert "The link london 2 is down" in pages[""].text and "waiting" in pages[""].text
    assert "Every balance is covered" in pages["/money"].text and "us-mobile" in pages["/money?day=2018-01-03"].text
    assert "free of 100" in pages["/numbers"].text and "+12025550151" in pages["/numbers?after=%2B12025550150"].text
    assert "wrong password" in pages["/carriers"].text and "02025550101" in pages["/carriers"].text
    assert TXID in pages["/deposits"].text and LOST_TXID in pages["/deposits?tab=suspense"].text
    assert TXID not in pages["/deposits?tab=suspense"].text
    assert PAYMENT_HASH in pages["/deposits?tab=lightning"].text
    assert "wrote to support" in pages["/audit"].text and "wrote to support" in pages["/actions"].text
    assert "numbers retire" not in pages["/actions"].text, "of another object"
    assert "+12025550200" in pages["/rentals"].text and "SMS received" in pages["/ledger"].text
    assert "https://hooks.example.org" in pages["/deliveries"].text


@ONE_ENGINE
def test_a_search_leads_to_the_account(lived: int, operator: Visitor, db: Database) -> None:
    db.write_blocking(lambda tx: tx.run("UPDATE tokens SET label = 'x' WHERE account_id <> :id", id=lived))
    for what in (TXID, f"{TXID}:0", ADDRESS, PAYMENT_HASH, "first", "%2B12025550200", str(lived)):
        assert operator.open(f"/operator/accounts?q={what}").path == f"/operator/accounts/{lived}", what


@ONE_ENGINE
def test_a_search_without_a_result_says_what_can_be_searched_for(lived: int, operator: Visitor) -> None:
    page = operator.open("/operator/accounts?q=%2B49301234567")
    assert page.status == 404 and "No account has" in page.text and 'value="+49301234567"' in page.html
    page = operator.open("/operator/accounts?q=first")
    assert "belongs to the accounts" in page.text
    page = operator.open("/operator/accounts?q=%3Cscript%3E")
    assert "<script" not in page.html
    for wrong in ("0", "999999", "9" * 30, "-1"):
        assert operator.open(f"/operator/accounts/{wrong}").status == 404


@ONE_ENGINE
def test_a_payment_in_suspense_is_found_as_such(lived: int, operator: Visitor) -> None:
    for what in (LOST_TXID, f"{LOST_TXID}:0"):
        page = operator.open(f"/operator/accounts?q={what}")
        assert page.status == 404 and "paid an address in suspense" in page.text


@ONE_ENGINE
def test_accounts_that_share_a_network_are_listed(lived: int, operator: Visitor, db: Database) -> None:
    def ask(tx: Tx) -> None:
        rows = tx.all("SELECT id FROM accounts WHERE id >= :lived ORDER BY id LIMIT 2", lived=lived)
        for nth, row in enumerate(rows):
            deposits.add_address(
                tx,
                account_id=row["id"],
                descriptor_index=10 + nth,
                address=f"unpaid{nth}",
                script_pubkey=bytes([9, nth]),
                now_us=NOW_US,
                network=b"n" * 32,
            )

    db.write_blocking(ask)
    page = operator.open(f"/operator/accounts/{lived}")
    (path,) = [given["href"] for tag, given in page.tags if tag == "a" and "network=" in given.get("href", "")]
    assert operator.open(path).html.count('scope="row"') == 2
    assert operator.open("/operator/accounts?network=x").html.count('scope="row"') == 5, "an invalid one is ignored"


@ONE_ENGINE
def test_parked_deliveries_are_shown_alone(lived: int, operator: Visitor, db: Database) -> None:
    path = f"/operator/accounts/{lived}/deliveries"
    assert "No deliveries" in operator.open(f"{path}?state=parked").text
    db.write_blocking(
        lambda tx: tx.run(
            "UPDATE deliveries SET state = 'parked', reason = 'gave up', leased_until_us = NULL, finished_at_us ="
            " created_at_us WHERE state = 'waiting'"
        )
    )
    page = operator.open(f"{path}?state=parked")
    assert page.html.count('<p class="route">') == 11 and "gave up" in page.text
    assert operator.open(f"{path}?state=nonsense").html.count('<p class="route">') == 50


@ONE_ENGINE
def test_lists_are_cut_into_pages(operator: Visitor, db: Database) -> None:
    account_id = open_account(db, seed=900)
    for seed in range(60):
        open_account(db, seed=seed)
        give_coins(db, account_id, 1000 + seed)
    page = operator.open("/operator/accounts")
    assert page.html.count('scope="row"') == 50
    (more,) = [given["href"] for tag, given in page.tags if tag == "a" and "after=" in given.get("href", "")]
    assert operator.open(more).html.count('scope="row"') == 11
    page = operator.open(f"/operator/accounts/{account_id}/ledger")
    assert page.html.count("<tr>") == 51
    (older,) = [given["href"] for tag, given in page.tags if tag == "a" and "before=" in given.get("href", "")]
    assert operator.open(older).html.count("<tr>") == 11
    assert "First" in operator.open("/operator/numbers?after=%2B12025550100").text


@ONE_ENGINE
def test_health_shows_what_doctor_finds(runtime: Runtime, db: Database, wall: FakeWall) -> None:
    def diagnose() -> tuple[list[str], list[str]]:
        return ["carrier <b>london</b> has never been started"], ["1 SMS is in doubt"]

    runtime.troubles["supply"] = "OSError"
    with serving_console(runtime, diagnose=diagnose) as url, Visitor(url) as visitor:
        page = visitor.do(make_link(db, key="k", wall_us=wall()), SIGN_IN)
    assert "2 problems" in page.text and "carrier <b>london</b> has never been started" in page.text
    assert "The worker supply is not running: OSError" in page.text and "1 SMS is in doubt" in page.text


@ONE_ENGINE
def test_pages_need_a_session(lived: int, browse: Callable[[], Visitor]) -> None:
    visitor = browse()
    for path in (*PAGES, *(f"/accounts/{lived}{tab}" for tab in OF_ACCOUNT)):
        page = visitor.look(f"/operator{path}")
        assert page.status == 303 and page.headers["location"] == SIGN_IN, path
