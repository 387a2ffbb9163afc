"""The delivery log, replays, webhook tests and webhook secrets in both clients."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from dtmf import DTMFError, NotFoundError, ServerError

from .stub import Stub

N = "+1234567890"
SINCE = datetime.fromisoformat("2018-01-01T01:01:01")
DELIVERY = {
    "id": 7,
    "e164": N,
    "kind": "webhook",
    "destination": "https://example.org/webhook",
    "state": "parked",
    "message_id": 1234,
    "created_at": "2018-01-01T01:01:01.000000",
    "next_attempt_at": None,
    "finished_at": "2018-01-04T01:01:01.000000",
    "reason": "the receiver answered 500",
    "attempts": [
        {"at": "2018-01-01T01:01:01.000000", "duration_ms": 1.5, "status": 500, "reason": "x", "reply": None},
    ],
}


@pytest.mark.parametrize(
    ("arguments", "named", "query"),
    [
        ((), {}, ""),
        ((None,), {"e164": None}, ""),
        (("parked",), {}, "state=parked&"),
        ((), {"state": "waiting"}, "state=waiting&"),
        (("delivered",), {"e164": N}, "state=delivered&e164=%2B1234567890&"),
        ((), {"e164": N}, "e164=%2B1234567890&"),
        ((), {"since": SINCE}, "since=2018-01-01T01:01:01&"),
        ((), {"since": SINCE.replace(tzinfo=UTC)}, "since=2018-01-01T01:01:01%2B00:00&"),
        (("parked",), {"e164": N, "since": SINCE}, "state=parked&e164=%2B1234567890&since=2018-01-01T01:01:01&"),
    ],
)
def test_deliveries_are_filtered_by_state_number_and_time_and_paged(
    *, dtmf: Any, stub: Stub, arguments: tuple[Any, ...], named: dict[str, Any], query: str
) -> None:
    stub.answers([DELIVERY | {"id": n} for n in range(1, 101)])
    stub.answers([DELIVERY | {"id": 101}])

    found = list(dtmf.deliveries(*arguments, **named))

    assert [delivery["id"] for delivery in found] == list(range(1, 102))
    assert found[0] == DELIVERY | {"id": 1}
    assert [request.target for request in stub.received] == [
        f"/api/v1/deliveries?{query}after={after}&limit=100" for after in (0, 100)
    ]


def test_deliveries_continue_after_an_id(dtmf: Any, stub: Stub) -> None:
    stub.answers([])
    assert list(dtmf.deliveries(after=41)) == []
    assert stub.received[0].target == "/api/v1/deliveries?after=41&limit=100"


@pytest.mark.parametrize(
    ("state", "named"),
    [
        ("PARKED", {}),
        ("", {}),
        (1, {}),
        (b"parked", {}),
        (["parked"], {}),
        (None, {"e164": "1234567890"}),
        (None, {"e164": f"{N}\n"}),
        (None, {"e164": 1}),
        (None, {"since": "2018-01-01T01:01:01"}),
        (None, {"since": 1514768461}),
        (None, {"after": -1}),
        (None, {"after": True}),
        (None, {"after": "7"}),
        (None, {"after": 2**63}),
    ],
)
def test_an_invalid_filter_is_rejected_before_anything_is_sent(
    dtmf: Any, stub: Stub, state: Any, named: dict[str, Any]
) -> None:
    with pytest.raises(ValueError):
        list(dtmf.deliveries(state, **named))
    assert stub.connections == 0


def test_pages_with_ids_that_do_not_ascend_are_an_error(dtmf: Any, stub: Stub) -> None:
    stub.answers([DELIVERY] * 100)
    with pytest.raises(ServerError):
        list(dtmf.deliveries(after=7))


def test_a_delivery_is_replayed_with_its_own_idempotency_key(dtmf: Any, stub: Stub) -> None:
    stub.answers(DELIVERY)
    assert dtmf.retry_delivery(7) == dtmf.retry_delivery(delivery_id=7) == DELIVERY
    assert {(request.method, request.target) for request in stub.received} == {("POST", "/api/v1/deliveries/7/retry")}
    assert len({request.headers["idempotency-key"] for request in stub.received}) == 2


@pytest.mark.parametrize("delivery_id", [0, -1, "7", 7.0, True, None, 2**63, b"7", "../tokens"])
def test_a_malformed_delivery_id_is_rejected_before_anything_is_sent(dtmf: Any, stub: Stub, delivery_id: Any) -> None:
    with pytest.raises(ValueError, match="delivery_id"):
        dtmf.retry_delivery(delivery_id)
    assert stub.connections == 0


def test_a_missing_delivery_raises_not_found(dtmf: Any, stub: Stub) -> None:
    stub.answers({"status": 404, "code": "not_found", "detail": "no delivery 7"}, 404)
    with pytest.raises(NotFoundError) as refused:
        dtmf.retry_delivery(7)
    assert refused.value.status == 404


@pytest.mark.parametrize(
    ("since", "sent"),
    [
        (SINCE, "2018-01-01T01:01:01"),
        (SINCE.replace(microsecond=5), "2018-01-01T01:01:01.000005"),
        (SINCE.replace(tzinfo=UTC), "2018-01-01T01:01:01+00:00"),
        (SINCE.replace(tzinfo=timezone(timedelta(hours=-3, minutes=-30))), "2018-01-01T01:01:01-03:30"),
    ],
)
def test_all_parked_since_a_time_are_replayed_and_counted(dtmf: Any, stub: Stub, since: datetime, sent: str) -> None:
    stub.answers({"replayed": 3})
    assert dtmf.retry_deliveries(since) == 3
    (request,) = stub.received
    assert (request.method, request.target, request.json) == ("POST", "/api/v1/deliveries/retry", {"since": sent})


@pytest.mark.parametrize("since", [None, 0, 1.5, "2018-01-01T01:01:01", SINCE.date(), SINCE.time(), timedelta(1), True])
def test_a_malformed_time_is_rejected_before_anything_is_sent(dtmf: Any, stub: Stub, since: Any) -> None:
    with pytest.raises(ValueError, match="since must be a datetime"):
        dtmf.retry_deliveries(since)
    assert stub.connections == 0


def test_a_webhook_is_tested(dtmf: Any, stub: Stub) -> None:
    stub.answers(DELIVERY | {"kind": "test", "message_id": None}, 201)
    assert dtmf.test_webhook(N)["kind"] == "test"
    (request,) = stub.received
    assert (request.method, request.target, request.json) == ("POST", "/api/v1/deliveries/test", {"e164": N})


@pytest.mark.parametrize("e164", ["", "1234567890", f" {N}", f"{N}\n", "+0123", "+１２３", None, 1234567890, b"+1234"])
def test_test_webhook_rejects_a_malformed_number(dtmf: Any, stub: Stub, e164: Any) -> None:
    with pytest.raises(ValueError):
        dtmf.test_webhook(e164)
    assert stub.connections == 0


def test_a_number_without_a_webhook_is_a_conflict_with_a_code(dtmf: Any, stub: Stub) -> None:
    stub.answers({"status": 409, "code": "no_webhook", "detail": "set one first"}, 409)
    with pytest.raises(DTMFError, match="set one first") as refused:
        dtmf.test_webhook(N)
    assert (refused.value.status, refused.value.code) == (409, "no_webhook")


def test_the_secret_is_shown_and_rotated_once_per_call(dtmf: Any, stub: Stub) -> None:
    stub.answers({"secret": "whsec_b2xk"})
    stub.answers({"secret": "whsec_bmV3"}, 201)
    assert dtmf.webhook_secret() == "whsec_b2xk"
    assert dtmf.rotate_webhook_secret() == "whsec_bmV3"
    shown, rotated = stub.received
    assert (shown.method, shown.target) == ("GET", "/api/v1/webhook_secret")
    assert (rotated.method, rotated.target) == ("POST", "/api/v1/webhook_secret")
    assert "idempotency-key" not in shown.headers
    assert rotated.headers["idempotency-key"]


def test_the_account_webhook_can_be_read_and_set_repeatedly(dtmf: Any, stub: Stub) -> None:
    url = "https://example.org/low"
    for answer in ({"url": None}, {"url": url}, {"url": url}, {"url": None}):
        stub.answers(answer)
    assert dtmf.account_webhook() is None
    assert dtmf.set_account_webhook(url) is True
    assert dtmf.account_webhook() == url
    assert dtmf.set_account_webhook(None) is True
    asked = [(request.method, request.target, request.body) for request in stub.received]
    path = "/api/v1/account/webhook"
    assert [(method, target) for method, target, _ in asked] == [(m, path) for m in ("GET", "PUT", "GET", "PUT")]
    assert [json.loads(body) for _, _, body in asked if body] == [{"url": url}, {"url": None}]
    assert all("idempotency-key" not in request.headers for request in stub.received)


@pytest.mark.parametrize(
    "url", ["", "x", "ftp://example.org/", "https://", "https://u@example.org/", b"https://e.org", 1]
)
def test_a_malformed_account_webhook_url_is_not_sent(dtmf: Any, stub: Stub, url: object) -> None:
    with pytest.raises(ValueError, match="url must be"):
        dtmf.set_account_webhook(url)
    assert stub.connections == 0


@pytest.mark.parametrize("answer", [{}, {"url": 1}, [None], "https://example.org"])
def test_a_response_without_a_url_is_a_server_error(dtmf: Any, stub: Stub, answer: object) -> None:
    stub.answers(answer)
    with pytest.raises(ServerError):
        dtmf.account_webhook()


@pytest.mark.parametrize("answer", [[], "whsec_x", None, 1])
@pytest.mark.parametrize("call", ["webhook_secret", "rotate_webhook_secret"])
def test_a_malformed_secret_response_is_a_server_error_and_is_not_quoted(
    *, dtmf: Any, stub: Stub, call: str, answer: object
) -> None:
    stub.answers(answer)
    with pytest.raises(ServerError) as fault:
        getattr(dtmf, call)()
    assert "whsec_" not in str(fault.value)


@pytest.mark.parametrize("answer", [{}, {"replayed": None}, {"replayed": "many"}, [3]])
def test_a_malformed_count_is_a_server_error(dtmf: Any, stub: Stub, answer: object) -> None:
    stub.answers(answer)
    with pytest.raises(ServerError):
        dtmf.retry_deliveries(SINCE)


@pytest.mark.parametrize("answer", [{}, {"secrets": 1}, {"secret": None}, {"secret": 1}])
def test_a_response_without_a_secret_is_a_server_error(dtmf: Any, stub: Stub, answer: object) -> None:
    stub.answers(answer)
    with pytest.raises(ServerError):
        dtmf.webhook_secret()
