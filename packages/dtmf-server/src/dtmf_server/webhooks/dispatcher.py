"""The webhook dispatcher: builds, signs and posts webhooks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
from msgspec import structs

from dtmf.webhook import sign
from dtmf_server.core import body_templates, webhook_url
from dtmf_server.core.body_templates import Template
from dtmf_server.webhooks.client import Outcome, WebhookClient


class Payload(Protocol):
    """The fields of a delivery that a webhook needs. For an event, `text` is the whole body."""

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
    """Posts webhooks from this process."""

    poster: WebhookClient
    sandbox: bool

    async def post(self, sms: Payload, *, secrets: Sequence[str], timestamp_s: int) -> Outcome:
        """Post an SMS or event to its webhook once, signed with each secret (Standard Webhooks).

        The URL is vetted again: the rules may have changed since it was set.
        """
        try:
            parsed = webhook_url.parse(sms.destination, sandbox=self.sandbox)
            _, name = body_templates.split(sms.destination)
        except ValueError as error:
            return Outcome(status=None, reason=str(error))
        template = body_templates.template(name) if name else None
        content = _rendered(sms, template) if template else body(sms)
        id_ = f"dlv_{sms.id}"  # the same for all attempts, so that receivers can detect duplicates
        signatures = [sign(secret, id=id_, timestamp=timestamp_s, body=content) for secret in secrets]
        headers = {
            "webhook-id": id_,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": " ".join(signatures),
        }
        if template is None:
            return await self.poster.post(parsed, content, headers)
        outcome = await self.poster.post(parsed, content, headers, content_type=template.content_type)
        reply = body_templates.without_secrets(outcome.reply, sms.destination)
        return structs.replace(outcome, reply=reply)


def _rendered(sms: Payload, template: Template) -> bytes:
    """Return the body for a chat or push service. An event is written as its kind and its values."""
    if sms.kind != "event":
        return template.render({"id": str(sms.message_id), "e164": sms.e164, "sender": sms.sender, "content": sms.text})
    event = msgspec.json.decode(sms.text)
    content = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in event["data"].items())
    return template.render({"id": "0", "e164": event["type"], "sender": "DTMF", "content": content})


def body(sms: Payload) -> bytes:
    """Return the documented JSON body: id, e164, sender, content; or the event's body."""
    if sms.kind == "event":
        return sms.text.encode()
    return msgspec.json.encode({"id": sms.message_id, "e164": sms.e164, "sender": sms.sender, "content": sms.text})
