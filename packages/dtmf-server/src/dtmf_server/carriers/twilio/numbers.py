"""Buy numbers at Twilio and give them back.

1. The reply to a search has no prices: those of a country come from Twilio's pricing API, on a host of its own.
2. Twilio sells a number at once and to one account. After a lost reply, the account's list shows whether it was bought; an
   order of a number that the account has is refused.
3. Numbers that need an address or a bundle in their country are marked as such.
Source: twilio.com/docs/phone-numbers/api, twilio.com/docs/phone-numbers/pricing
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from dtmf_server.carriers.api_client import ApiClient, NoReply, NotSent
from dtmf_server.carriers.base import CarrierRefused, NumberOffer, OwnedNumber
from dtmf_server.carriers.registry import CarrierContext
from dtmf_server.carriers.twilio.client import MASKED, TwilioClient, wall_us_of
from dtmf_server.carriers.twilio.settings import TwilioSettings

DEFAULT_URL, PRICING_URL = "https://api.twilio.com", "https://pricing.twilio.com"
KINDS = {"mobile": ("Mobile", "mobile"), "local": ("Local", "local")}  # in paths, and in prices
LIST_PAGES_MAX = 100
OWNED = "/IncomingPhoneNumbers.json"


class NumberShop:
    """The numbers of one account, and those for sale."""

    def __init__(self, client: TwilioClient, settings: TwilioSettings, context: CarrierContext) -> None:
        self._client, self._callback_url = client, context.callback_url
        user, password = settings.api_key or settings.account_sid, settings.api_secret or settings.auth_token
        base_url = settings.base_url.rstrip("/")
        self._pricing = ApiClient(
            PRICING_URL if base_url == DEFAULT_URL else base_url,
            headers={"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()},
            link=f"{settings.name} pricing",
            wall_us=context.wall_us,
            trace=context.trace,
            masked_fields=MASKED,
        )

    async def offers(self, country_code: str, *, kind: Literal["mobile", "local"], limit: int) -> Sequence[NumberOffer]:
        """Return numbers for sale that receive SMS."""
        in_path, in_prices = KINDS[kind]
        monthly, currency = await self._price(country_code.upper(), in_prices)
        query = f"SmsEnabled=true&PageSize={limit}"
        found = await self._client.get(f"/AvailablePhoneNumbers/{country_code.upper()}/{in_path}.json?{query}")
        return [
            NumberOffer(
                str(item.get("phone_number")),
                Decimal(0),
                monthly,
                currency,
                needs_address=item.get("address_requirements") != "none",
            )
            for item in _items(found, "available_phone_numbers")
        ]

    async def order(self, offer: NumberOffer, *, reference: str) -> None:
        """Buy a number, and let its SMS be posted to this service."""
        form = {"PhoneNumber": offer.e164, "FriendlyName": reference, "SmsMethod": "POST"}
        reply = await self._client.send("POST", OWNED, form | {"SmsUrl": self._callback_url or ""})
        if reply.status != 201:
            raise CarrierRefused(f"the carrier answered with status {reply.status}", permanent=False)

    async def find(self, e164: str) -> OwnedNumber | None:
        """Return a number of the account."""
        found = await self._found(e164)
        return None if found is None else _owned(found)

    async def owned(self) -> Sequence[OwnedNumber]:
        """Return every number of the account."""
        pages = self._client.pages(OWNED, {}, pages_max=LIST_PAGES_MAX)
        return [_owned(item) async for page in pages for item in _items(page, "incoming_phone_numbers")]

    async def release(self, e164: str) -> None:
        """Give a number back."""
        found = await self._found(e164)
        if found is not None:
            await self._client.send("DELETE", f"/IncomingPhoneNumbers/{found.get('sid')}.json")

    async def _found(self, e164: str) -> dict[str, Any] | None:
        async for page in self._client.pages(OWNED, {"PhoneNumber": e164}, pages_max=LIST_PAGES_MAX):
            for item in _items(page, "incoming_phone_numbers"):
                if item.get("phone_number") == e164:  # the filter also matches parts of numbers
                    return item
        return None

    async def _price(self, country: str, kind: str) -> tuple[Decimal, str]:
        """Return the price of a month, and its currency."""
        try:
            reply = await self._pricing.request("GET", f"/v1/PhoneNumbers/Countries/{country}")
            prices = reply.json() if reply.status == 200 else {}
        except (NotSent, NoReply) as error:
            raise CarrierRefused(f"prices of numbers: {error}", permanent=False) from error
        for item in _items(prices, "phone_number_prices") if isinstance(prices, dict) else []:
            if item.get("number_type") == kind:
                try:
                    return Decimal(str(item.get("current_price"))), str(prices.get("price_unit")).upper()
                except InvalidOperation:
                    break
        raise CarrierRefused(f"the carrier has no price of {kind} numbers in {country}", permanent=False)


def _items(found: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    items = found.get(key)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise CarrierRefused("the carrier's list is not in Twilio's format", permanent=False)
    return items


def _owned(item: dict[str, Any]) -> OwnedNumber:
    return OwnedNumber(str(item.get("phone_number")), wall_us_of(str(item.get("date_created") or "")))
