"""A reply is read as far as it goes and never further than 64 KiB; its status stands once its head is there."""

import gzip

import pytest

from dtmf_server.webhooks.client import WebhookClient
from support.webhook_receiver import OK, receiving_raw

from .posting import BARE, BODY, HEADERS, SHORT, dripping, flooding, local, post_once

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_dripping_headers_end_at_the_deadline():
    outcome = await post_once(dripping(b"HTTP/1.1 200 OK\r\nX: ", b"y"), bounds=SHORT)
    assert (outcome.status, outcome.reason) == (None, "no answer within 0.3 s")


async def test_endless_interim_answers_end_at_the_deadline():
    outcome = await post_once(dripping(b"", b"HTTP/1.1 102 Processing\r\n\r\n"), bounds=SHORT)
    assert (outcome.status, outcome.reason) == (None, "no answer within 0.3 s")


@pytest.mark.parametrize("interim", [b"100 Continue", b"103 Early Hints\r\nLink: </a>", b"199 X\r\nX-Y: z"])
async def test_a_flood_of_interim_answers_is_not_an_answer_and_not_read_to_the_deadline(interim):
    outcome = await post_once(flooding(b"", b"HTTP/1.1 %b\r\n\r\n" % interim * 1000))
    assert (outcome.status, outcome.reason) == (None, "many interim answers came from the receiver, but no final one")


async def test_a_flood_that_never_ends_its_head_is_not_an_answer():
    interim = b"HTTP/1.1 100 Continue\r\nX: %b\r\n\r\n" % (b"y" * 8000)
    outcome = await post_once(flooding(b"", interim))
    assert (outcome.status, outcome.reason) == (None, "64 KiB came from the receiver, but no answer")


async def test_a_few_interim_answers_may_come_before_the_answer():
    both = b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + OK
    for at in range(len(both)):

        async def in_two_parts(writer, at=at):
            writer.write(both[:at])
            await writer.drain()
            writer.write(both[at:])

        outcome = await post_once(in_two_parts)
        assert (outcome.status, outcome.reply) == (200, "ok")


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
    async with receiving_raw(OK + b"surplus") as receiver, WebhookClient(sandbox=True, ssl_context=BARE) as poster:
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
async def test_an_endless_reply_is_cut_and_only_its_first_kilobyte_stored(head, block):
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


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (b"X-Header: y\r\n" * 100, "many header fields came from the receiver, but no answer"),
        (b"X-Header: %b\r\n" % (b"y" * 1000), "64 KiB came from the receiver, but no answer"),
    ],
)
async def test_endless_headers_are_not_an_answer(fields, reason):
    outcome = await post_once(flooding(b"HTTP/1.1 200 OK\r\n", fields))
    assert (outcome.status, outcome.reason) == (None, reason)


async def test_hundreds_of_header_fields_are_an_answer():
    outcome = await post_once(OK.replace(b"\r\n", b"\r\n" + b"X-Header: y\r\n" * 400, 1))
    assert (outcome.status, outcome.reply) == (200, "ok")


async def test_a_reply_in_many_pieces_leaves_its_connection_open():
    answer = CHUNKED + b"1\r\na\r\n" * 1500 + b"0\r\n\r\n"
    async with receiving_raw(answer) as receiver, WebhookClient(sandbox=True, ssl_context=BARE) as poster:
        for _ in range(2):
            outcome = await poster.post(local(receiver.port), BODY, HEADERS)
            assert (outcome.status, outcome.reply) == (200, "a" * 1024)
    assert receiver.connections == 1


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
async def test_garbage_is_not_an_answer(garbage):
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


async def test_a_reset_before_the_answer_is_not_an_answer():
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


async def test_a_body_without_a_length_ends_with_the_connection():
    async def answer_and_leave(writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        await writer.drain()
        writer.close()

    outcome = await post_once(answer_and_leave)
    assert (outcome.status, outcome.reason, outcome.reply) == (200, "the receiver answered 200", "all of it")
