"""Error responses raise the exception of their code or status, with everything the caller needs to handle it."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import dtmf as public
from dtmf import (
    AuthenticationError,
    ConnectionFailedError,
    DTMFError,
    InsufficientFundsError,
    InvalidRequestError,
    NoNumbersAvailableError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    TimedOutError,
)

from .stub import Stub, problem, raw, reply

KINDS = [getattr(public, name) for name in public.__all__ if name.endswith("Error")]


@pytest.fixture
def once(connect: Any) -> Any:
    """A client that never tries twice."""
    return connect(max_retries=0)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, None, InvalidRequestError),
        (401, None, AuthenticationError),
        (402, None, InsufficientFundsError),
        (403, None, PermissionDeniedError),
        (404, None, NotFoundError),
        (408, None, TimedOutError),
        (409, None, NoNumbersAvailableError),
        (422, None, InvalidRequestError),
        (429, None, RateLimitedError),
        (500, None, ServerError),
        (503, None, ServerError),
        (599, None, ServerError),
        (405, None, DTMFError),
        (418, None, DTMFError),
        (409, "no_numbers_available", NoNumbersAvailableError),
        (409, "already_issued", DTMFError),
        (429, "too_many_unused_addresses", RateLimitedError),
        (400, "unauthenticated", AuthenticationError),
        (400, "number_not_rented", NotFoundError),
        (400, "group_not_found", NotFoundError),
        (400, "daily_limit_reached", RateLimitedError),
        (500, "invalid_request", InvalidRequestError),
        (400, "not_found", NotFoundError),
        (500, "insufficient_funds", InsufficientFundsError),
        (403, "rate_limited", RateLimitedError),
        (404, "never_heard_of_it", NotFoundError),
        (503, "never_heard_of_it", ServerError),
    ],
)
def test_the_error_class_depends_on_code_then_status(
    *, once: Any, stub: Stub, status: int, code: str | None, kind: type[DTMFError]
) -> None:
    stub.then(problem(status, code, detail="Because.", request_id="r-1"))
    with pytest.raises(DTMFError) as caught:
        once.start_rental("us-mobile")
    assert type(caught.value) is kind
    assert str(caught.value) == "Because."
    assert (caught.value.status, caught.value.code, caught.value.request_id) == (status, code, "r-1")


def test_insufficient_funds_error_has_balance_and_required(once: Any, stub: Stub) -> None:
    stub.then(problem(402, "insufficient_funds", balance=12, required=345))
    with pytest.raises(InsufficientFundsError) as caught:
        once.start_rental("us-mobile")
    assert (caught.value.balance, caught.value.required) == (12, 345)


@pytest.mark.parametrize("value", ["12", 1.5, None, True, [], {}])
def test_a_malformed_amount_is_ignored(once: Any, stub: Stub, value: object) -> None:
    stub.then(problem(402, balance=value, required=value))
    with pytest.raises(InsufficientFundsError) as caught:
        once.start_rental("us-mobile")
    assert (caught.value.balance, caught.value.required) == (None, None)


def test_not_found_is_a_lookup_error_and_invalid_request_a_value_error(once: Any, stub: Stub) -> None:
    stub.then(problem(404), problem(422, detail="Bad."))
    with pytest.raises(LookupError, match="404"):
        once.number("+1234567890")
    with pytest.raises(ValueError, match=r"^Bad\.$"):
        once.number("+1234567890")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad Gateway</html>",
        b"[1]",
        b'"text"',
        b"null",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"detail": 5, "code": ["x"], "title": {}, "request_id": 7}',
    ],
    ids=lambda body: ascii(body[:20]),
)
def test_an_error_response_without_a_problem_document_is_classified_by_status(
    once: Any, stub: Stub, body: bytes
) -> None:
    stub.then(reply(404, body, X_Request_ID="r-2"))
    with pytest.raises(NotFoundError, match="the service responded with status 404") as caught:
        once.account()
    assert (caught.value.code, caught.value.request_id) == (None, "r-2")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>Sign in to the hotel</html>", b"[]", b"5", b'"x"', b"null", b"{", b"\xff", b"[" * 100_000],
    ids=lambda body: ascii(body[:20]),
)
def test_an_unreadable_success_is_a_server_error(once: Any, stub: Stub, body: bytes) -> None:
    stub.then(reply(200, body, X_Request_ID="r-3"))
    with pytest.raises(ServerError, match="sent an unexpected response") as caught:
        once.account()
    assert (caught.value.status, caught.value.request_id) == (200, "r-3")


@pytest.mark.parametrize("body", [b"<html></html>", b"[]", b"true"])
def test_end_rental_does_not_accept_an_unrelated_page(once: Any, stub: Stub, body: bytes) -> None:
    stub.then(reply(200, body))
    with pytest.raises(ServerError):
        once.end_rental("+1234567890")
    with pytest.raises(ServerError):
        once.set_sms_action("+1234567890", None, None)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(connect: Any, stub: Stub, status: int) -> None:
    stub.then(reply(status, Location=f"{stub.url}/elsewhere"))
    with pytest.raises(DTMFError, match=r"/elsewhere.*DTMF_URL") as caught:
        connect().account()
    assert caught.value.status == status
    assert len(stub.received) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\1\2\3 garbage\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 banana\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
    ],
    ids=lambda data: ascii(data[:30]),
)
def test_a_broken_response_is_a_connection_error_that_names_the_address(once: Any, stub: Stub, data: bytes) -> None:
    stub.then(raw(data))
    with pytest.raises(ConnectionFailedError) as caught:
        once.account()
    assert stub.url in str(caught.value)
    assert caught.value.__cause__ is not None


def test_a_refused_connection_says_where_and_how_to_change_it(connect: Any, stub: Stub) -> None:
    url = stub.url
    stub.close()
    with pytest.raises(ConnectionFailedError) as caught:
        connect(base_url=url, max_retries=0).account()
    for part in (url, "base_url=", "DTMF_URL", "refused"):
        assert part in str(caught.value)
    assert caught.value.__cause__ is not None
    assert (caught.value.status, caught.value.code, caught.value.request_id) == (None, None, None)


def test_an_endless_response_is_not_read_completely(once: Any, stub: Stub) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
    stub.then(raw(head + b" " * (33 * 1024 * 1024)))
    with pytest.raises(ServerError, match="longer than"):
        once.account()
    assert len(stub.received) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_errors_survive_pickling_and_copying(kind: type[DTMFError]) -> None:
    error = kind("Because.", status=402, code="insufficient_funds", request_id="r-4")
    vars(error).update(balance=1, required=2, retry_after=3.5)
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(twin) is kind
        assert str(twin) == "Because."
        assert vars(twin) == vars(error)


def test_every_error_is_a_dtmf_error_with_a_sentence_as_its_docstring() -> None:
    assert len(KINDS) == 12
    for kind in KINDS:
        assert issubclass(kind, DTMFError)
        assert kind.__doc__
        assert kind.__doc__.rstrip().endswith(".")
        assert str(kind()) == ""
