"""Numbers with very many messages, which are written in pieces."""

from typing import Any

from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage.db import Database, Tx
from harness import START_US, give_coins, new_token, open_account
from support.connection import Connection

from .operations import OTHER_PHONE

MANY = 2_500
MESSAGE = ["from", "to", "content", "timestamp", "success", "cost"]


def texts(count: int) -> list[str]:
    """So many texts, each with what JSON has to escape."""
    return [f'text {number} é\u2028"\\' for number in range(count)]


def receive_in_bulk(db: Database, e164: str, count: int) -> None:
    """So many messages for a number."""
    inbound = [InboundMessage(e164, OTHER_PHONE, text) for text in texts(count)]

    def store(tx: Tx) -> None:
        receive_many(tx, inbound, now_us=START_US)

    db.write_blocking(store)


def test_a_number_with_very_many_messages_is_whole_and_equal_to_its_pages(db: Database, connection: Connection) -> None:
    account_id = open_account(db)
    give_coins(db, account_id, 10_000_000)
    token = new_token()
    sizes = [MANY, 0, 500, 501, 1000]  # a page is read 500 at a time
    e164s = [
        connection.ask("POST", "/api/v1/numbers", {"group_id": "us-mobile"}, token=token).json["e164"] for _ in sizes
    ]
    for e164, size in zip(e164s, sizes, strict=True):
        receive_in_bulk(db, e164, size)
    every = connection.ask("GET", "/api/v1/numbers", token=token)
    assert "chunked" in every.headers["transfer-encoding"]
    for e164, size, number in zip(e164s, sizes, every.json, strict=True):
        alone = connection.ask("GET", "/api/v1/number", token=token, query={"e164": e164})
        assert alone.json == number
        assert [message["content"] for message in number["messages"]] == texts(size)
        assert number["messages"] == [{key: full[key] for key in MESSAGE} for full in pages(connection, token, e164)]
    changed = connection.ask(
        "PATCH", "/api/v1/number", {"sms_forwarded_to": OTHER_PHONE}, token=token, query={"e164": e164s[0]}
    )
    assert changed.json == {**every.json[0], "sms_forwarded_to": OTHER_PHONE}


def pages(connection: Connection, token: str, e164: str) -> list[dict[str, Any]]:
    """Every full message of a number, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        query = {"e164": e164, "limit": 700, "after": found[-1]["id"] if found else 0}
        page = connection.ask("GET", "/api/v1/messages", token=token, query=query).json
        if not page:
            return found
        assert [message["id"] for message in page] == sorted(message["id"] for message in page)
        found += page
