"""A renter's limits on one rental: how many minutes it may last, and how many satoshis it may cost.

Rules (docs/internals/billing.md#limits):
1. A rental with `max_minutes` ends after exactly that many paid minutes, when the next one would start.
2. A rental with `max_sats` never costs more: set-up, minutes and messages together. A minute is paid only if an inbound
   SMS can still be paid after it; else the rental ends when that minute would start.
3. It ends at once when a message leaves less than the price of an inbound SMS.

Pure; amounts are satoshis.
"""

from bisect import bisect_right
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dtmf_server.core.billing import NEVER_US, LiveRental, minutes_started
from dtmf_server.core.units import MINUTE_US

Reserves = Literal["max_sats", "max_minutes", "rest"]


class Limited(Struct, frozen=True):
    """A rental with its limits; None: no such limit. `message_sats`: what its messages have cost so far.

    `token_id`: the restricted token whose limits count `max_sats`, if it has any; `reserves`: what determined `max_sats`.
    That is the renter's `max_sats`, or `max_minutes`, or else the rest of the token's limits.
    """

    rental: LiveRental
    setup_cost: int
    sms_cost: int
    max_minutes: int | None
    max_sats: int | None
    message_sats: int = 0
    reserves: Reserves | None = None
    token_id: int | None = None

    def minutes_at(self, now_us: int) -> int:
        """Return the number of minutes that have started."""
        return minutes_started(self.rental.started_at_us, max(now_us, self.rental.started_at_us))

    def spent(self, minutes: int) -> int:
        """Return what the rental has cost with this many minutes."""
        return self.setup_cost + self.rental.cost_of(minutes) + self.message_sats

    def left(self, minutes: int) -> int | None:
        """Return the satoshis that it may still cost; None without `max_sats`."""
        return None if self.max_sats is None else max(0, self.max_sats - self.spent(minutes))

    def is_used_up(self, minutes: int) -> bool:
        """Return True if an inbound SMS could not be paid any more."""
        left = self.left(minutes)
        return left is not None and left < self.sms_cost

    def with_message(self, sats: int) -> "Limited":
        """Return it after a message of this cost; negative for a refund."""
        return replace(self, message_sats=self.message_sats + sats)

    def ends_at_us(self, now_us: int) -> int | None:
        """Return when a limit ends it if no more messages come; None: never. Always after `now_us`."""
        started = self.minutes_at(now_us)
        paid = [] if self.max_minutes is None else [self.max_minutes]
        if self.max_sats is not None and self.rental.cost_per_minute:
            paid.append(self._minutes_of(self.max_sats - self.setup_cost - self.message_sats))
        ends = [self.rental.started_at_us + max(started, minutes) * MINUTE_US for minutes in paid]
        return next((at_us for at_us in sorted(ends) if at_us < NEVER_US), None)

    def _minutes_of(self, sats: int) -> int:
        """Return how many minutes this pays for besides one SMS, including the free minutes above a monthly cap."""
        rental, for_minutes = self.rental, sats - self.sms_cost
        if rental.change is not None:
            last = (rental.change.at_us - rental.started_at_us) // MINUTE_US
            if rental.cost_of(last) <= for_minutes:
                sms_cost = rental.change.cost_per_inbound_message or 0
                return replace(self, rental=rental.changed(), sms_cost=sms_cost)._minutes_of(sats)
        if rental.monthly_cap is None:
            return rental.priced_minutes + max(0, for_minutes - rental.priced_sats) // rental.cost_per_minute
        minutes = range(rental.priced_minutes, (NEVER_US - rental.started_at_us) // MINUTE_US)
        return rental.priced_minutes + max(0, bisect_right(minutes, for_minutes, key=rental.cost_of) - 1)
