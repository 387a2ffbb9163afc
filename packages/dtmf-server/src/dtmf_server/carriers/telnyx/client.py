"""Send SMS through Telnyx's API v2.

Rules:
1. Each SMS has an Idempotency-Key of its own. For 24 hours Telnyx answers a repeated request that succeeded like the first
   one, and sends nothing. So a request without a usable reply is repeated once, unchanged.
2. Telnyx repeats only successes. After a status of 500 and above, or 408, the SMS may have been accepted and a repeated
   request might send it again: it stays in doubt.
3. A repeated request that fails proves nothing about the first one: the SMS stays in doubt.
4. Telnyx can't be asked for an SMS without its ID. One in doubt is settled by its callbacks, which name it (callbacks.py).
Source: developers.telnyx.com/docs/development/api-fundamentals/idempotency
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from dtmf_server.carriers.api_client import SERVER_ERROR, TOO_MANY, ApiClient, ApiReply, NoReply, NotSent
from dtmf_server.carriers.base import CarrierMessage, CarrierRefused
from dtmf_server.carriers.telnyx.callbacks import webhook_url
from dtmf_server.carriers.telnyx.error_codes import verdict_of, words_of
from dtmf_server.carriers.telnyx.settings import TelnyxSettings
from dtmf_server.carriers.trace import Trace
from dtmf_server.core.receipt_refs import exact
from dtmf_server.core.submission import Verdict

REPEAT_AFTER_S = 1.0
TIMED_OUT = 408
MASKED = ("text", "subject", "media")
MESSAGES = "/v2/messages"


class NoUsableReply(Exception):
    """The reply is not Telnyx's, or lacks the ID of the SMS: it may have been accepted."""


def new_api(settings: TelnyxSettings, *, wall_us: Callable[[], int], trace: Trace) -> ApiClient:
    """Return a client of Telnyx's API, not connected yet."""
    return ApiClient(
        settings.base_url,
        headers={"Authorization": f"Bearer {settings.api_key}"},
        link=f"{settings.name} https",
        wall_us=wall_us,
        trace=trace,
        masked_fields=MASKED,
        fault_of=fault_of,
    )


def message_body(message: CarrierMessage, *, profile_id: str, url: str | None) -> dict[str, object]:
    """Return the body of the request that sends an SMS; `url` gets its callbacks."""
    body: dict[str, object] = {
        "from": message.sender,
        "to": message.to,
        "text": message.text,
        "type": "SMS",
        "messaging_profile_id": profile_id,
        "use_profile_webhooks": False,
    }
    return body | ({"webhook_url": url} if url else {})


class Sender:
    """Sends SMS from the numbers of one messaging profile."""

    def __init__(
        self,
        api: ApiClient,
        *,
        profile_id: str,
        callback_url: str | None,
        new_id: Callable[[], int],
        repeat_after_s: float = REPEAT_AFTER_S,
    ) -> None:
        self._api, self._profile_id, self._callback_url = api, profile_id, callback_url
        self._new_id, self._repeat_after_s = new_id, repeat_after_s

    async def send(self, message_id: int, message: CarrierMessage) -> str:
        """Send an SMS and return its reference. Raises CarrierRefused."""
        url = webhook_url(self._callback_url, message_id) if self._callback_url else None
        body = message_body(message, profile_id=self._profile_id, url=url)
        key = {"Idempotency-Key": f"dtmf-{message_id}-{self._new_id()}"}
        try:
            reply = await self._api.request("POST", MESSAGES, body=body, headers=key)
            return _accepted(reply)
        except NotSent as error:
            raise CarrierRefused(f"can't reach Telnyx: {error}", permanent=False) from error
        except (NoReply, NoUsableReply) as error:
            lost = error
        await asyncio.sleep(self._repeat_after_s)
        try:
            return _accepted(await self._api.request("POST", MESSAGES, body=body, headers=key))
        except (NotSent, NoReply, NoUsableReply, CarrierRefused):
            raise CarrierRefused.no_reply(f"no reply from Telnyx: {lost}") from lost


def refusal(reply: ApiReply) -> CarrierRefused:
    """Return what a reply that is not a success means for the SMS."""
    code, words = _error(reply)
    words = words or f"Telnyx answered with status {reply.status}"
    if reply.status >= SERVER_ERROR or reply.status == TIMED_OUT:
        return CarrierRefused.no_reply(words)
    return CarrierRefused(words, permanent=verdict_of(code, status=reply.status) is Verdict.FINAL)


def fault_of(reply: ApiReply) -> str:
    """Return why a reply means that the link does not work; empty for a reply that concerns only its request."""
    if reply.status < 400:
        return ""
    code, words = _error(reply)
    unavailable = reply.status >= SERVER_ERROR or reply.status == TOO_MANY
    is_link = verdict_of(code, status=reply.status) is Verdict.LINK
    return (words or f"Telnyx answers with status {reply.status}") if unavailable or is_link else ""


def field_of(reply: ApiReply, name: str) -> Any:
    """Return a field of a reply's `data` object; None if the reply has no such field or is not JSON."""
    try:
        found = reply.json()
    except NoReply:
        return None
    data = found.get("data") if isinstance(found, Mapping) else None
    return data.get(name) if isinstance(data, Mapping) else None


def _accepted(reply: ApiReply) -> str:
    """Return the reference of an accepted SMS. Raises CarrierRefused, NoUsableReply."""
    if not 200 <= reply.status < 300:
        if reply.status < 400:
            raise NoUsableReply(f"status {reply.status}")
        raise refusal(reply)
    ref = field_of(reply, "id")
    if not isinstance(ref, str) or not ref:
        raise NoUsableReply("the reply has no message ID")
    return exact(ref)


def _error(reply: ApiReply) -> tuple[str, str]:
    """Return the first error's code and its meaning; both empty for a reply that is not Telnyx's."""
    try:
        found = reply.json()
    except NoReply:
        return "", ""
    errors = found.get("errors") if isinstance(found, Mapping) else None
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, Mapping):
        return "", ""
    code, title = str(first.get("code") or ""), first.get("title")
    return code, words_of(code, title if isinstance(title, str) else "")
