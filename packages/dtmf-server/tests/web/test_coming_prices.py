"""The page of a number shows until when its price applies, and the coming one."""

import pytest

from dtmf_server.operations import rent
from dtmf_server.storage.db import Database
from harness import START_US
from money.pegged_renter import NOTICE_US, RATE, announce, peg, refresh
from support.visitor import Visitor

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_the_page_of_a_number_shows_the_coming_price(db: Database, account_id: int, renter: Visitor) -> None:
    peg(db)
    e164 = db.write_blocking(lambda tx: rent.start(tx, account_id, "us-mobile", now_us=START_US, cooldown_us=0))["e164"]
    assert "This price applies at least until" in renter.open(f"/numbers/{e164}").text
    refresh(db, RATE / 2, at_us=NOTICE_US)
    announce(db, NOTICE_US)
    page = renter.open(f"/numbers/{e164}").text
    assert "The price changes on" in page and "26 sats per minute" in page
