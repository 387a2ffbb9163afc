"""Faults for the limits of rentals, each of which a test must catch: part of mutations.py."""

from money.fault import Fault

FAULTS = [
    Fault(
        "core/limits.py",
        "max(started, minutes) * MINUTE_US for minutes in paid",
        "(max(started, minutes) + 1) * MINUTE_US for minutes in paid",
        "a rental lasts a minute longer than its limit",
    ),
    Fault(
        "core/limits.py",
        "for_minutes = self.rental, sats - self.sms_cost",
        "for_minutes = self.rental, sats",
        "the last minute leaves too little of the limit for an SMS",
    ),
    Fault(
        "core/limits.py",
        "self._minutes_of(self.max_sats - self.setup_cost - self.message_sats)",
        "self._minutes_of(self.max_sats - self.message_sats)",
        "the set-up does not count against the limit",
    ),
    Fault(
        "core/limits.py",
        "left is not None and left < self.sms_cost",
        "left is not None and left <= self.sms_cost",
        "a rental ends although another SMS could be paid",
    ),
    Fault(
        "operations/limits.py",
        "minimum=limited.spent(minutes) + limited.sms_cost",
        "minimum=limited.spent(minutes)",
        "a changed limit leaves too little for an SMS",
    ),
    Fault(
        "operations/limits.py",
        'limited = structs.replace(limited, message_sats=rentals.message_sats(tx, rental["id"]))',
        "pass",
        "messages before the limit was set do not count",
    ),
    Fault(
        "operations/limits.py",
        "for running in rentals.running(self._tx, over):",
        "for running in rentals.running(self._tx, []):",
        "a message that uses up the limit does not end the rental",
    ),
    Fault(
        "operations/receive.py",
        "        cost = min(cost, left)\n",
        "        pass\n",
        "a late SMS costs more than the limit has left",
    ),
    Fault(
        "operations/refund.py",
        '        budget.spend(account_id, message["rental_id"], -message["cost"])\n',
        "",
        "a refunded message still counts against the limit",
    ),
    Fault(
        "operations/ledger.py",
        "is_unpaid = reason is EndReason.DEPLETED or at_us == rental.limit_at_us",
        "is_unpaid = reason is EndReason.DEPLETED",
        "the minute that starts as a limit ends the rental is paid",
    ),
    Fault(
        "operations/ledger.py",
        "min(now_us, account.limit_at_us - 1))",
        "min(now_us, account.limit_at_us))",
        "a rental at its limit is taken for one that could not pay",
    ),
    Fault(
        "operations/account.py",
        "if limit_us is not None and limit_us <= now_us:",
        "if limit_us is not None and limit_us < now_us:",
        "a rental at its limit is shown for another instant",
    ),
]
