"""Faults for refunds of rentals that received nothing, each of which a test must catch: part of mutations.py."""

from money.fault import Fault

FAULTS = [
    Fault(
        "operations/rental_refunds.py",
        "        and not rental_refunds.was_used(tx, rental)\n",
        "",
        "a rental is refunded after an SMS",
    ),
    Fault(
        "operations/rental_refunds.py",
        '        and rental_refunds.may_again(tx, rental["account_id"], rental["group_id"])\n',
        "",
        "an account is refunded twice in a group",
    ),
    Fault(
        "operations/rental_refunds.py",
        "at_most=caps.network_sats):\n        return False\n",
        "at_most=caps.network_sats):\n        pass\n",
        "refunds of one network have no cap",
    ),
    Fault(
        "operations/rental_refunds.py",
        '        budgets.refund(rental["token_id"], sats, is_live=False)\n',
        "",
        "a refund does not return to its token",
    ),
    Fault(
        "operations/rental_refunds.py",
        '        budgets.refund(rental["token_id"], sats, is_live=False)\n',
        '        budgets.refund(rental["token_id"], sats, is_live=True)\n',
        "a refund of an ended rental is taken from what is reserved",
    ),
    Fault(
        "core/token_budget.py",
        "self.day, self.day_sats = day, self.reserved",
        "self.day = day",
        "a new day begins with the sums of the day before",
    ),
    Fault(
        "operations/limits.py",
        "        if left is not None and sats > left:\n",
        "        if left is not None and sats > 2 * left:\n",
        "an SMS is sent beyond the limit of its token",
    ),
]
