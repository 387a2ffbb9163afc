"""A carrier that sells the numbers of a `Market` in this process, with answers that get lost and processes that die."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Literal

from dtmf_server.carriers.base import CarrierRefused, NumberOffer, OwnedNumber
from support.providers.number_market import Market


class Killed(BaseException):
    """The process died here."""


class Seller:
    """A `SellsNumbers` over a market. `faults` is the share of requests that get lost: half of them before they arrive."""

    name = "market"

    def __init__(self, market: Market, *, chance: Random, faults: float = 0.0, kills: float = 0.0) -> None:
        self.market, self.chance, self.faults, self.kills = market, chance, faults, kills
        self.between: Callable[[str], None] = lambda _: None  # called with the step's name, to change the world
        self.requests: list[tuple[str, str]] = []
        self.listed_late = 0  # the next look-ups that do not show a number yet

    async def offers(self, country_code: str, *, kind: Literal["mobile", "local"], limit: int) -> Sequence[NumberOffer]:
        """Return offers."""
        self._arrive("offers", "")
        market = self.market
        found = [NumberOffer(e, market.setup, market.month, "USD", market.needs_address) for e in market.search(limit)]
        self._answer("offers")
        return found

    async def order(self, offer: NumberOffer, *, reference: str) -> None:
        """Sell a number."""
        self._arrive("order", offer.e164)
        refused = self.market.buy(offer.e164, reference)
        self._answer("order")
        if refused:
            raise CarrierRefused(refused, permanent=refused == "gone")

    async def find(self, e164: str, *, reference: str) -> OwnedNumber | None:
        """Look a number up."""
        self._arrive("find", e164)
        bought = self.market.owned.get(e164)
        if bought is not None and self.listed_late:
            self.listed_late -= 1
            bought = None
        self._answer("find")
        return None if bought is None else OwnedNumber(e164, bought.at_us)

    async def owned(self) -> Sequence[OwnedNumber]:
        """List the numbers."""
        self._arrive("owned", "")
        return [OwnedNumber(bought.e164, bought.at_us) for bought in self.market.owned.values()]

    async def release(self, e164: str) -> None:
        """Take a number back."""
        self._arrive("release", e164)
        self.market.release(e164)
        self._answer("release")

    def _arrive(self, step: str, e164: str) -> None:
        self.requests.append((step, e164))
        self.between(step)
        self._die()
        if self.chance.random() < self.faults / 2:
            raise CarrierRefused("the request was lost", permanent=False, may_be_taken=True)

    def _answer(self, step: str) -> None:
        self._die()
        if self.chance.random() < self.faults / 2:
            raise CarrierRefused("the answer was lost", permanent=False, may_be_taken=True)

    def _die(self) -> None:
        if self.chance.random() < self.kills:
            raise Killed
