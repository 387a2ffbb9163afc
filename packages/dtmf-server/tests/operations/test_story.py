"""The full story through the real client."""

from dtmf import DTMF
from dtmf_server.storage.db import Database
from harness import new_token, open_account


def test_a_number_is_rented_receives_sends_and_ends(db: Database, url: str) -> None:
    open_account(db)
    with DTMF(new_token(), base_url=url) as dtmf:
        address = dtmf.new_address()["address"]
        dtmf.sandbox.deposit(address, 100_000)
        assert dtmf.account() == {"balance": 100_000}
        number = dtmf.start_rental("us-mobile")
        dtmf.sandbox.receive(number["e164"], "+1234", "hello")
        dtmf.send_message(number["e164"], "+447700900000", "abc")
        assert [m["content"] for m in dtmf.number(number["e164"])["messages"]] == ["hello", "abc"]
        assert dtmf.end_rental(number["e164"]) is True
        assert dtmf.numbers() == []
        assert dtmf.account() == {"balance": 100_000 - 13 - 705 - 1000}
