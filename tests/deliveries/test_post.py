"""One POST to a webhook is bounded, follows nothing, and says in words what became of it."""

import asyncio
import gzip
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from deliveries.receiver import OK, OK_AND_CLOSE, receiving, refused_port
from dtmf_server.core.destination import Destination, parse
from dtmf_server.deliveries.post import Bounds, Outcome, Poster

BODY = b'{"id": 1234, "e164": "+1234567890", "sender": "+1234", "content": "SMS text"}'
HEADERS = {"webhook-id": "msg_1", "webhook-timestamp": "1514768461", "webhook-signature": "v1,x v1,y"}
BARE = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # these posts are plain HTTP
USUAL, SHORT = Bounds(), Bounds(deadline_s=0.3)


def local(port: int, path: str = "/hook") -> Destination:
    return parse(f"http://127.0.0.1:{port}{path}", sandbox=True)


async def post_once(answer, *, bounds: Bounds = USUAL) -> Outcome:
    """The outcome of one post to a receiver that answers like this."""
    async with receiving(answer) as receiver, Poster(sandbox=True, ssl_context=BARE, bounds=bounds) as poster:
        return await poster.post(local(receiver.port), BODY, HEADERS)


async def test_the_receiver_gets_exactly_the_body_and_the_headers():
    async with receiving(OK) as receiver, Poster(sandbox=True, ssl_context=BARE) as poster:
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
    async with receiving(OK) as receiver, Poster(sandbox=True, ssl_context=BARE) as poster:
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
    async with receiving(OK) as canary:
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


def dripping(start: bytes, drop: bytes):
    async def drip(writer):
        writer.write(start)
        while True:
            writer.write(drop)
            await writer.drain()
            await asyncio.sleep(0.01)

    return drip


async def test_dripping_headers_end_at_the_deadline():
    outcome = await post_once(dripping(b"HTTP/1.1 200 OK\r\nX: ", b"y"), bounds=SHORT)
    assert (outcome.status, outcome.reason) == (None, "no answer within 0.3 s")


async def test_endless_interim_answers_end_at_the_deadline():
    outcome = await post_once(dripping(b"", b"HTTP/1.1 102 Processing\r\n\r\n"), bounds=SHORT)
    assert (outcome.status, outcome.reason) == (None, "no answer within 0.3 s")


def flooding(start: bytes, block: bytes):
    async def flood(writer):
        writer.write(start)
        while True:
            writer.write(block)
            await writer.drain()

    return flood


@pytest.mark.parametrize("interim", [b"100 Continue", b"103 Early Hints\r\nLink: </a>", b"199 X\r\nX-Y: z"])
async def test_a_flood_of_interim_answers_is_no_answer_and_not_read_to_the_deadline(interim):
    outcome = await post_once(flooding(b"", b"HTTP/1.1 %b\r\n\r\n" % interim * 1000))
    assert (outcome.status, outcome.reason) == (None, "many interim answers came from the receiver, and no answer")


async def test_a_flood_that_never_gets_to_the_end_of_a_head_is_no_answer_either():
    interim = b"HTTP/1.1 100 Continue\r\nX: %b\r\n\r\n" % (b"y" * 8000)
    outcome = await post_once(flooding(b"", interim))
    assert (outcome.status, outcome.reason) == (None, "64 KiB came from the receiver, and no answer")


async def test_a_few_interim_answers_may_come_before_the_answer():
    both = b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + OK
    for at in range(len(both)):

        async def in_two_parts(writer, at=at):
            writer.write(both[:at])
            await writer.drain()
            writer.write(both[at:])

        outcome = await post_once(in_two_parts)
        assert (outcome.status, outcome.reply) == (200, "ok")


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("start", "block", "reply"),
    [
        (CHUNKED, b"1\r\na\r\n" * 1000, "a" * 1024),  # few octets of it are the body's
        (CHUNKED + b"2;", b"x" * 4096, ""),
        (CHUNKED + b"2\r\nok\r\n0\r\n", b"X-Trailer: y\r\n" * 1000, "ok"),
    ],
)
async def test_what_surrounds_a_body_is_bounded_too(start, block, reply):
    outcome = await post_once(flooding(start, block))
    assert (outcome.status, outcome.reply) == (200, reply)


@pytest.mark.parametrize(
    ("answer", "status", "reply"),
    [
        (OK + b"\n", 200, "ok"),
        (OK + b"<!-- not counted -->" * 10_000, 200, "ok"),
        (OK + b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", 200, "ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\nok", 204, ""),
        (b"HTTP/1.0 204 No Content\r\n\r\nok", 204, ""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" * 2000, 200, ""),
        (CHUNKED + b"2\r\nok\r\nnot the size of a chunk", 200, "ok"),
        (CHUNKED + b"2\r\nok\r\n0\r\n\r\nand more", 200, "ok"),
    ],
)
async def test_a_mistake_behind_the_head_does_not_take_the_status_away(answer, status, reply):
    outcome = await post_once(answer)
    assert (outcome.status, outcome.reply) == (status, reply)


async def test_a_connection_on_which_more_came_than_was_asked_for_is_not_used_again():
    async with receiving(OK + b"surplus") as receiver, Poster(sandbox=True, ssl_context=BARE) as poster:
        for _ in range(2):
            await poster.post(local(receiver.port), BODY, HEADERS)
    assert receiver.connections == 2


async def test_a_dripping_reply_ends_at_the_deadline_and_its_status_counts():
    outcome = await post_once(dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"d"), bounds=SHORT)
    assert outcome.status == 200
    assert outcome.reason == "the receiver answered 200, but its reply did not end within 0.3 s"
    assert set(outcome.reply) == {"d"}


@pytest.mark.parametrize(
    ("head", "block"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 4096),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"x" * 4096),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4096 + b"\r\n"),
    ],
)
async def test_an_endless_reply_is_cut_and_only_its_first_kilobyte_kept(head, block):
    written = 0

    async def flood(writer):
        nonlocal written
        writer.write(head)
        while True:
            writer.write(block)
            await writer.drain()
            written += len(block)

    outcome = await post_once(flood)
    assert (outcome.status, outcome.reason) == (200, "the receiver answered 200")
    assert outcome.reply == "x" * 1024
    assert written < 32 * 1024 * 1024  # what socket buffers swallow, not what a receiver can send


async def test_endless_headers_are_no_answer():
    async def flood(writer):
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-Header: y\r\n" * 100)
            await writer.drain()

    outcome = await post_once(flood)
    assert (outcome.status, outcome.reason) == (None, "the receiver's answer is not HTTP/1.1")


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"br", b"zstd", b"gzip, gzip"])
async def test_a_compressed_reply_is_not_unpacked(encoding):
    bomb = gzip.compress(b"\0" * 10_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (encoding, len(bomb))
    outcome = await post_once(head + bomb)
    assert outcome.status == 200
    assert outcome.reply.startswith("\x1f")
    assert len(outcome.reply) <= 1024


async def test_a_reply_is_text_that_every_database_takes():
    outcome = await post_once(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\na\x00\xff\xc3\xa9\xf0\x9f")
    assert outcome.reply == "a\ufffd\ufffdé\ufffd"


@pytest.mark.parametrize(
    "garbage",
    [
        *(b"\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"220 smtp ready\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"),
        *(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
        *(b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/9.9 200 OK\r\n\r\n", b"\x16\x03\x01\x02\x00" * 3 + b"\r\n\r\n"),
        *(b"HTTP/1.1 200 OK\r\nA\x00B: c\r\n\r\n", b"HTTP/1.1 200 OK\r\n: c\r\n\r\n", b"\xff" * 70_000),
    ],
)
async def test_garbage_is_no_answer(garbage):
    async def babble(writer):
        writer.write(garbage)
        await writer.drain()
        writer.close()

    outcome = await post_once(babble)
    assert outcome.status is None
    assert outcome.reason in {
        "the receiver's answer is not HTTP/1.1",
        "the receiver closed the connection without an answer",
    }


async def test_a_reset_before_the_answer_is_no_answer():
    async def reset(writer):
        writer.transport.abort()

    outcome = await post_once(reset)
    assert (outcome.status, outcome.reason) == (None, "the receiver closed the connection without an answer")


async def test_a_reset_in_the_reply_leaves_the_status():
    async def reset(writer):
        writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    outcome = await post_once(reset)
    assert (outcome.status, outcome.reply) == (500, "half")
    assert outcome.reason == "the receiver answered 500, but broke off its reply"


async def test_a_refused_connection_names_the_address():
    port = refused_port()
    async with Poster(sandbox=True, ssl_context=BARE) as poster:
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


async def test_cookies_are_not_kept():
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nSet-Cookie: \x01=;;=\r\nContent-Length: 0\r\n\r\n"
    async with receiving(answer) as receiver, Poster(sandbox=True, ssl_context=BARE) as poster:
        for _ in range(2):
            await poster.post(local(receiver.port), BODY, HEADERS)
    assert ["cookie" in request.headers for request in receiver.requests] == [False, False]


async def test_no_proxy_is_taken_from_the_environment(monkeypatch):
    async with receiving(OK) as canary, receiving(OK) as receiver:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{canary.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        async with Poster(sandbox=True, ssl_context=BARE) as poster:
            await poster.post(local(receiver.port), BODY, HEADERS)
    assert (canary.connections, receiver.connections) == (0, 1)


async def test_connections_are_kept_alive_but_not_beyond_the_life_of_the_pool():
    async with receiving(OK) as receiver, Poster(sandbox=True, ssl_context=BARE) as poster:
        for _ in range(3):
            await poster.post(local(receiver.port), BODY, HEADERS)
    assert (receiver.connections, len(receiver.requests)) == (1, 3)
    async with (
        receiving(OK) as receiver,
        Poster(sandbox=True, ssl_context=BARE, bounds=Bounds(pool_life_s=0)) as poster,
    ):
        for _ in range(3):
            await poster.post(local(receiver.port), BODY, HEADERS)
    assert (receiver.connections, len(receiver.requests)) == (3, 3)


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
        receiving(count) as receiver,
        Poster(sandbox=True, ssl_context=BARE, bounds=Bounds(connections_per_host=2)) as poster,
    ):
        posts = [poster.post(local(receiver.port), BODY, HEADERS) for _ in range(8)]
        outcomes = await asyncio.gather(*posts)
    assert [outcome.status for outcome in outcomes] == [200] * 8
    assert most == 2


async def test_cancelling_passes_through_and_hangs_up():
    drip = dripping(b"HTTP/1.1 200 OK\r\nX: ", b"y")
    async with receiving(drip) as receiver, Poster(sandbox=True, ssl_context=BARE) as poster:
        task = asyncio.create_task(poster.post(local(receiver.port), BODY, HEADERS))
        await receiver.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(receiver.left.wait(), 10)
