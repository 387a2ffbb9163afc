"""Debian's Kannel bound to an SMSC: bearerbox and smsbox in their own processes, controlled by a test.

Kannel joins the parts of incoming messages, decodes them, and requests our URL with the result. It encodes and splits
outgoing messages itself. Everything is in a temporary folder and on free loopback ports.
"""

import queue
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import urlopen

from smpp.smsc import Smsc

BOUND_S = 60.0
CODINGS = {"0": "utf-8", "2": "utf-16-be"}  # of %b, by Kannel's coding; 1 is binary
CORE = """
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = none
smsbox-port = {boxes}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
log-level = 3
sms-combine-concatenated-mo = true

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
log-level = 3

group = sendsms-user
username = test
password = test
concatenation = true
max-messages = 10

group = sms-service
keyword = default
catch-all = true
max-messages = 0
get-url = "{url}?from=%p&to=%P&text=%b&coding=%c"
"""
SMSC = """
group = smsc
smsc = smpp
smsc-id = {system_id}
host = 127.0.0.1
port = {port}
transceiver-mode = true
interface-version = 34
smsc-username = {system_id}
smsc-password = secret
system-type = ""
source-addr-autodetect = true
"""


@dataclass(frozen=True)
class Read:
    """An SMS as decoded by Kannel. Binary content is in hexadecimal."""

    sender: str
    to: str
    text: str


class Kannel:
    """A running Kannel."""

    def __init__(self, sendsms: int, read: "queue.Queue[Read]") -> None:
        self._sendsms, self._read = sendsms, read

    def read(self) -> Read:
        """Return the next SMS that Kannel has received."""
        return self._read.get(timeout=BOUND_S)

    def send(self, text: str, *, sender: str, to: str, coding: int = 0) -> None:
        """Send an SMS over the bind `kannel`, with coding 0 (GSM 7-bit) or 2 (UCS-2)."""
        asked = {"from": sender, "to": to, "text": text, "coding": coding, "charset": "UTF-8", "smsc": "kannel"}
        query = urlencode({"username": "test", "password": "test"} | asked)
        with urlopen(f"http://127.0.0.1:{self._sendsms}/cgi-bin/sendsms?{query}", timeout=BOUND_S) as reply:
            assert reply.status == 202, reply.read()


@contextmanager
def running(smsc: Smsc, *, binds: Sequence[tuple[str, str]] = (("kannel", ""),)) -> Iterator[Kannel]:
    """Run Kannel until the block ends, bound once per system_id, each with its settings."""
    read: queue.Queue[Read] = queue.Queue()
    admin, boxes, sendsms = free_ports(3)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dtmf-kannel-")))
        url = stack.enter_context(_listening(read))
        groups = [SMSC.format(system_id=name, port=smsc.port) + more for name, more in binds]
        config = folder / "kannel.conf"
        config.write_text(CORE.format(admin=admin, boxes=boxes, sendsms=sendsms, url=url) + "".join(groups))
        stack.enter_context(_program("bearerbox", config, listens_on=boxes))
        stack.enter_context(_program("smsbox", config, listens_on=sendsms))
        for _ in binds:
            smsc.wait("bound")
        yield Kannel(sendsms, read)


def free_ports(count: int) -> list[int]:
    """Return free ports."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]


@contextmanager
def _program(name: str, config: Path, *, listens_on: int) -> Iterator[None]:
    log = config.with_name(f"{name}.log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [f"/usr/sbin/{name}", str(config)],
            cwd=config.parent,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
        )
    try:
        until = time.monotonic() + BOUND_S
        while not _is_there(listens_on):
            assert process.poll() is None and time.monotonic() < until, log.read_text(errors="replace")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:  # it waits for its peers, which isn't needed here
            process.kill()
            process.wait()


def _is_there(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _listening(read: "queue.Queue[Read]") -> Iterator[str]:
    """Return the URL that Kannel requests with a received message."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True, encoding="latin-1"))
            octets = query["text"].encode("latin-1")
            codec = CODINGS.get(query["coding"])
            text = octets.decode(codec, "replace") if codec else octets.hex()
            read.put(Read(query["from"], query["to"], text))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
