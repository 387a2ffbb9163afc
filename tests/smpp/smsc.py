"""An SMSC process controlled by a test: the one in examples/smpp_smsc, or the one that DTMF_TEST_SMSC starts."""

import json
import os
import queue
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dtmf_server.carriers.smpp.codec import decode, encode
from dtmf_server.carriers.smpp.pdu import Pdu

PROGRAM = Path(__file__).parents[2] / "examples" / "smpp_smsc" / "smsc.py"
COMMAND = shlex.split(os.environ.get("DTMF_TEST_SMSC", "")) or [sys.executable, str(PROGRAM)]
TIMEOUT_S = 60.0


class Smsc:
    """A context manager: the process ends with the block."""

    def __init__(self, port: int = 0, *certificate: str, command: Sequence[str] = COMMAND) -> None:
        self._process = subprocess.Popen(
            [*command, str(port), *certificate],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.seen: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.port = self.wait("listening")["port"]

    def __enter__(self) -> "Smsc":
        return self

    def __exit__(self, *_reason: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()

    def do(self, do: str, **asked: Any) -> None:
        """Send it a command, and wait until it is done."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do} | asked) + "\n")
        self._process.stdin.flush()
        self.wait("done", do=do)

    def send(self, *pdus: Pdu | bytes, connection: int | None = None) -> None:
        """Send PDUs in one TCP segment, on the newest connection unless another is given."""
        octets = b"".join(pdu if isinstance(pdu, bytes) else encode(pdu) for pdu in pdus)
        self.do("send", octets=octets.hex(), connection=connection)

    def wait(self, event: str, **like: Any) -> dict[str, Any]:
        """Wait for the next event of this kind with these values."""
        return self._next(lambda found: found["event"] == event and all(found.get(k) == v for k, v in like.items()))

    def answer(self, sequence: int) -> Pdu:
        """Wait for the response to the request with this sequence number."""
        return self.pdu(lambda pdu: bool(pdu.command & 0x8000_0000) and pdu.sequence == sequence)

    def pdu(self, wanted: Callable[[Pdu], bool]) -> Pdu:
        """Wait for the next received PDU that matches."""
        found = self._next(lambda event: event["event"] == "pdu" and wanted(_pdu(event)))
        return _pdu(found)

    def pdus_so_far(self, wanted: Callable[[Pdu], bool]) -> list[Pdu]:
        """Return every matching PDU received so far, including those already waited for."""
        while not self._events.empty():
            self.seen.append(self._events.get())
        found = [_pdu(event) for event in self.seen if event["event"] == "pdu"]
        return [pdu for pdu in found if wanted(pdu)]

    def _next(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while True:
            try:
                event = self._events.get(timeout=TIMEOUT_S)
            except queue.Empty:
                raise AssertionError(f"the SMSC saw nothing more; it saw {self.seen[-5:]}") from None
            self.seen.append(event)
            if event.get("event") == "refused":
                raise AssertionError(event["reason"])
            if wanted(event):
                return event

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._events.put(json.loads(line))


def _pdu(event: dict[str, Any]) -> Pdu:
    return decode(bytes.fromhex(event["octets"]))
