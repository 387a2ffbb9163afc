"""The webhook: what is posted, and where."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from dtmf.webhook import sign
from dtmf_server.core import webhook_url
from dtmf_server.webhooks.client import Outcome, WebhookClient


class Payload(Protocol):
    """What a webhook says of an SMS, and where; of an event `text` is all that is said."""

    @property
    def id(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def message_id(self) -> int: ...
    @property
    def e164(self) -> str: ...
    @property
    def sender(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def destination(self) -> str: ...


@dataclass(frozen=True, slots=True)
class InProcessDispatcher:
    """Webhooks, posted by this process itself."""

    poster: WebhookClient
    sandbox: bool

    async def post(self, sms: Payload, *, secrets: Sequence[str], timestamp_s: int) -> Outcome:
        """One POST of the SMS to its webhook, signed with each secret (Standard Webhooks).

        The URL is vetted again: what was allowed when it was set may not be any more.
        """
        try:
            parsed = webhook_url.parse(sms.destination, sandbox=self.sandbox)
        except ValueError as error:
            return Outcome(status=None, reason=str(error))
        content = body(sms)
        id_ = f"dlv_{sms.id}"  # the same for every attempt: what a receiver tells repeats by
        signatures = [sign(secret, id=id_, timestamp=timestamp_s, body=content) for secret in secrets]
        headers = {
            "webhook-id": id_,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": " ".join(signatures),
        }
        return await self.poster.post(parsed, content, headers)


def body(sms: Payload) -> bytes:
    """The documented JSON body, exactly: id, e164, sender, content; or an event's."""
    if sms.kind == "event":
        return sms.text.encode()
    return msgspec.json.encode({"id": sms.message_id, "e164": sms.e164, "sender": sms.sender, "content": sms.text})
