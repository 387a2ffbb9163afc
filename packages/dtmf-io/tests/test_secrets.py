"""The token appears in one header of requests to the service, and nowhere else."""

from __future__ import annotations

import logging
import traceback
from typing import Any

import pytest

from dtmf import DTMFError
from dtmf.settings import Settings
from dtmf.transport import Request

from .conftest import TOKEN, FakeTime
from .stub import Stub, cut, problem, raw, reply

ECHO = {"detail": f"who is {TOKEN}?", "code": TOKEN, "request_id": f"r-{TOKEN}", "title": TOKEN}


@pytest.mark.parametrize(
    "act",
    [
        reply(200, b'{"balance": 1}'),
        *(problem(status, **ECHO) for status in (400, 401, 402, 404, 409, 429, 500)),
        reply(200, TOKEN.encode()),
        reply(200, f'["{TOKEN}"]'.encode(), X_Request_ID="r"),
        reply(401, b"", X_Request_ID=TOKEN),
        cut,
        raw(b"HTTP/1.1 garbage"),
    ],
)
def test_no_message_repr_traceback_or_log_record_shows_the_token(
    *, connect: Any, stub: Stub, fake_time: FakeTime, caplog: pytest.LogCaptureFixture, act: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    stub.then(act)
    client = connect()
    shown = [repr(client), str(client), repr(client.sandbox)]
    try:
        client.account()
    except DTMFError as error:
        shown += [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
    # httpcore2 logs reply headers at DEBUG. If one echoes the token, that is the server's fault.
    shown += [record.getMessage() for record in caplog.records if "X-Request-ID" not in record.getMessage()]
    assert stub.received[0].headers["authorization"] == f"Bearer {TOKEN}"
    assert [text for text in shown if TOKEN in text] == []


def test_reprs_of_requests_and_settings_hide_token_and_content() -> None:
    request = Request("POST", "http://a", "/b", {"Authorization": f"Bearer {TOKEN}"}, b"private", 1.0)
    assert TOKEN not in repr(request)
    assert "private" not in repr(request)
    assert TOKEN not in repr(Settings(TOKEN, None, 1.0, 0))


def test_a_redirect_target_does_not_receive_the_token(connect: Any, stub: Stub) -> None:
    other = Stub()
    try:
        stub.then(reply(307, Location=f"{other.url}/api/v1/account"))
        with pytest.raises(DTMFError):
            connect().account()
        assert other.connections == 0
    finally:
        other.close()
