"""A simulated phone with android-sms-gateway: its API on loopback, its SIMs, its inbox and its queue of webhooks.

Times come from `wall`, so a test decides when a webhook is tried again. Faults are queued per call ("POST /messages"):
a status, or one of
    "drop"   the connection closes before anything happens
    "lost"   the app acts, and its reply is lost
    "html"   a tunnel answers 200 with a page of HTML, and the app gets nothing
    "html 404", "html lost"   the same with 404; and after the app has acted
    "500 after"   the app acts and answers 500
"""

import base64
import hashlib
import hmac
import json
import socket
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from support.providers.android_payloads import Sms, inbox_row, iso, microseconds, received

ATTEMPTS_MAX, FIRST_RETRY_US = 15, 5_000_000
SERVER_PATH = "/3rdparty/v1"
HTML = b"<html><body>Tunnel not found</body></html>"


@dataclass
class Event:
    """A webhook that waits to be posted."""

    url: str
    body: bytes
    attempts: int = 0
    next_us: int = 0


@dataclass
class Message:
    """An SMS that was given to the app."""

    body: dict[str, Any]
    at_us: int
    state: str = "Pending"
    error: str | None = None


@dataclass
class SimulatedPhone:
    """The phone. `is_server`: the API is a server's, which has no list of received SMS."""

    wall: Callable[[], int]
    is_server: bool = False
    sims: dict[int, str | None] = field(default_factory=lambda: {1: None, 2: None})
    user: str = "sms"
    password: str = "phone-password"
    signing_key: str = "phone-signing-key"
    device_id: str = "device-1"
    is_off: bool = False
    has_inbox_list: bool = True

    def __post_init__(self) -> None:
        self.messages: dict[str, Message] = {}
        self.radio: list[tuple[int | None, str, str]] = []  # SIM, number and text of everything that left the phone
        self.inbox: list[Sms] = []  # what Android stored
        self.seen: list[Sms] = []  # what the app processed
        self.webhooks: dict[str, dict[str, Any]] = {}
        self.queue: deque[Event] = deque()
        self.given_up: list[Event] = []
        self.waiting: list[tuple[Sms, int]] = []  # at the SMSC, while the phone is off, with the number of webhooks
        self.settings: dict[str, Any] = {}
        self.calls: list[str] = []
        self.last_seen_us = self.wall()
        self.faults: defaultdict[str, deque[str | int]] = defaultdict(deque)
        self.connections: set[socket.socket] = set()
        self._event = 0
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        phone = self

        class Handler(_Handler):
            pass

        Handler.phone = phone
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.vanish()

    def vanish(self) -> None:
        """The phone leaves the network: open connections end, and new ones are refused."""
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._thread.join()
        for connection in [*self.connections]:
            with suppress(OSError):  # it may have ended by itself
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}" + (SERVER_PATH if self.is_server else "")

    # Events on the phone.

    def receive(self, sender: str, text: str, *, sim: int | None = 1, at_us: int | None = None, times: int = 1) -> None:
        """An SMS reaches the SMSC; the phone gets it unless it is off. `times`: how often the app posts it."""
        recipient = self.sims.get(sim) if sim is not None else None
        at_us = (self.wall() if at_us is None else at_us) // 1_000_000 * 1_000_000
        sms = Sms(sender, text, sim, recipient, at_us)
        if self.is_off:
            self.waiting.append((sms, times))
        else:
            self._take(sms, times)

    def turn_on(self) -> None:
        """The phone starts, and gets what waited at the SMSC."""
        self.is_off = False
        waiting, self.waiting = self.waiting, []
        for sms, times in waiting:
            self._take(sms, times)

    def receive_unseen(self, sender: str, text: str, *, sim: int = 1) -> None:
        """Android stores an SMS while the app does not run."""
        self.inbox.append(Sms(sender, text, sim, self.sims.get(sim), self.wall() // 1_000_000 * 1_000_000))

    def _take(self, sms: Sms, times: int) -> None:
        self.inbox.append(sms)
        self.seen.append(sms)
        for _ in range(times):
            self.emit("sms:received", received(sms))

    def ping(self) -> None:
        self.emit("system:ping", {"health": {"status": "pass"}})

    def report(self, id_: str, state: str, error: str | None = None) -> None:
        """The network says how far an SMS that we sent got."""
        message = self.messages[id_]
        message.state, message.error = state, error
        payload: dict[str, Any] = {"messageId": id_, "recipient": message.body["phoneNumbers"][0], "simNumber": 1}
        payload |= {"reason": error} if state == "Failed" else {}
        self.emit(f"sms:{state.lower()}", payload | {f"{state.lower()}At": iso(self.wall())})

    def emit(self, event: str, payload: dict[str, Any]) -> None:
        for webhook in [*self.webhooks.values()]:
            if webhook["event"] == event:
                self._event += 1
                body = {
                    "id": f"event-{self._event}",
                    "webhookId": webhook["id"],
                    "event": event,
                    "deviceId": self.device_id,
                    "payload": payload,
                }
                self.queue.append(Event(webhook["url"], json.dumps(body, ensure_ascii=False).encode()))

    def sign(self, body: bytes, *, at_s: int | None = None, key: str | None = None) -> dict[str, str]:
        """Return the headers of a webhook."""
        timestamp = str(self.wall() // 1_000_000 if at_s is None else at_s)
        signed = (key or self.signing_key).encode()
        signature = hmac.new(signed, body + timestamp.encode(), hashlib.sha256).hexdigest()
        return {"Content-Type": "application/json", "X-Signature": signature, "X-Timestamp": timestamp}

    def post_due(self) -> list[int]:
        """Try every webhook that is due once, and return the statuses (0: no answer). Each attempt is signed again."""
        statuses = []
        for _ in range(len(self.queue)):
            event = self.queue.popleft()
            if self.is_off or event.next_us > self.wall():
                self.queue.append(event)
                continue
            statuses.append(status := post(event.url, event.body, self.sign(event.body)))
            if 200 <= status < 300:
                continue
            event.attempts += 1
            event.next_us = self.wall() + FIRST_RETRY_US * 2 ** (event.attempts - 1)
            (self.given_up if event.attempts > ATTEMPTS_MAX else self.queue).append(event)
        return statuses

    # The app's API.

    def call(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        """Answer a request: its status and JSON."""
        section, _, rest = path.removeprefix("/").partition("/")
        with self._lock:
            answer = getattr(self, f"_{method.lower()}_{section}", None)
            return answer(rest, query, body) if answer else (404, None)

    def _get_device(self, *_: Any) -> tuple[int, Any]:
        return (404, None) if self.is_server else (200, self._devices())

    def _get_devices(self, *_: Any) -> tuple[int, Any]:
        return (200, self._devices()) if self.is_server else (404, None)

    def _devices(self) -> list[dict[str, Any]]:
        cards = [{"slotIndex": sim - 1, "simNumber": sim, "phoneNumber": n} for sim, n in self.sims.items()]
        seen = iso(self.last_seen_us if self.is_server else self.wall())
        return [{"id": self.device_id, "name": "Pixel", "lastSeen": seen, "simCards": cards}]

    def _post_messages(self, rest: str, _: dict[str, str], body: Any) -> tuple[int, Any]:
        return self._refresh(body) if rest == "inbox/export" else self._send(body)

    def _get_messages(self, id_: str, query: dict[str, str], _: Any) -> tuple[int, Any]:
        if id_:
            return (200, self._state(id_, self.messages[id_])) if id_ in self.messages else (404, None)
        rows = [(id_, m) for id_, m in self.messages.items() if _within(m.at_us, query)]
        return 200, [self._state(id_, m) for id_, m in _page(rows, query)]

    def _get_inbox(self, _: str, query: dict[str, str], __: Any) -> tuple[int, Any]:
        if self.is_server or not self.has_inbox_list:
            return (501 if self.is_server else 404), None
        rows = [sms for sms in self.seen if _within(sms.at_us, query)]
        return 200, [inbox_row(sms) for sms in _page(rows, query)]

    def _post_inbox(self, _: str, __: dict[str, str], body: Any) -> tuple[int, Any]:
        return self._refresh(body) if self.has_inbox_list else (404, None)

    def _refresh(self, body: Any) -> tuple[int, Any]:
        since, until = microseconds(body["since"]), microseconds(body["until"])
        for sms in self.inbox:
            if sms not in self.seen and since <= sms.at_us <= until:
                self.seen.append(sms)
                self.emit("sms:received", received(sms))
        return 202, None

    def _get_webhooks(self, *_: Any) -> tuple[int, Any]:
        return 200, [*self.webhooks.values()]

    def _post_webhooks(self, _: str, __: dict[str, str], body: Any) -> tuple[int, Any]:
        if not body["url"].startswith(("https://", "http://127.0.0.1")):
            return 400, {"message": "url must start with https:// or http://127.0.0.1"}
        self.webhooks[body["id"]] = body
        return 201, body

    def _delete_webhooks(self, id_: str, *_: Any) -> tuple[int, Any]:
        self.webhooks.pop(id_, None)
        return 204, None

    def _patch_settings(self, _: str, __: dict[str, str], body: Any) -> tuple[int, Any]:
        for section, values in body.items():
            self.settings.setdefault(section, {}).update(values)
        self.signing_key = self.settings.get("webhooks", {}).get("signing_key", self.signing_key)
        return 200, self.settings

    def _send(self, body: dict[str, Any]) -> tuple[int, Any]:
        if body.get("deviceId", self.device_id) != self.device_id:
            return 400, {"message": "Invalid device ID"}
        if not body["textMessage"]["text"] or not body["phoneNumbers"]:
            return 400, {"message": "Text message is empty"}
        if body["id"] in self.messages:
            return 409, {"message": "conflict"}
        self.messages[body["id"]] = Message(body, self.wall())
        for number in body["phoneNumbers"]:
            self.radio.append((body.get("simNumber"), number, body["textMessage"]["text"]))
        return 202, self._state(body["id"], self.messages[body["id"]])

    def _state(self, id_: str, message: Message) -> dict[str, Any]:
        numbers = message.body["phoneNumbers"]
        recipients = [{"phoneNumber": n, "state": message.state, "error": message.error} for n in numbers]
        return {"id": id_, "deviceId": self.device_id, "state": message.state, "recipients": recipients, "states": {}}


class _Handler(BaseHTTPRequestHandler):
    phone: SimulatedPhone
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.phone.connections.add(self.connection)

    def finish(self) -> None:
        self.phone.connections.discard(self.connection)
        super().finish()

    def _answer(self) -> None:
        phone, parts = self.phone, urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = parts.path.removeprefix(SERVER_PATH) if phone.is_server else parts.path
        call = f"{self.command} /{path.split('/')[1]}"
        phone.calls.append(f"{self.command} {path}")
        fault = phone.faults[call].popleft() if phone.faults[call] else ""
        if fault == "drop" or (phone.is_off and not phone.is_server):
            self.close_connection = True
            return
        if isinstance(fault, int):
            self._send(fault, None)
            return
        if fault in ("html", "html 404"):
            self._html(404 if fault.endswith("404") else 200)
            return
        credentials = base64.b64encode(f"{phone.user}:{phone.password}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {credentials}":
            self._send(401, None)
            return
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        status, body = phone.call(self.command, path, query, json.loads(content) if content else None)
        if fault == "lost":
            self.close_connection = True
        elif fault == "html lost":
            self._html(200)
        elif fault == "500 after":
            self._send(500, {"message": "out of memory"})
        else:
            self._send(status, body)

    do_GET = do_POST = do_DELETE = do_PATCH = _answer

    def _html(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(HTML)))
        self.end_headers()
        self.wfile.write(HTML)

    def _send(self, status: int, body: Any) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """POST a webhook; return the status, or 0 if there was no answer."""
    parts = urlsplit(url)
    try:
        with closing(HTTPConnection(parts.netloc, timeout=30)) as connection:
            connection.request("POST", parts.path, body, headers)
            return connection.getresponse().status
    except OSError:
        return 0


def _within(at_us: int, query: dict[str, str]) -> bool:
    return microseconds(query["from"]) <= at_us <= microseconds(query["to"])


def _page(rows: list[Any], query: dict[str, str]) -> list[Any]:
    offset, limit = int(query["offset"]), int(query["limit"])
    return rows[offset : offset + limit]
