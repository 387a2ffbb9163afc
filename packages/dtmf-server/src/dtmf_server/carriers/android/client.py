"""The app's API, on the phone itself or on a server that the phone is connected to.

A reply that is not the app's own, like a tunnel's page of HTML with any status, says nothing about an SMS.
"""

import base64
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from dtmf_server.carriers.android.events import iso_of
from dtmf_server.carriers.android.replies import Device, InboxRow, MessageState
from dtmf_server.carriers.android.settings import AndroidSettings
from dtmf_server.carriers.api_client import ApiClient, ApiReply, NoReply, NotSent
from dtmf_server.carriers.base import CarrierMessage, CarrierRefused
from dtmf_server.carriers.trace import Trace
from dtmf_server.core.units import HOUR_US, SECOND_US

PAGE, PAGES_MAX = 100, 1000
MASKED = ("text", "contentPreview", "signing_key", "password")
_NOT_FOUND, _NOT_ALLOWED, _NOT_IMPLEMENTED, _OK_MAX = 404, 405, 501, 300
NO_SUCH_CALL = (_NOT_FOUND, _NOT_ALLOWED, _NOT_IMPLEMENTED)
CREDENTIALS_REFUSED = "the user name or the password is wrong"
LINK_FAULTS = {
    401: CREDENTIALS_REFUSED,
    403: CREDENTIALS_REFUSED,
    404: "there is no android-sms-gateway at this URL",
    405: "there is no android-sms-gateway at this URL",
}

T = TypeVar("T")


class Phone:
    """The API as plain calls. Every method raises CarrierRefused, unless it says otherwise."""

    def __init__(self, settings: AndroidSettings, *, wall_us: Callable[[], int], trace: Trace) -> None:
        self._settings = settings
        credentials = base64.b64encode(f"{settings.username}:{settings.password}".encode()).decode()
        self.api = ApiClient(
            settings.url,
            headers={"Authorization": f"Basic {credentials}"},
            link=f"{settings.name} {urlsplit(settings.url).hostname}",
            wall_us=wall_us,
            trace=trace,
            masked_fields=MASKED,
        )

    async def send(self, id_: str, message: CarrierMessage, *, sim_number: int | None) -> ApiReply:
        """Ask the phone to send an SMS under this ID. Raises NotSent, NoReply."""
        body: dict[str, object] = {
            "id": id_,
            "textMessage": {"text": message.text},
            "phoneNumbers": [message.to],
            "withDeliveryReport": True,
            "ttl": self._settings.delivery_max_h() * HOUR_US // SECOND_US,
        }
        if sim_number is not None:
            body["simNumber"] = sim_number
        if self._settings.device_id:
            body["deviceId"] = self._settings.device_id
        # The service has checked the number, and the app would refuse ranges that its library does not know.
        return await self.api.request("POST", "/messages", query={"skipPhoneValidation": "true"}, body=body)

    async def has(self, id_: str) -> bool:
        """Return whether the app has an SMS with this ID."""
        reply = await self._asked("GET", f"/messages/{id_}")
        if reply.status == _NOT_FOUND and _is_from_app(reply):
            return False
        found = self._read(reply, MessageState)
        if found.id != id_:
            raise CarrierRefused("the reply is about another SMS", permanent=False)
        return True

    async def devices(self) -> list[Device]:
        """Return the phones of these credentials: in local mode the one phone."""
        path = "/device" if self._settings.is_local else "/devices"
        return self._read(await self._asked("GET", path), list[Device])

    async def refresh(self, since_us: int, until_us: int) -> None:
        """Ask the app for webhooks of the SMS in the phone's inbox that it has not seen."""
        body: dict[str, object] = {"since": iso_of(since_us), "until": iso_of(until_us), "triggerWebhooks": True}
        if self._settings.device_id:
            body["deviceId"] = self._settings.device_id
        reply = await self._asked("POST", "/inbox/refresh", body=body)
        if reply.status in NO_SUCH_CALL:  # before version 1.60
            reply = await self._asked("POST", "/messages/inbox/export", body=body)
        self._check(reply)

    def inbox(self, since_us: int, until_us: int) -> AsyncIterator[Sequence[InboxRow]]:
        """Yield the SMS that the app received, in pages; nothing where the API has no such list."""
        return self._pages("/inbox", {"type": "SMS"}, since_us, until_us, list[InboxRow])

    def states(self, since_us: int, until_us: int) -> AsyncIterator[Sequence[MessageState]]:
        """Yield the SMS that were given to the app, in pages; nothing where the API has no such list."""
        return self._pages("/messages", {}, since_us, until_us, list[MessageState])

    async def webhooks(self) -> list[dict[str, Any]]:
        """Return the registered webhooks."""
        return self._read(await self._asked("GET", "/webhooks"), list[dict[str, Any]])

    async def put_webhook(self, webhook: Mapping[str, object]) -> None:
        """Register a webhook, or replace the one with the same ID."""
        self._check(await self._asked("POST", "/webhooks", body=webhook))

    async def delete_webhook(self, id_: str) -> None:
        """Delete a webhook."""
        self._check(await self._asked("DELETE", f"/webhooks/{id_}"))

    async def change_settings(self, settings: Mapping[str, object]) -> None:
        """Change settings of the app."""
        self._check(await self._asked("PATCH", "/settings", body=settings))

    def fault(self, reply: ApiReply) -> str:
        """Return why the link can't be used, as far as this reply says so; record it. Empty if the link works."""
        reason = LINK_FAULTS.get(reply.status, "")
        if reason:
            self.api.failed(reason)
        return reason

    async def _pages(
        self, path: str, query: Mapping[str, str], since_us: int, until_us: int, rows: type[list[T]]
    ) -> AsyncIterator[Sequence[T]]:
        for page in range(PAGES_MAX):
            span = {"from": iso_of(since_us), "to": iso_of(until_us)}
            place = {"limit": str(PAGE), "offset": str(page * PAGE)}
            reply = await self._asked("GET", path, query={**query, **span, **place})
            if reply.status in NO_SUCH_CALL:
                return
            found = self._read(reply, rows)
            yield found
            if len(found) < PAGE:
                return
        raise CarrierRefused(f"more than {PAGE * PAGES_MAX} SMS in this time", permanent=False)

    async def _asked(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: object | None = None
    ) -> ApiReply:
        try:
            return await self.api.request(method, path, query=query, body=body)
        except (NotSent, NoReply) as error:
            raise CarrierRefused(str(error), permanent=False) from error

    def _check(self, reply: ApiReply) -> None:
        if reply.status >= _OK_MAX:
            reason = self.fault(reply) or f"the app answers with status {reply.status}"
            raise CarrierRefused(reason, permanent=False)

    def _read(self, reply: ApiReply, type_: type[T]) -> T:
        self._check(reply)
        try:
            return msgspec.json.decode(reply.body, type=type_)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise CarrierRefused("the reply is not from android-sms-gateway", permanent=False) from error


def _is_from_app(reply: ApiReply) -> bool:
    """Whether a reply with status 404 is the app's: it is empty or a JSON object, never a page of HTML."""
    return not reply.body.strip() or reply.body.lstrip()[:1] == b"{"
