"""`GET /messages?order=desc`: newest first, page by page, whatever arrives meanwhile."""

from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage.db import Database
from harness import START_US
from support.connection import Connection

from .operations import OTHER_PHONE, Renter


def receive(db: Database, renter: Renter, *texts: str) -> None:
    """Store messages to the renter's number."""
    arrived = [InboundMessage(renter.e164, OTHER_PHONE, text) for text in texts]
    db.write_blocking(lambda tx: receive_many(tx, arrived, now_us=START_US))


def test_pages_of_newest_messages_neither_repeat_nor_leave_out(
    db: Database, renter: Renter, connection: Connection
) -> None:
    receive(db, renter, *"abcdef")

    def page(**query: object) -> list[tuple[int, str]]:
        given = {"inbound": "true", "order": "desc", "limit": 2, **query}
        reply = connection.ask("GET", "/api/v1/messages", token=renter.token, query=given)
        assert reply.status == 200, reply
        return [(each["id"], each["content"]) for each in reply.json]

    first = page()
    assert [text for _, text in first] == ["f", "e"]
    receive(db, renter, "g")
    second = page(before=first[-1][0])
    receive(db, renter, "h")
    third = page(before=second[-1][0])
    assert [text for _, text in second + third] == ["d", "c", "b", "a"]
    assert [text for _, text in page()] == ["h", "g"]
    assert [text for _, text in page(after=third[-1][0], before=first[-1][0], limit=100)] == ["d", "c", "b"]
    assert [text for _, text in page(after=third[-1][0], before=first[-1][0], order="asc")] == ["b", "c"]
    assert page(before=1) == []


def test_an_unknown_order_or_cursor_is_refused(renter: Renter, connection: Connection) -> None:
    for query in (
        {"order": "newest"},
        {"order": ""},
        {"before": 0},
        {"before": -1},
        {"before": "x"},
        {"before": 2**63},
    ):
        reply = connection.ask("GET", "/api/v1/messages", token=renter.token, query=query)
        assert (reply.status, reply.code) == (422, "invalid_request"), query
