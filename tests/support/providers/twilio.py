"""A simulated Twilio: one account's messages, numbers, balance and callbacks, and the faults of a bad day.

    with Twilio() as provider:
        provider.buy("+12025550200", sms_url="https://sms.example.net/callbacks/carriers/twilio")
        provider.reach["https://sms.example.net"] = service_url     # what DNS and a proxy would do
        provider.faults.append("lost")                              # the reply to the next submit is lost
        message = provider.receive("+12025550200", "+14155550123", "Your code is 123456")

It implements the documentation, and nothing of the service: its signatures and lists are checked by Twilio's own SDK.
"""

import base64
import contextlib
import hashlib
import hmac
import http.client
import itertools
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from support.providers.http_api import Reply, dumps, handler_of
from support.providers.number_market import Market
from support.providers.twilio_numbers import Number, SellsNumbers, error

ACCOUNT = "AC" + "1" * 32
TOKEN = "a secret token of Twilio"
HTML = b"<html><body>Service temporarily unavailable</body></html>"
# Faults of a submit: before Twilio has the SMS, and after.
BEFORE = ("close", "429", "html_403", "html_404", "html_301", "revoked")
UNCLEAR = ("500", "503", "html_200", "truncated_empty", "hang")
AFTER = (
    "lost",
    "500_after",
    "html_200_after",
    "empty_after",
    "garbage_after",
    "no_sid_after",
    "truncated",
    "hang_after",
)
FINAL = {"delivered", "undelivered", "failed"}


@dataclass
class Message:
    """An SMS that Twilio has. Times are wall µs."""

    sid: str
    to: str
    sender: str
    body: str
    status: str
    direction: str
    created_us: int
    status_callback: str = ""
    error_code: int | None = None
    num_media: int = 0
    messaging_service_sid: str | None = None
    is_sent: bool = True
    form: dict[str, str] = field(default_factory=dict)


def signature(url: str, fields: list[tuple[str, str]], *, token: str = TOKEN) -> str:
    """Sign a callback as the documentation describes it."""
    text = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


class Twilio(SellsNumbers):
    """A context manager: the provider, with one account."""

    def __init__(
        self, *, account_sid: str = ACCOUNT, token: str = TOKEN, prefix: str = "", uuids: bool = False
    ) -> None:
        self.account_sid, self.token, self.prefix, self.uuids = account_sid, token, prefix, uuids
        self.keys: dict[str, str] = {}  # API keys, which stand beside the account SID and its token
        self.header, self.account = "X-Twilio-Signature", {"status": "active", "type": "Full"}
        self.balance, self.wall_us = "25.50", lambda: time.time_ns() // 1000
        self.numbers: dict[str, Number] = {}
        self.messages: list[Message] = []
        self.opted_out: set[str] = set()
        self.reach: dict[str, str] = {}  # the address behind each public URL
        self.faults: deque[str] = deque()  # of the next submits
        self.read_faults: deque[str] = deque()  # of the next reads
        self.requests: list[tuple[str, str]] = []
        self.page_max = 1000
        self.market: Market | None = None  # the numbers for sale; bought ones join `numbers`
        self.buy_faults: deque[str] = deque()  # of the next purchases and releases
        self.lists_new = True  # False: a message is accepted, and not listed yet
        self.on_submit: Callable[[Message], None] = lambda _: None
        self._ids, self._lock, self._ending = itertools.count(1), threading.RLock(), threading.Event()

    def __enter__(self) -> "Twilio":
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler_of(self.answer))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    @property
    def url(self) -> str:
        """The base URL of the API, for the setting `base_url`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}{self.prefix}"

    def new_sid(self, kind: str = "SM") -> str:
        """Return the SID of a new message."""
        digits = hashlib.sha256(f"{self.account_sid}{next(self._ids)}".encode()).hexdigest()
        if self.uuids:
            return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))
        return kind + digits[:32]

    def outbound(self) -> list[Message]:
        """Return the SMS that were accepted for sending."""
        return [message for message in self.messages if message.direction == "outbound-api"]

    # --- what arrives from phones -----------------------------------------------------------------------------------

    def receive(
        self,
        to: str,
        sender: str,
        body: str,
        *,
        media: int = 0,
        error_code: int | None = None,
        at_us: int | None = None,
        call: bool = True,
    ) -> Message:
        """Receive an SMS for a number, and call its webhook unless `call` is false."""
        status = "failed" if error_code else "received"
        message = Message(
            self.new_sid("MM" if media else "SM"), to, sender, body, status, "inbound", at_us or self.wall_us()
        )
        message.num_media, message.error_code = media, error_code
        with self._lock:
            self.messages.append(message)
        if call:
            self.call(message)
        return message

    def call(self, message: Message) -> list[int]:
        """Call the webhook of an inbound SMS, as often as the URL's fragment asks for, then the fallback once. Return the
        statuses; 0 for a failed connection."""
        number = self.numbers[message.to]
        statuses = []
        url, _, options = number.sms_url.partition("#")
        retries = int((re.search(r"\brc=(\d+)", options) or [0, "0"])[1])
        targets = [url] * (1 + retries) if url else []
        for target in [*targets, *filter(None, [number.sms_fallback_url.partition("#")[0]])]:
            statuses.append(self.post(target, self.inbound_fields(message))[0])
            if 200 <= statuses[-1] < 300:
                break
        return statuses

    def inbound_fields(self, message: Message) -> list[tuple[str, str]]:
        """Return the form of an inbound callback."""
        fields = {
            "ToCountry": "US", "ToState": "", "SmsMessageSid": message.sid, "NumMedia": str(message.num_media),
            "ToCity": "", "FromZip": "", "SmsSid": message.sid, "FromState": "CA", "SmsStatus": "received",
            "FromCity": "SAN FRANCISCO", "Body": message.body, "FromCountry": "US", "To": message.to, "ToZip": "",
            "NumSegments": "1", "MessageSid": message.sid, "AccountSid": self.account_sid, "From": message.sender,
            "ApiVersion": "2010-04-01",
        }  # fmt: skip
        for place in range(message.num_media):
            fields |= {f"MediaUrl{place}": f"https://media.example/{place}", f"MediaContentType{place}": "image/jpeg"}
        if message.error_code:
            fields["ErrorCode"] = str(message.error_code)
        return [*fields.items()]

    def report(self, message: Message, status: str, code: int | None = None) -> int:
        """Set the status of an outbound SMS, unless it is final, and call its status callback with it all the same."""
        if message.status not in FINAL:
            message.status, message.error_code = status, code
        fields = {
            "SmsSid": message.sid, "SmsStatus": status, "MessageStatus": status, "To": message.to,
            "MessageSid": message.sid, "AccountSid": self.account_sid, "From": message.sender,
            "ApiVersion": "2010-04-01",
        }  # fmt: skip
        if code:
            fields["ErrorCode"] = str(code)
        return self.post(message.status_callback, [*fields.items()])[0]

    def post(self, url: str, fields: list[tuple[str, str]], **headers: str) -> tuple[int, bytes, str]:
        """Send a signed form. Return status, body and content type; status 0 for a failed connection."""
        signed = {self.header: signature(url, fields, token=self.token)} | headers
        return self.post_raw(url, urlencode(fields).encode(), "application/x-www-form-urlencoded", signed)

    def post_json(self, url: str, body: bytes) -> tuple[int, bytes, str]:
        """Send signed JSON."""
        url += ("&" if "?" in url else "?") + "bodySHA256=" + hashlib.sha256(body).hexdigest()
        return self.post_raw(url, body, "application/json", {self.header: signature(url, [], token=self.token)})

    def post_raw(self, url: str, body: bytes, kind: str, headers: dict[str, str]) -> tuple[int, bytes, str]:
        """Send a request to a public URL, through `reach`."""
        public = next((base for base in self.reach if url.startswith(base)), "")
        target = urlsplit(self.reach[public] + url.removeprefix(public) if public else url)
        path = f"{target.path}?{target.query}" if target.query else target.path
        with contextlib.closing(http.client.HTTPConnection(target.netloc, timeout=30)) as connection:
            try:
                connection.request("POST", path, body, {"Content-Type": kind, **headers})
                reply = connection.getresponse()
                return reply.status, reply.read(), reply.headers.get("content-type", "")
            except (OSError, http.client.HTTPException):
                return 0, b"", ""

    # --- the API ----------------------------------------------------------------------------------------------------

    def answer(self, method: str, path: str, authorization: str, body: bytes) -> Reply:
        """Return the reply to a request of the API."""
        self.requests.append((method, path))
        submits = method == "POST" and path.endswith("/Messages.json")
        trades = method == "DELETE" or (method == "POST" and path.endswith("/IncomingPhoneNumbers.json"))
        faults = self.faults if submits else self.buy_faults if trades else self.read_faults
        fault = faults.popleft() if faults else ""
        if fault == "revoked" or not self._is_authorized(authorization):
            return error(401, 20003, "Authenticate")
        if early := self._early(fault):
            return early
        reply = self._answer(method, path, dict(parse_qsl(body.decode(), keep_blank_values=True)))
        return self._late(fault, reply)

    def _is_authorized(self, header: str) -> bool:
        try:
            user, _, password = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
        except ValueError:
            return False
        return {self.account_sid: self.token, **self.keys}.get(user) == password

    def _early(self, fault: str) -> Reply | None:
        """Return a reply that leaves the request undone."""
        if fault.startswith("code_"):
            return error(400, int(fault[5:]), "refused")
        if fault == "429":
            return Reply(429, error(429, 20429, "Too Many Requests").body, {"Retry-After": "1"})
        if fault in ("500", "503", "html_403", "html_404", "html_301", "html_200"):
            return Reply(int(fault[-3:]), HTML, {"Content-Type": "text/html", "Location": "https://example.net/"})
        if fault == "truncated_empty":
            return Reply(201, b"", {"Content-Length": "500"})
        if fault == "hang":
            self._ending.wait(30)
        return Reply(0) if fault in ("close", "hang") else None

    def _late(self, fault: str, reply: Reply) -> Reply:
        """Return a reply that does not say that the request was done."""
        if fault == "hang_after":
            self._ending.wait(30)
        changed = {
            "lost": Reply(0),
            "hang_after": Reply(0),
            "500_after": error(500, 20500, "Internal Server Error"),
            "html_200_after": Reply(200, HTML, {"Content-Type": "text/html"}),
            "empty_after": Reply(201, b""),
            "garbage_after": Reply(201, b'{"sid": ["' + b"\xff" * 20),
            "no_sid_after": Reply(201, b'{"sid": null, "status": "queued"}'),
            "truncated": Reply(201, reply.body[:40], {"Content-Length": str(len(reply.body))}),
        }
        return changed.get(fault, reply)

    def _answer(self, method: str, path: str, form: dict[str, str]) -> Reply:
        parts = urlsplit(path)
        if self.market and parts.path.startswith(f"{self.prefix}/v1/PhoneNumbers/Countries/"):
            return self._prices(self.market, parts.path.rpartition("/")[2])
        account = f"{self.prefix}/2010-04-01/Accounts/{self.account_sid}"
        if not parts.path.startswith(account):
            return error(404, 20404, "not found")
        rest, query = parts.path.removeprefix(account), dict(parse_qsl(parts.query, keep_blank_values=True))
        path = account + rest
        if self.market and (traded := self._trade(self.market, method, rest, query, form)):
            return traded
        wanted = query.get("PhoneNumber", "")  # the filter matches parts of numbers
        numbers = [self._number(number) for number in self.numbers.values() if wanted.lstrip("+") in number.e164]
        balance = {"account_sid": self.account_sid, "balance": self.balance, "currency": "USD"}
        routes: dict[tuple[str, str], Callable[[], Reply]] = {
            ("POST", "/Messages.json"): lambda: self._submit(form),
            ("GET", "/Messages.json"): lambda: self._page(path, query, "messages", self._found(query)),
            ("GET", "/IncomingPhoneNumbers.json"): lambda: self._page(path, query, "incoming_phone_numbers", numbers),
            ("GET", "/Balance.json"): lambda: Reply(200, dumps(balance)),
            ("GET", ".json"): lambda: Reply(200, dumps({"sid": self.account_sid, **self.account})),
        }
        if one := next((each for each in self.messages if rest == f"/Messages/{each.sid}.json"), None):
            routes["GET", rest] = lambda: Reply(200, dumps(self._message(one)))
        return routes.get((method, rest), lambda: error(404, 20404, "not found"))()

    def _submit(self, form: dict[str, str]) -> Reply:
        to, sender, body = form.get("To", ""), form.get("From", ""), form.get("Body", "")
        service = form.get("MessagingServiceSid")
        refusals = [
            (not re.fullmatch(r"\+[1-9][0-9]{6,14}", to), 21211),
            (sender not in self.numbers and not (service and not sender), 21606),
            (not body, 21602),
            (len(body) > 1600, 21617),
            (to in self.opted_out, 21610),
            (self.account["status"] != "active", 20005),
        ]
        if code := next((code for is_refused, code in refusals if is_refused), None):
            return error(400, code, "refused")
        message = Message(self.new_sid(), to, sender, body, "queued", "outbound-api", self.wall_us())
        message.status_callback, message.messaging_service_sid = form.get("StatusCallback", ""), service
        message.form, message.is_sent = form, False
        with self._lock:
            self.messages.append(message)
        self.on_submit(message)
        return Reply(201, dumps(self._message(message)))

    def _found(self, query: dict[str, str]) -> list[dict[str, Any]]:
        """Return what matches, newest first. A message that was not sent yet has no DateSent to match."""

        def is_wanted(message: Message) -> bool:
            dated = [(query[name], name) for name in ("DateSent", "DateSent>", "DateSent<") if name in query]
            if dated and not message.is_sent:
                return False
            sent = datetime.fromtimestamp(message.created_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            for value, name in dated:
                at = sent[: len(value)]
                if not {"DateSent": at == value, "DateSent>": at >= value, "DateSent<": at <= value}[name]:
                    return False
            return query.get("To", message.to) == message.to and query.get("From", message.sender) == message.sender

        with self._lock:
            known = self.messages if self.lists_new else [one for one in self.messages if one.direction == "inbound"]
            found = [*filter(is_wanted, known)]
        found.reverse()  # of one time, the last one first
        found.sort(key=lambda message: -message.created_us)
        return [self._message(message) for message in found]

    def _page(self, path: str, query: dict[str, str], key: str, items: list[dict[str, Any]]) -> Reply:
        size, page = min(int(query.get("PageSize", "50")), self.page_max), int(query.get("Page", "0"))
        shown = items[page * size : (page + 1) * size]
        is_last = (page + 1) * size >= len(items)
        following = f"{path}?{urlencode({**query, 'Page': str(page + 1), 'PageToken': f'PA{page}'})}"
        return Reply(200, dumps({
            key: shown, "page": page, "page_size": size, "start": page * size, "end": page * size + len(shown),
            "uri": path, "first_page_uri": path, "previous_page_uri": None,
            "next_page_uri": None if is_last else following,
        }))  # fmt: skip

    def _message(self, message: Message) -> dict[str, Any]:
        at = format_datetime(datetime.fromtimestamp(message.created_us // 1_000_000, UTC)).replace("GMT", "+0000")
        return {
            "sid": message.sid, "account_sid": self.account_sid, "api_version": "2010-04-01", "to": message.to,
            "from": message.sender, "body": message.body, "status": message.status, "direction": message.direction,
            "num_media": str(message.num_media), "num_segments": "1", "price": None, "price_unit": "USD",
            "error_code": message.error_code, "error_message": None, "date_created": at, "date_updated": at,
            "date_sent": at if message.is_sent else None, "messaging_service_sid": message.messaging_service_sid,
            "uri": f"/2010-04-01/Accounts/{self.account_sid}/Messages/{message.sid}.json", "subresource_uris": {},
        }  # fmt: skip


def message_id_of(message: Message) -> int:
    """Return the ID that the service put into its status callback URL."""
    return int(parse_qs(urlsplit(message.status_callback).query)["message"][0])
