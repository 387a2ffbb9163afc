"""Faults for the money code, each of which a test must catch: data for mutation_runner.py."""

from money import limit_mutations, operator_mutations, price_mutations, refund_mutations, token_mutations
from money.fault import Fault

FAULTS = [
    # --- the meter's arithmetic
    Fault(
        "core/billing.py",
        "key=lambda r: (r.started_at_us, r.rental_id)",
        "key=lambda r: (-r.started_at_us, r.rental_id)",
        "at equal instants the youngest rental is paid first",
    ),
    Fault(
        "core/billing.py",
        "        if instant > now_us:\n            break\n",
        "        if instant >= now_us:\n            break\n",
        "money that runs out at this instant still pays for a rental",
    ),
    Fault(
        "core/billing.py",
        "_book_before(balance, live, now_us + 1)",
        "_book_before(balance, live, now_us)",
        "a minute that begins now is not paid",
    ),
    Fault(
        "core/billing.py",
        "is_paid = cost <= balance",
        "is_paid = cost < balance",
        "the last satoshi can't be spent",
    ),
    Fault("core/billing.py", "if rest < 0:", "if rest <= 0:", "the money runs out a minute early when it fits exactly"),
    Fault(
        "core/billing.py",
        "return rental.next_minute_us, rental.started_at_us, rental.rental_id",
        "return rental.started_at_us, rental.next_minute_us, rental.rental_id",
        "minutes fall due in the order in which their rentals started",
    ),
    Fault(
        "core/billing.py",
        "bisect_right(range(PERIOD_MINUTES), rest, key=cost_of) - 1",
        "bisect_left(range(PERIOD_MINUTES), rest, key=cost_of)",
        "the money of a capped rental runs out at the wrong minute",
    ),
    Fault(
        "core/billing.py",
        "bisect_left(range(len(starting)), balance + 1, key=cost_until)",
        "bisect_left(range(len(starting)), balance, key=cost_until)",
        "a capped rental's last satoshi can't be spent",
    ),
    Fault(
        "core/monthly_cap.py",
        "return periods * cap + min(rest * cost_per_minute, cap)",
        "return periods * cap + rest * cost_per_minute",
        "minutes beyond the monthly cap are charged",
    ),
    Fault(
        "core/monthly_cap.py",
        "cap - nth % PERIOD_MINUTES * cost_per_minute",
        "cap - nth * cost_per_minute",
        "a monthly cap applies once, not per 30 days",
    ),
    # --- the ledger
    Fault(
        "operations/ledger.py",
        "        now_us = max(now_us, account.settled_at_us)\n",
        "",
        "an account's time runs backwards",
    ),
    Fault("operations/ledger.py", "            account.debt -= paid\n", "", "a debt is paid again from every deposit"),
    Fault(
        "operations/ledger.py",
        "account.debt += owed",
        "account.debt = owed",
        "a second reversal discards the debt of the first",
    ),
    Fault(
        "operations/ledger.py",
        "self._end(account, rental, min(account.settled_at_us, rental.limit_at_us or NEVER_US), reason)",
        "self._end(account, rental, billing.next_minute_from(rental, account.settled_at_us + 1), reason)",
        "a rental ends at the end of its minute, not when it was ended",
    ),
    Fault(
        "operations/ledger.py",
        "self._end(account, rental, at_us, EndReason.DEPLETED)",
        "self._end(account, rental, now_us, EndReason.DEPLETED)",
        "a rental out of money ends when it is next read",
    ),
    Fault(
        "operations/ledger.py",
        "account.depletes_at_us = None if account.closed_at_us is not None else runs_out_us",
        "account.depletes_at_us = account.depletes_at_us or runs_out_us",
        "the run-out is not recomputed",
    ),
    Fault(
        "operations/ledger.py",
        "        account.settled_at_us = at_us\n",
        "        account.settled_at_us = at_us if cost == 0 else account.settled_at_us\n",
        "paid minutes are paid again",
    ),
    Fault(
        "operations/ledger.py",
        "billing.cost_between(account.costs, account.settled_at_us, from_us - 1)",
        "billing.cost_between(account.costs, account.settled_at_us, from_us)",
        "the minute that can't be paid is paid before its rental ends",
    ),
    Fault(
        "operations/ledger.py",
        "(rental.rental_id, rental.booked_minutes, minutes, None)",
        "(rental.rental_id, rental.booked_minutes, minutes - 1, None)",
        "a rental's last minute is missing from its share",
    ),
    Fault(
        "operations/ledger.py",
        "        account.costs.end(rental)\n",
        "",
        "an ended rental is still charged",
    ),
    Fault(
        "operations/ledger.py",
        "        account.live_rentals -= 1\n",
        "",
        "an ended rental still counts as live",
    ),
    # --- sums instead of rentals
    Fault(
        "core/billing.py",
        "return self._sums[bisect_right(self._phases, phase_us)]",
        "return self._sums[bisect_right(self._phases, phase_us - 1)]",
        "a minute that begins at this microsecond is not in the sum",
    ),
    Fault(
        "core/billing.py",
        "costs.upto(until_us % MINUTE_US) - costs.upto(after_us % MINUTE_US)",
        "costs.upto(until_us % MINUTE_US)",
        "minutes that began before the last settlement are paid again",
    ),
    Fault(
        "core/billing.py",
        "if target >= costs.total:",
        "if target > costs.total:",
        "one round too few is counted when the money fits exactly",
    ),
    Fault(
        "storage/minute_costs.py",
        "c.nth >= :milli * 1000 AND c.nth <= :phase)",
        "c.nth >= :milli * 1000 AND c.nth < :phase)",
        "the database omits what begins at this microsecond",
    ),
    Fault(
        "storage/minute_costs.py",
        'if row["cost"] > sats:',
        'if row["cost"] >= sats:',
        "the database finds the minute before the first unpaid one",
    ),
    Fault(
        "storage/accounts.py",
        "            if phase_us <= phase:\n",
        "            if phase_us < phase:\n",
        "a starting rental is missing from those whose minute has begun",
    ),
    Fault(
        "operations/meter.py",
        "    rentals.store_booked(tx, [(rental_id, minutes) for rental_id, _, minutes, _ in shares])\n",
        "",
        "a share is booked twice",
    ),
    Fault(
        "operations/account.py",
        "return _standing(row, capped, left, ended, turn.at_us, now_us=now_us)",
        "return _standing(row, capped, left, [], turn.at_us, now_us=now_us)",
        "a rental out of money is shown until the meter runs",
    ),
    # --- rentals
    Fault(
        "operations/rent.py",
        ' not ledger.is_live(account_id, rental["id"]):\n            raise ended.not_rented(tx, account_id, e164, now_us=now_us)'
        "\n        token_limits.require_own(",
        " False:\n            raise ended.not_rented(tx, account_id, e164, now_us=now_us)"
        "\n        token_limits.require_own(",
        "an ended rental ends again",
    ),
    Fault("operations/rent.py", "booked_minutes=1)", "booked_minutes=0)", "the first minute is free"),
    Fault(
        "operations/rent.py",
        "        now_us = ledger.now_us(account_id)\n        max_sats, reserves",
        "        max_sats, reserves",
        "a rental starts before the time its account is settled to",
    ),
    # --- messages
    Fault(
        "operations/receive.py",
        "at_us=now_us), ledger.balance(account_id))",
        "at_us=now_us), 10**15)",
        "an SMS is withheld for insufficient funds",
    ),
    Fault(
        "operations/receive.py",
        'r if r and ledger.survives(r["account_id"], r["id"]) else None for',
        "r for",
        "an SMS is stored and charged after the money ran out",
    ),
    Fault(
        "operations/send.py",
        "cost = segments * cost_per_segment",
        "cost = cost_per_segment",
        "a long message costs one segment",
    ),
    Fault(
        "operations/send.py",
        '        if message["status"] not in from_status:\n            return\n',
        "",
        "a message that was delivered is refunded",
    ),
    Fault(
        "operations/send.py",
        "if sent >= daily_limit:",
        "if sent > daily_limit:",
        "one SMS more than the daily limit is sent",
    ),
    Fault(
        "operations/submit.py",
        "if not ledger.is_live(work.account_id, work.rental_id):",
        "if work.rental_id == 0:",
        "an SMS is forwarded from a number whose money ran out",
    ),
    *limit_mutations.FAULTS,
    *token_mutations.FAULTS,
    *refund_mutations.FAULTS,
    *operator_mutations.FAULTS,
    *price_mutations.FAULTS,
    # --- SMS in doubt
    Fault(
        "storage/outbox.py",
        """ AND submitted_at_us IS NULL RETURNING id, account_id, message_id, kind",
        rental_id=""",
        """ RETURNING id, account_id, message_id, kind",
        rental_id=""",
        "an SMS is refunded while the carrier may still accept it",
    ),
    Fault(
        "storage/outbox.py",
        '        " AND d.submitted_at_us IS NULL"\n',
        "",
        "an SMS in doubt is submitted again",
    ),
    Fault(
        "operations/doubt.py",
        'send.unknown(tx, message["id"], reason=UNKNOWN',
        'send.failed(tx, message["id"], reason=UNKNOWN',
        "an SMS that was never answered is refunded",
    ),
    Fault(
        "operations/doubt.py",
        "    send.failed(tx, message_id, reason=reason, now_us=now_us)\n",
        "",
        "a late refusal is not refunded",
    ),
    # --- deposits
    Fault(
        "operations/deposit.py",
        "unsettled = deposits.unsettled(tx)",
        "unsettled = [each for each in deposits.unsettled(tx) if each['status'] != 'credited']",
        "a deposit that left the chain is not reversed",
    ),
    # --- Lightning
    Fault(
        "core/lightning.py",
        "return (self.received_msat + self.fee_msat) // MSAT",
        "return self.received_msat // MSAT",
        "the node's fee is taken from the renter",
    ),
    Fault(
        "operations/invoices.py",
        "            fees, rounding = fees + payment.fee_msat, rounding + payment.rounding_msat\n",
        "",
        "fees of several payments at once are booked as if each were the first",
    ),
    Fault(
        "operations/invoices.py",
        "            lightning_nodes.add_payment(tx, node_id, payment)\n",
        "",
        "the node's sums do not grow",
    ),
    Fault(
        "operations/ledger.py",
        "self._move(account, rounding, money.LIGHTNING, money.ROUNDING, rest, unique_ref, reference)",
        "self._move(account, fees, money.LIGHTNING, money.ROUNDING, rest, unique_ref, reference)",
        "fees are booked as rounding",
    ),
    Fault(
        "operations/invoices.py",
        'if known[hash_]["state"] != "settled"',
        'if known[hash_]["state"] == "open"',
        "a payment after expiry is not credited",
    ),
    Fault(
        "operations/invoices.py",
        'for row in paid if row["account_id"] == NOBODY}',
        'for row in paid if row["account_id"] == SUSPENSE}',
        "a paid sign-up opens no account",
    ),
    Fault(
        "operations/invoices.py",
        "accounts.add(tx, now_us=now_us)\n",
        "next(iter(opened.values()), {}).get('account_id') or accounts.add(tx, now_us=now_us)\n",
        "sign-ups that are paid at once get the same account",
    ),
    # --- the meter and the tables
    Fault(
        "operations/meter.py",
        "settled_before_us=now_us - DAY_US",
        "settled_before_us=now_us - 2 * DAY_US",
        "minutes are not booked every day",
    ),
    Fault(
        "storage/accounts.py",
        'AND depletes_at_us <= :now_us"',
        'AND depletes_at_us < :now_us"',
        "the meter misses money that runs out now",
    ),
    Fault("storage/accounts.py", "            a.debt,\n", "            0,\n", "debts are not stored"),
    Fault(
        "storage/rentals.py",
        '("id", "ended_at_us", "end_reason", "booked_minutes"), rows',
        '("id", "ended_at_us", "end_reason", "booked_minutes"), rows[1:]',
        "one of the ended rentals stays live",
    ),
    Fault(
        "storage/transfers.py",
        "t.debit, t.credit, t.amount, t.account_id, t.balance,",
        "t.credit, t.debit, t.amount, t.account_id, t.balance,",
        "every transfer is reversed",
    ),
    Fault(
        "operations/account.py",
        "accrued = 0 if is_closed or",
        "accrued = 0 if row or",
        "a balance is shown without the minutes since the last settlement",
    ),
]

# Tried in every test run: caught quickly, and each by a different part of the tests.
HANDFUL = [
    "the last satoshi can't be spent",
    "an SMS is withheld for insufficient funds",
    "paid minutes are paid again",
]
