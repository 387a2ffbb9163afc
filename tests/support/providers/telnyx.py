"""Telnyx on loopback: an HTTP server with the parts of API v2 that the service uses, and signed webhooks.

One account with one messaging profile. `faults` is a queue of what goes wrong with the next requests to send an SMS:

    "500"            refuses without accepting       "500 accepted"   accepts, and answers 500
    "lost"           accepts, and closes without an answer             "dropped"   closes before it accepts
    "html"           a proxy answers 200 with HTML    "html accepted"  the same, after the SMS was accepted
    "truncated"      accepts, and half an answer      "redirect"       302 to a page for signing in
    "silent"         accepts, and never answers
    an error of ERRORS by its code, like "40310"

Callbacks are built by `received` and `state`, in any order, and delivered by `deliver`: as Telnyx does, up to ATTEMPTS times
per URL, each with a new timestamp and a new signature, then to the failover URL. The profile's public key is
`public_key`. Sources: the types of the SDK; developers.telnyx.com/docs/messaging/messages/receiving-webhooks
"""

import contextlib
import json
import threading
import time
import uuid
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from nacl.signing import SigningKey

from support.providers.number_market import Market
from support.providers.telnyx_numbers import Answer, SellsNumbers

TIMEOUT_S = 20
ATTEMPTS = 3  # per URL
SILENT = -1  # the status of an answer that never comes
BODY_MAX = 8 * 1024 * 1024
HTML = b"<html><body>Sign in to the network</body></html>"
SEND_FIELDS = {"from", "to", "text", "type", "messaging_profile_id", "use_profile_webhooks"}
SEND_FIELDS |= {"webhook_url", "webhook_failover_url", "subject", "media_urls", "auto_detect", "encoding", "send_at"}
ERRORS = {
    "10009": (401, "Authentication failed"),
    "10010": (403, "Authorization failed"),
    "10011": (429, "Too many requests"),
    "10015": (422, "Bad Request"),
    "20002": (401, "API Key revoked"),
    "20100": (403, "Insufficient Funds"),
    "40010": (400, "Unregistered 10DLC message"),
    "40300": (403, "Blocked due to STOP message"),
    "40305": (400, "Invalid 'from' address"),
    "40310": (400, "Invalid 'to' address"),
    "40318": (429, "Message queue full"),
    "40333": (429, "Messaging profile spend limit reached"),
    "49999": (422, "An error of tomorrow"),
}


@dataclass(frozen=True)
class Callback:
    """A webhook, not signed yet: each attempt signs it again."""

    event: dict[str, Any]

    @property
    def message(self) -> Any:
        """The payload."""
        return self.event["data"]["payload"]


@dataclass
class Telnyx(SellsNumbers):
    """The account, and what it has accepted. `clock` is in seconds since 1970."""

    api_key: str = "KEY0123456789ABCDEF_secret"
    profile_id: str = "4000eba1-a0c0-4563-9925-b25e842a7cb6"
    numbers: list[str] = field(default_factory=lambda: ["+12025550200"])
    webhook_url: str | None = None
    webhook_failover_url: str | None = None
    balance: str = "25.00"
    profile: dict[str, Any] = field(default_factory=dict)  # fields that replace those of the profile
    faults: deque[str] = field(default_factory=deque)
    retry_after_s: int | None = None
    clock: Callable[[], float] = time.time
    url: str = ""
    requests: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)  # accepted ones, by ID
    market: Market | None = None  # the numbers for sale
    orders: list[dict[str, Any]] = field(default_factory=list)
    pending: int = 0  # the next orders stay pending until `process` is called
    buy_faults: deque[str] = field(
        default_factory=deque
    )  # of the next orders: "lost", "dropped", or an error by its code
    _key: SigningKey = field(default_factory=lambda: SigningKey(b"\x17" * 32))
    _successes: dict[str, tuple[bytes, dict[str, Any]]] = field(default_factory=dict)  # by Idempotency-Key
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def public_key(self) -> str:
        """The account's public key in base64, as the portal shows it."""
        return b64encode(bytes(self._key.verify_key)).decode()

    @property
    def sent(self) -> list[dict[str, Any]]:
        """The SMS that were accepted, oldest first."""
        return [*self.messages.values()]

    # Callbacks

    def received(
        self, to: str, sender: str, text: str | None, /, *, id_: str = "", at_s: float | None = None, **fields: Any
    ) -> Callback:
        """The callback of an SMS that Telnyx received now, or at this time."""
        payload = {
            "record_type": "message",
            "direction": "inbound",
            "id": id_ or str(uuid.uuid4()),
            "type": "SMS",
            "messaging_profile_id": self.profile_id,
            "from": {"phone_number": sender, "carrier": "T-Mobile USA", "line_type": "Wireless"},
            "to": [{"phone_number": to, "carrier": "Telnyx", "line_type": "Wireless", "status": "webhook_delivered"}],
            "cc": [],
            "text": text,
            "media": [],
            "encoding": "GSM-7",
            "parts": 1,
            "tags": [],
            "received_at": self._iso(self.clock() if at_s is None else at_s),
            "sent_at": None,
            "completed_at": None,
            "errors": [],
        }
        return self._callback("message.received", {**payload, **fields})

    def state(self, id_: str, status: str, *errors: str, **fields: Any) -> Callback:
        """The callback of a state that an accepted SMS has reached."""
        sent = self.messages[id_]
        payload = {
            **sent,
            "to": [{**sent["to"][0], "status": status}],
            "errors": [{"code": code, "title": ERRORS.get(code, (0, "An error"))[1]} for code in errors],
            "completed_at": None if status == "sent" else self._iso(self.clock()),
        }
        return self._callback("message.sent" if status == "sent" else "message.finalized", {**payload, **fields})

    def signed(self, callback: Callback, *, attempt: int = 1, to: str = "") -> tuple[dict[str, str], bytes]:
        """The headers and the body of one attempt, signed now."""
        event = {**callback.event, "meta": {"attempt": attempt, "delivered_to": to}}
        return self.sign(json.dumps(event).encode())

    def sign(self, body: bytes, *, timestamp: str | None = None) -> tuple[dict[str, str], bytes]:
        """Any body, signed by this account."""
        timestamp = timestamp or str(int(self.clock()))
        signature = self._key.sign(timestamp.encode() + b"|" + body).signature
        headers = {"telnyx-timestamp": timestamp, "telnyx-signature-ed25519": b64encode(signature).decode()}
        return {"content-type": "application/json", **headers}, body

    def deliver(self, callback: Callback, url: str | None = None, failover_url: str | None = None) -> list[int]:
        """Deliver a callback, and return the status of each attempt; 0 for one without an answer."""
        url = url or callback.message.get("webhook_url") or self.webhook_url
        statuses: list[int] = []
        for target in (url, failover_url or self.webhook_failover_url):
            for attempt in range(1, ATTEMPTS + 1):
                if not target:
                    break
                statuses.append(self.post(target, *self.signed(callback, attempt=attempt, to=target)))
                if 200 <= statuses[-1] < 300:
                    return statuses
        return statuses

    def post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """One request, and the status of its answer; 0 without one."""
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        with contextlib.closing(HTTPConnection(parts.netloc, timeout=TIMEOUT_S)) as connection:
            try:
                connection.request("POST", path, body, headers)
                return connection.getresponse().status
            except (OSError, HTTPException):
                return 0

    def _callback(self, kind: str, payload: dict[str, Any]) -> Callback:
        data = {"event_type": kind, "id": str(uuid.uuid4()), "occurred_at": self._iso(self.clock())}
        return Callback({"data": {**data, "payload": payload, "record_type": "event"}})

    @staticmethod
    def _iso(at_s: float) -> str:
        return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds")

    # The API

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Answer a request. Called in many threads."""
        with self._lock:
            if headers.get("authorization") != f"Bearer {self.api_key}":
                return self._error("10009")
            route = urlsplit(path)
            if (method, route.path) == ("POST", "/v2/messages"):
                return self._send(headers, body)
            if self.market and (traded := self._trade(self.market, method, route, headers, body)):
                return traded
            return self._look_up(route.path, parse_qs(route.query)) if method == "GET" else self._error("10015", 405)

    def _send(self, headers: dict[str, str], body: bytes) -> Answer:
        sent = json.loads(body)
        self.requests.append(("/v2/messages", headers, sent))
        fault = self.faults.popleft() if self.faults else ""
        if refused := self._instead(fault):
            return refused
        key = headers.get("idempotency-key", "")
        if key in self._successes:
            first, reply = self._successes[key]
            return self._error("10015") if first != body else self._afterwards(fault, Answer.of(200, reply))
        if code := self._refused(sent):
            return self._error(code)
        accepted = {"data": self._accept(sent)}
        if key and fault != "500 accepted":
            self._successes[key] = (body, accepted)
        return self._afterwards(fault, Answer.of(200, accepted))

    def _instead(self, fault: str) -> Answer | None:
        """The answer of a fault that comes before the SMS is accepted."""
        faults = {
            "dropped": Answer(0),
            "html": Answer(200, HTML, {"content-type": "text/html"}),
            "redirect": Answer(302, HTML, {"location": "/login"}),
            "500": self._error("10007", 500),
        }
        return self._error(fault) if fault in ERRORS else faults.get(fault)

    def _afterwards(self, fault: str, answer: Answer) -> Answer:
        """The answer to an SMS that was accepted."""
        faults = {
            "500 accepted": self._error("10007", 500),
            "lost": Answer(0),
            "html accepted": Answer(200, HTML, {"content-type": "text/html"}),
            "truncated": Answer(200, answer.body, cut=True),
            "silent": Answer(SILENT),
        }
        return faults.get(fault, answer)

    def _refused(self, sent: dict[str, Any]) -> str:
        if set(sent) - SEND_FIELDS or not isinstance(sent.get("to"), str) or not sent.get("text"):
            return "10015"
        if sent.get("messaging_profile_id", self.profile_id) != self.profile_id:
            return "10010"
        if float(self.balance) <= 0:
            return "20100"
        return "40305" if sent.get("from") not in self.numbers else ""

    def _accept(self, sent: dict[str, Any]) -> dict[str, Any]:
        message = {
            "record_type": "message",
            "direction": "outbound",
            "id": str(uuid.uuid4()),
            "type": "SMS",
            "messaging_profile_id": self.profile_id,
            "from": {"phone_number": sent["from"], "carrier": "Telnyx", "line_type": "Wireless"},
            "to": [{"phone_number": sent["to"], "status": "queued", "carrier": "T-MOBILE", "line_type": "Wireless"}],
            "text": sent["text"],
            "media": [],
            "webhook_url": sent.get("webhook_url"),
            "webhook_failover_url": sent.get("webhook_failover_url"),
            "parts": 1,
            "tags": [],
            "cost": None,
            "received_at": self._iso(self.clock()),
            "sent_at": None,
            "completed_at": None,
            "errors": [],
        }
        self.messages[str(message["id"])] = message
        return message

    def _look_up(self, path: str, query: dict[str, list[str]]) -> Answer:
        profile = f"/v2/messaging_profiles/{self.profile_id}"
        if path == "/v2/balance":
            money = {"balance": self.balance, "credit_limit": "0.00", "available_credit": self.balance}
            return Answer.of(200, {"data": {"record_type": "balance", "currency": "USD", **money}})
        if path == profile:
            urls = {"webhook_url": self.webhook_url, "webhook_failover_url": self.webhook_failover_url}
            data = {"record_type": "messaging_profile", "id": self.profile_id, "name": "Rentals", "enabled": True}
            return Answer.of(200, {"data": {**data, **urls, "webhook_api_version": "2", **self.profile}})
        if path == f"{profile}/phone_numbers":
            size = int(query.get("page[size]", ["25"])[0])
            page = [{"record_type": "messaging_settings", "phone_number": n} for n in self.numbers[:size]]
            meta = {"total_pages": 1, "total_results": len(self.numbers), "page_number": 1, "page_size": size}
            return Answer.of(200, {"data": page, "meta": meta})
        if (found := self.messages.get(path.removeprefix("/v2/messages/"))) is not None:
            return Answer.of(200, {"data": found})
        return self._error("10005", 404)

    def _error(self, code: str, status: int = 0) -> Answer:
        status, title = (status or ERRORS[code][0], ERRORS.get(code, (0, "Unexpected error"))[1])
        error = {"code": code, "title": title, "detail": f"{title}.", "meta": {"url": "https://developers.telnyx.com"}}
        wait = {} if self.retry_after_s is None or status != 429 else {"retry-after": str(self.retry_after_s)}
        return Answer.of(status, {"errors": [error]}, wait)


@contextlib.contextmanager
def telnyx(**account: Any) -> Iterator[Telnyx]:
    """Serve an account on a free port until the block ends."""
    found, ended = Telnyx(**account), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = TIMEOUT_S

        def log_message(self, *_: object) -> None:
            """Log nothing."""

        def _respond(self) -> None:
            body = self.rfile.read(min(int(self.headers.get("content-length", 0)), BODY_MAX))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = found.answer(self.command, self.path, headers, body)
            if answer.status == SILENT:
                ended.wait(TIMEOUT_S)
            if answer.status <= 0:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body[: len(answer.body) // 2] if answer.cut else answer.body)
            self.close_connection = self.close_connection or answer.cut

        do_GET = do_POST = do_PUT = do_DELETE = _respond

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="telnyx")
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
        thread.join(TIMEOUT_S)
