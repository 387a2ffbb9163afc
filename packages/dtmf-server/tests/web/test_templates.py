"""The format of a webhook on the website: chosen, saved, tested, and its URL only shown masked."""

import pytest

from dtmf_server.core.body_templates import NAMES
from dtmf_server.storage.db import Database
from support.visitor import Visitor

from .conftest import ONE_ENGINE

HOOK = "https://api.telegram.org/bot123456:AAE-secret-token/sendMessage?chat_id=1"


def stored(db: Database) -> str:
    (row,) = db.read_blocking(lambda tx: tx.all("SELECT destination FROM rentals WHERE ended_at_us IS NULL"))
    return str(row["destination"])


@ONE_ENGINE
@pytest.mark.parametrize("name", NAMES)
def test_a_format_can_be_chosen_and_its_url_is_only_shown_masked(
    db: Database, renter: Visitor, e164: str, name: str
) -> None:
    where = (f"/numbers/{e164}", f"/numbers/{e164}/action")
    page = renter.do(*where, action="webhook", webhook_url=HOOK, template=name)
    assert stored(db) == f"{HOOK}#template={name}"
    assert f"https://api.telegram.org/…#template={name}" in page.text
    assert "AAE-secret" not in page.text
    renter.do(*where)  # saved unchanged
    assert stored(db) == f"{HOOK}#template={name}"
    other = next(each for each in NAMES if each != name)
    assert "Enter the URL again" in renter.do(*where, template=other).text
    assert stored(db) == f"{HOOK}#template={name}"
    renter.do(f"/numbers/{e164}", "/deliveries/test")
    log = renter.client.get("/deliveries").text
    assert f"https://api.telegram.org/…#template={name}" in log
    assert "AAE-secret" not in log
    renter.do(*where, webhook_url="https://example.org/hook", template="")
    assert stored(db) == "https://example.org/hook"
