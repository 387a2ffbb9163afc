"""A phone as a carrier.

Sending: the app takes an SMS under our ID and refuses the same ID again, so a repeated submit never sends twice.
Receiving: by webhooks (`callbacks`), and by reading the app's lists after an outage of this service.
Health: the phone is asked every minute, and it calls this service (`system:ping`), which proves the other direction.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from dtmf_server.carriers.android import callbacks, lists
from dtmf_server.carriers.android.client import Phone
from dtmf_server.carriers.android.events import wall_us_of
from dtmf_server.carriers.android.message_ids import phone_id
from dtmf_server.carriers.android.replies import Device
from dtmf_server.carriers.android.settings import ANY_SIM, AndroidSettings
from dtmf_server.carriers.api_client import ApiReply, NoReply, NotSent
from dtmf_server.carriers.base import (
    CallbackRequest,
    CallbackResult,
    CarrierMessage,
    CarrierRefused,
    CheckResult,
    InboundSink,
    LinkStats,
)
from dtmf_server.carriers.registry import CarrierContext
from dtmf_server.core.inbound import InboundMessage, Receipt
from dtmf_server.core.receipt_refs import exact
from dtmf_server.core.units import DAY_US, MINUTE_US

PROBE_S = 60.0
OUTAGE_US = 20 * MINUTE_US  # a longer time since the last catch-up means that this service was down
_BAD_REQUEST, _CONFLICT, _TOO_MANY, _SERVER_ERROR, _OK_MAX = 400, 409, 429, 500, 300


class AndroidCarrier:
    """One phone. `parse` uses only the settings; everything else uses the phone's API."""

    callback_methods = ("POST",)

    def __init__(self, settings: AndroidSettings, context: CarrierContext) -> None:
        self.name, self._settings, self._context = settings.name, settings, context
        self._phone = Phone(settings, wall_us=context.wall_us, trace=context.trace)
        self._fault = ""  # why the phone can't send although the API answers
        self._webhooks = LinkStats(f"{settings.name} webhooks", since_us=context.wall_us(), submits=False)

    async def run(self, sink: InboundSink) -> None:
        """Ask the phone every minute whether it is there."""
        async with self._phone.api.opened():
            while True:
                await self._probe()
                await asyncio.sleep(PROBE_S)

    def can_submit(self) -> bool:
        """Return whether the phone answered the last time it was asked."""
        return self._phone.api.is_usable() and not self._fault

    def traffic(self) -> Sequence[LinkStats]:
        """Return the statistics of the API, and of the webhooks unless no heartbeat is expected."""
        return [self._phone.api.stats, self._webhooks] if self._settings.heartbeat_minutes else [self._phone.api.stats]

    def heard(self, wall_us: int | None) -> None:
        """Note the last `system:ping` webhook; its absence for `heartbeat_minutes` is a fault."""
        now_us, silence_max_us = self._context.wall_us(), self._settings.heartbeat_minutes * MINUTE_US
        if wall_us is not None:
            self._webhooks.last_seen_us = wall_us
        if wall_us is not None and now_us - wall_us <= silence_max_us:
            self._webhooks.move("bound", at_us=now_us)
        elif self._webhooks.state != "connecting" or now_us - self._webhooks.since_us > silence_max_us:
            reason = f"no system:ping for {self._settings.heartbeat_minutes} minutes: see docs/carriers/android.md"
            self._webhooks.move("silent", at_us=now_us, reason=reason)

    async def submit(self, message_id: int, message: CarrierMessage) -> Sequence[str]:
        """Give the SMS to the phone under our ID."""
        sim_number = self._sim_of(message.sender)
        id_ = await self._id_of(message_id, message)
        try:
            reply = await self._phone.send(id_, message, sim_number=sim_number)
            if reply.status < _OK_MAX:
                if not _confirms(reply, id_):
                    raise NoReply("the reply is not from android-sms-gateway")
                self._phone.api.stats.submitted += 1
                return [exact(id_)]
        except NotSent as error:
            raise CarrierRefused(str(error), permanent=False) from error
        except NoReply as error:
            raise CarrierRefused.no_reply(str(error)) from error
        if reply.status == _CONFLICT:
            return await self._already_there(id_)
        raise self._refusal(reply)

    async def find_submit(self, message_id: int, message: CarrierMessage, *, since_us: int) -> Sequence[str] | None:
        """Return the reference of the SMS if the app has it. The ID belongs to this SMS alone, so its time is not asked."""
        id_ = await self._id_of(message_id, message)
        return [exact(id_)] if await self._phone.has(id_) else None

    def parse(self, request: CallbackRequest) -> CallbackResult:
        """Return the SMS or receipt of a webhook."""
        return callbacks.parse(request, self._settings)

    async def arrived_at(self, carrier_ref: str) -> int | None:
        """Return None: the app only knows the time that the webhook has, which some phones leave out."""
        return None

    async def arrived_since(self, since_us: int) -> AsyncIterator[Sequence[InboundMessage | Receipt]]:
        """Yield SMS and receipts from the app's lists. Where they are missing, ask for webhooks instead."""
        now_us = self._context.wall_us()
        was_down = now_us - since_us > OUTAGE_US
        if was_down:  # the lists go by the SMSC's time, and an SMS may have waited there until the phone was on
            since_us -= DAY_US
        if was_down or self._settings.is_local:
            await self._phone.refresh(since_us, now_us)
        if self._settings.is_local:
            device_id = self._settings.device_id or (await self._device()).id
            async with aclosing(self._phone.inbox(since_us, now_us)) as pages:  # type: ignore[type-var]  # a generator
                async for rows in pages:
                    yield [sms for row in rows if (sms := lists.inbound(row, device_id, self._settings))]
        async with aclosing(self._phone.states(since_us, now_us)) as states:  # type: ignore[type-var]  # a generator
            async for found in states:
                yield [each for state in found if (each := lists.receipt(state, self.name))]

    async def check(self) -> Sequence[CheckResult]:
        """Test the credentials, the phone, its SIMs and its webhooks."""
        from dtmf_server.carriers.android.setup import check  # noqa: PLC0415 - it uses this module's types

        return await check(self._phone, self._settings, self._context)

    async def _probe(self) -> None:
        try:
            device = await self._device()
        except CarrierRefused as error:
            self._fault = error.reason
            return
        self._fault = self._absence(device)
        if self._fault:
            self._phone.api.failed(self._fault)

    async def _device(self) -> Device:
        """Return this phone. Raises CarrierRefused."""
        devices, wanted = await self._phone.devices(), self._settings.device_id
        if wanted:
            devices = [device for device in devices if device.id == wanted]
        if len(devices) != 1:
            what = "set device_id, there are several devices" if devices else "the device is not there"
            self._phone.api.failed(what)
            raise CarrierRefused(what, permanent=False)
        return devices[0]

    def _absence(self, device: Device) -> str:
        """Return how long a server has not heard of the phone, if that is too long; in local mode it has just answered."""
        minutes = self._settings.heartbeat_minutes
        if self._settings.is_local or not minutes or not device.last_seen:
            return ""
        try:
            silence_us = self._context.wall_us() - wall_us_of(device.last_seen)
        except (ValueError, OverflowError):
            return ""
        said = f"the server last heard of the phone {silence_us // MINUTE_US} minutes ago"
        return said if silence_us > minutes * MINUTE_US else ""

    def _sim_of(self, e164: str) -> int | None:
        for sim, number in self._settings.sims.items():
            if number == e164:
                return None if sim == ANY_SIM else int(sim)
        raise CarrierRefused("the number has no SIM in this carrier's sims", permanent=False)

    async def _id_of(self, message_id: int, message: CarrierMessage) -> str:
        key = await self._context.service_key()
        return phone_id(key, carrier=self.name, message_id=message_id, message=message)

    async def _already_there(self, id_: str) -> Sequence[str]:
        """Return the reference of an SMS that the app says it has, once it is seen there."""
        try:
            if await self._phone.has(id_):
                return [exact(id_)]
        except CarrierRefused as error:
            raise CarrierRefused.no_reply(error.reason) from error
        raise CarrierRefused.no_reply("the app refuses the ID of the SMS, and does not have it")

    def _refusal(self, reply: ApiReply) -> CarrierRefused:
        if fault := self._phone.fault(reply):
            self._fault = fault
            return CarrierRefused(fault, permanent=False)
        reason = f"the phone refused the SMS with status {reply.status}"
        if reply.status == _TOO_MANY:
            return CarrierRefused(reason, permanent=False)
        if reply.status >= _SERVER_ERROR:
            return CarrierRefused.no_reply(reason)
        if reply.status == _BAD_REQUEST and b"device" in reply.body.lower():
            self._fault = "the device_id is wrong"
            self._phone.api.failed(self._fault)
            return CarrierRefused(self._fault, permanent=False)
        return CarrierRefused(reason, permanent=True)


def _confirms(reply: ApiReply, id_: str) -> bool:
    found = reply.json()
    return isinstance(found, dict) and found.get("id") == id_
