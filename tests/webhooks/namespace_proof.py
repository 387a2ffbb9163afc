"""Webhooks can't reach inside, proved in a network namespace: `make test-namespaces`, as root.

The namespace has no way out. On its loopback are one public IPv4 and one public IPv6 address, where an HTTPS receiver
redirects inward in 21 ways, and private, loopback and metadata addresses, where canaries listen. Its name server gives
another answer to every question. The real outbox then delivers to names of that server and to every URL of the
corpus, stored as if nobody had looked at it. What the canaries hear is printed, and has to be nothing; a plain
check-then-fetch is tried in the same place, and has to be heard, or this would prove nothing.

    python tests/webhooks/namespace_proof.py      DTMF_WEBHOOKS_REBINDS: how often names flip (default 1,000)

Exit status: 0 nothing was reached, 1 something was or too little was tried, 2 this machine can't have namespaces.
"""

import asyncio
import contextlib
import os
import selectors
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from random import Random

HERE = Path(__file__).parent
PACKAGES = HERE.parents[1] / "packages"
sys.path[:0] = [str(HERE.parent), str(PACKAGES / "dtmf-io" / "src"), str(PACKAGES / "dtmf-server" / "src")]

NAMESPACE = f"dtmf-proof-{os.getpid()}"
RESOLVER = Path("/etc/netns") / NAMESPACE
BOUND_S = 240
PUBLIC = ["8.8.8.8", "2606:4700::1111"]
INNER_V4 = ["10.0.0.1", "169.254.169.254", "192.168.1.1", "172.16.0.1", "100.64.0.1"]
INNER_V6 = ["fd00::1", "fd00:ec2::254"]
LOOPBACK = ["127.0.0.1", "::1"]
PORTS = [80, 443, 8000, 8443]
REBINDS = int(os.environ.get("DTMF_WEBHOOKS_REBINDS", "1000"))
NAIVE = 300
TARGETS = ["http://169.254.169.254/latest/meta-data/", "https://10.0.0.1/", "http://[fd00::1]:8000/"]
REDIRECTS = [
    (status, header, target)
    for status, target in zip((300, 301, 302, 303, 305, 307, 308), TARGETS * 3, strict=False)
    for header in ("Location", "URI", "Refresh")
]


# --- outside: the namespace comes and goes ------------------------------------------------------------------------


def ip(*arguments: str) -> None:
    """Runs `ip`."""
    subprocess.run(["ip", *arguments], check=True)


@contextlib.contextmanager
def namespace() -> Iterator[None]:
    """A network namespace with the addresses of this proof, until the block ends."""
    RESOLVER.mkdir(parents=True)
    try:
        (RESOLVER / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:2\n")
        ip("netns", "add", NAMESPACE)
        try:
            ip("-n", NAMESPACE, "link", "set", "lo", "up")
            for address in [*PUBLIC, *INNER_V4, *INNER_V6]:
                ip("-n", NAMESPACE, "address", "add", address, "dev", "lo", *(["nodad"] if ":" in address else []))
            yield
        finally:
            ip("netns", "delete", NAMESPACE)
    finally:
        shutil.rmtree(RESOLVER)
        with contextlib.suppress(OSError):  # others may have theirs there
            RESOLVER.parent.rmdir()


def timeout_message() -> str:
    """What this machine lacks, nothing if it has all."""
    if os.geteuid() != 0:
        return "root"
    if not shutil.which("ip"):
        return "iproute2"
    tried = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "the right to make network namespaces (CAP_SYS_ADMIN)"


def main() -> int:
    """0 if nothing non-public was reached."""
    if sys.argv[1:] == ["inside"]:
        return asyncio.run(prove())
    if missing := timeout_message():
        print(f"The proof that webhooks can't reach inside needs {missing}.", file=sys.stderr)
        return 2
    with namespace():
        command = ["ip", "netns", "exec", NAMESPACE, sys.executable, str(Path(__file__).resolve()), "inside"]
        return subprocess.run(command, timeout=BOUND_S, check=False).returncode


# --- inside: canaries, a name server that can't make up its mind, and a receiver that redirects --------------------


class Canaries:
    """Listens on every address that is not public, and counts who comes."""

    def __init__(self) -> None:
        self.heard: Counter[str] = Counter()
        self._selector = selectors.DefaultSelector()
        self._listeners = [self._listen(host, port) for host in [*INNER_V4, *INNER_V6, *LOOPBACK] for port in PORTS]
        threading.Thread(target=self._run, daemon=True).start()

    def _listen(self, host: str, port: int) -> tuple[str, int]:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=512)
        self._selector.register(listener, selectors.EVENT_READ)
        return host, port

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                assert isinstance(key.fileobj, socket.socket)
                connection, _ = key.fileobj.accept()
                self.heard[str(connection.getsockname()[0])] += 1
                connection.close()

    def take(self) -> int:
        """How many have come since this was last asked."""
        probe = self._listeners[0]  # the canaries are one thread: once it has heard this, it has heard all before
        with socket.create_connection(probe, timeout=5) as connection:
            connection.recv(1)
        heard, self.heard = self.heard.total() - 1, Counter()
        return heard

    def answer_everywhere(self) -> bool:
        """Whether every one of them hears."""
        for host, port in self._listeners:
            with socket.create_connection((host, port), timeout=5) as connection:
                connection.recv(1)
        return self.take() == len(self._listeners)


class NameServer:
    """Answers A and AAAA on port 53 of loopback, each time as chance has it; counts the questions."""

    def __init__(self, random: Random) -> None:
        self.asked = 0
        self._random = random
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            query, client = self._socket.recvfrom(512)
            self.asked += 1
            self._socket.sendto(self._reply(query), client)

    def _reply(self, query: bytes) -> bytes:
        """RFC 1035 §4.1: the question again, and the records; none is kept (time to live 0)."""
        end = query.index(b"\0", 12) + 5
        kind = int.from_bytes(query[end - 4 : end - 2])
        addresses = self._choose(PUBLIC[0], INNER_V4) if kind == 1 else self._choose(PUBLIC[1], INNER_V6)
        records = [ip_address(address).packed for address in addresses if kind in (1, 28)]
        head = query[:2] + b"\x81\x80\0\1" + len(records).to_bytes(2) + b"\0\0\0\0"
        answers = (
            b"\xc0\x0c" + kind.to_bytes(2) + b"\0\1" + bytes(4) + len(packed).to_bytes(2) + packed for packed in records
        )
        return head + query[12:end] + b"".join(answers)

    def _choose(self, public: str, inner: list[str]) -> list[str]:
        bad = self._random.choice([*inner, LOOPBACK[0] if "." in public else LOOPBACK[1]])
        return self._random.choice([[public], [public], [public], [bad], [public, bad], [bad, public], []])


class Redirecting:
    """An HTTPS receiver on the public addresses; every reply leads inward, each time in another way."""

    def __init__(self) -> None:
        self.replies = 0

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))
            status, header, target = REDIRECTS[self.replies % len(REDIRECTS)]
            self.replies += 1
            value = f"0; url={target}" if header == "Refresh" else target
            lines = [f"HTTP/1.1 {status} Go", f"{header}: {value}", "Content-Length: 0", "Connection: close"]
            writer.write("\r\n".join([*lines, "", ""]).encode())
            await writer.drain()
        writer.close()


def check_then_fetch(names: int) -> None:
    """What many do: look the name up and check it, then connect by name, which looks it up again."""
    for n in range(names):
        with contextlib.suppress(OSError):
            found = socket.getaddrinfo(f"naive{n}.example.org", 443, type=socket.SOCK_STREAM)
            if all(ip_address(sockaddr[0]).is_global for *_, sockaddr in found):
                socket.create_connection((f"naive{n}.example.org", 443), timeout=2).close()


async def prove() -> int:
    """Delivers everything there is to deliver, and prints who heard of it."""
    from deliveries.certificates import authority, dns, issue
    from dtmf_server.storage import migrate
    from dtmf_server.webhooks.resolver import is_ours

    canaries, names, redirecting = Canaries(), NameServer(Random(0)), Redirecting()
    assert canaries.answer_everywhere(), "a canary is deaf"
    assert all(map(is_ours, [*PUBLIC, *INNER_V4, *INNER_V6])), "an address of this machine is not known as such"
    check_then_fetch(NAIVE)
    naive = canaries.take()
    with tempfile.TemporaryDirectory() as folder:
        known = authority("Known authority", key=0xCA)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(issue(Path(folder), known, names=[dns("*.example.org")]))
        servers = [await asyncio.start_server(redirecting.converse, host, 443, ssl=tls) for host in PUBLIC]
        migrate.upgrade(f"sqlite:///{folder}/dtmf.db")
        names.asked = 0
        made = await deliver(f"sqlite:///{folder}/dtmf.db", ssl.create_default_context(cadata=known.pem), names)
        for server in servers:
            server.close()
    heard = canaries.take()
    print(f"attempts: {made.attempts}, of them {made.at_corpus} at {made.corpus} tricky URLs")
    print(f"lookups of names that flip: {names.asked // 2}")
    print(f"redirects inward: {redirecting.replies}, of {len(REDIRECTS)} kinds")
    print(f"the same names, checked and then fetched: {naive} connections to non-public addresses")
    print(f"connections to non-public addresses: {heard}")
    enough = (
        made.at_corpus >= made.corpus >= 300 and names.asked >= 2 * REBINDS and redirecting.replies >= len(REDIRECTS)
    )
    return 0 if heard == 0 < naive and enough else 1


@dataclass(frozen=True)
class Made:
    """How much was tried."""

    attempts: int
    at_corpus: int
    corpus: int


async def deliver(url: str, trusting: ssl.SSLContext, names: NameServer) -> Made:
    """How many attempts the real outbox made, at the corpus and at names whose addresses flip."""
    from deliveries.corpus import NOT_EVEN_IN_SANDBOX, REFUSED_AT_ADDRESS, REFUSED_AT_FORM, SANDBOX_ONLY
    from dtmf_server.storage.open import open_database
    from dtmf_server.webhooks.client import WebhookClient
    from harness import FakeWall, initialise, open_account, runtime_over
    from webhooks.steps import CATALOG, DAY_S, attempts, deliveries, delivering, receive, rent_now, settled
    from webhooks.test_inside import storable

    db, wall = open_database(url), FakeWall()
    initialise(db, CATALOG)
    runtime, account = runtime_over(db, wall=wall, sandbox=False), open_account(db)
    corpus = storable([*REFUSED_AT_FORM, *NOT_EVEN_IN_SANDBOX, *SANDBOX_ONLY, *REFUSED_AT_ADDRESS[1::2]])
    to_corpus = [rent_now(runtime, account, destination) for destination in corpus]
    to_names = [rent_now(runtime, account, f"https://flip{n}.example.org/{n}") for n in range(50)]
    # The receiver stands on this machine's own public addresses, which are refused otherwise.
    poster = WebhookClient(sandbox=False, ssl_context=trusting, is_own=lambda _: False)
    async with delivering(runtime, poster):
        await receive(runtime, *((number, "to the corpus") for number in to_corpus))
        while names.asked < 2 * REBINDS:  # each lookup asks for A and AAAA
            await receive(runtime, *((number, "to a name") for number in to_names))
            await settled(runtime, within_s=120)
            wall.advance(seconds=DAY_S / 4)
            db.wakeups.notify({"clock"})
        await settled(runtime, within_s=120)
    destinations = {row["id"]: row["destination"] for row in deliveries(db)}
    tried = [destinations[row["delivery_id"]] for row in attempts(db)]
    db.close()
    return Made(len(tried), len([each for each in tried if each in set(corpus)]), len(set(corpus)))


if __name__ == "__main__":
    sys.exit(main())
