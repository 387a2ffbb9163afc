"""Faults for the limits of restricted tokens, each of which a test must catch: part of mutations.py."""

from money.fault import Fault

FAULTS = [
    Fault(
        "core/token_budget.py",
        "self.sats_max - self.reserved - self.spent",
        "self.sats_max - self.spent",
        "reservations do not count against a token's limit",
    ),
    Fault(
        "core/token_budget.py",
        "self.day, self.day_sats = day, self.reserved",
        "self.day, self.day_sats = day, 0",
        "a reservation does not count on the next day",
    ),
    Fault(
        "core/token_budget.py",
        "self.reserve(spent - reserved)",
        "self.reserved += spent - reserved",
        "the rest of a reservation does not return to the day",
    ),
    Fault(
        "core/token_budget.py",
        "        if is_live:\n            self.reserved -= sats\n",
        "        if is_live:\n            self.reserve(-sats)\n",
        "a refund returns to the day",
    ),
    Fault(
        "operations/token_limits.py",
        "return [own] if parent_id is None else [self._budgets[parent_id], own]",
        "return [own]",
        "a child's costs do not count against its parent",
    ),
    Fault(
        "operations/token_limits.py",
        "    if wanted > left:\n",
        "    if wanted > left + 1:\n",
        "a rental reserves more than its token has left",
    ),
    Fault(
        "operations/limits.py",
        "            return min(left, more)\n",
        "            return left\n",
        "an SMS after the end costs more than the token has left",
    ),
    Fault(
        "operations/limits.py",
        'more = min(sats, max(0, self._tokens.left(token_id)[0])) if limited.reserves == "max_minutes" else 0',
        "more = 0",
        "messages shorten a rental whose token has more",
    ),
    Fault(
        "operations/limits.py",
        "    budgets.settle(limited.token_id, limited.max_sats or 0, spent)\n",
        "",
        "an adopted rental stays reserved",
    ),
    Fault(
        "operations/rental_ends.py",
        "        token_limits.settle_ended(tx, reserved, now_us=now_us)\n",
        "        pass\n",
        "an ended rental stays reserved",
    ),
]
