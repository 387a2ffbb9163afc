"""sign_up and claim of both clients: what is sent without a token, the quote in the 402, and the wait for the payment."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from dtmf import DTMF, AsyncDTMF, AuthenticationError, DTMFError, PermissionDeniedError, ServerError, TimedOutError

from .conftest import FakeTime
from .stub import Stub, cut, problem, reply

QUOTE = {
    "invoice": "lnbcrt1",
    "payment_hash": "00" * 32,
    "amount": 5000,
    "expires_at": "2018-01-01T02:01:01.000000",
    "claim": "the claim",
}
UNPAID = problem(402, "payment_required", **{name: value for name, value in QUOTE.items() if name != "claim"})
Call = Callable[..., Any]


@pytest.fixture(params=["DTMF", "AsyncDTMF"])
def call(request: pytest.FixtureRequest, stub: Stub) -> Call:
    """Call a class method of either client at the stub."""

    def call(name: str, *arguments: Any, **named: Any) -> Any:
        named = {"base_url": stub.url, **named}
        if request.param == "DTMF":
            return getattr(DTMF, name)(*arguments, **named)
        return asyncio.run(getattr(AsyncDTMF, name)(*arguments, **named))

    return call


def test_an_invoice_is_asked_for_without_a_token(stub: Stub, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DTMF_TOKEN", "dtmf_of_another_account")
    stub.then(problem(402, "payment_required", **QUOTE))
    assert call("sign_up", 5000) == QUOTE
    (request,) = stub.received
    assert (request.method, request.target, json.loads(request.body)) == ("POST", "/api/v1/accounts", {"amount": 5000})
    assert not {"authorization", "idempotency-key"} & request.headers.keys()


@pytest.mark.parametrize("amount", [0, -1, 1.5, "5000", None, True])
def test_an_amount_is_checked_before_anything_is_sent(stub: Stub, call: Call, amount: Any) -> None:
    with pytest.raises(ValueError, match="amount"):
        call("sign_up", amount)
    assert stub.received == []


def test_refusals_of_a_sign_up_are_the_usual_errors(stub: Stub, call: Call) -> None:
    stub.then(problem(403, "paid_signup_off"), problem(409, "lightning_not_configured"), problem(402, "other"))
    for kind in (PermissionDeniedError, DTMFError, ServerError):
        with pytest.raises(kind):
            call("sign_up", 5000, max_retries=0)


@pytest.mark.parametrize("given", [QUOTE, "the claim"])
def test_a_claim_is_repeated_until_the_invoice_is_paid(stub: Stub, call: Call, fake_time: FakeTime, given: Any) -> None:
    stub.then(UNPAID, cut, reply(503), UNPAID, reply(201, b'{"token": "dtmf_new"}'))
    assert call("claim", given, timeout=100) == "dtmf_new"
    assert len(stub.received) == 5
    for request in stub.received:
        assert json.loads(request.body) == {"claim": "the claim"}
        assert request.target.startswith("/api/v1/accounts?wait=25.0")
        assert not {"authorization", "idempotency-key"} & request.headers.keys()


def test_a_claim_that_is_not_paid_in_time_raises(stub: Stub, call: Call, fake_time: FakeTime) -> None:
    stub.then(UNPAID)
    with pytest.raises(TimedOutError, match="the invoice was not paid within 30 s"):
        call("claim", "the claim", timeout=30)


def test_a_claim_that_is_not_known_raises(stub: Stub, call: Call) -> None:
    stub.then(problem(401, "invalid_claim", detail="This claim belongs to no sign-up"))
    with pytest.raises(AuthenticationError, match="belongs to no sign-up"):
        call("claim", "the claim")
    for wrong in ("", None, 1, {}, {"claim": 1}):
        with pytest.raises(ValueError, match="claim"):
            call("claim", wrong)
