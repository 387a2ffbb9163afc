"""The carrier: sends and looks up through the API, and reads callbacks.

Doubt: `find_submit` finds an SMS by its two numbers, its text and its time. It answers "does not have it" only when the
submit is over by minutes, because an SMS may be listed late; and it does not answer where two SMS fit.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Literal

from dtmf_server.carriers.base import (
    CallbackRequest,
    CallbackResult,
    CarrierMessage,
    CarrierRefused,
    CheckResult,
    InboundSink,
    LinkStats,
    NumberOffer,
    OwnedNumber,
)
from dtmf_server.carriers.registry import CarrierContext
from dtmf_server.carriers.twilio import callbacks
from dtmf_server.carriers.twilio.check import check
from dtmf_server.carriers.twilio.client import Message, TwilioClient, timestamp
from dtmf_server.carriers.twilio.numbers import NumberShop
from dtmf_server.carriers.twilio.settings import TwilioSettings
from dtmf_server.core.inbound import InboundMessage, Receipt
from dtmf_server.core.receipt_refs import exact
from dtmf_server.core.units import DAY_US, MINUTE_US, SECOND_US

FIND_PAGES_MAX, LIST_PAGES_MAX = 5, 500
CLOCK_ERROR_US = 10 * SECOND_US  # between our clock and Twilio's
SURE_AFTER_US = 5 * MINUTE_US  # `since_us` may be three minutes before the submit
LISTED_AFTER_S = 1.0
SUBMITS_KEPT = 10_000
TRIAL_PREFIX = "Sent from your Twilio trial account - "


class TwilioCarrier:
    """An account at Twilio."""

    callback_methods = ("POST",)

    def __init__(self, settings: TwilioSettings, context: CarrierContext) -> None:
        self.name, self._settings, self._context = settings.name, settings, context
        self._client = TwilioClient(settings, context)
        self._shop = NumberShop(self._client, settings, context)
        self._submitted: OrderedDict[str, int] = OrderedDict()  # the message of each of the last SIDs

    async def run(self, sink: InboundSink) -> None:
        """Keep connections to the API open. SMS arrive as callbacks, so nothing uses the sink."""
        async with self._client.api.opened():
            with suppress(CarrierRefused):  # `traffic` has the reason
                await self._client.get(".json")
            await asyncio.Event().wait()

    def can_submit(self) -> bool:
        """Return whether this process runs the carrier, and the API does not fail repeatedly."""
        return self._client.api.is_usable()

    def traffic(self) -> Sequence[LinkStats]:
        """Return the statistics of the only link."""
        return [self._client.api.stats]

    async def submit(self, message_id: int, message: CarrierMessage) -> Sequence[str]:
        """Hand the SMS to Twilio, which splits it itself. Return its one reference."""
        sid = await self._client.submit(message_id, message)
        self._client.api.stats.submitted += 1
        self._remember(sid, message_id)
        return [exact(sid)]

    def parse(self, request: CallbackRequest) -> CallbackResult:
        """Verify and read a callback."""
        settings = self._settings
        return callbacks.parse(
            request, account_sid=settings.account_sid, token=settings.auth_token, header=settings.signature_header
        )

    async def arrived_at(self, carrier_ref: str) -> int | None:
        """Return when Twilio received this SMS. One that it does not know is asked for twice, a moment apart."""
        found = await self._client.message(carrier_ref)
        if found is None:
            await asyncio.sleep(LISTED_AFTER_S)
            found = await self._client.message(carrier_ref)
        if found is None:
            return None
        if found.created_us is None:
            raise CarrierRefused("the carrier's message has no date", permanent=False)
        return found.created_us

    async def arrived_since(self, since_us: int) -> AsyncIterator[Sequence[InboundMessage | Receipt]]:
        """Yield the SMS to and from our numbers since this time, a day at a time."""
        if not self._settings.catch_up:
            return
        for from_us in range(since_us, self._context.wall_us(), DAY_US):
            filters = {"DateSent>": timestamp(from_us), "DateSent<": timestamp(from_us + DAY_US)}
            found = [page async for page in self._client.messages(filters, pages_max=LIST_PAGES_MAX)]
            for page in reversed(found):  # oldest first
                yield [item for message in reversed(page) if (item := await self._item(message, since_us))]

    async def find_submit(self, message_id: int, message: CarrierMessage, *, since_us: int) -> Sequence[str] | None:
        """Return the reference of an SMS that was submitted without a response."""
        # Not by DateSent: an SMS that is still queued has none. With a messaging service, it may have no sender either.
        filters = {"To": message.to}
        if not self._settings.messaging_service_sid:
            filters["From"] = message.sender
        candidates, is_unsure = [], False
        async for page in self._client.messages(filters, pages_max=FIND_PAGES_MAX):
            for found in page:
                if self._may_be(found, message_id, message, since_us=since_us):
                    is_unsure |= not found.body or found.created_us is None
                    candidates += [found.sid] if _same_text(found.body or "", message.text) else []
            if page and (page[-1].created_us or since_us) < since_us - DAY_US:
                break  # the pages that follow are older
        if is_unsure or len(candidates) > 1:
            raise CarrierRefused("the carrier may have the SMS: more than one fits", permanent=False)
        if candidates:
            self._remember(candidates[0], message_id)
            return [exact(candidates[0])]
        if self._context.wall_us() < since_us + SURE_AFTER_US:
            raise CarrierRefused("the carrier does not list the SMS yet", permanent=False)
        return None

    async def check(self) -> Sequence[CheckResult]:
        """Test credentials, balance, the webhooks of the numbers, and the callback URL."""
        return await check(self._client, self._settings, self._context)

    async def offers(self, country_code: str, *, kind: Literal["mobile", "local"], limit: int) -> Sequence[NumberOffer]:
        """Return numbers for sale."""
        return await self._shop.offers(country_code, kind=kind, limit=limit)

    async def order(self, offer: NumberOffer, *, reference: str) -> None:
        """Buy a number."""
        await self._shop.order(offer, reference=reference)

    async def find(self, e164: str, *, reference: str) -> OwnedNumber | None:
        """Return a number of the account."""
        return await self._shop.find(e164)

    async def owned(self) -> Sequence[OwnedNumber]:
        """Return the numbers of the account."""
        return await self._shop.owned()

    async def release(self, e164: str) -> None:
        """Give a number back."""
        await self._shop.release(e164)

    def _may_be(self, found: Message, message_id: int, message: CarrierMessage, *, since_us: int) -> bool:
        """Return whether a listed message can be this submit, but for its text."""
        return (
            not found.is_inbound
            and found.to == message.to
            and found.sender in (message.sender, None, "")
            and (found.created_us is None or found.created_us >= since_us - CLOCK_ERROR_US)
            and self._submitted.get(found.sid, message_id) == message_id
        )

    def _remember(self, sid: str, message_id: int) -> None:
        self._submitted[sid] = message_id
        if len(self._submitted) > SUBMITS_KEPT:
            self._submitted.popitem(last=False)

    async def _item(self, message: Message, since_us: int) -> InboundMessage | Receipt | None:
        """Return what a listed message is to the service; None if it is older, unfinished or not to or from our numbers."""
        code, created_us = callbacks.code_of(message.error_code), message.created_us
        if message.is_inbound:
            if (created_us is not None and created_us < since_us) or not await self._context.is_ours(message.to):
                return None
            return callbacks.inbound(
                message.sid,
                to=message.to,
                sender=message.sender or "",
                body=message.body or "",
                media=callbacks.code_of(message.num_media) or 0,
                code=code,
                received_us=created_us or 0,  # without a time it belongs to no renter
            )
        found = callbacks.receipt(message.sid, message.status, code)
        if found is None or found.delivered is None or not await self._context.is_ours(message.sender or ""):
            return None
        return found


def _same_text(body: str, text: str) -> bool:
    """Return whether Twilio's text is that of a submit, but for its prefix in a trial account, and space at the ends."""
    return body.removeprefix(TRIAL_PREFIX).split() == text.split()
