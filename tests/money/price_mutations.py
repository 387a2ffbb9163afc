"""Faults for prices in a currency, each of which a test must catch: part of mutations.py."""

from money.fault import Fault

FAULTS = [
    Fault(
        "core/billing.py",
        "            priced_sats=before.cost_of(minutes),",
        "            priced_sats=before.cost_of(minutes) + 1,",
        "a change of price costs a satoshi",
    ),
    Fault(
        "core/billing.py",
        "// MINUTE_US - self.priced_minutes\n",
        "// MINUTE_US\n",
        "the periods of a cap do not begin with its price",
    ),
    Fault(
        "core/pegged.py",
        "earliest_us = max(until_us, now_us + NOTICE_US)",
        "earliest_us = until_us",
        "a price changes less than seven days after its announcement",
    ),
    Fault(
        "core/pegged.py",
        "step_us = MINUTE_US if rental.monthly_cap is None else PERIOD_US",
        "step_us = MINUTE_US",
        "a capped rental changes its price in the middle of a period",
    ),
    Fault(
        "core/limits.py",
        "if rental.cost_of(last) <= for_minutes:",
        "if rental.cost_of(last) < for_minutes:",
        "a limit that pays exactly for the minutes before a change ends the rental at the wrong instant",
    ),
    Fault(
        "core/limits.py",
        "sms_cost = rental.change.cost_per_inbound_message or 0",
        "sms_cost = self.sms_cost",
        "a limit leaves the price of an SMS before the change",
    ),
    Fault(
        "operations/ledger.py",
        "            self._paying.pop(account.id, None)  # read before the change\n",
        "",
        "rentals that run out are taken at their old prices",
    ),
    Fault(
        "operations/pegged.py",
        'elif rental["rate_at_wall_us"] < wall_us - CONFIRMED_US:',
        "elif False:",
        "a price is announced at a rate that was not confirmed",
    ),
    Fault(
        "operations/account.py",
        "return replace(found, cost_per_minute=sum(rental.cost_at(now_us) for rental in settled.running))",
        "return found",
        "the cost per minute is the old one until the meter comes",
    ),
    Fault(
        "storage/rental_owners.py",
        'row["change_at_us"] <= at_us',
        'row["change_at_us"] < at_us',
        "an SMS at the instant of a change costs the old price",
    ),
]
