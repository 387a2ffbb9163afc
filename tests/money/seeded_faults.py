"""Faults for the money code, each of which some test has to notice: data for mutants.py."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """A text in a file below src/dtmf_server, what to put in its place, and what that breaks."""

    file: str
    original: str
    replacement: str
    breaks: str


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
        "and instant <= now_us:",
        "and instant < now_us:",
        "money that runs out this very instant still rents",
    ),
    Fault(
        "core/billing.py",
        "_book_before(balance, live, now_us + 1)",
        "_book_before(balance, live, now_us)",
        "a minute that begins right now is not paid",
    ),
    Fault(
        "core/billing.py",
        "elif rental.cost_per_minute <= balance:",
        "elif rental.cost_per_minute < balance:",
        "the last satoshi pays nothing",
    ),
    Fault(
        "core/billing.py", "if rest < 0:", "if rest <= 0:", "the money runs out one minute early when it fits exactly"
    ),
    Fault(
        "core/billing.py",
        "return rental.next_minute_us, rental.started_at_us, rental.rental_id",
        "return rental.started_at_us, rental.next_minute_us, rental.rental_id",
        "minutes are thought to be due in the order of their rentals' starts",
    ),
    # --- the books
    Fault(
        "operations/books.py",
        "        now_us = max(now_us, account.settled_at_us)\n",
        "",
        "an account's now runs backwards",
    ),
    Fault("operations/books.py", "            account.debt -= paid\n", "", "a debt is paid from every deposit again"),
    Fault(
        "operations/books.py",
        "account.debt += owed",
        "account.debt = owed",
        "a second reversal forgets the debt of the first",
    ),
    Fault(
        "operations/books.py",
        "self._ended.append((account_id, rental, account.settled_at_us, reason))",
        "self._ended.append((account_id, rental, rental.next_minute_us, reason))",
        "a rental ends at the end of its minute, not when it was ended",
    ),
    Fault(
        "operations/books.py",
        "self._ended.append((account.id, rental, at_us, EndReason.DEPLETED))",
        "self._ended.append((account.id, rental, now_us, EndReason.DEPLETED))",
        "a rental out of money ends when somebody looks",
    ),
    Fault(
        "operations/books.py",
        "account.depletes_at_us = billing.depletes_at(account.balance, account.running)",
        "account.depletes_at_us = account.depletes_at_us or billing.depletes_at(account.balance, account.running)",
        "the run-out is not computed again",
    ),
    Fault(
        "operations/books.py",
        "        self._booked[after.rental_id] = after\n",
        "",
        "minutes that were paid are forgotten and paid again",
    ),
    Fault(
        "operations/books.py",
        "if all(rental.next_minute_us > now_us",
        "if all(rental.next_minute_us >= now_us",
        "an account whose minute begins right now is thought to be settled",
    ),
    # --- rentals
    Fault(
        "operations/rent.py",
        ' not books.is_live(account_id, rental["id"]):\n            raise NumberNotRented\n        books.end(',
        " False:\n            raise NumberNotRented\n        books.end(",
        "a rental that is over ends again",
    ),
    Fault("operations/rent.py", "booked_minutes=1)", "booked_minutes=0)", "the first minute is free"),
    Fault(
        "operations/rent.py",
        'group["rental_cost_per_minute"])\n        now_us = books.now_us(account_id)\n',
        'group["rental_cost_per_minute"])\n',
        "a rental starts before what its account has paid already",
    ),
    # --- messages
    Fault(
        "operations/receive.py",
        'min(rental["cost_per_inbound_message"] or 0, books.balance(account_id))',
        '(rental["cost_per_inbound_message"] or 0)',
        "an SMS is withheld for lack of funds",
    ),
    Fault(
        "operations/receive.py",
        ' if books.is_live(rental["account_id"], rental["id"])}',
        "}",
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
        "one more than the daily limit is sent",
    ),
    Fault(
        "operations/forward.py",
        "if not books.is_live(work.account_id, work.rental_id):",
        "if work.rental_id == 0:",
        "a forward leaves from a number whose money ran out",
    ),
    # --- deposits
    Fault(
        "operations/deposit.py",
        "unsettled = deposits.unsettled(tx)",
        "unsettled = [each for each in deposits.unsettled(tx) if each['status'] != 'credited']",
        "a deposit that left the chain is not reversed",
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
        'depletes_at_us <= :now_us"',
        'depletes_at_us < :now_us"',
        "the meter misses money that runs out right now",
    ),
    Fault("storage/accounts.py", "(a.id, a.balance, a.debt, ", "(a.id, a.balance, 0, ", "debts are not stored"),
    Fault(
        "storage/accounts.py",
        "WHERE account_id IN @ids AND ended_at_us IS NULL",
        "WHERE account_id IN @ids",
        "rentals that ended are billed on",
    ),
    Fault(
        "storage/entries.py",
        "t.debit, t.credit, t.amount, t.account_id, t.balance,",
        "t.credit, t.debit, t.amount, t.account_id, t.balance,",
        "every transfer goes the other way",
    ),
    Fault(
        "operations/account.py",
        'return int(account["balance"] - account["cost_begun"])',
        'return int(account["balance"])',
        "a balance is shown without the minutes since",
    ),
]

# Those that every run of the tests tries: caught soon, and each by another part of the tests.
HANDFUL = [
    "the last satoshi pays nothing",
    "an SMS is withheld for lack of funds",
    "minutes that were paid are forgotten and paid again",
]
