"""A Lightning node in a process of its own, which tests kill and restart, and `dtmf-server` with a backend for it.

    python -m support.lightning_node node FILE PORT      the node; everything it answers is in FILE before
    python -m support.lightning_node server run …        dtmf-server with `[lightning] kind = "test"`

The node drops connections after it has done what was asked if its invoice's amount says so: answers get lost.
"""

import asyncio
import hashlib
import json
import sqlite3
import sys
import threading
import urllib.request
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Annotated, Any

from dtmf_server.config import LightningSettings, setting
from dtmf_server.payments.lightning import registry
from dtmf_server.payments.lightning.base import (
    InvoiceStatus,
    NodeInvoice,
    NodeStatus,
    NodeUnavailable,
    SettledPage,
    SettledPayment,
)

TIMEOUT_S = 5.0
LOSES_ANSWER = 7  # amounts in satoshis divisible by it: the answer to their creation is lost the first time
TABLES = """
PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS invoices (hash TEXT PRIMARY KEY, external_id TEXT UNIQUE, amount_msat INTEGER, lost INTEGER);
CREATE TABLE IF NOT EXISTS payments (id INTEGER PRIMARY KEY, hash TEXT, received INTEGER, fee INTEGER, listed INTEGER);
"""


class NodeFile:
    """The node's database."""

    def __init__(self, path: str) -> None:
        self._file = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._file.executescript(TABLES)
        self._lock = threading.Lock()

    def answer(self, asked: dict[str, Any]) -> Any:
        """Do what was asked, and return the answer."""
        with self._lock:
            return getattr(self, f"_{asked.pop('what')}")(**asked)

    def _create(self, external_id: str, amount_msat: int | None) -> dict[str, Any]:
        hash_ = hashlib.sha256(external_id.encode()).hexdigest()
        self._file.execute("INSERT OR IGNORE INTO invoices VALUES (?, ?, ?, 0)", (hash_, external_id, amount_msat))
        (lost,) = self._file.execute("SELECT lost FROM invoices WHERE hash = ?", (hash_,)).fetchone()
        self._file.execute("UPDATE invoices SET lost = 1 WHERE hash = ?", (hash_,))
        return {"hash": hash_, "lose": not lost and (amount_msat or 1) // 1000 % LOSES_ANSWER == 0}

    def _find(self, external_id: str) -> dict[str, Any]:
        row = self._file.execute("SELECT hash FROM invoices WHERE external_id = ?", (external_id,)).fetchone()
        return {"hash": row and row[0]}

    def _look_up(self, hash_: str) -> list[Any]:
        return self._file.execute(
            "SELECT id, hash, received, fee FROM payments WHERE hash = ? LIMIT 1", (hash_,)
        ).fetchall()

    def _newest(self) -> int:
        (newest,) = self._file.execute("SELECT coalesce(max(id), 0) FROM payments WHERE listed").fetchone()
        return int(newest)

    def _after(self, index: int) -> list[Any]:
        return self._file.execute(
            "SELECT id, hash, received, fee FROM payments WHERE id > ? AND listed ORDER BY id LIMIT 5", (index,)
        ).fetchall()

    def _pay(self, hash_: str, received: int, fee: int, times: int, listed: bool) -> int:
        for _ in range(times):
            self._file.execute(
                "INSERT INTO payments (hash, received, fee, listed) VALUES (?, ?, ?, ?)", (hash_, received, fee, listed)
            )
        return times


def run_node(path: str, port: int) -> None:
    """Serve the node until killed."""
    file = NodeFile(path)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = file.answer(asked)
            if isinstance(answer, dict) and answer.get("lose"):
                self.connection.close()
                return
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


def ask(port: int, what: str, **asked: Any) -> Any:
    """Ask the node. Raises OSError if it is down or drops the connection."""
    body = json.dumps({"what": what, **asked}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", data=body)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as reply:
        return json.loads(reply.read())


class TestSettings(LightningSettings, frozen=True, kw_only=True):
    """The node's port."""

    port: Annotated[int, setting("a port")]


class TestNode:
    """The backend."""

    name = "test"

    def __init__(self, settings: TestSettings, _context: registry.LightningContext) -> None:
        self._port = settings.port

    async def check_credentials(self) -> None:
        """There are none."""

    async def status(self) -> NodeStatus:
        """Ask something, to see whether the node is there."""
        await self._ask("newest")
        return NodeStatus("test node", "regtest", 10**12, synced=True)

    async def create(
        self, *, external_id: str, amount_msat: int | None, description: str, expiry_s: int
    ) -> NodeInvoice:
        """Create an invoice, or return the one with this ID."""
        return _invoice((await self._ask("create", external_id=external_id, amount_msat=amount_msat))["hash"])

    async def find(self, external_id: str) -> NodeInvoice | None:
        """Return the invoice with this ID."""
        found = (await self._ask("find", external_id=external_id))["hash"]
        return _invoice(found) if found else None

    async def look_up(self, payment_hash: str) -> InvoiceStatus:
        """Return the state of an invoice."""
        rows = await self._ask("look_up", hash_=payment_hash)
        return InvoiceStatus("settled", _payment(rows[0])) if rows else InvoiceStatus("open")

    async def newest_cursor(self) -> str:
        """Return the newest payment's index."""
        return str(await self._ask("newest"))

    async def settled_after(self, cursor: str) -> SettledPage:
        """Return payments after an index."""
        rows = await self._ask("after", index=int(cursor))
        return SettledPage([_payment(row) for row in rows], str(rows[-1][0]) if rows else cursor, more=len(rows) == 5)

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _ask(self, what: str, **asked: Any) -> Any:
        try:
            return await asyncio.to_thread(ask, self._port, what, **asked)
        except (OSError, HTTPException, ValueError) as error:
            raise NodeUnavailable(f"the test node: {error}", may_exist=True) from error


def _invoice(hash_: str) -> NodeInvoice:
    return NodeInvoice(hash_, f"lnbcrt1test{hash_}", 0)


def _payment(row: Any) -> SettledPayment:
    _, hash_, received, fee = row
    return SettledPayment(hash_, received, fee, 0)


KIND = registry.LightningKind("test", TestSettings, TestNode)


def main() -> None:
    """Run the node or the server."""
    if sys.argv[1] == "node":
        run_node(sys.argv[2], int(sys.argv[3]))
    from dtmf_server.cli.main import main as server

    registry.KINDS["test"] = "support.lightning_node"
    raise SystemExit(server(sys.argv[2:]))


if __name__ == "__main__":
    main()
