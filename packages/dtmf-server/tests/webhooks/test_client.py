"""A POST to a webhook is bounded, follows no redirects, and returns a plain-English reason."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from dtmf_server.server.process import new_event_loop
from dtmf_server.webhooks.client import Bounds, WebhookClient
from support.webhook_receiver import OK, OK_AND_CLOSE, receiving_raw, refused_port

from .posting import BARE, BODY, HEADERS, SHORT, dripping, local, post_once


async def test_the_receiver_gets_exactly_the_body_and_the_headers():
    async with receiving_raw(OK) as receiver, WebhookClient(sandbox=True, ssl_context=BARE) as poster:
        outcome = await poster.post(local(receiver.port, "/a/../b/%2e?x=1&y[]=%20"), BODY, HEADERS)
    assert (outcome.status, outcome.reason, outcome.reply) == (200, "the receiver answered 200", "ok")
    assert outcome.duration_us > 0
    (request,) = receiver.requests
    assert request.line == "POST /a/../b/%2e?x=1&y[]=%20 HTTP/1.1"
    assert request.body == BODY
    assert request.headers == {
        **HEADERS,
        "host": f"127.0.0.1:{receiver.port}",
        "content-type": "application/json",
        "user-agent": "dtmf-webhook/1",
        "accept": "*/*",
        "accept-encoding": "identity",
        "content-length": str(len(BODY)),
    }


async def test_headers_that_are_ours_can_not_be_replaced():
    async with receiving_raw(OK) as receiver, WebhookClient(sandbox=True, ssl_context=BARE) as poster:
        await poster.post(local(receiver.port), BODY, {"user-agent": "x", "ACCEPT-ENCODING": "gzip"})
    assert receiver.requests[0].headers["user-agent"] == "dtmf-webhook/1"
    assert receiver.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("status", [201, 204, 299, 304, 400, 404, 410, 429, 500, 503, 599, 999])
async def test_any_status_is_reported_as_it_is(status):
    outcome = await post_once(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
    assert (outcome.status, outcome.reason) == (status, f"the receiver answered {status}")


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 306, 307, 308])
@pytest.mark.parametrize("header", ["Location", "URI", "Refresh"])
async def test_redirects_are_not_followed(status, header):
    async with receiving_raw(OK) as canary:
        target = f"http://127.0.0.1:{canary.port}/"
        reply = f"HTTP/1.1 {status} Go\r\n{header}: {target}\r\nContent-Length: 0\r\n\r\n".encode()
        outcome = await post_once(reply)
    assert (outcome.status, canary.connections) == (status, 0)


async def test_a_receiver_that_never_answers_is_left_at_the_deadline():
    async def never(writer):
        await asyncio.Event().wait()

    outcome = await post_once(never, bounds=SHORT)
    assert (outcome.status, outcome.reason) == (None, "no answer within 0.3 s")
    assert outcome.duration_us >= 300_000


async def test_a_refused_connection_names_the_address():
    port = refused_port()
    async with WebhookClient(sandbox=True, ssl_context=BARE) as poster:
        outcome = await poster.post(local(port), BODY, HEADERS)
    assert (outcome.status, outcome.reason) == (None, f"connection refused by 127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        *((429, "30", 30), (503, " 0 ", 0), (503, "9999999999", 9_999_999_999), (503, "99999999999", None)),
        *((429, "-1", None), (429, "1.5", None), (429, "soon", None), (429, "", None), (429, "٣", None)),
        *((503, "Thu, 01 Jan 1970 00:00:00 GMT", 0), (503, "Thu, 01 Jan 99999 00:00:00 GMT", None)),
        *((503, "Thu, 01 Jan 1970 00:00:00", 0), (500, "30", None), (200, "30", None), (404, "30", None)),
    ],
)
async def test_retry_after_is_read_from_429_and_503_only(status, header, seconds):
    head = f"HTTP/1.1 {status} X\r\nRetry-After: {header}\r\nContent-Length: 0\r\n\r\n"
    assert (await post_once(head.encode())).retry_after_s == seconds


async def test_retry_after_may_be_a_date():
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    outcome = await post_once(f"HTTP/1.1 503 X\r\nRetry-After: {date}\r\nContent-Length: 0\r\n\r\n".encode())
    assert 3000 < outcome.retry_after_s <= 3601


async def test_cookies_are_not_stored():
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nSet-Cookie: \x01=;;=\r\nContent-Length: 0\r\n\r\n"
    async with receiving_raw(answer) as receiver, WebhookClient(sandbox=True, ssl_context=BARE) as poster:
        for _ in range(2):
            await poster.post(local(receiver.port), BODY, HEADERS)
    assert ["cookie" in request.headers for request in receiver.requests] == [False, False]


async def test_no_proxy_is_taken_from_the_environment(monkeypatch):
    async with receiving_raw(OK) as canary, receiving_raw(OK) as receiver:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        async with WebhookClient(sandbox=True, ssl_context=BARE) as poster:
            await poster.post(local(receiver.port), BODY, HEADERS)
    assert (canary.connections, receiver.connections) == (0, 1)


async def test_connections_are_kept_alive_but_not_beyond_the_life_of_the_pool():
    async with receiving_raw(OK) as receiver, WebhookClient(sandbox=True, ssl_context=BARE) as poster:
        for _ in range(3):
            await poster.post(local(receiver.port), BODY, HEADERS)
    assert (receiver.connections, len(receiver.requests)) == (1, 3)
    async with (
        receiving_raw(OK) as receiver,
        WebhookClient(sandbox=True, ssl_context=BARE, bounds=Bounds(pool_life_s=0)) as poster,
    ):
        for _ in range(3):
            await poster.post(local(receiver.port), BODY, HEADERS)
    assert (receiver.connections, len(receiver.requests)) == (3, 3)


async def test_a_pooled_connection_closed_by_the_receiver_is_not_reused():
    async def answer_and_leave(writer):
        writer.write(OK)
        await writer.drain()
        writer.close()

    async with receiving_raw(answer_and_leave) as receiver, WebhookClient(sandbox=True, ssl_context=BARE) as poster:
        for _ in range(2):
            assert (await poster.post(local(receiver.port), BODY, HEADERS)).status == 200
            await asyncio.sleep(0.02)
    assert receiver.connections == 2


def test_it_runs_in_the_event_loop_of_the_service_too():
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        outcome = runner.run(post_once(OK))
        assert (outcome.status, outcome.reply) == (200, "ok")
        assert runner.run(post_once(OK[:20], bounds=SHORT)).reason == "no answer within 0.3 s"


async def test_one_host_gets_no_more_connections_than_its_share():
    under_way = most = 0

    async def count(writer):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.02)
        under_way -= 1
        writer.write(OK_AND_CLOSE)

    async with (
        receiving_raw(count) as receiver,
        WebhookClient(sandbox=True, ssl_context=BARE, bounds=Bounds(connections_per_host=2)) as poster,
    ):
        posts = [poster.post(local(receiver.port), BODY, HEADERS) for _ in range(8)]
        outcomes = await asyncio.gather(*posts)
    assert [outcome.status for outcome in outcomes] == [200] * 8
    assert most == 2


async def test_cancelling_passes_through_and_hangs_up():
    drip = dripping(b"HTTP/1.1 200 OK\r\nX: ", b"y")
    async with receiving_raw(drip) as receiver, WebhookClient(sandbox=True, ssl_context=BARE) as poster:
        task = asyncio.create_task(poster.post(local(receiver.port), BODY, HEADERS))
        await receiver.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(receiver.left.wait(), 10)
