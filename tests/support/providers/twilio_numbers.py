"""The numbers of the simulated Twilio: searches, prices, purchases and releases, over a market."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from support.providers.http_api import Reply, dumps
from support.providers.number_market import Market


@dataclass
class Number:
    """A bought number, and where its SMS go."""

    e164: str
    sms_url: str = ""
    sms_method: str = "POST"
    sms_fallback_url: str = ""


def error(status: int, code: int, message: str) -> Reply:
    """Return Twilio's error format."""
    more = f"https://www.twilio.com/docs/errors/{code}"
    return Reply(status, dumps({"code": code, "message": message, "more_info": more, "status": status}))


class SellsNumbers:
    """The part of an account that has and buys numbers."""

    account_sid: str
    numbers: dict[str, Number]
    market: Market | None
    wall_us: Callable[[], int]

    def buy(self, e164: str, **number: str) -> Number:
        """Add a number to the account."""
        self.numbers[e164] = Number(e164, **number)
        return self.numbers[e164]

    def _prices(self, market: Market, country: str) -> Reply:
        prices = [
            {"number_type": kind, "base_price": str(market.month), "current_price": str(market.month)}
            for kind in ("local", "mobile")
        ]
        found = {"country": country, "iso_country": country, "price_unit": "USD", "phone_number_prices": prices}
        return Reply(200, dumps({**found, "url": f"https://pricing.twilio.com/v1/PhoneNumbers/Countries/{country}"}))

    def _trade(
        self, market: Market, method: str, rest: str, query: dict[str, str], form: dict[str, str]
    ) -> Reply | None:
        """Return the reply to a search, a purchase or a release; None for another request."""
        if method == "GET" and (found := re.fullmatch(r"/AvailablePhoneNumbers/([A-Z]{2})/(Mobile|Local)\.json", rest)):
            items = [
                {
                    "phone_number": e164, "friendly_name": e164, "iso_country": found[1], "beta": False,
                    "address_requirements": "any" if market.needs_address else "none",
                    "capabilities": {"SMS": True, "MMS": True, "voice": True},
                }
                for e164 in market.search(int(query.get("PageSize", "50")))
            ]  # fmt: skip
            return Reply(200, dumps({"available_phone_numbers": items, "uri": rest}))
        if (method, rest) == ("POST", "/IncomingPhoneNumbers.json"):
            if market.needs_address:
                return error(400, 21631, "Phone Number Requires an Address")
            return self._sell(market, form)
        return self._take_back(market, rest) if method == "DELETE" else None

    def _sell(self, market: Market, form: dict[str, str]) -> Reply:
        refused = market.buy(form.get("PhoneNumber", ""), form.get("FriendlyName", ""))
        if refused:
            return error(400, 21422, "gone") if refused == "gone" else error(400, 20005, "Account not active")
        return Reply(201, dumps(self._number(self.buy(form["PhoneNumber"], sms_url=form.get("SmsUrl", "")))))

    def _take_back(self, market: Market, rest: str) -> Reply:
        for e164, number in [*self.numbers.items()]:
            if rest == f"/IncomingPhoneNumbers/{self._number(number)['sid']}.json":
                market.release(e164)
                del self.numbers[e164]
                return Reply(204)
        return error(404, 20404, "not found")

    def _number(self, number: Number) -> dict[str, Any]:
        bought = self.market.owned.get(number.e164) if self.market else None
        at_us = bought.at_us if bought else self.wall_us()
        at = format_datetime(datetime.fromtimestamp(at_us // 1_000_000, UTC)).replace("GMT", "+0000")
        return {
            "date_created": at, "date_updated": at,
            "sid": "PN" + hashlib.sha256(number.e164.encode()).hexdigest()[:32], "account_sid": self.account_sid,
            "phone_number": number.e164, "friendly_name": bought.reference if bought else number.e164, "sms_url": number.sms_url,
            "sms_method": number.sms_method, "sms_fallback_url": number.sms_fallback_url, "status": "in-use",
            "capabilities": {"sms": True, "mms": True, "voice": True, "fax": False},
        }  # fmt: skip
