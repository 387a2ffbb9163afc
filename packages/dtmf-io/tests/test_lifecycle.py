"""Opening, sharing, copying and closing clients."""

from __future__ import annotations

import asyncio
import copy
import gc
import os
import pickle
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import dtmf
from dtmf import DTMF, AsyncDTMF

from .conftest import TOKEN
from .stub import Stub, reply

BALANCE = reply(200, b'{"balance": 1}')


def test_a_client_is_a_context_manager_that_closes_its_connections(stub: Stub) -> None:
    stub.then(BALANCE)
    with DTMF(TOKEN, base_url=stub.url) as dtmf:
        assert dtmf.account() == {"balance": 1}
    assert stub.closed.acquire(timeout=10)


async def test_an_async_client_is_a_context_manager_that_closes_its_connections(stub: Stub) -> None:
    stub.then(BALANCE)
    async with AsyncDTMF(TOKEN, base_url=stub.url) as dtmf:
        assert await dtmf.account() == {"balance": 1}
    assert await asyncio.to_thread(stub.closed.acquire, timeout=10)


def test_close_works_before_any_call_twice_and_before_more_calls(connect: Any, stub: Stub) -> None:
    stub.then(BALANCE)
    client = connect()
    client.close()
    assert client.account() == {"balance": 1}
    client.close()
    client.close()
    assert client.account() == {"balance": 1}
    assert stub.connections == 2


def test_nothing_is_left_open(stub: Stub) -> None:
    async def use_async() -> None:
        async with AsyncDTMF(TOKEN, base_url=stub.url) as dtmf:
            await asyncio.gather(*(dtmf.account() for _ in range(5)))

    stub.then(BALANCE)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with DTMF(TOKEN, base_url=stub.url) as dtmf:
            dtmf.account()
        asyncio.run(use_async())
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


def test_a_script_does_not_have_to_close_a_client(stub: Stub) -> None:
    stub.then(BALANCE)
    script = f"""
from dtmf import DTMF
dtmf = DTMF({TOKEN!r}, base_url={stub.url!r})
dtmf.account()
DTMF({TOKEN!r}, base_url={stub.url!r}).account()
"""
    run = subprocess.run([sys.executable, "-X", "dev", "-c", script], check=True, timeout=30, capture_output=True)
    assert run.stderr == b""
    assert len(stub.received) == 2


def test_threads_share_a_client(stub: Stub) -> None:
    stub.then(BALANCE)
    with DTMF(TOKEN, base_url=stub.url) as dtmf, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: dtmf.start_rental("us-mobile"), range(200)))
    assert answers == [{"balance": 1}] * 200
    assert len({request.headers["idempotency-key"] for request in stub.received}) == 200
    assert stub.connections <= 16


async def test_tasks_share_a_client(stub: Stub) -> None:
    stub.then(BALANCE)
    async with AsyncDTMF(TOKEN, base_url=stub.url) as dtmf:
        answers = await asyncio.gather(*(dtmf.start_rental("us-mobile") for _ in range(100)))
    assert answers == [{"balance": 1}] * 100
    assert len({request.headers["idempotency-key"] for request in stub.received}) == 100


async def test_a_cancelled_call_leaves_the_client_usable(stub: Stub) -> None:
    stub.then(stub.hang, BALANCE)
    async with AsyncDTMF(TOKEN, base_url=stub.url) as dtmf:
        call = asyncio.create_task(dtmf.account())
        assert await asyncio.to_thread(stub.arrived.acquire, timeout=10)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await dtmf.account() == {"balance": 1}


def test_an_async_client_outlives_an_event_loop(stub: Stub) -> None:
    stub.then(BALANCE)
    dtmf = AsyncDTMF(TOKEN, base_url=stub.url)

    async def use() -> Any:
        async with dtmf:
            return await dtmf.account()

    assert [asyncio.run(use()) for _ in range(3)] == [{"balance": 1}] * 3


def test_event_loops_do_not_share_connections(stub: Stub) -> None:
    stub.then(BALANCE)
    dtmf = AsyncDTMF(TOKEN, base_url=stub.url)
    with asyncio.Runner() as one, asyncio.Runner() as other:
        for loop in (one, other, one, other):
            assert loop.run(dtmf.account()) == {"balance": 1}
        one.run(dtmf.close())
        other.run(dtmf.close())
    assert [request.connection for request in stub.received] == [1, 2, 1, 2]


@pytest.mark.parametrize("kind", [DTMF, AsyncDTMF])
def test_a_custom_transport_is_pickled_with_the_client(kind: Any) -> None:
    twin = pickle.loads(pickle.dumps(kind(TOKEN, transport=Marked("here"))))

    async def engine() -> Any:
        return twin._engine()

    assert asyncio.run(engine()).mark == "here"


class Marked:
    def __init__(self, mark: str) -> None:
        self.mark = mark


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_client_pickles_without_its_connections(stub: Stub, protocol: int) -> None:
    stub.then(BALANCE)
    with DTMF(TOKEN, base_url=stub.url, timeout=7, max_retries=5) as dtmf:
        dtmf.account()
        with pickle.loads(pickle.dumps(dtmf, protocol)) as twin:
            assert repr(twin) == repr(dtmf)
            assert twin.account() == {"balance": 1}
    assert [request.connection for request in stub.received] == [1, 2]
    assert stub.received[1].headers["authorization"] == f"Bearer {TOKEN}"


async def test_an_async_client_pickles_without_its_connections(stub: Stub) -> None:
    stub.then(BALANCE)
    async with AsyncDTMF(TOKEN, base_url=stub.url) as dtmf:
        await dtmf.account()
        async with pickle.loads(pickle.dumps(dtmf)) as twin:
            assert await twin.account() == {"balance": 1}
    assert [request.connection for request in stub.received] == [1, 2]


def test_a_copy_has_its_own_connections(stub: Stub) -> None:
    stub.then(BALANCE)
    with DTMF(TOKEN, base_url=stub.url) as dtmf:
        dtmf.account()
        with copy.copy(dtmf) as twin:
            twin.account()
        dtmf.account()
    assert [request.connection for request in stub.received] == [1, 2, 1]


def test_a_fork_does_not_write_to_its_parents_connection(stub: Stub) -> None:
    stub.then(BALANCE)
    script = f"""
import os
from dtmf import DTMF
dtmf = DTMF({TOKEN!r}, base_url={stub.url!r})
dtmf.account()
child = os.fork()
dtmf.account()
dtmf.close()
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=30)
    assert sorted(request.connection for request in stub.received) == [1, 1, 2]


@pytest.mark.parametrize("statement", ["import dtmf", "from dtmf import DTMF, AsyncDTMF, NotFoundError"])
def test_importing_loads_no_network_code_or_other_slow_modules(statement: str) -> None:
    heavy = {
        "httpcore2",
        "httpx2",
        "asyncio",
        "ssl",
        "socket",
        "json",
        "typing",
        "dataclasses",
        "re",
        "urllib",
    }
    script = f"{statement}; import sys; print(*sorted({heavy!r} & sys.modules.keys()))"
    found_at = {"PYTHONPATH": str(Path(dtmf.__file__).parents[1])}  # without `site` nothing is installed
    command = [sys.executable, "-S", "-c", script]
    run = subprocess.run(command, check=True, timeout=30, capture_output=True, text=True, env=os.environ | found_at)
    assert run.stdout.strip() == ""
