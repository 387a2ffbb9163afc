"""Tests an SMSC for `dtmf-server carriers check`: connects, binds and unbinds."""

import asyncio
import contextlib
import time

from dtmf_server.carriers.base import CheckResult
from dtmf_server.carriers.smpp import hints
from dtmf_server.carriers.smpp.events import Arrived, Bound, Closed, Event
from dtmf_server.carriers.smpp.link import CONNECT_S, GOODBYE_S, READ_SIZE, Endpoint
from dtmf_server.carriers.smpp.session import Session
from dtmf_server.carriers.smpp.status import Status

IN_USE = "the SMSC allows no further bind with this system_id: stop the service, then check again"


async def check_host(endpoint: Endpoint, host: str, port: int) -> list[CheckResult]:
    """Connect to a host, bind and unbind. An SMS that arrives meanwhile is refused, so the SMSC keeps it."""
    where = f"{host}:{port}"
    try:
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(host, port, ssl=endpoint.tls, limit=READ_SIZE)
    except (OSError, TimeoutError) as error:
        said = f"can't connect to {where} ({' '.join(str(error).split()) or type(error).__name__})"
        fix = "check host, port, TLS and the firewall; most carriers allow only registered addresses"
        return [CheckResult("connect", False, hints.not_connected(error, said, with_tls=endpoint.tls is not None), fix)]
    secured = "with TLS" if endpoint.tls else "without TLS"
    connected = CheckResult("connect", True, f"connected to {where} {secured}")
    try:
        return [connected, await _check_bind(endpoint, reader, writer)]
    finally:
        writer.transport.abort()


async def _check_bind(endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> CheckResult:
    session = Session(endpoint.bind, endpoint.body, window=1, times=endpoint.times)
    session.start(time.monotonic())
    try:
        async with asyncio.timeout(endpoint.times.link_response_s):
            events = await _until(session, reader, writer, Bound | Closed)
    except TimeoutError:
        events = [Closed(f"the SMSC did not answer within {endpoint.times.link_response_s:g} s")]
    if any(isinstance(event, Bound) for event in events):
        session.stop(time.monotonic())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await _until(session, reader, writer, Closed)
        return CheckResult("bind", True, f"bound as {endpoint.bind}, and unbound")
    refusal = session.refusal
    if refusal is not None and refusal.status == Status.ESME_RALYBND:
        return CheckResult("bind", None, "the SMSC says that this system_id is bound already", IN_USE)
    reason = next((event.reason for event in events if isinstance(event, Closed)), "the connection ended")
    said = hints.ended(reason, refusal=refusal, bind=endpoint.bind, was_bound=False, with_tls=endpoint.tls is not None)
    return CheckResult("bind", False, said, "compare system_id, password, system_type and bind with the contract")


async def _until(
    session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wanted: type[Event] | object
) -> list[Event]:
    """Exchange PDUs until an event of this type; return all events. At the end of the connection, one is Closed."""
    while True:
        writer.write(session.to_send())
        data = await _read(reader)
        now_s = time.monotonic()
        events = session.receive(data, now_s) if data else session.lost("the SMSC closed the connection")
        for event in events:
            if isinstance(event, Arrived):
                session.answer(event, Status.ESME_RX_T_APPN)
        if any(isinstance(event, wanted) for event in events):  # type: ignore[arg-type]  # a class or a union
            writer.write(session.to_send())
            return events


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(READ_SIZE)
    except OSError:
        return b""
