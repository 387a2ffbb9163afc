"""A link that is down: the reason names the setting to change, and is logged once, not every second."""

import asyncio
import logging
import ssl
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

import pytest

from dtmf_server.carriers.base import InboundSink
from dtmf_server.carriers.smpp.carrier import SmppCarrier, Smsc
from dtmf_server.carriers.smpp.codec import decode, encode
from dtmf_server.carriers.smpp.events import Times
from dtmf_server.carriers.smpp.pdu import BindResp, Body, Command, Pdu
from dtmf_server.carriers.smpp.status import Status
from dtmf_server.operations import carrier_health
from dtmf_server.runtime.clock import wall_us
from dtmf_server.runtime.link_text import fault_text, link_line
from dtmf_server.storage import carriers
from dtmf_server.storage.db import Database
from support.certificates import address, authority, issue

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]
TIMES = Times(response_s=1.0, submit_s=1.0, enquire_s=30.0)


async def bind_of(reader: asyncio.StreamReader) -> Pdu:
    size = await reader.readexactly(4)
    return decode(size + await reader.readexactly(int.from_bytes(size, "big") - 4))


async def nothing_is_stored(_batch: Sequence[object], _live: object) -> Sequence[int]:
    raise AssertionError


async def reasons(
    serve: Serve, *, count: int = 1, server_tls: ssl.SSLContext | None = None, **settings: object
) -> list[str]:
    """Return the first `count` reasons why the link to this SMSC was down."""
    found: list[str] = []
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_tls) as server, asyncio.timeout(60):
        port = server.sockets[0].getsockname()[1]
        carrier = a_carrier(port, **settings)
        (traffic,) = carrier.traffic()
        running = asyncio.ensure_future(carrier.run(InboundSink(nothing_is_stored, lambda notes: None)))
        while len(found) < count:
            await asyncio.sleep(0.01)
            assert not running.done()
            if traffic.errors > len(found):
                found.append(traffic.reason)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return found


async def until(done: Callable[[], bool]) -> None:
    for _ in range(6000):
        if done():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the condition was not met in time")


def a_carrier(port: int, **settings: object) -> SmppCarrier:
    smsc = Smsc("london", "127.0.0.1", port, "dtmf", "secret", times=TIMES, **settings)  # type: ignore[arg-type]  # of any setting
    return SmppCarrier(smsc, new_id=lambda: 1, uniform=lambda: 0.0, wall_us=wall_us)


def answering(command: int, status: int) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bind = await bind_of(reader)
        body = Body() if command == Command.GENERIC_NACK else BindResp()
        writer.write(encode(Pdu(command, bind.sequence, body, status)))
        await writer.drain()
        writer.close()

    return serve


@pytest.mark.regression("bind-hints")
@pytest.mark.parametrize(
    ("command", "status", "bind", "hint"),
    [
        (Command.GENERIC_NACK, Status.ESME_RINVCMDID, "transceiver", 'bind = "transmitter+receiver"'),
        (Command.GENERIC_NACK, Status.ESME_RSYSERR, "transceiver", 'bind = "transmitter+receiver"'),
        (Command.BIND_TRANSCEIVER_RESP, Status.ESME_RINVCMDID, "transceiver", 'bind = "transmitter+receiver"'),
        (Command.BIND_TRANSCEIVER_RESP, Status.ESME_RINVPASWD, "transceiver", "check password in"),
        (Command.BIND_TRANSCEIVER_RESP, Status.ESME_RINVSYSID, "transceiver", "check system_id in"),
        (Command.BIND_TRANSCEIVER_RESP, Status.ESME_RINVSYSTYP, "transceiver", "check system_type in"),
        (Command.BIND_TRANSCEIVER_RESP, Status.ESME_RBINDFAIL, "transceiver", "check system_id, password"),
        (Command.BIND_TRANSMITTER_RESP, Status.ESME_RALYBND, "transmitter", "stop the other process"),
    ],
)
async def test_a_refused_bind_names_the_setting_to_change(command: int, status: int, bind: str, hint: str) -> None:
    (reason,) = await reasons(answering(command, status), binds=(bind,))
    assert hint in reason


async def test_a_generic_nack_of_a_configured_alternative_bind_does_not_suggest_it() -> None:
    nack = answering(Command.GENERIC_NACK, Status.ESME_RINVCMDID)
    (reason,) = await reasons(nack, binds=("receiver",))
    assert "transmitter+receiver" not in reason


async def reads_until_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.close()


async def speaks_smpp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer like an SMSC that receives something other than SMPP."""
    await reader.read(16)
    writer.write(encode(Pdu(Command.GENERIC_NACK, 0, Body(), Status.ESME_RINVCMDLEN)))
    writer.close()


async def wants_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer like a TLS server that receives something other than TLS: with an alert."""
    await reader.read(16)
    writer.write(bytes.fromhex("15030300020246"))
    writer.close()


@pytest.mark.regression("tls-hints")
@pytest.mark.parametrize("serve", [closes, speaks_smpp, reads_until_the_end])
async def test_tls_against_a_plain_port_mentions_tls(serve: Serve) -> None:
    (reason,) = await reasons(serve, tls=ssl.create_default_context())
    assert "set tls = false" in reason or "needs tls = false" in reason


@pytest.mark.regression("tls-hints")
@pytest.mark.parametrize("serve", [closes, wants_tls, reads_until_the_end])
async def test_a_plain_bind_against_a_port_with_tls_mentions_tls(serve: Serve) -> None:
    (reason,) = await reasons(serve)
    assert "tls = true" in reason


async def test_a_plain_bind_against_a_real_port_with_tls_mentions_tls(tmp_path: Path) -> None:
    certificate = issue(tmp_path, authority("known", key=0xC0FFEE), names=[address(bytes((127, 0, 0, 1)))])
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_tls.load_cert_chain(certificate)
    (reason,) = await reasons(closes, server_tls=server_tls)
    assert "tls = true" in reason


async def test_a_certificate_that_is_not_trusted_leads_to_tls_ca(tmp_path: Path) -> None:
    certificate = issue(tmp_path, authority("unknown", key=0xBAD), names=[address(bytes((127, 0, 0, 1)))])
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_tls.load_cert_chain(certificate)
    (reason,) = await reasons(closes, server_tls=server_tls, tls=ssl.create_default_context())
    assert "set tls_ca" in reason


async def test_a_closed_port_is_not_blamed_on_tls() -> None:
    carrier = a_carrier(1, tls=ssl.create_default_context())
    running = asyncio.ensure_future(carrier.run(InboundSink(nothing_is_stored, lambda notes: None)))
    await until(lambda: bool(carrier.traffic()[0].reason))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert "tls" not in carrier.traffic()[0].reason.lower()


@pytest.mark.regression("a-lasting-fault-is-logged-once")
async def test_a_link_that_stays_down_is_logged_once_per_reason_and_when_it_is_up_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "dtmf.smpp")
    statuses = [*[Status.ESME_RINVPASWD] * 3, *[Status.ESME_RALYBND] * 2]
    bound = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bind = await bind_of(reader)
        status = statuses.pop(0) if statuses else Status.ESME_ROK
        writer.write(encode(Pdu(Command.BIND_TRANSCEIVER_RESP, bind.sequence, BindResp(system_id="smsc"), status)))
        if not status:
            bound.set()
            await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server, asyncio.timeout(60):
        carrier = a_carrier(server.sockets[0].getsockname()[1])
        running = asyncio.ensure_future(carrier.run(InboundSink(nothing_is_stored, lambda notes: None)))
        await bound.wait()
        await until(lambda: carrier.traffic()[0].state == "bound")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    lines = [record.getMessage() for record in caplog.records if record.name == "dtmf.smpp"]
    assert len(lines) == 3, lines
    assert "it refuses the password" in lines[0]
    assert "already bound" in lines[1] and "4 failures in " in lines[1]
    assert lines[2].startswith("london transceiver 1 is bound to smsc again, after 5 failures in ")


@pytest.mark.regression("connecting-since")
def test_a_link_that_has_never_bound_shows_since_when_it_is_connecting(db: Database) -> None:
    began_us, now_us = 1_796_023_862_000_000, 1_796_023_874_000_000
    carrier = SmppCarrier(
        Smsc("london", "127.0.0.1", 1, "dtmf", "secret"),
        new_id=lambda: 1,
        uniform=lambda: 0.0,
        wall_us=lambda: began_us,
    )
    (traffic,) = carrier.traffic()

    def shown() -> tuple[str, list[str]]:
        row = (traffic.link, traffic.state, traffic.since_us, traffic.last_seen_us, 0, 0, 0, 0, traffic.reason)
        db.write_blocking(lambda tx: carriers.add(tx, "london"))
        db.write_blocking(lambda tx: carriers.note_links(tx, [row], carrier="london", wall_us=now_us))
        (link,) = db.read_blocking(lambda tx: carrier_health.links(tx, wall_us=now_us))
        faults = db.read_blocking(lambda tx: carrier_health.faults(tx, wall_us=now_us))
        return link_line(link, wall_us=now_us), [fault_text(fault, wall_us=now_us) for fault in faults]

    line, faults = shown()
    assert line.startswith("london transceiver 1: connecting since 07:31:02 UTC, 0 in, 0 out")
    assert faults == ["london transceiver 1 is connecting since 07:31:02 UTC"]
    traffic.move("connecting", at_us=began_us + 1_000_000)
    traffic.move("down", at_us=began_us + 2_000_000, reason="refused")
    line, faults = shown()
    assert line.startswith("london transceiver 1: connecting since 07:31:02 UTC, 0 in")
    assert line.endswith("(refused)")
    assert faults == ["london transceiver 1 is connecting since 07:31:02 UTC: refused"]
    traffic.move("bound", at_us=began_us + 4_000_000)
    traffic.last_seen_us = began_us + 5_000_000
    assert shown()[0].startswith("london transceiver 1: bound for 8 s, heard 7 s ago, 0 in")
    traffic.move("down", at_us=began_us + 6_000_000, reason="closed")
    traffic.move("connecting", at_us=began_us + 8_000_000)
    assert shown()[0].startswith("london transceiver 1: connecting for 6 s, heard 7 s ago")
