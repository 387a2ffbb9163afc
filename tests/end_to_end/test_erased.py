"""After retention, a text is gone: from all columns, the files of the database, the log, and later backups."""

import base64
import gzip
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import LargeBinary, Text

from dtmf_server.core.inbound import Concatenation, InboundMessage, Part
from dtmf_server.operations import ingest
from dtmf_server.storage import backup, carriers, migrate, schema
from dtmf_server.storage.db import Database, Tx
from end_to_end.text_columns import ERASED, NO_TEXT
from harness import DAY_US, START_US, give_coins, new_token, open_account

CANARY = "yellowbird"
OTHER = "+447700900123"
KEPT_S = 31 * 24 * 3600


def test_every_column_that_could_hold_a_text_is_known_to_be_erased_or_to_hold_none() -> None:
    columns = {
        f"{table.name}.{column.name}"
        for table in schema.metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, Text | LargeBinary)
    }
    assert columns == ERASED | NO_TEXT


def columns_with(db: Database, what: str) -> list[str]:
    """Return the columns that contain the text, as text or octets, in any case, or in base64."""
    return sorted(db.read_blocking(lambda tx: set(_columns(tx, what))))


def _columns(tx: Tx, what: str) -> Iterator[str]:
    for table in schema.metadata.sorted_tables:
        for row in tx.all(f"SELECT * FROM {table.name}"):
            for column, value in dict(row).items():
                octets = (
                    value if isinstance(value, str) else bytes(value).decode("latin-1") if _is_octets(value) else ""
                )
                if what in octets or base64.b64encode(what.encode()).decode()[:6] in octets:
                    yield f"{table.name}.{column}"


def _is_octets(value: Any) -> bool:
    return isinstance(value, bytes | memoryview)


def files_with(db: Database, folder: Path, what: str) -> list[str]:
    """Return the SQLite files that contain the text; for PostgreSQL, the tables whose live rows contain it."""
    url = getattr(db, "url", None)
    if url is None:
        return sorted(path.name for path in folder.iterdir() if path.is_file() and what.encode() in path.read_bytes())
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        needle = f"%{what}%"
        octets = f"%{what.encode().hex()}%"
        return sorted(
            name
            for (name,) in tables
            if connection.execute(
                f"SELECT 1 FROM {name} t WHERE to_jsonb(t)::text LIKE %s OR to_jsonb(t)::text LIKE %s LIMIT 1",
                (needle, octets),
            ).fetchone()
        )


def in_a_backup(db: Database, folder: Path, what: str) -> bool:
    """Return whether a new backup contains the text, unencoded or in base64."""
    path = folder / f"backup-{len(list(folder.iterdir()))}"
    db.read_blocking(lambda tx: backup.write(tx, path, revision=migrate.head()))
    content = gzip.decompress(path.read_bytes())
    path.unlink()
    encoded = [
        base64.b64decode(each) for each in re.findall(rb'"([A-Za-z0-9+/]{8,}={0,2})"', content) if len(each) % 4 == 0
    ]
    return any(what.encode() in each for each in [content, *encoded])


class Lived:
    """A renter with texts in every possible place."""

    def __init__(self, db: Database, url: str, hook: str) -> None:
        self.client = httpx.Client(base_url=f"{url}/api/v1", headers={"Authorization": f"Bearer {new_token(1)}"})
        self.account_id = open_account(db, seed=1)
        give_coins(db, self.account_id, 1_000_000)
        self.e164 = self.post("/numbers", {"group_id": "us-mobile"}).json()["e164"]
        self.received = self.post(
            "/sandbox/message", {"to": self.e164, "from": "Bank", "content": f"{CANARY} in"}, "in"
        )
        self.sent = self.send("out")
        self.client.patch("/number", params={"e164": self.e164}, json={"sms_forwarded_to": hook})
        self.post("/sandbox/message", {"to": self.e164, "from": "Bank", "content": f"{CANARY} posted"}, "posted")
        self.delivery_id = self.delivered()
        self.retried = self.post(f"/deliveries/{self.delivery_id}/retry", None, "retry")
        self.client.patch("/number", params={"e164": self.e164}, json={"sms_forwarded_to": OTHER})
        self.post("/sandbox/message", {"to": self.e164, "from": "Bank", "content": f"{CANARY} forwarded"})
        octets = f"{CANARY} in part, and the rest never comes".encode()
        part = InboundMessage(self.e164, "+49151", Part(Concatenation(7, 8, 3, 1), octets, "gsm7"))

        def bring(tx: Tx) -> None:
            carriers.add(tx, "london")
            ingest.ingest_batch(tx, "london", [part], live=(1,), now_us=START_US, wall_us=START_US)

        db.write_blocking(bring)

    def post(self, path: str, body: object, key: str = "") -> httpx.Response:
        headers = {"Prefer": "return=representation"} | ({"Idempotency-Key": key} if key else {})
        answer = self.client.post(path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer

    def send(self, key: str) -> httpx.Response:
        return self.post("/message", {"from": self.e164, "to": OTHER, "content": f"{CANARY} out"}, key)

    def delivered(self) -> int:
        """Return the delivery whose receiver responded with the text."""
        for _ in range(2000):
            for found in self.client.get("/deliveries").json():
                if any(CANARY in (attempt["reply"] or "") for attempt in found["attempts"]):
                    return int(found["id"])
            self.client.get("/messages", params={"after": 999999, "wait": 0.01})
        raise AssertionError("the webhook was not delivered")


@pytest.fixture
def hook() -> Iterator[str]:
    """A receiver that quotes the SMS in its response."""

    class Echo(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def lived(db: Database, url: str, hook: str) -> Iterator[Lived]:
    found = Lived(db, url, hook)
    with closing(found.client):
        yield found


@pytest.mark.regression("texts-outlive-retention")
def test_after_retention_a_text_is_in_no_column_file_log_or_backup(
    lived: Lived, db: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = columns_with(db, CANARY)
    assert before == ["attempts.reply", "idempotency.body", "messages.content", "parts.octets"]
    assert lived.client.delete("/number", params={"e164": lived.e164}).is_success
    lived.post("/sandbox/clock", {"advance_s": KEPT_S})
    found = columns_with(db, CANARY)
    print(f"texts: {len(before)} columns before retention, {len(found)} after")
    assert found == []
    assert files_with(db, tmp_path, CANARY) == []
    assert not in_a_backup(db, tmp_path, CANARY)
    assert CANARY not in caplog.text


@pytest.mark.regression("texts-outlive-the-account")
def test_a_deleted_account_leaves_no_text_in_any_column_or_file(lived: Lived, db: Database, tmp_path: Path) -> None:
    from support.visitor import Visitor

    assert columns_with(db, CANARY) == ["attempts.reply", "idempotency.body", "messages.content", "parts.octets"]
    with Visitor(str(lived.client.base_url).removesuffix("/api/v1/")) as visitor:
        assert visitor.sign_in(new_token(1)).path == "/messages"
        page = visitor.open("/account/delete")
        assert visitor.send(page, "/account/delete", agreed="yes").path == "/account/deleted"
    assert columns_with(db, CANARY) == []
    assert files_with(db, tmp_path, CANARY) == []
    assert not in_a_backup(db, tmp_path, CANARY)


def test_a_stored_idempotent_response_shows_null_for_an_erased_text(lived: Lived, db: Database) -> None:
    assert lived.send("out").json() == lived.sent.json()
    count = db.read_blocking(lambda tx: tx.one("SELECT count(*) AS n FROM messages WHERE forward_of IS NULL"))
    lived.client.delete("/number", params={"e164": lived.e164})
    lived.post("/sandbox/clock", {"advance_s": KEPT_S})
    again = lived.send("out")
    assert (again.status_code, again.json()) == (201, lived.sent.json() | {"content": None})
    retried = lived.post(f"/deliveries/{lived.delivery_id}/retry", None, "retry").json()
    assert retried["id"] == lived.delivery_id
    assert {attempt["reply"] for attempt in retried["attempts"]} == {None}
    assert db.read_blocking(lambda tx: tx.one("SELECT count(*) AS n FROM messages WHERE forward_of IS NULL")) == count


def test_the_texts_of_a_live_rental_are_not_erased(lived: Lived, db: Database) -> None:
    lived.post("/sandbox/clock", {"advance_s": 3600})
    assert columns_with(db, CANARY) == ["attempts.reply", "idempotency.body", "messages.content", "parts.octets"]


@pytest.mark.regression("parts-outlive-retention")
def test_message_parts_of_a_removed_carrier_are_eventually_erased(lived: Lived, db: Database) -> None:
    from dtmf_server.operations import retention

    forget: Callable[..., int] = getattr(retention, "forget_parts", lambda *_, **__: 0)
    db.write_blocking(lambda tx: forget(tx, wall_us=START_US + 29 * DAY_US, retention_us=30 * DAY_US))
    assert "parts.octets" in columns_with(db, CANARY)
    db.write_blocking(lambda tx: forget(tx, wall_us=START_US + 31 * DAY_US, retention_us=30 * DAY_US))
    assert "parts.octets" not in columns_with(db, CANARY)


def test_parts_of_a_long_sms_are_not_erased_before_the_others_may_have_arrived(lived: Lived, db: Database) -> None:
    """Also where texts are erased as soon as a rental ends: the parts were acknowledged."""
    from dtmf_server.operations import retention

    db.write_blocking(lambda tx: retention.forget_parts(tx, wall_us=START_US + DAY_US, retention_us=0))
    assert "parts.octets" in columns_with(db, CANARY)
    db.write_blocking(lambda tx: retention.forget_parts(tx, wall_us=START_US + 3 * DAY_US, retention_us=0))
    assert "parts.octets" not in columns_with(db, CANARY)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_long_read_transaction_only_delays_the_erasure(lived: Lived, db: Database, tmp_path: Path) -> None:
    import asyncio
    import sqlite3

    with closing(sqlite3.connect(tmp_path / "dtmf.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM messages").fetchall()
        lived.client.delete("/number", params={"e164": lived.e164})
        lived.post("/sandbox/clock", {"advance_s": KEPT_S})
        assert columns_with(db, CANARY) == []
        assert asyncio.run(db.scrub()) is False
        reader.execute("ROLLBACK")
    assert asyncio.run(db.scrub()) is True
    assert files_with(db, tmp_path, CANARY) == []
