"""Options of one call, request IDs, the log, certificates, proxies, and event loops that aren't asyncio's."""

from __future__ import annotations

import logging
import pickle
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from dtmf import AsyncDTMF, ConnectionFailedError, TimedOutError
from param_ids import shown
from support.paths import LOOPBACK_CERTIFICATE

from .conftest import TOKEN
from .stub import Stub, reply

NUMBER = {"e164": "+12025550100"}


def test_an_idempotency_key_is_that_of_each_call(dtmf: Any, stub: Stub) -> None:
    stub.answers(NUMBER, 201)
    keyed = dtmf.with_options(idempotency_key="order 17")
    for client in (keyed, keyed, dtmf):
        client.start_rental("us-mobile")
    first, second, other = (each.headers["idempotency-key"] for each in stub.received)
    assert first == second == "order 17" != other


def test_options_change_one_client_and_share_its_connection(dtmf: Any, stub: Stub) -> None:
    stub.answers({"balance": 1})
    quick = dtmf.with_options(timeout=1.5, max_retries=0)
    assert (dtmf.account(), quick.account(), stub.connections) == ({"balance": 1}, {"balance": 1}, 1)
    assert "timeout=1.5, max_retries=0" in repr(quick)
    assert "timeout=30, max_retries=2" in repr(dtmf)
    assert repr(quick.with_options(max_retries=3)).endswith("timeout=1.5, max_retries=3)")


def test_options_survive_pickling(dtmf: Any) -> None:
    client = getattr(dtmf, "inner", dtmf).with_options(timeout=7, idempotency_key="k")
    copy = pickle.loads(pickle.dumps(client))
    assert repr(copy) == repr(client)
    assert copy._settings.key == "k"


def test_max_retries_of_one_call_are_obeyed(dtmf: Any, stub: Stub) -> None:
    stub.then(reply(503))
    with pytest.raises(Exception, match="503"):
        dtmf.with_options(max_retries=0).account()
    assert len(stub.received) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"timeout": "1"},
        {"max_retries": -1},
        *({"idempotency_key": key} for key in ("", "ü", "k" * 256, 1)),
    ],
    ids=shown,
)
def test_a_malformed_option_is_refused(dtmf: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        dtmf.with_options(**options)


def test_the_last_request_id_is_that_of_the_last_response(dtmf: Any, stub: Stub) -> None:
    assert getattr(dtmf, "inner", dtmf).last_request_id is None
    stub.then(
        reply(200, b'{"balance": 1}', **{"X-Request-Id": "req_1"}), reply(404, b"{}", **{"X-Request-Id": "req_2"})
    )
    dtmf.account()
    assert getattr(dtmf, "inner", dtmf).last_request_id == "req_1"
    with pytest.raises(LookupError):
        dtmf.account()
    assert getattr(dtmf, "inner", dtmf).last_request_id == "req_2"


def test_the_log_has_each_response_without_token_and_number(
    dtmf: Any, stub: Stub, caplog: pytest.LogCaptureFixture
) -> None:
    stub.then(reply(503), reply(200, b'{"e164": "+12025550100"}', **{"X-Request-Id": "req_1"}))
    with caplog.at_level(logging.DEBUG, logger="dtmf"):
        dtmf.with_options(timeout=5).number("+12025550100")
    lines = [record.getMessage() for record in caplog.records if record.name == "dtmf"]
    assert lines == ["GET /api/v1/number: 503 (None)", "GET /api/v1/number: 200 (req_1)"]
    assert TOKEN not in caplog.text
    assert "2025550100" not in "".join(lines)


def test_groups_without_a_type_are_those_of_both(dtmf: Any, stub: Stub) -> None:
    stub.then(reply(200, b'[{"id": "a"}]'), reply(200, b'[{"id": "b"}]'))
    assert [group["id"] for group in dtmf.groups()] == ["a", "b"]
    assert [each.target for each in stub.received] == ["/api/v1/groups?type=mobile", "/api/v1/groups?type=local"]


@pytest.fixture
def secure() -> Iterator[Stub]:
    """A server whose certificate only its own file vouches for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(LOOPBACK_CERTIFICATE)
    server = Stub(tls=context)
    server.answers({"balance": 1})
    yield server
    server.close()


def test_a_file_of_certificates_is_trusted(connect: Any, secure: Stub) -> None:
    assert connect(base_url=secure.url, ca=LOOPBACK_CERTIFICATE).account() == {"balance": 1}
    with pytest.raises(ConnectionFailedError):
        connect(base_url=secure.url).account()


def test_an_unusable_file_of_certificates_is_named(connect: Any, secure: Stub, tmp_path: Any) -> None:
    with pytest.raises(ConnectionFailedError, match=r"because of ca=: .*absent.* cannot be read") as caught:
        connect(base_url=secure.url, ca=tmp_path / "absent").account()
    assert caught.value.permanent
    for value in ("", 1, b""):
        with pytest.raises(ValueError):
            connect(ca=value)


def test_a_proxy_is_used_and_named(connect: Any, stub: Stub) -> None:
    stub.then(reply(200, b'{"balance": 1}', **{"Content-Type": "application/json"}))
    assert connect(base_url="http://numbers.invalid", proxy=stub.url).account() == {"balance": 1}
    assert stub.received[0].target == "http://numbers.invalid/api/v1/account"
    with pytest.raises(ConnectionFailedError, match="because of proxy=: it must be the URL of a proxy"):
        connect(base_url="http://numbers.invalid", proxy="ftp://x").account()
    with pytest.raises(ValueError):
        connect(proxy="")


@pytest.mark.parametrize("transport", [None, object()])
def test_another_event_loop_is_refused_clearly(transport: Any) -> None:
    """As under trio, where asyncio has no running loop."""
    call = AsyncDTMF(TOKEN, transport=transport).account()
    with pytest.raises(RuntimeError, match="Under trio, call DTMF"):
        call.send(None)


def test_a_timeout_of_one_call_is_obeyed(dtmf: Any, stub: Stub) -> None:
    stub.then(lambda _connection: stub._closing.wait(30) and False)
    with pytest.raises(TimedOutError, match="no response from"):
        dtmf.with_options(timeout=0.2).account()
