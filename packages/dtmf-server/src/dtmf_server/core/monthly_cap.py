"""Monthly caps: the most that the minutes of one rental cost per 30 days.

Rules (docs/internals/billing.md#monthly-caps):
1. The periods of a rental are 30 days long, and the first one begins with the rental.
2. Each minute of a period costs the rental's price until the period has cost the cap. The minute that reaches the cap
   costs the rest, and the remaining minutes of the period cost nothing.
3. Any 30 days in a row therefore cost exactly the cap, wherever they begin.

Pure; amounts are satoshis. A cap is at least the price of a minute, so that the first minute has its full price.
"""

from dtmf_server.core.units import DAY_US, MINUTE_US

PERIOD_US = 30 * DAY_US
PERIOD_MINUTES = PERIOD_US // MINUTE_US
CAPPED_RENTALS_MAX = 100  # live ones of an account: their minutes are summed one by one


def effective(cap: int | None, cost_per_minute: int) -> int | None:
    """Return the cap of a new rental; None if it would never be reached."""
    return None if cap is None or cap >= cost_per_minute * PERIOD_MINUTES else cap


def cost_of_minute(nth: int, cost_per_minute: int, cap: int | None) -> int:
    """Return the cost of the minute `nth` of a rental, counted from 0."""
    if cap is None:
        return cost_per_minute
    return max(0, min(cost_per_minute, cap - nth % PERIOD_MINUTES * cost_per_minute))


def cost_of_minutes(minutes: int, cost_per_minute: int, cap: int | None) -> int:
    """Return the cost of the first `minutes` minutes of a rental."""
    if cap is None:
        return minutes * cost_per_minute
    periods, rest = divmod(minutes, PERIOD_MINUTES)
    return periods * cap + min(rest * cost_per_minute, cap)
