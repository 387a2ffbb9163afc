"""Acme SMS, an HTTP carrier for dtmf-server. Acme is fictional; its API resembles those of most carriers:

POST {api_url}/messages {"from", "to", "text"}, Authorization: Bearer api_key  ->  202 {"id"}
callbacks: POST {"type": "message", "id", "from", "to", "text"} or {"type": "receipt", "id", "status"},
signed with Acme-Timestamp (seconds since 1970) and Acme-Signature (hex HMAC-SHA256 of "timestamp.body")
"""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlsplit

import httpcore2

from dtmf_server.carriers.base import (
    BadSignature,
    CallbackRefused,
    CallbackRequest,
    CallbackResult,
    CarrierMessage,
    CarrierRefused,
    InboundSink,
    LinkStats,
)
from dtmf_server.carriers.registry import CarrierContext, CarrierKind
from dtmf_server.config import CarrierSettings, setting
from dtmf_server.core.hosts import is_loopback
from dtmf_server.core.inbound import InboundMessage, Receipt

TIMEOUT_S = 20.0
AGE_MAX_S = 300.0  # of a callback: an older one may be a replay
NEVER_SENT = (httpcore2.ConnectError, httpcore2.ConnectTimeout, httpcore2.PoolTimeout)


class Settings(CarrierSettings, frozen=True, kw_only=True):
    """The settings of `[[carrier]] kind = "acme"`."""

    api_url: Annotated[str, setting("an address like https://api.acme.example", lambda url: urlsplit(url).hostname)]
    api_key: Annotated[str, setting("the API key from Acme", secret=True)]
    signing_key: Annotated[str, setting("the key that Acme signs callbacks with", secret=True)]

    def disagreements(self, *, is_sandbox: bool) -> list[tuple[str, str]]:
        """A sandbox must not send real SMS."""
        if is_sandbox and not is_loopback(urlsplit(self.api_url).hostname or ""):
            return [("api_url", "is not this machine: a sandbox may only use carriers on loopback")]
        return []


class Acme:
    """Sends with requests to Acme's API and receives callbacks."""

    callback_methods = ("POST",)

    def __init__(self, settings: Settings, context: CarrierContext) -> None:
        self.name, self._settings, self._wall_us = settings.name, settings, context.wall_us
        self._pool: httpcore2.AsyncConnectionPool | None = None
        self._stats = LinkStats(f"{settings.name} https")

    async def run(self, sink: InboundSink) -> None:
        """Keep an HTTP client open. SMS arrive as callbacks, so nothing uses the sink."""
        async with httpcore2.AsyncConnectionPool(ssl_context=httpcore2.default_ssl_context()) as pool:
            self._pool = pool
            self._stats.last_seen_us = self._wall_us()
            self._stats.move("bound", at_us=self._wall_us())
            try:
                await asyncio.Event().wait()
            finally:
                self._pool = None

    def can_submit(self) -> bool:
        """Return whether this process runs the carrier."""
        return self._pool is not None

    def traffic(self) -> Sequence[LinkStats]:
        """Return the statistics of the only link."""
        return [self._stats]

    async def submit(self, message_id: int, message: CarrierMessage) -> Sequence[str]:
        """Send the SMS to Acme, which splits it into segments itself, and return its one reference."""
        if self._pool is None:
            raise CarrierRefused("the carrier is not running", permanent=False)
        body = json.dumps({"from": message.sender, "to": message.to, "text": message.text}).encode()
        headers = [("Authorization", f"Bearer {self._settings.api_key}"), ("Content-Type", "application/json")]
        timeout = dict.fromkeys(("connect", "read", "write", "pool"), TIMEOUT_S)
        url = f"{self._settings.api_url}/messages"
        try:
            reply = await self._pool.request(
                "POST", url, headers=headers, content=body, extensions={"timeout": timeout}
            )
        except NEVER_SENT as error:
            raise CarrierRefused("can't connect to Acme", permanent=False) from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException) as error:
            raise CarrierRefused("Acme did not answer", permanent=False, may_be_taken=True) from error
        self._stats.last_seen_us = self._wall_us()
        if reply.status == 202:
            self._stats.submitted += 1
            try:
                return [json.loads(reply.content)["id"]]
            except (ValueError, LookupError, TypeError) as error:
                raise CarrierRefused("Acme's reply has no ID", permanent=False, may_be_taken=True) from error
        self._stats.errors += 1
        reason = f"Acme refused the SMS with status {reply.status}"
        if reply.status == 429:
            raise CarrierRefused(reason, permanent=False)
        raise CarrierRefused(reason, permanent=reply.status < 500, may_be_taken=reply.status >= 500)

    def parse(self, request: CallbackRequest) -> CallbackResult:
        """Verify the callback and return its SMS or receipt."""
        self._verify(request)
        try:
            found = json.loads(request.body)
            if found["type"] == "message":
                sms = InboundMessage(found["to"], found["from"], found["text"], carrier_ref=found["id"])
                return CallbackResult([sms])
            status = found["status"]
            return CallbackResult(
                [Receipt(found["id"], status == "delivered", "" if status == "delivered" else status)]
            )
        except (ValueError, KeyError, TypeError) as error:
            raise CallbackRefused(type(error).__name__) from error

    def _verify(self, request: CallbackRequest) -> None:
        timestamp, given = request.headers.get("acme-timestamp", ""), request.headers.get("acme-signature", "")
        signed = timestamp.encode() + b"." + request.body
        expected = hmac.new(self._settings.signing_key.encode(), signed, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), given.encode()):
            raise BadSignature("another key, or a changed body")
        if abs(request.wall_us / 1e6 - int(timestamp)) > AGE_MAX_S:
            raise BadSignature("the timestamp is too old or in the future")


KIND = CarrierKind("acme", Settings, Acme, receives_callbacks=True)
