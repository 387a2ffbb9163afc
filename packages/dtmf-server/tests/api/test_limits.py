"""Rate limits by token and by address, with Retry-After; only trusted proxies are believed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Any

import pytest

from dtmf_server.http.client_address import rate_limit_key
from dtmf_server.http.rate_limit import RateLimit
from dtmf_server.storage.db import Database
from harness import new_token, open_account
from support.connection import Connection, Reply

from .operations import ONE_ENGINE

BURST = 5
PROXIES = (ip_network("127.0.0.1"), ip_network("203.0.113.0/24"))
LIMITS = {"requests_per_second": 0.01, "request_burst": BURST}


@contextmanager
def limited(serve: Callable[..., str], **settings: Any) -> Iterator[Connection]:
    """A service that lets five requests through, and the next after a hundred seconds."""
    with Connection(serve(**LIMITS, **settings)) as connection:
        yield connection


def use_up(connection: Connection, **request: Any) -> None:
    """Makes all the requests that pass."""
    for _ in range(BURST):
        assert connection.ask("GET", "/api/v1/account", **request).status != 429


def refused(reply: Reply) -> bool:
    """Whether the reply says to wait, and how long, in every way it has to."""
    if reply.status != 429:
        return False
    problem = reply.json
    assert reply.headers["content-type"] == "application/problem+json"
    assert 0 < int(reply.headers["retry-after"]) <= 100
    assert problem["retry_after"] == int(reply.headers["retry-after"])
    assert (problem["code"], problem["status"]) == ("rate_limited", 429)
    assert problem["request_id"] == reply.headers["x-request-id"]
    assert "Retry-After" in problem["detail"]
    return True


@ONE_ENGINE
def test_an_address_that_asks_too_much_waits_whatever_token_it_shows(db: Database, serve: Callable[..., str]) -> None:
    open_account(db)
    with limited(serve) as connection:
        use_up(connection)
        assert refused(connection.ask("GET", "/api/v1/account"))
        assert refused(connection.ask("GET", "/api/v1/account", token=new_token()))
        assert refused(connection.ask("POST", "/api/v1/accounts"))
        assert refused(connection.ask("GET", "/no/such/path"))
        # An address that says it is another one is believed only through a proxy of the operator's.
        assert refused(connection.ask("GET", "/api/v1/account", headers={"X-Forwarded-For": "198.51.100.7"}))
        for path in ("/healthz", "/readyz"):
            for _ in range(2 * BURST):
                assert connection.ask("GET", path).status == 200


@ONE_ENGINE
def test_behind_a_trusted_proxy_tokens_and_addresses_are_counted_each_by_itself(
    db: Database, serve: Callable[..., str]
) -> None:
    open_account(db)
    with limited(serve, trusted_proxies=PROXIES) as connection:
        for address in range(BURST):
            from_there = {"X-Forwarded-For": f"198.51.100.{address}"}
            assert connection.ask("GET", "/api/v1/account", token=new_token(), headers=from_there).status == 200
        fresh = {"X-Forwarded-For": "198.51.100.200"}
        assert refused(connection.ask("GET", "/api/v1/account", token=new_token(), headers=fresh))
        # The token's limit is not the address's, nor another token's.
        assert connection.ask("GET", "/api/v1/account", token=new_token(1), headers=fresh).status == 401
        assert connection.ask("GET", "/api/v1/account", headers=fresh).status == 401


@ONE_ENGINE
def test_the_address_behind_trusted_proxies_is_the_last_untrusted_one(serve: Callable[..., str]) -> None:
    with limited(serve, trusted_proxies=PROXIES) as connection:
        use_up(connection, headers={"X-Forwarded-For": "198.51.100.1"})
        for pretended in ("198.51.100.1", "192.0.2.1, 198.51.100.1", "192.0.2.2,198.51.100.1 , 203.0.113.9"):
            assert refused(connection.ask("GET", "/api/v1/account", headers={"X-Forwarded-For": pretended})), pretended
        for different in ("198.51.100.2", "198.51.100.1, 198.51.100.3", "nonsense", ""):
            assert connection.ask("GET", "/api/v1/account", headers={"X-Forwarded-For": different}).status == 401


def test_a_bucket_fills_again_by_the_clock_and_holds_no_more_than_its_burst() -> None:
    now_s = 0.0
    limit = RateLimit(per_second=2, burst=3, monotonic_s=lambda: now_s)
    assert [limit.retry_after_s(b"a") for _ in range(5)] == [0, 0, 0, 1, 1]
    assert limit.retry_after_s(b"b") == 0
    now_s = 0.5
    assert [limit.retry_after_s(b"a") for _ in range(2)] == [0, 1]
    now_s = 1000.0
    assert [limit.retry_after_s(b"a") for _ in range(4)] == [0, 0, 0, 1]


def test_a_flood_of_addresses_takes_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtmf_server.http.rate_limit.KEYS_MAX", 100)
    limit = RateLimit(per_second=1, burst=1, monotonic_s=lambda: 0.0)
    for key in range(1000):
        assert limit.retry_after_s(b"%d" % key) == 0
    assert len(limit._buckets) == 100
    assert limit.retry_after_s(b"999") == 1  # the newest are remembered


@ONE_ENGINE
def test_there_are_no_limits_in_a_sandbox_as_it_comes(connection: Connection) -> None:
    for _ in range(300):
        assert connection.ask("GET", "/api/v1/account").status == 401


def test_a_subscriber_of_ipv6_is_one_caller_whatever_address_it_takes() -> None:
    assert rate_limit_key("2001:db8:1:2::1") == rate_limit_key("2001:db8:1:2:ffff::9")
    assert rate_limit_key("2001:db8:1:2::1") != rate_limit_key("2001:db8:1:3::1")
    assert rate_limit_key("192.0.2.1") == "192.0.2.1"
    assert rate_limit_key("unknown") == "unknown"
