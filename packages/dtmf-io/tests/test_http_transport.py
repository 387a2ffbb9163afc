"""The connection to the service: TLS, proxies and custom transports."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator
from typing import Any

import httpcore2
import pytest

from dtmf import DTMF, AsyncDTMF, ConnectionFailedError, NotFoundError, TimedOutError
from dtmf.errors import connection_failed
from dtmf.http_transport import HttpTransport
from dtmf.proxies import proxy_for
from dtmf.transport import Reply, Request
from support.paths import LOOPBACK_CERTIFICATE

from .conftest import TOKEN, FakeTime
from .stub import Stub, reply

PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def tls_stub() -> Iterator[Stub]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(LOOPBACK_CERTIFICATE)
    server = Stub(tls=context)
    yield server
    server.close()


def test_https_works_with_a_trusted_certificate(connect: Any, tls_stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(LOOPBACK_CERTIFICATE))
    tls_stub.answers({"balance": 1})
    client = connect(base_url=tls_stub.url)
    assert [client.account(), client.account()] == [{"balance": 1}] * 2
    assert tls_stub.connections == 1


def test_an_untrusted_certificate_is_rejected_at_once(connect: Any, tls_stub: Stub, fake_time: FakeTime) -> None:
    with pytest.raises(ConnectionFailedError, match="certificate") as caught:
        connect(base_url=tls_stub.url).account()
    assert caught.value.permanent
    assert fake_time.pauses_s == []
    assert tls_stub.received == []


def test_https_to_a_server_without_tls_is_a_failed_connection(connect: Any, stub: Stub) -> None:
    with pytest.raises(ConnectionFailedError):
        connect(base_url=stub.url.replace("http:", "https:"), max_retries=0).account()
    assert stub.received == []


def test_a_proxy_set_in_the_environment_is_used(connect: Any, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", stub.url.replace("//", "//me:p%40ss@"))
    stub.answers({"balance": 1})
    assert connect(base_url="http://numbers.invalid:81").account() == {"balance": 1}
    [request] = stub.received
    assert request.target == "http://numbers.invalid:81/api/v1/account"
    assert request.headers["proxy-authorization"] == "Basic bWU6cEBzcw=="
    assert request.headers["host"] == "numbers.invalid:81"


def test_loopback_addresses_bypass_the_proxy(connect: Any, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy.invalid:1080")
    stub.answers({"balance": 1})
    assert connect().account() == {"balance": 1}


@pytest.mark.parametrize(
    ("environment", "scheme", "host", "expected"),
    [
        ({}, "http", "example.org", None),
        ({"http_proxy": "http://p:1"}, "http", "example.org", "http://p:1/"),
        ({"http_proxy": "p:1"}, "http", "example.org", "http://p:1/"),
        ({"http_proxy": "http://p:1"}, "https", "example.org", None),
        ({"https_proxy": "http://[::2]:1"}, "https", "example.org", "http://[::2]:1/"),
        ({"all_proxy": "socks5://p"}, "https", "example.org", "socks5://p/"),
        ({"https_proxy": "http://p:1", "no_proxy": "example.org"}, "https", "www.example.org", None),
        ({"https_proxy": "http://p:1", "no_proxy": "*"}, "https", "www.example.org", None),
        ({"http_proxy": "http://p:1"}, "http", "localhost", None),
        ({"http_proxy": "http://p:1"}, "http", "127.9.9.9", None),
        ({"http_proxy": "http://p:1"}, "http", "::1", None),
        ({"http_proxy": ""}, "http", "example.org", None),
    ],
)
def test_the_proxy_is_the_one_the_environment_names(
    *,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    scheme: str,
    host: str,
    expected: str | None,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    proxy = proxy_for(scheme, host, None)
    assert (proxy and httpcore2_url(proxy)) == expected


def httpcore2_url(proxy: httpcore2.Proxy) -> str:
    url = proxy.url
    host = url.host.decode()
    port = f":{url.port}" if url.port else ""
    return f"{url.scheme.decode()}://{f'[{host}]' if ':' in host else host}{port}{url.target.decode()}"


class Recorded:
    """A custom blocking transport."""

    def __init__(self, *outcomes: Reply | Exception) -> None:
        self.outcomes = list(outcomes)
        self.requests: list[Request] = []
        self.closed = 0

    def send(self, request: Request) -> Reply:
        self.requests.append(request)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def close(self) -> None:
        self.closed += 1

    def __bool__(self) -> bool:
        return False  # a transport may be an empty container


class AsyncRecorded:
    """A custom asyncio transport."""

    def __init__(self, *outcomes: Reply | Exception) -> None:
        self.inner = Recorded(*outcomes)

    async def send(self, request: Request) -> Reply:
        return self.inner.send(request)

    async def close(self) -> None:
        self.inner.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.fixture
def recorded(connect: Any) -> Any:
    return AsyncRecorded if connect.kind == "AsyncDTMF" else Recorded


def good(value: object) -> Reply:
    return Reply(200, {}, json.dumps(value).encode())


def test_a_custom_transport_carries_the_calls(connect: Any, stub: Stub, recorded: Any) -> None:
    transport = recorded(good({"e164": "+1234"}))
    client = connect(transport=transport, base_url="https://numbers.invalid/x")
    assert client.start_rental("us-mobile") == {"e164": "+1234"}
    [request] = transport.requests
    assert (request.method, request.url) == ("POST", "https://numbers.invalid/x/api/v1/numbers")
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.body == b'{"group_id":"us-mobile"}'
    assert 0 < request.timeout_s <= 30
    client.close()
    assert transport.closed == 1


def test_network_failures_of_a_custom_transport_are_retried_and_reported(
    connect: Any, recorded: Any, fake_time: FakeTime
) -> None:
    failures = [ConnectionResetError("cut"), OSError("no route"), TimeoutError("late")]
    client = connect(transport=recorded(*failures))
    with pytest.raises(TimedOutError) as caught:
        client.account()
    assert caught.value.__cause__ is failures[2]
    with pytest.raises(ConnectionFailedError, match="no route") as failed:
        connect(transport=recorded(failures[1]), max_retries=0).account()
    assert failed.value.__cause__ is failures[1]
    assert fake_time.pauses_s == [0.5, 1.0]


def test_a_permanent_failure_of_a_custom_transport_is_not_retried(connect: Any, recorded: Any) -> None:
    failure = connection_failed("http://a", "no such scheme", permanent=True)
    transport = recorded(failure)
    with pytest.raises(ConnectionFailedError) as caught:
        connect(transport=transport).account()
    assert caught.value is failure


def test_bugs_of_a_custom_transport_reach_the_caller_unchanged(connect: Any, recorded: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        connect(transport=recorded(ZeroDivisionError())).account()


def test_error_responses_of_a_custom_transport_are_parsed(connect: Any, recorded: Any) -> None:
    with pytest.raises(NotFoundError, match="Gone"):
        connect(transport=recorded(Reply(404, {}, b'{"detail": "Gone"}'))).number("+1234")


def test_a_transport_without_close_is_not_closed(connect: Any, recorded: Any) -> None:
    class Plain:
        send = None

    connect(transport=Plain()).close()


async def test_an_async_transport_that_never_answers_is_cut_off_at_the_deadline() -> None:
    class Silent:
        async def send(self, _request: Request) -> Reply:
            await asyncio.Event().wait()
            raise AssertionError

    with pytest.raises(TimedOutError):
        await asyncio.wait_for(AsyncDTMF(TOKEN, timeout=0.05, transport=Silent()).account(), 10)


def test_the_engine_is_itself_a_transport(stub: Stub) -> None:
    stub.then(reply(200, b'{"balance": 1}'))
    with DTMF(TOKEN, base_url=stub.url, transport=HttpTransport(stub.url)) as dtmf:
        assert dtmf.account() == {"balance": 1}
