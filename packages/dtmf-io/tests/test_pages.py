"""messages() and transactions() read page by page, and only as far as needed."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from dtmf import ServerError

from .stub import Stub

N = "+1234567890"


def page(first: int, length: int) -> list[dict[str, int]]:
    return [{"id": first + offset} for offset in range(length)]


@pytest.mark.parametrize(
    ("name", "arguments", "named", "query"),
    [
        ("messages", (), {}, "messages?"),
        ("messages", (N,), {}, "messages?e164=%2B1234567890&"),
        ("transactions", (), {}, "transactions?"),
    ],
)
def test_items_come_from_all_pages(
    *, dtmf: Any, stub: Stub, name: str, arguments: tuple[Any, ...], named: dict[str, Any], query: str
) -> None:
    stub.answers(page(1, 100))
    stub.answers(page(101, 100))
    stub.answers(page(201, 3))

    items = list(getattr(dtmf, name)(*arguments, **named))

    assert [item["id"] for item in items] == list(range(1, 204))
    assert [request.target for request in stub.received] == [
        f"/api/v1/{query}after={after}&limit=100" for after in (0, 100, 200)
    ]


@pytest.mark.parametrize("name", ["messages", "transactions"])
def test_reading_starts_after_the_given_id_and_ends_at_an_empty_page(dtmf: Any, stub: Stub, name: str) -> None:
    stub.answers(page(8, 100))
    stub.answers([])
    assert len(list(getattr(dtmf, name)(after=7))) == 100
    assert [request.target.split("?")[1] for request in stub.received] == [
        "after=7&limit=100",
        "after=107&limit=100",
    ]


def test_a_page_is_read_only_when_it_is_needed(dtmf: Any, stub: Stub) -> None:
    stub.answers(page(1, 100))
    items = dtmf.messages()
    assert stub.received == []
    assert [item["id"] for item in islice(items, 100)] == list(range(1, 101))
    assert len(stub.received) == 1


@pytest.mark.parametrize("last", [{"id": 5}, {"id": "101"}, {}, 7])
def test_page_ids_that_do_not_ascend_are_an_error_not_an_endless_loop(dtmf: Any, stub: Stub, last: Any) -> None:
    stub.answers([*page(1, 99), last])
    with pytest.raises(ServerError, match="do not ascend"):
        list(islice(dtmf.messages(after=5), 500))
    assert len(stub.received) == 1


def test_the_newest_messages_come_first_page_by_page(dtmf: Any, stub: Stub) -> None:
    for newest in (300, 200, 100):
        stub.answers(page(newest - 99, 100)[::-1])
    stub.answers([])
    items = dtmf.messages(N, after=7, newest_first=True)
    assert [item["id"] for item in islice(items, 100)] == list(range(300, 200, -1))
    assert len(stub.received) == 1
    assert [item["id"] for item in items] == list(range(200, 0, -1))
    assert [request.target.split("limit=100&")[1] for request in stub.received] == [
        f"order=desc&before={before}" for before in (2**63 - 1, 201, 101, 1)
    ]
    assert all(request.target.startswith("/api/v1/messages?e164=%2B1234567890&after=7&") for request in stub.received)


@pytest.mark.parametrize("last", [{"id": 300}, {"id": "1"}, {}, 7])
def test_newest_first_ids_that_do_not_descend_are_an_error(dtmf: Any, stub: Stub, last: Any) -> None:
    stub.answers(page(201, 100)[::-1])
    stub.answers([*page(101, 99)[::-1], last])
    with pytest.raises(ServerError, match="do not descend"):
        list(islice(dtmf.messages(newest_first=True), 500))
    assert len(stub.received) == 2


def test_a_dict_instead_of_a_page_is_an_error(dtmf: Any, stub: Stub) -> None:
    stub.answers({"id": 1})
    with pytest.raises(ServerError, match="not a JSON array"):
        list(dtmf.transactions())
