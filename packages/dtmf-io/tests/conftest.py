"""Run the same tests with both clients: `connect` creates a DTMF, or an AsyncDTMF whose calls are awaited at once."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dtmf import DTMF, AsyncDTMF, http_transport, sender

from .stub import Stub

TOKEN = "dtmf_canaryTOKENcanaryTOKENcanary01"


class Awaited:
    """An async object whose coroutines and async iterators run to completion when called."""

    def __init__(self, inner: Any, runner: asyncio.Runner) -> None:
        self.inner = inner
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.inner, name)
        if not callable(value):
            return Awaited(value, self._runner)

        def call(*arguments: Any, **named: Any) -> Any:
            result = value(*arguments, **named)
            if inspect.isawaitable(result):
                return self._runner.run(_await(result))
            if isinstance(result, AsyncDTMF):
                return Awaited(result, self._runner)
            return self._pulled(result) if hasattr(result, "__anext__") else result

        return call

    def _pulled(self, items: Any) -> Iterator[Any]:
        while True:
            try:
                yield self._runner.run(_await(anext(items)))
            except StopAsyncIteration:
                return

    def __repr__(self) -> str:
        return repr(self.inner)


async def _await(awaitable: Any) -> Any:
    return await awaitable


@pytest.fixture
def stub() -> Iterator[Stub]:
    server = Stub()
    yield server
    server.close()


CLIENTS = ["DTMF", "AsyncDTMF"]
OVER_AIOHTTP = "AsyncDTMF over aiohttp"
NETWORK_TESTS = ("http_transport", "lifecycle", "environment", "interrupted")  # these run on it too


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that use `connect` with each client, and those of the network with both engines of AsyncDTMF."""
    if "connect" in metafunc.fixturenames:
        clients = [*CLIENTS, OVER_AIOHTTP] if metafunc.module.__name__.endswith(NETWORK_TESTS) else CLIENTS
        metafunc.parametrize("connect", clients, indirect=True)


@pytest.fixture
def connect(
    request: pytest.FixtureRequest, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Any]]:
    """Create a client of the stub. Arguments are passed to the constructor."""
    opened: list[Any] = []
    if request.param == "AsyncDTMF":
        monkeypatch.setattr(http_transport, "find_spec", lambda _name: None)

    def make(token: str = TOKEN, **named: Any) -> Any:
        named.setdefault("base_url", stub.url)
        client: Any = DTMF(token, **named) if request.param == "DTMF" else Awaited(AsyncDTMF(token, **named), runner)
        opened.append(client)
        return client

    make.kind = request.param.split()[0]  # type: ignore[attr-defined]  # for the few tests with a custom transport
    with asyncio.Runner() as runner:
        yield make
        for client in opened:
            client.close()


@pytest.fixture
def dtmf(connect: Callable[..., Any]) -> Any:
    return connect()


class FakeTime:
    """A clock that only advances while the client pauses, which takes no real time."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.uniform = 1.0
        self.pauses_s: list[float] = []

    def sleep(self, pause_s: float) -> None:
        self.pauses_s.append(pause_s)
        self.now_s += pause_s

    async def sleep_async(self, pause_s: float) -> None:
        self.sleep(pause_s)


@pytest.fixture
def fake_time(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    clock = FakeTime()
    monkeypatch.setattr(sender, "monotonic", lambda: clock.now_s)
    monkeypatch.setattr(sender, "time", lambda: 1_600_000_000.0)
    monkeypatch.setattr(sender, "sleep", clock.sleep)
    monkeypatch.setattr(sender, "_sleep_async", clock.sleep_async)
    monkeypatch.setattr(sender, "_uniform", lambda: clock.uniform)
    return clock
