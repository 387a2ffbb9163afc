"""Order numbers at Telnyx and give them back.

1. An order is asynchronous: pending, then success or failure. Our reference is its `customer_reference`, by which it is
   found again. While it is pending, nothing says whether the number will be ours.
2. An order that needs documents stays pending, so countries with requirements are not ordered from.
3. Telnyx repeats the response to a repeated Idempotency-Key, so each order of a reference has the same one.
Source: developers.telnyx.com/docs/numbers/phone-numbers/number-orders
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal
from urllib.parse import urlencode

from dtmf_server.carriers.api_client import ApiClient, ApiReply, NoReply, NotSent
from dtmf_server.carriers.base import CarrierRefused, NumberOffer, OwnedNumber
from dtmf_server.carriers.telnyx.client import refusal

ORDERS, NUMBERS = "/v2/number_orders", "/v2/phone_numbers"
PAGE_SIZE, PAGES_MAX = 250, 100


class NumberShop:
    """The numbers of one account, and those for sale."""

    def __init__(self, api: ApiClient, *, profile_id: str) -> None:
        self._api, self._profile_id = api, profile_id

    async def offers(self, country_code: str, *, kind: Literal["mobile", "local"], limit: int) -> Sequence[NumberOffer]:
        """Return numbers for sale that receive SMS."""
        place = {"filter[country_code]": country_code.upper(), "filter[phone_number_type]": kind}
        needs_address = bool(await self._list("/v2/requirements", {**place, "filter[action]": "ordering"}))
        query = {**place, "filter[features][]": "sms", "filter[limit]": str(limit)}
        return [
            _offer(item, needs_address=needs_address) for item in await self._list("/v2/available_phone_numbers", query)
        ]

    async def order(self, offer: NumberOffer, *, reference: str) -> None:
        """Order a number for the messaging profile."""
        body = {
            "phone_numbers": [{"phone_number": offer.e164}],
            "messaging_profile_id": self._profile_id,
            "customer_reference": reference,
        }
        reply = await self._request("POST", ORDERS, body=body, headers={"Idempotency-Key": reference})
        if reply.status >= 300:
            raise refusal(reply)

    async def find(self, e164: str, *, reference: str) -> OwnedNumber | None:
        """Return a number of the account. Raises CarrierRefused while its order is pending."""
        for item in await self._list(NUMBERS, {"filter[phone_number]": e164}):
            if item.get("phone_number") == e164:
                return _owned(item)
        if reference:
            for order in await self._list(ORDERS, {"filter[customer_reference]": reference}):
                if order.get("customer_reference") != reference or order.get("status") == "failure":
                    continue
                if order.get("status") == "success":  # listed in a moment
                    return OwnedNumber(e164)
                raise CarrierRefused("the order of the number is pending", permanent=False)
        return None

    async def owned(self) -> Sequence[OwnedNumber]:
        """Return every number of the account."""
        found: list[OwnedNumber] = []
        for page in range(1, PAGES_MAX + 1):
            query = {"page[number]": str(page), "page[size]": str(PAGE_SIZE)}
            items = await self._list(NUMBERS, query)
            found += map(_owned, items)
            if len(items) < PAGE_SIZE:
                return found
        raise CarrierRefused(f"Telnyx lists more than {PAGES_MAX} pages of numbers", permanent=False)

    async def release(self, e164: str) -> None:
        """Give a number back."""
        for item in await self._list(NUMBERS, {"filter[phone_number]": e164}):
            if item.get("phone_number") == e164:
                reply = await self._request("DELETE", f"{NUMBERS}/{item.get('id')}")
                if reply.status >= 300 and reply.status != 404:
                    raise refusal(reply)

    async def _list(self, path: str, query: Mapping[str, str]) -> list[Mapping[str, Any]]:
        reply = await self._request("GET", f"{path}?{urlencode(query)}")
        if reply.status != 200:
            raise CarrierRefused(refusal(reply).reason, permanent=False)
        try:
            found = reply.json()
        except NoReply as error:
            raise CarrierRefused(str(error), permanent=False) from error
        items = found.get("data") if isinstance(found, Mapping) else None
        if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
            raise CarrierRefused("the list is not in Telnyx's format", permanent=False)
        return items

    async def _request(self, method: str, path: str, **given: Any) -> ApiReply:
        try:
            return await self._api.request(method, path, **given)
        except NotSent as error:
            raise CarrierRefused(f"can't reach Telnyx: {error}", permanent=False) from error
        except NoReply as error:
            raise CarrierRefused.no_reply(str(error)) from error


def _offer(item: Mapping[str, Any], *, needs_address: bool) -> NumberOffer:
    cost = item.get("cost_information")
    if not isinstance(cost, Mapping):
        raise CarrierRefused("a number for sale has no price", permanent=False)
    try:
        setup, month = Decimal(str(cost.get("upfront_cost"))), Decimal(str(cost.get("monthly_cost")))
    except InvalidOperation as error:
        raise CarrierRefused("a number for sale has no price", permanent=False) from error
    return NumberOffer(str(item.get("phone_number")), setup, month, str(cost.get("currency")), needs_address)


def _owned(item: Mapping[str, Any]) -> OwnedNumber:
    try:
        bought = datetime.fromisoformat(str(item.get("purchased_at")).replace("Z", "+00:00"))
    except ValueError:
        return OwnedNumber(str(item.get("phone_number")))
    bought = bought if bought.tzinfo else bought.replace(tzinfo=UTC)
    return OwnedNumber(str(item.get("phone_number")), int(bought.timestamp()) * 1_000_000)
