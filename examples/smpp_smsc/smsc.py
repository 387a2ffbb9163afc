"""A small SMSC for trying the service: the carrier's side of SMPP 3.4, using only the standard library.

python smsc.py [PORT [CERTIFICATE]]        prints events and reads commands, one JSON object per line:

{"do": "sms", "from": "+44…", "to": "+1202…", "text": "hello"}    an SMS for a number of the service
{"do": "send", "octets": "hex", "connection": 1}                  any octets, unchanged
{"do": "set", "submit": [88], "bind": 13, …}                      change its behavior, see Behaviour
{"do": "close", "connection": 1}                                  break one connection, or all of them
"""

import asyncio
import contextlib
import itertools
import json
import ssl
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

HEADER = struct.Struct(">IIII")  # length, command, status, sequence
BINDS = {1: "receiver", 2: "transmitter", 9: "transceiver"}
SUBMIT_SM, DELIVER_SM, UNBIND, ENQUIRE_LINK = 0x04, 0x05, 0x06, 0x15
RESPONSE = 0x8000_0000


@dataclass
class Behaviour:
    """The behavior of the SMSC. Statuses are SMPP command_status values."""

    bind: int = 0  # the status of a bind_resp
    after_bind: str = ""  # octets (hex) sent in the same segment as the bind_resp
    submit: list[int] = field(default_factory=list)  # statuses of the next submit_sm_resps; then 0. -1: no response
    receipts: bool = False  # report each accepted SMS as delivered
    decimal_receipts: bool = False  # message_id is hexadecimal in the response and decimal in the receipt
    backwards: bool = False  # answer submit_sm in pairs, the second first
    answers: bool = True  # False: answer nothing
    greeting: str = ""  # octets (hex) sent to each new connection


class Smsc:
    """All connections, numbered from 1."""

    def __init__(self, say: Callable[..., None]) -> None:
        self.behaviour = Behaviour()
        self._say = say
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._kinds: dict[int, str] = {}
        self._numbers, self._sequences, self._message_ids = (
            itertools.count(1),
            itertools.count(1),
            itertools.count(0xABC0),
        )
        self._held: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it closes."""
        number = next(self._numbers)
        self._writers[number] = writer
        self._say(event="connected", connection=number)
        writer.write(bytes.fromhex(self.behaviour.greeting))
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                head = await reader.readexactly(HEADER.size)
                size, command, status, sequence = HEADER.unpack(head)
                body = await reader.readexactly(size - HEADER.size)
                self._say(
                    event="pdu",
                    connection=number,
                    command=command,
                    status=status,
                    sequence=sequence,
                    octets=(head + body).hex(),
                )
                if self.behaviour.answers:
                    self._answer(number, command, sequence, body)
                if command == UNBIND:
                    await writer.drain()
                    break
        del self._writers[number]
        self._kinds.pop(number, None)
        writer.close()
        self._say(event="closed", connection=number)

    def do(self, asked: dict[str, Any]) -> None:
        """Run one command from standard input."""
        if asked["do"] == "set":
            for name, value in asked.items():
                if name != "do":
                    setattr(self.behaviour, name, value)
        elif asked["do"] == "sms":
            self._deliver(asked["from"], asked["to"], asked["text"])
        elif asked["do"] == "send":
            self._writers[asked.get("connection") or max(self._writers)].write(bytes.fromhex(asked["octets"]))
        else:
            for number in [asked["connection"]] if "connection" in asked else list(self._writers):
                self._writers[number].transport.abort()
        self._say(event="done", do=asked["do"])

    def _answer(self, number: int, command: int, sequence: int, body: bytes) -> None:
        send = self._writers[number].write
        if command in BINDS:
            status = self.behaviour.bind
            answer = pdu(command | RESPONSE, sequence, b"" if status else b"smsc\0", status)
            send(answer + bytes.fromhex(self.behaviour.after_bind))
            if not status:
                self._kinds[number] = BINDS[command]
                self._say(event="bound", connection=number, bind=BINDS[command])
        elif command in (UNBIND, ENQUIRE_LINK):
            send(pdu(command | RESPONSE, sequence))
        elif command == SUBMIT_SM:
            status = self.behaviour.submit.pop(0) if self.behaviour.submit else 0
            if status >= 0:
                self._take(send, sequence, body, status)

    def _take(self, send: Callable[[bytes], None], sequence: int, body: bytes, status: int) -> None:
        message_id = next(self._message_ids)
        answer = pdu(SUBMIT_SM | RESPONSE, sequence, b"" if status else b"%X\0" % message_id, status)
        if self.behaviour.backwards and not self._held:
            self._held = [answer]
            return
        send(answer + b"".join(self._held))
        self._held = []
        if not status and self.behaviour.receipts:
            self._report(message_id, *addresses(body))

    def _deliver(self, sender: str, to: str, text: str) -> None:
        self._to_receiver(sm(sender, to, text.encode("utf-16-be"), data_coding=8))

    def _report(self, message_id: int, sender: str, to: str) -> None:
        ref = f"{message_id}" if self.behaviour.decimal_receipts else f"{message_id:X}"
        text = f"id:{ref} sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000 text:"
        self._to_receiver(sm(to, sender, text.encode(), esm_class=4))

    def _to_receiver(self, body: bytes) -> None:
        number = next((number for number, kind in self._kinds.items() if kind != "transmitter"), None)
        if number is not None:
            self._writers[number].write(pdu(DELIVER_SM, next(self._sequences), body))


def pdu(command: int, sequence: int, body: bytes = b"", status: int = 0) -> bytes:
    """Encode a PDU."""
    return HEADER.pack(HEADER.size + len(body), command, status, sequence) + body


def sm(sender: str, to: str, text: bytes, *, esm_class: int = 0, data_coding: int = 0) -> bytes:
    """Encode the body of a deliver_sm."""
    addressed = b"".join(b"\x01\x01" + address.removeprefix("+").encode() + b"\0" for address in (sender, to))
    return b"\0" + addressed + bytes((esm_class, 0, 0, 0, 0, 0, 0, data_coding, 0, len(text))) + text


def addresses(body: bytes) -> tuple[str, str]:
    """Return the sender and recipient of a submit_sm."""
    _, _, rest = body.partition(b"\0")
    sender, _, rest = rest[2:].partition(b"\0")
    to, _, _ = rest[2:].partition(b"\0")
    return sender.decode(), to.decode()


async def main(port: int, certificate: str | None = None) -> None:
    """Serve until standard input closes."""

    def say(**happened: Any) -> None:
        print(json.dumps(happened), flush=True)

    smsc = Smsc(say)
    tls = None
    if certificate:  # a PEM file with the key and the certificate
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
    server = await asyncio.start_server(smsc.serve, "127.0.0.1", port, ssl=tls)
    say(event="listening", port=server.sockets[0].getsockname()[1])
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        try:
            smsc.do(json.loads(line))
        except (KeyError, ValueError) as error:
            say(event="refused", reason=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    asyncio.run(main(int((sys.argv[1:] or ["2775"])[0]), *sys.argv[2:3]))
