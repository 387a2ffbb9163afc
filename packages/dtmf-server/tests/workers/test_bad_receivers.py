"""Bad receivers hurt only themselves: each attempt ends by its deadline, and the healthy never notice."""

import asyncio
import gzip
import ssl
import threading
import tracemalloc
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

import effort
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage.db import Database
from dtmf_server.webhooks.client import Bounds, WebhookClient
from dtmf_server.webhooks.resolver import LookupFailed, VettingResolver
from dtmf_server.workers.adaptive_concurrency import START
from harness import open_account
from support.certificates import authority, dns, issue
from support.webhook_receiver import OK_AND_CLOSE, RawReceiver, receiving_raw, refused_port, silent_ports
from support.webhook_steps import ON_SQLITE, attempts, deliveries, delivering, receive, rent_now, settled, states

NAME = "hooks.example.org"
BARE = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # these posts are plain HTTP
SHORT, LONG = Bounds(deadline_s=0.5), Bounds(deadline_s=120)
MEGABYTE = 1_000_000


async def never(_: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def sending(start: bytes, again: bytes, pause_s: float = 0.0) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    """Says `start`, and then `again` and again."""

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return send


OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"
BOMB = gzip.compress(b"\0" * 50 * MEGABYTE, compresslevel=1)
BOMB_HEAD = b"HTTP/1.1 500 X\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB)
CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG_FIELD = b"X-Header: " + b"y" * 1000 + b"\r\n"
MANY_FIELDS = "many header fields came from the receiver, but no answer"
IN_VAIN = "no answer within 0.5 s"
Behaviour = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]
# The receiver's behavior, and the status and reason in the log.
BEHAVIOURS: list[tuple[Behaviour, int | None, str]] = [
    (never, None, IN_VAIN),
    (sending(b"HTTP/1.1 200 OK\r\nX-Drip: ", b"y", 0.02), None, IN_VAIN),
    (sending(OK_HEAD, b"d", 0.02), 200, "the receiver answered 200, but its reply did not end within 0.5 s"),
    (sending(b"", b"HTTP/1.1 102 Processing\r\n\r\n", 0.02), None, IN_VAIN),
    (sending(b"", INTERIM * 1000), None, "many interim answers came from the receiver, but no final one"),
    (sending(OK_HEAD, b"x" * 4096), 200, "the receiver answered 200"),
    (sending(b"HTTP/1.1 200 OK\r\n", b"X-Header: y\r\n" * 100), None, MANY_FIELDS),
    (sending(b"HTTP/1.1 200 OK\r\n", LONG_FIELD * 4), None, "64 KiB came from the receiver, but no answer"),
    (sending(CHUNKED_HEAD, b"1\r\na\r\n" * 100), 200, "the receiver answered 200"),
    (CHUNKED_HEAD + b"1\r\na\r\n" * 2000 + b"0\r\n\r\n", 200, "the receiver answered 200"),
    (BOMB_HEAD + BOMB, 500, "the receiver answered 500"),
    (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", None, "the receiver's answer is not HTTP/1.1"),
    (reset, None, "the receiver closed the connection without an answer"),
]


async def wait_until(done: Callable[[], bool]) -> None:
    """Returns once it is so; each look lets the others go on."""
    async with asyncio.timeout(30):
        while not done():  # noqa: ASYNC110 - there is no event for a changed row
            await asyncio.sleep(0.01)


def leased(db: Database) -> int:
    """How many deliveries are under way, or held."""
    return sum(row["leased_until_us"] is not None for row in deliveries(db))


async def test_each_attempt_ends_by_its_deadline_and_says_what_was_wrong(
    account: int, db: Database, runtime: Runtime
) -> None:
    async with AsyncExitStack() as stack:
        receivers = [await stack.enter_async_context(receiving_raw(behaviour)) for behaviour, *_ in BEHAVIOURS]
        ports = [*(receiver.port for receiver in receivers), refused_port()]
        numbers = [rent_now(runtime, account, f"http://127.0.0.1:{port}/") for port in ports]
        await stack.enter_async_context(
            delivering(runtime, WebhookClient(sandbox=True, ssl_context=BARE, bounds=SHORT))
        )
        await receive(runtime, *((number, "to a bad one") for number in numbers))
        await settled(runtime)
    log = attempts(db)
    expected = [*((status, reason) for _, status, reason in BEHAVIOURS)]
    expected.append((None, f"connection refused by 127.0.0.1:{ports[-1]}"))
    assert [(row["status"], row["reason"]) for row in log] == expected
    assert all(len(row["reply"] or "") <= 1024 for row in log)
    assert [state == "delivered" for state in states(db)] == [status == 200 for status, _ in expected]


@ON_SQLITE
async def test_each_fault_of_a_certificate_is_named_and_what_is_in_order_arrives(
    account: int, db: Database, runtime: Runtime, tmp_path: Path
) -> None:
    known, unknown = authority("Known authority", key=0xCA), authority("Unknown authority", key=0xBAD)
    certificates = {
        f"expired.{NAME}": issue(tmp_path, known, names=[dns(f"expired.{NAME}")], days=-1),
        f"wrong.{NAME}": issue(tmp_path, known, names=[dns("other.example.org")]),
        f"unknown.{NAME}": issue(tmp_path, unknown, names=[dns(f"unknown.{NAME}")]),
        f"good.{NAME}": issue(tmp_path, known, names=[dns(f"good.{NAME}")]),
    }
    async with AsyncExitStack() as stack:
        numbers = []
        for name, certificate in certificates.items():
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate)
            receiver = await stack.enter_async_context(receiving_raw(OK_AND_CLOSE, tls=tls))
            numbers.append(rent_now(runtime, account, f"https://{name}:{receiver.port}/"))
        trusting = ssl.create_default_context(cadata=known.pem)
        poster = WebhookClient(sandbox=True, ssl_context=trusting, lookup=lambda _: ["127.0.0.1"])
        await stack.enter_async_context(delivering(runtime, poster))
        await receive(runtime, *((number, "over TLS") for number in numbers))
        await settled(runtime)
    assert [row["reason"] for row in attempts(db)] == [
        "the certificate has expired",
        f"the certificate is not for wrong.{NAME}",
        "the certificate is not signed by a known authority",
        "the receiver answered 200",
    ]
    assert states(db) == ["waiting"] * 3 + ["delivered"]


async def test_many_hosts_that_never_answer_do_not_delay_others(account: int, db: Database, runtime: Runtime) -> None:
    with silent_ports(effort.WEBHOOKS_DEAD) as dead:
        to_dead = [rent_now(runtime, account, f"http://127.0.0.1:{port}/") for port in [*dead, *dead[:40]]]
        poster = WebhookClient(sandbox=True, ssl_context=BARE, bounds=LONG)
        async with receiving_raw(OK_AND_CLOSE) as healthy, delivering(runtime, poster):
            to_healthy = [rent_now(runtime, account, f"http://127.0.0.1:{healthy.port}/{n}") for n in range(10)]
            await receive(runtime, *((number, "in vain") for number in to_dead))
            await wait_until(lambda: leased(db) == len(to_dead))
            for _ in range(5):
                await receive(runtime, *((number, "for the healthy") for number in to_healthy))
            await wait_until(lambda: len(healthy.requests) == 50)
            await wait_until(lambda: states(db).count("delivered") == 50)
            assert leased(db) == len(to_dead), "an attempt at a dead host has ended, so this proves nothing"
    assert {row["status"] for row in attempts(db)} == {200}


async def test_one_accounts_unanswered_webhooks_do_not_delay_other_accounts_at_the_same_host(
    account: int, db: Database, runtime: Runtime
) -> None:
    """Many renters may have webhooks at one host, one for each of many workflows."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        if receiver.requests[-1].line.startswith("POST /hangs"):
            await asyncio.Event().wait()
        writer.write(OK_AND_CLOSE)

    other = open_account(db, seed=1)
    poster = WebhookClient(sandbox=True, ssl_context=BARE, bounds=LONG)
    async with receiving_raw(answer) as receiver, delivering(runtime, poster):
        url = f"http://127.0.0.1:{receiver.port}"
        hanging = [rent_now(runtime, account, f"{url}/hangs/{n}") for n in range(START + 3)]
        number, same_url = (rent_now(runtime, other, f"{url}/{path}") for path in ("answers", "hangs/0"))
        await receive(runtime, *((e164, "in vain") for e164 in hanging))
        await wait_until(lambda: leased(db) == len(hanging))
        await receive(runtime, *((number, f"{n}") for n in range(5)))
        await wait_until(lambda: states(db).count("delivered") == 5)
        await receive(runtime, (same_url, "not deferred because of another account"))
        await wait_until(lambda: len(receiver.requests) == START + 6)
        assert leased(db) == len(hanging) + 1, "an attempt at a dead address has ended, so this proves nothing"


@ON_SQLITE
async def test_a_host_that_lets_us_wait_in_vain_is_given_one_attempt_at_a_time(
    account: int, db: Database, runtime: Runtime
) -> None:
    with silent_ports(1) as (port,):
        numbers = [rent_now(runtime, account, f"http://127.0.0.1:{port}/") for _ in range(10)]
        poster = WebhookClient(sandbox=True, ssl_context=BARE, bounds=Bounds(deadline_s=1.1))
        async with delivering(runtime, poster):
            await receive(runtime, *((number, "in vain") for number in numbers))
            await settled(runtime)
            rows = deliveries(db)
            assert sum(row["attempts"] for row in rows) == len(attempts(db)) == START
            assert {row["first_attempt_us"] for row in rows if not row["attempts"]} == {None}, "72 h began unasked"
            runtime.clock.wall_us.advance(seconds=1)  # type: ignore[attr-defined]  # the test's FakeWall
            runtime.db.wakeups.notify({"clock"})
            await settled(runtime)
            assert sum(row["attempts"] for row in deliveries(db)) == START + 1


@ON_SQLITE
async def test_floods_and_bombs_at_the_same_time_stay_in_bounded_memory(
    account: int, db: Database, runtime: Runtime
) -> None:
    flooding = [sending(OK_HEAD, b"x" * 16_384), sending(b"", INTERIM * 1000)] * 5
    async with AsyncExitStack() as stack:
        floods: list[RawReceiver] = [await stack.enter_async_context(receiving_raw(flood)) for flood in flooding]
        bombs = [await stack.enter_async_context(receiving_raw(BOMB_HEAD + BOMB)) for _ in range(10)]
        urls = [f"http://127.0.0.1:{receiver.port}/" for receiver in [*floods, *bombs] for _ in range(START)]
        numbers = [rent_now(runtime, account, url) for url in urls]
        await stack.enter_async_context(
            delivering(runtime, WebhookClient(sandbox=True, ssl_context=BARE, bounds=SHORT))
        )
        tracemalloc.start()
        try:
            await receive(runtime, *((number, "flooded") for number in numbers))
            await settled(runtime)
            peak_bytes = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert len(attempts(db)) == len(numbers)
    assert peak_bytes < 20 * MEGABYTE, "receivers' buffers included"


async def test_names_that_never_resolve_do_not_hold_up_one_that_did() -> None:
    go = threading.Event()

    def look_up(name: str) -> list[str]:
        return ["8.8.8.8"] if name == NAME or go.wait(20) else []

    resolver = VettingResolver(sandbox=False, lookup=look_up, limit_s=5.0, lookups=4, lookups_of_found=1)
    assert await resolver.resolve(NAME) == ["8.8.8.8"]
    dead = [asyncio.create_task(resolver.resolve(f"d{n}.example.org")) for n in range(20)]
    await asyncio.sleep(0)
    for _ in range(3):
        assert await resolver.resolve(NAME) == ["8.8.8.8"]
    assert not any(task.done() for task in dead)
    go.set()
    assert await asyncio.gather(*dead) == [["8.8.8.8"]] * 20


async def test_names_that_failed_the_last_time_hold_up_neither_new_ones_nor_each_other_for_good() -> None:
    go, answers = threading.Event(), {"dead": [[], [], ["8.8.8.8"]]}

    def look_up(name: str) -> list[str]:
        if name.startswith("d"):
            found = answers["dead"].pop(0)
            if not found:
                return found
            go.wait(20)
        return ["8.8.8.8"]

    resolver = VettingResolver(sandbox=False, lookup=look_up, limit_s=5.0, lookups=1, lookups_of_dead=1)
    for _ in range(2):
        with pytest.raises(LookupFailed):
            await resolver.resolve("dead.example.org")
    hanging = asyncio.create_task(resolver.resolve("dead.example.org"))
    await asyncio.sleep(0)
    for name in ("new.example.org", "newer.example.org"):
        assert await resolver.resolve(name) == ["8.8.8.8"]
    assert not hanging.done()
    go.set()
    assert await hanging == ["8.8.8.8"]


async def test_a_name_that_waited_for_a_thread_in_vain_is_still_new() -> None:
    go = threading.Event()

    def look_up(_: str) -> list[str]:
        go.wait(20)
        return ["8.8.8.8"]

    resolver = VettingResolver(sandbox=False, lookup=look_up, limit_s=0.1, lookups=1, lookups_of_dead=0)
    for name in ("hangs.example.org", NAME):
        with pytest.raises(LookupFailed, match="took longer"):
            await resolver.resolve(name)
    go.set()
    for thread in [thread for thread in threading.enumerate() if thread.name.startswith("look up hangs")]:
        await asyncio.to_thread(thread.join)
    assert await resolver.resolve(NAME) == ["8.8.8.8"]
    with pytest.raises(LookupFailed, match="took longer"):
        await resolver.resolve("hangs.example.org")


async def test_a_name_that_resolved_once_and_then_fails_gives_its_place_up() -> None:
    answers = [["8.8.8.8"], [], ["8.8.8.8"]]
    resolver = VettingResolver(
        sandbox=False, lookup=lambda _: answers.pop(0), limit_s=0.1, lookups_of_found=1, lookups_of_dead=0
    )
    await resolver.resolve(NAME)
    with pytest.raises(LookupFailed, match="does not resolve"):
        await resolver.resolve(NAME)
    with pytest.raises(LookupFailed, match="took longer"):  # for one of the threads of the dead
        await resolver.resolve(NAME)
    assert answers == [["8.8.8.8"]]
