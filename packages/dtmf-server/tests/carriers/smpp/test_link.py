"""Links that end: which are up when a message is stored, which distinguishes redelivered from new messages; and how
soon the link reconnects."""

import asyncio
import socket
import struct
from collections.abc import Collection, Sequence

import pytest

from dtmf_server.carriers.base import InboundSink
from dtmf_server.carriers.smpp.carrier import SmppCarrier, Smsc
from dtmf_server.carriers.smpp.codec import decode, encode
from dtmf_server.carriers.smpp.link import REFUSED, RESTARTS
from dtmf_server.carriers.smpp.pdu import BindResp, Command, Pdu, Sm
from dtmf_server.core.inbound import InboundMessage, Receipt

SMS = encode(
    Pdu(Command.DELIVER_SM, 1, Sm(source_addr="491511", destination_addr="12125550100", short_message=b"once"))
)


@pytest.mark.parametrize("linger", [b"", struct.pack("ii", 1, 0)], ids=["closed", "reset"])
async def test_a_link_that_has_just_ended_does_not_count_as_up(linger: bytes) -> None:
    """An SMSC with two binds ends one and redelivers over the other before the service has handled the end."""
    writers: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    stored: asyncio.Queue[tuple[int, Collection[int]]] = asyncio.Queue()

    async def smsc(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = await reader.readexactly(4)
        bind = decode(size + await reader.readexactly(int.from_bytes(size, "big") - 4))
        writer.write(encode(Pdu(Command.BIND_TRANSCEIVER_RESP, bind.sequence, BindResp(system_id="smsc"))))
        writers.put_nowait(writer)

    async def receive(batch: Sequence[InboundMessage | Receipt], live: Collection[int]) -> Sequence[int]:
        (sms,) = batch
        assert isinstance(sms, InboundMessage)
        stored.put_nowait((sms.link, live))
        return [0]

    ids = iter(range(1, 100))
    async with await asyncio.start_server(smsc, "127.0.0.1", 0) as server, asyncio.timeout(30):
        port = server.sockets[0].getsockname()[1]
        settings = Smsc("london", "127.0.0.1", port, "dtmf", "secret", binds=("transceiver", "transceiver"))
        carrier = SmppCarrier(settings, new_id=lambda: next(ids), uniform=lambda: 1.0, wall_us=lambda: 0)
        running = asyncio.ensure_future(carrier.run(InboundSink(receive, lambda notes: None)))
        one, other = await writers.get(), await writers.get()
        one.write(SMS)
        first, both = await stored.get()
        if linger:
            one.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        one.close()
        other.write(SMS)
        again, live = await stored.get()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        other.close()
    assert set(both) == {first, again}
    assert set(live) == {again}


def test_links_reconnect_within_seconds_but_back_off_after_a_refusal() -> None:
    pauses = {False: [0.0], True: [0.0]}
    for refused, waited in pauses.items():
        policy = REFUSED if refused else RESTARTS
        while len(waited) < 10:
            waited.append(policy.pause_s(waited[-1], ran_s=0))
    assert pauses[False][1:] == [0.5, 1, *[2.0] * 7]
    assert pauses[True][1:] == [0.5, 1, 2, 4, 8, 16, *[30.0] * 3]
    assert RESTARTS.pause_s(30, ran_s=60) == 2
    assert RESTARTS.pause_s(30, ran_s=61) == 0.5
