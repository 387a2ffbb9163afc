"""Callbacks that arrive together are stored in one transaction, in order; one that can't be stored affects no other."""

import asyncio
from collections.abc import Sequence

import pytest

from dtmf_server.callbacks import batches as module
from dtmf_server.callbacks.batches import BATCH_MAX, Batches


class Store:
    """A database that is busy until `free` is set, and refuses "bad" items."""

    def __init__(self) -> None:
        self.written: list[list[str]] = []
        self.free, self.asked = asyncio.Event(), asyncio.Event()

    async def write(self, items: Sequence[str]) -> int:
        self.asked.set()
        await self.free.wait()
        if "bad" in items:
            raise ValueError("bad")
        self.written.append([*items])
        return len(items)


async def test_requests_that_arrive_during_a_write_are_stored_together_in_their_order() -> None:
    store = Store()
    batches = Batches(store.write)
    requests = [asyncio.create_task(batches.store([f"{number}"])) for number in range(BATCH_MAX + 3)]
    await store.asked.wait()
    requests += [asyncio.create_task(batches.store(["last", "two"]))]
    await asyncio.sleep(0)
    assert not any(request.done() for request in requests)
    store.free.set()
    await asyncio.gather(*requests)
    assert [item for batch in store.written for item in batch] == [*map(str, range(BATCH_MAX + 3)), "last", "two"]
    assert len(store.written) < 5


async def test_a_request_that_cannot_be_stored_fails_alone() -> None:
    store = Store()
    store.free.set()
    batches = Batches(store.write)
    texts = ["one", "bad", "two", "bad", "three"]
    results = await asyncio.gather(*(batches.store([text]) for text in texts), return_exceptions=True)
    assert [isinstance(result, ValueError) for result in results] == [text == "bad" for text in texts]
    assert sorted(item for batch in store.written for item in batch) == ["one", "three", "two"]
    with pytest.raises(ValueError, match="bad"):
        await batches.store(["bad"])
    await batches.store(["four"])
    assert store.written[-1] == ["four"]


async def test_a_client_that_has_gone_affects_no_other_request() -> None:
    store = Store()
    batches = Batches(store.write)
    requests = [asyncio.create_task(batches.store([text])) for text in ("one", "two", "three")]
    await store.asked.wait()
    requests[1].cancel()
    requests[0].cancel()
    await asyncio.sleep(0)
    store.free.set()
    await requests[2]
    assert sorted(item for batch in store.written for item in batch) == ["one", "three", "two"]


async def test_a_batch_waits_until_it_has_half_of_the_requests_and_then_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "GATHER_S", 60.0)
    store = Store()
    store.free.set()
    batches = Batches(store.write)

    async def post(text: str) -> int:
        return await batches.store([text])

    assert await asyncio.gather(*map(post, "abcd")) == [4, 4, 4, 4]
    first = asyncio.create_task(post("e"))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not first.done()
    assert await asyncio.gather(first, post("f")) == [2, 2]
    monkeypatch.setattr(module, "GATHER_S", 0.0)
    assert await asyncio.gather(post("g"), post("h"), post("i")) == [3, 3, 3]
    assert await post("j") == 1, "after GATHER_S it is stored alone"


async def test_requests_that_come_one_by_one_wait_for_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GATHER_S", 60.0)
    store = Store()
    store.free.set()
    batches = Batches(store.write)
    assert [await batches.store([text]) for text in "abc"] == [1, 1, 1]
