"""The settings of a client: invalid values are rejected, and secrets are never shown."""

from __future__ import annotations

from typing import Any

import pytest

from dtmf import DTMF, AsyncDTMF
from param_ids import shown
from support.invalid_arguments import NOT_A_URL

from .conftest import TOKEN
from .stub import Stub

BOTH = pytest.mark.parametrize("kind", [DTMF, AsyncDTMF])


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DTMF_TOKEN", raising=False)
    monkeypatch.delenv("DTMF_URL", raising=False)


@BOTH
def test_a_missing_token_error_names_both_ways_to_set_one(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for environment in (None, ""):
        if environment is not None:
            monkeypatch.setenv("DTMF_TOKEN", environment)
        for arguments in ((), (None,), ("",)):
            with pytest.raises(ValueError, match=r"DTMF\('your token'\).*DTMF_TOKEN"):
                kind(*arguments)


@BOTH
@pytest.mark.parametrize(
    "suffix", ["\n", " ", "\r\nX: y", "\0", "\t", "\x7f", "é", "🙂", "\ud800", "\u00a0", "\x85"], ids=shown
)
def test_a_token_that_no_header_can_carry_is_rejected_without_quoting_it(kind: Any, suffix: str) -> None:
    for token in (TOKEN + suffix, suffix + TOKEN):
        with pytest.raises(ValueError, match="token starts or ends with a space, or contains") as caught:
            kind(token)
        assert TOKEN not in str(caught.value)


@BOTH
@pytest.mark.parametrize("token", [b"secret", 5, True, ["secret"], object()], ids=shown)
def test_a_token_of_the_wrong_type_is_rejected_without_quoting_it(kind: Any, token: Any) -> None:
    with pytest.raises(ValueError, match="must be a str") as caught:
        kind(token)
    assert "secret" not in str(caught.value)


@BOTH
@pytest.mark.parametrize(
    "url", [*NOT_A_URL, "http://example.org/?q", "http://example.org/#f", "http://bücher.example/"], ids=shown
)
def test_a_malformed_base_url_is_rejected_and_quoted(kind: Any, url: Any) -> None:
    with pytest.raises(ValueError, match=r"^base_url must") as caught:
        kind("t", base_url=url)
    assert repr(url)[:60] in str(caught.value)


@BOTH
def test_the_error_for_a_malformed_dtmf_url_names_the_variable(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DTMF_URL", "localhost:8000")
    with pytest.raises(ValueError, match=r"DTMF_URL must .*'localhost:8000'"):
        kind("t")


@BOTH
@pytest.mark.parametrize("timeout", [0, -1, 0.0, None, "5", True, float("nan"), float("inf"), 2**31, [5]], ids=shown)
def test_a_malformed_timeout_is_rejected(kind: Any, timeout: Any) -> None:
    with pytest.raises(ValueError, match="timeout"):
        kind("t", timeout=timeout)


@BOTH
@pytest.mark.parametrize("max_retries", [-1, 1.0, None, "1", True, float("inf"), [1]], ids=shown)
def test_a_malformed_max_retries_is_rejected(kind: Any, max_retries: Any) -> None:
    with pytest.raises(ValueError, match="max_retries"):
        kind("t", max_retries=max_retries)


def test_token_and_address_come_from_the_environment(connect: Any, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DTMF_TOKEN", "from-the-environment")
    monkeypatch.setenv("DTMF_URL", f"{stub.url}/")
    stub.answers({"balance": 1})
    connect(None, base_url=None).account()
    assert stub.received[0].headers["authorization"] == "Bearer from-the-environment"


def test_arguments_override_the_environment(connect: Any, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DTMF_TOKEN", "from-the-environment")
    monkeypatch.setenv("DTMF_URL", "http://nowhere.invalid")
    stub.answers({"balance": 1})
    connect().account()
    assert stub.received[0].headers["authorization"] == f"Bearer {TOKEN}"


@BOTH
def test_the_default_is_the_sandbox_on_this_machine(kind: Any) -> None:
    assert repr(kind("t")) == f"{kind.__name__}(base_url='http://127.0.0.1:8000', timeout=30, max_retries=2)"
