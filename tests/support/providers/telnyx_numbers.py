"""The numbers of the simulated Telnyx: searches, asynchronous orders and releases, over a market."""

import json
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, parse_qs

from support.providers.number_market import Market


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. Status 0 closes the connection without one, SILENT keeps it open; `cut` closes it in the middle of
    the body."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False

    @classmethod
    def of(cls, status: int, value: object, headers: dict[str, str] | None = None) -> "Answer":
        """An answer in JSON."""
        return cls(status, json.dumps(value).encode(), {"content-type": "application/json", **(headers or {})})


class SellsNumbers:
    """The part of an account that has and orders numbers."""

    profile_id: str
    market: Market | None
    orders: list[dict[str, Any]]
    pending: int
    buy_faults: deque[str]
    clock: Callable[[], float]
    _successes: dict[str, tuple[bytes, dict[str, Any]]]
    _instead: Callable[[str], Answer | None]
    _afterwards: Callable[[str, Answer], Answer]
    _error: Callable[..., Answer]
    _iso: Callable[[float], str]

    def process(self) -> None:
        """Finish the pending orders."""
        assert self.market is not None
        for order in self.orders:
            if order["status"] == "pending":
                e164 = order["phone_numbers"][0]["phone_number"]
                order["status"] = "failure" if self.market.buy(e164, order["customer_reference"]) else "success"

    def _trade(
        self, market: Market, method: str, route: SplitResult, headers: dict[str, str], body: bytes
    ) -> Answer | None:
        """The answer to a search, an order or a release; None for another request."""
        query = {name: values[0] for name, values in parse_qs(route.query).items()}
        if (method, route.path) == ("POST", "/v2/number_orders"):
            return self._order(market, headers.get("idempotency-key", ""), body)
        if method == "DELETE" and route.path.startswith("/v2/phone_numbers/"):
            e164 = "+" + route.path.rpartition("/")[2].removeprefix("id-")
            if e164 not in market.owned:
                return self._error("10005", 404)
            found = self._bought(market, e164)
            market.release(e164)
            return Answer.of(200, {"data": found})
        lists: dict[str, Callable[[], list[Any]]] = {
            "/v2/requirements": lambda: self._requirements(market),
            "/v2/available_phone_numbers": lambda: [
                self._for_sale(market, e164) for e164 in market.search(int(query.get("filter[limit]", "100")))
            ],
            "/v2/number_orders": lambda: [
                each
                for each in self.orders
                if each["customer_reference"] == query.get("filter[customer_reference]", each["customer_reference"])
            ],
            "/v2/phone_numbers": lambda: [
                self._bought(market, e164) for e164 in market.owned if query.get("filter[phone_number]", e164) in e164
            ],
        }
        if method != "GET" or route.path not in lists:
            return None
        items = lists[route.path]()
        size, page = int(query.get("page[size]", "20")), int(query.get("page[number]", "1"))
        meta = {
            "total_pages": -(-len(items) // size),
            "total_results": len(items),
            "page_number": page,
            "page_size": size,
        }
        shown = items if "filter[limit]" in query else items[(page - 1) * size : page * size]
        return Answer.of(200, {"data": shown, "meta": meta})

    def _order(self, market: Market, key: str, body: bytes) -> Answer:
        asked = json.loads(body)
        fault = self.buy_faults.popleft() if self.buy_faults else ""
        if refused := self._instead(fault):
            return refused
        if key and key in self._successes:
            return self._afterwards(fault, Answer.of(200, self._successes[key][1]))
        e164 = asked["phone_numbers"][0]["phone_number"]
        if e164 not in market.for_sale:
            return self._error("10015")
        if market.money < market.setup + market.month:
            return self._error("20100")
        order = {
            "id": str(uuid.uuid4()),
            "record_type": "number_order",
            "status": "pending",
            "phone_numbers": [{"id": str(uuid.uuid4()), "phone_number": e164, "status": "pending"}],
            "phone_numbers_count": 1,
            "customer_reference": asked.get("customer_reference"),
            "messaging_profile_id": asked.get("messaging_profile_id"),
            "requirements_met": not market.needs_address,
            "created_at": self._iso(self.clock()),
        }
        self.orders.append(order)
        answer = {"data": json.loads(json.dumps(order))}
        if key:
            self._successes[key] = (body, answer)
        if self.pending:
            self.pending -= 1
        else:
            self.process()
        return self._afterwards(fault, Answer.of(200, answer))

    def _requirements(self, market: Market) -> list[dict[str, Any]]:
        found = {"id": str(uuid.uuid4()), "record_type": "requirement", "action": "ordering", "country_code": "DE"}
        return [{**found, "phone_number_type": "local", "requirements_types": []}] if market.needs_address else []

    def _for_sale(self, market: Market, e164: str) -> dict[str, Any]:
        cost = {"upfront_cost": str(market.setup), "monthly_cost": str(market.month), "currency": "USD"}
        return {
            "record_type": "available_phone_number",
            "phone_number": e164,
            "best_effort": False,
            "features": [{"name": "sms"}],
            "cost_information": cost,
        }

    def _bought(self, market: Market, e164: str) -> dict[str, Any]:
        bought = market.owned[e164]
        return {
            "id": f"id-{e164[1:]}",
            "record_type": "phone_number",
            "phone_number": e164,
            "status": "active",
            "customer_reference": bought.reference,
            "messaging_profile_id": self.profile_id,
            "purchased_at": self._iso(bought.at_us / 1_000_000),
        }
