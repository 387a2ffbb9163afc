"""Faults of what operators do to accounts, each of which a test must catch: part of mutations.py."""

from money.fault import Fault

FAULTS = [
    Fault(
        "operations/adjust.py",
        "    if moved + sats > per_day_sats:\n",
        "    if sats > per_day_sats:\n",
        "the limit of a day counts only one credit",
    ),
    Fault(
        "operations/adjust.py",
        "            if lacking > 0 and not as_debt:\n",
        "            if lacking > 10**12 and not as_debt:\n",
        "a debit beyond the balance becomes debt by itself",
    ),
    Fault(
        "operations/ledger.py",
        "self._credit(to, sats, money.PROMOTION,",
        "self._credit(to, sats, money.BITCOIN,",
        "a credit counts as coins",
    ),
    Fault(
        "operations/operator_refunds.py",
        "        if not 0 < wanted <= charged:\n",
        "        if not 0 < wanted <= 2 * charged:\n",
        "a rental is refunded beyond what it cost",
    ),
    Fault(
        "operations/operator_refunds.py",
        "        rental_refunds.decided(tx, [rental_id])\n",
        "",
        "a rental that an operator refunded is refunded automatically",
    ),
    Fault(
        "operations/suspend.py",
        "            fail_message(tx, ledger, message, reason=SUSPENDED)\n",
        "",
        "an SMS that a suspension stops keeps its charge",
    ),
    Fault(
        "operations/receive.py",
        'rental["suspended_at_us"] is None or rental["action"] != ActionKind.FORWARD',
        'rental["suspended_at_us"] is None or True',
        "an SMS of a suspended account is forwarded later",
    ),
    Fault(
        "operations/send.py",
        "    ledger.require_active(account_id)\n",
        "",
        "a suspended account sends",
    ),
]
