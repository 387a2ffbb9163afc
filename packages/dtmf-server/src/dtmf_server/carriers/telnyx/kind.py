"""The carrier kind "telnyx": an account at Telnyx, over its API v2 and its webhooks.

Telnyx can't be asked for SMS that callbacks failed to deliver, so this kind has no catch-up (docs/carriers/telnyx.md).
"""

import asyncio
from base64 import b64decode
from collections.abc import Sequence
from typing import Literal

from nacl.signing import VerifyKey

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
from dtmf_server.carriers.registry import CarrierContext, CarrierKind
from dtmf_server.carriers.telnyx import callbacks, check
from dtmf_server.carriers.telnyx.client import REPEAT_AFTER_S, Sender, new_api
from dtmf_server.carriers.telnyx.numbers import NumberShop
from dtmf_server.carriers.telnyx.settings import TelnyxSettings


class TelnyxCarrier:
    """Sends by requests to Telnyx's API and receives by its webhooks."""

    callback_methods = ("POST",)

    def __init__(
        self, settings: TelnyxSettings, context: CarrierContext, *, repeat_after_s: float = REPEAT_AFTER_S
    ) -> None:
        self.name, self._settings, self._context = settings.name, settings, context
        self._key = VerifyKey(b64decode(settings.public_key))
        self._api = new_api(settings, wall_us=context.wall_us, trace=context.trace)
        self._shop = NumberShop(self._api, profile_id=settings.messaging_profile_id)
        self._sender = Sender(
            self._api,
            profile_id=settings.messaging_profile_id,
            callback_url=context.callback_url,
            new_id=context.new_id,
            repeat_after_s=repeat_after_s,
        )

    async def run(self, sink: InboundSink) -> None:
        """Keep connections to the API open. SMS arrive as callbacks, so nothing uses the sink."""
        async with self._api.opened():
            self._api.worked()
            await asyncio.Event().wait()

    async def submit(self, message_id: int, message: CarrierMessage) -> Sequence[str]:
        """Send an SMS, which Telnyx splits into segments itself, and return its one reference. Raises CarrierRefused."""
        if not self.can_submit():
            raise CarrierRefused("the carrier is not running", permanent=False)
        ref = await self._sender.send(message_id, message)
        self._api.stats.submitted += 1
        return [ref]

    def can_submit(self) -> bool:
        """Return whether the API is used by this process and did not fail repeatedly."""
        return self._api.is_usable()

    def traffic(self) -> Sequence[LinkStats]:
        """Return the statistics of the only link."""
        return [self._api.stats]

    def parse(self, request: CallbackRequest) -> CallbackResult:
        """Verify and read a callback. Raises BadSignature, CallbackRefused."""
        return callbacks.parse(
            request,
            key=self._key,
            profile_id=self._settings.messaging_profile_id,
            callback_url=self._context.callback_url,
        )

    async def check(self) -> Sequence[CheckResult]:
        """Test the API key, the balance, the messaging profile with its webhook, and its numbers."""
        return await check.run(
            self._api,
            profile_id=self._settings.messaging_profile_id,
            callback_url=self._context.callback_url,
            is_ours=self._context.is_ours,
        )

    async def offers(self, country_code: str, *, kind: Literal["mobile", "local"], limit: int) -> Sequence[NumberOffer]:
        """Return numbers for sale."""
        return await self._shop.offers(country_code, kind=kind, limit=limit)

    async def order(self, offer: NumberOffer, *, reference: str) -> None:
        """Buy a number."""
        await self._shop.order(offer, reference=reference)

    async def find(self, e164: str, *, reference: str) -> OwnedNumber | None:
        """Return a number of the account."""
        return await self._shop.find(e164, reference=reference)

    async def owned(self) -> Sequence[OwnedNumber]:
        """Return the numbers of the account."""
        return await self._shop.owned()

    async def release(self, e164: str) -> None:
        """Give a number back."""
        await self._shop.release(e164)


KIND = CarrierKind("telnyx", TelnyxSettings, TelnyxCarrier, receives_callbacks=True, sells_numbers=True)
