"""The double-entry ledger. Every balance change goes through `open_ledger`: lock, settle, post transfers, write.

Opening locks the accounts and pays their started minutes up to now, as one sum per account. Closing writes everything
set-wise, once per account, with the new `depletes_at`. Nothing else changes a balance. No step reads an account's live
rentals, except those that end; see docs/decisions/0014.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from msgspec import structs

from dtmf_server.core import billing, low_balance, money
from dtmf_server.core.billing import NEVER_US, LiveRental
from dtmf_server.core.errors import AccountSuspended, InsufficientFunds
from dtmf_server.core.money import Kind
from dtmf_server.core.rental import EndReason
from dtmf_server.operations import account_webhook, low_balance_events, price_changes, rental_ends
from dtmf_server.operations.rental_ends import Ended
from dtmf_server.storage import account_erasure, accounts, events, rental_prices, rentals, transfers
from dtmf_server.storage.accounts import Account
from dtmf_server.storage.db import DoFirst, Tx
from dtmf_server.storage.events import Event
from dtmf_server.storage.transfers import Transfer

ENDS_MAX = 200  # approximate number of rentals that end for lack of balance in one transaction
CHANGES_MAX = 20  # of those that change their price


class Ledger:
    """The open ledger of some accounts. Balances are settled to `now_us(account)` and include what was posted.

    If more than `ENDS_MAX` rentals of an account cannot be paid any more, the account is settled in portions: opening
    raises `DoFirst`, which runs the portions before the transaction is run again. `is_portion`: this ledger is such a
    portion; some accounts may only be partly settled, and nothing may be posted.
    """

    def __init__(self, tx: Tx, account_ids: Iterable[int], *, now_us: int, is_portion: bool = False) -> None:
        self._tx = tx
        self._is_portion = is_portion
        self._transfers: list[Transfer] = []
        self._events: list[Event] = []
        self._shares: list[tuple[int, int, int, None]] = []
        self._ended: list[Ended] = []
        self._ended_ids: set[int] = set()
        self._touched: set[int] = set()
        self._relimited: set[int] = set()
        self.accounts = accounts.lock_and_load(tx, account_ids)
        self._only_numbers: dict[int, str] = {}
        self._may_end = ENDS_MAX
        out_of_money = [
            a.id for a in self.accounts.values() if a.live_rentals <= accounts.FEW and a.is_out_of_money(now_us)
        ]
        self._paying = rentals.paying(tx, out_of_money) if out_of_money else {}
        for account in self.accounts.values():
            self._settle(account, now_us)

    def now_us(self, account_id: int) -> int:
        """Return the current time of the account, which never runs backwards."""
        return self.accounts[account_id].settled_at_us

    def balance(self, account_id: int) -> int:
        """Return what the account can spend."""
        return self.accounts[account_id].balance

    def is_live(self, account_id: int, rental_id: int) -> bool:
        """Return True if the rental is live after settling; False also for an account that is not open here."""
        return self.survives(account_id, rental_id) and bool(rentals.running(self._tx, [rental_id]))

    def survives(self, account_id: int, rental_id: int) -> bool:
        """Return the same for a rental known to be live when the ledger was opened, or just before if there is no
        concurrent writer."""
        account = self.accounts.get(account_id)
        return account is not None and account.closed_at_us is None and rental_id not in self._ended_ids

    def is_settled(self, now_us: int) -> bool:
        """Return True if every account is settled up to `now_us`: always, except for a portion that is followed by
        others."""
        return not any(a.is_out_of_money(now_us) or a.has_reached_limit(now_us) for a in self.accounts.values())

    def require_active(self, account_id: int) -> None:
        """Raise AccountSuspended if the operator has suspended the account."""
        if self.accounts[account_id].suspended_at_us is not None:
            raise AccountSuspended

    def require(self, account_id: int, amount: int) -> None:
        """Raise InsufficientFunds unless the account can spend `amount`."""
        if self.balance(account_id) < amount:
            raise InsufficientFunds(balance=self.balance(account_id), required=amount)

    def charge(self, account_id: int, amount: int, *, kind: Kind, unique_ref: str, reference: str) -> None:
        """Move satoshis from the account to the service."""
        self.require(account_id, amount)
        self._post(self.accounts[account_id], -amount, money.REVENUE, kind, unique_ref, reference)

    def refund(self, account_id: int, amount: int, *, kind: Kind, unique_ref: str, reference: str) -> None:
        """Return charged satoshis to the account. For a deleted account, they go to the suspense account."""
        self._credit(self.accounts[account_id], amount, money.REVENUE, kind, unique_ref, reference)
        if account_erasure.is_closed(self._tx, account_id):
            self._suspend(self.accounts[account_id], f"{kind}:{unique_ref}", reference)

    def deposit(self, account_id: int, amount: int, *, unique_ref: str, reference: str) -> None:
        """Credit coins that arrived."""
        self._credit(self.accounts[account_id], amount, money.BITCOIN, Kind.DEPOSIT, unique_ref, reference)

    def reverse_deposit(self, account_id: int, amount: int, *, unique_ref: str, reference: str) -> None:
        """Take back all coins that left the chain; what the balance lacks is first lent to the account, as its debt."""
        account = self._lend(account_id, amount, unique_ref, reference)
        self._post(account, -amount, money.BITCOIN, Kind.DEPOSIT_REVERSED, unique_ref, reference)

    def adjust(self, account_id: int, sats: int, *, unique_ref: str, reference: str) -> None:
        """Credit an account for the operator; negative: debit it, as debt where the balance lacks it."""
        if sats > 0:
            to = self.accounts[account_id]
            self._credit(to, sats, money.PROMOTION, Kind.OPERATOR_CREDIT, unique_ref, reference)
        else:
            account = self._lend(account_id, -sats, f"{Kind.OPERATOR_DEBIT}:{unique_ref}", reference)
            self._post(account, sats, money.PROMOTION, Kind.OPERATOR_DEBIT, unique_ref, reference)

    def _lend(self, account_id: int, amount: int, unique_ref: str, reference: str) -> Account:
        account = self.accounts[account_id]
        if owed := max(0, amount - account.balance):
            account.debt += owed
            self._post(account, owed, money.RECEIVABLE, Kind.DEBT, unique_ref, reference)
        return account

    def lightning_deposit(
        self, account_id: int, amount: int, *, fees: int, rounding: int, unique_ref: str, reference: str
    ) -> None:
        """Credit a Lightning payment. `fees` and `rounding` are the whole satoshis by which the node's sums of both grew.
        For a deleted account, the credit goes to the suspense account."""
        account = self.accounts[account_id]
        self._credit(account, amount, money.LIGHTNING, Kind.LIGHTNING_DEPOSIT, unique_ref, reference)
        if account_erasure.is_closed(self._tx, account_id):
            self._suspend(account, f"{Kind.LIGHTNING_DEPOSIT}:{unique_ref}", reference)
        fee, rest = Kind.LIGHTNING_FEE, Kind.LIGHTNING_ROUNDING
        self._move(account, fees, money.LIGHTNING_FEES, money.LIGHTNING, fee, unique_ref, reference)
        self._move(account, rounding, money.LIGHTNING, money.ROUNDING, rest, unique_ref, reference)

    def hand_over(self, from_id: int, to_id: int, amount: int, *, unique_ref: str, reference: str) -> None:
        """Move satoshis from one account to another, into or out of suspense; the receiver's debt is paid first."""
        self._post(self.accounts[from_id], -amount, money.BITCOIN, Kind.MOVED_OUT, unique_ref, reference)
        self._credit(self.accounts[to_id], amount, money.BITCOIN, Kind.MOVED_IN, unique_ref, reference)

    def _credit(
        self, account: Account, amount: int, counterpart: int, kind: Kind, unique_ref: str, reference: str
    ) -> None:
        """Credit an account. This is the only place that does, so that debt is always paid first."""
        self._post(account, amount, counterpart, kind, unique_ref, reference)
        if paid := min(account.debt, amount):
            account.debt -= paid
            debt_ref = unique_ref if kind is Kind.DEPOSIT else f"{kind}:{unique_ref}"
            self._post(account, -paid, money.RECEIVABLE, Kind.DEBT_PAID, debt_ref, reference)

    def _suspend(self, account: Account, unique_ref: str, reference: str) -> None:
        """Move the balance of a deleted account into suspense, where `deposits assign` finds it by the account."""
        if money.SUSPENSE not in self.accounts:
            self.accounts |= accounts.lock_and_load(self._tx, [money.SUSPENSE])
            self._settle(self.accounts[money.SUSPENSE], account.settled_at_us)
        if account.balance:
            reference = f"account {account.id}: {reference}"
            self.hand_over(account.id, money.SUSPENSE, account.balance, unique_ref=unique_ref, reference=reference)

    def start(self, account_id: int, rental: LiveRental, *, setup_cost: int, e164: str) -> None:
        """Pay a new rental's set-up and first minute; its minutes are charged from now on."""
        account = self.accounts[account_id]
        self.require(account_id, setup_cost + rental.cost_per_minute)
        self._post(account, -setup_cost, money.REVENUE, Kind.RENTAL_SETUP, str(rental.rental_id), e164)
        ref, minutes = f"{rental.rental_id}:0", (rental.rental_id, 0, 1)
        self._post(account, -rental.cost_per_minute, money.REVENUE, Kind.RENTAL_MINUTES, ref, e164, minutes=minutes)
        account.costs.start(rental)
        account.live_rentals += 1
        self._touched.add(account_id)

    def end(self, account_id: int, rental_id: int, reason: EndReason) -> None:
        """End a live rental now; its started minute is already paid."""
        (rental,) = rentals.running(self._tx, [rental_id])
        self.end_all(account_id, [rental], reason)

    def end_all(self, account_id: int, running: list[LiveRental], reason: EndReason) -> None:
        """End live rentals of an account now."""
        account = self.accounts[account_id]
        for rental in running:  # no limit lies before, unless the account is closed
            self._end(account, rental, min(account.settled_at_us, rental.limit_at_us or NEVER_US), reason)

    def shut(self, account_id: int) -> int:
        """Stop all minutes of this account from now on. Return that instant."""
        account = self.accounts[account_id]
        account.closed_at_us = account.settled_at_us
        self._touched.add(account_id)
        account.limit_at_us = None
        return account.settled_at_us

    def limits_changed(self, account_id: int) -> None:
        """Note that the caller has written other limits or next prices of the account's rentals."""
        self._relimited.add(account_id)

    def add_event(self, event: Event) -> None:
        """Append an event in this transaction."""
        self._events.append(event)

    def flush(self) -> None:
        """Write transfers, minutes, ended rentals, events and accounts."""
        for account in self.accounts.values():
            if account.id in self._touched:
                self._look_ahead(account)
                self._warn(account, [account.depletes_at_us], until_us=account.settled_at_us)
        transfers.append(self._tx, self._transfers)
        self._write_ends()
        self._look_for_limits()
        self._events.sort(key=lambda event: event.at_us)
        ids = events.append(self._tx, self._events)
        now_us = max((account.settled_at_us for account in self.accounts.values()), default=0)
        account_webhook.queue(self._tx, list(zip(ids, self._events, strict=True)), now_us=now_us)
        accounts.store(self._tx, self.accounts.values())
        dues = [low_balance.next_due_us(a.low_balance_warnings, a.depletes_at_us) for a in self.accounts.values()]
        dues += [account.limit_at_us for account in self.accounts.values()]
        if any(due_us is not None and due_us <= now_us + billing.POLL_INTERVAL_US for due_us in dues):
            self._tx.notify("meter")  # which would otherwise wake too late

    def _settle(self, account: Account, now_us: int) -> None:
        """Pay the started minutes and end the rentals that reach a limit or cannot be paid, each at its own instant."""
        now_us = max(now_us, account.settled_at_us)
        if account.closed_at_us is not None and not account.costs.is_free:
            return  # being deleted: no time passes for its remaining rentals
        while (is_limited := account.has_reached_limit(now_us)) or account.is_out_of_money(now_us):
            if self._may_end <= 0:
                if self._is_portion:
                    return
                ids = list(self.accounts)
                raise DoFirst(partial(settle_portion, account_ids=ids, now_us=now_us))
            if is_limited:
                self._reach_limit(account)
            else:
                self._end_some(account, now_us if account.limit_at_us is None else min(now_us, account.limit_at_us - 1))
        self._warn(account, [account.depletes_at_us], until_us=now_us)
        self._pay_minutes(account, billing.cost_between(account.costs, account.settled_at_us, now_us), at_us=now_us)

    def _reach_limit(self, account: Account) -> None:
        """Settle the account up to the instant before its first limit. End the rentals that reach theirs then, and change the
        prices of those that are due then."""
        at_us = account.limit_at_us
        assert at_us is not None
        self._warn(account, [account.depletes_at_us], until_us=at_us - 1)
        before_us = max(account.settled_at_us, at_us - 1)
        self._pay_minutes(
            account, billing.cost_between(account.costs, account.settled_at_us, before_us), at_us=before_us
        )
        for rental in rentals.reaching_limit(self._tx, account.id, at_us=at_us, limit=ENDS_MAX):
            self._end(account, rental, at_us, EndReason.LIMIT)
            self._may_end -= 1
        self._write_ends()
        self._change_prices(account, at_us)
        self._look_ahead(account)
        self._look_for_limits()

    def _change_prices(self, account: Account, at_us: int) -> None:
        """Change the prices of rentals that are due."""
        changing = rental_prices.changing(self._tx, account.id, at_us=at_us, limit=CHANGES_MAX)
        for before, after in (changed := [(rental, rental.changed()) for rental in changing]):
            account.costs.end(before)
            account.costs.start(after)
        if changed:
            price_changes.write(self._tx, changed)
            self._may_end -= len(changed) * ENDS_MAX // CHANGES_MAX
            self._touched.add(account.id)
            self._relimited.add(account.id)
            self._paying.pop(account.id, None)  # read before the change

    def _look_for_limits(self) -> None:
        """Find when the next rental of each account reaches a limit or changes its price, where that may have changed."""
        changed, self._relimited = self._relimited, set()
        if changed:
            for account_id, at_us in rentals.first_limits(self._tx, sorted(changed)).items():
                account = self.accounts[account_id]
                account.limit_at_us = at_us if account.closed_at_us is None else None

    def _end_some(self, account: Account, now_us: int) -> None:
        """End rentals from the instant at which the balance ran out, and settle the account up to the last of them."""
        from_us = account.depletes_at_us
        assert from_us is not None
        cost = billing.cost_between(account.costs, account.settled_at_us, from_us - 1)
        in_order = self._in_order(account, from_us)
        out = billing.run_out(account.balance - cost, in_order, from_us, now_us, at_most=ENDS_MAX)
        assert out.ended, "at least one rental ends when the balance runs out"
        self._warn(account, [*dict.fromkeys(at_us for _, at_us in out.ended)], until_us=out.through_us)
        self._pay_minutes(account, cost + out.cost, at_us=out.through_us)
        for rental, at_us in out.ended:
            self._end(account, rental, at_us, EndReason.DEPLETED)
        self._may_end -= len(out.ended)
        self._look_ahead(account)
        self._write_ends()

    def _in_order(self, account: Account, from_us: int) -> list[LiveRental]:
        if account.id not in self._paying:
            return rentals.paying_from(self._tx, account.id, from_us, limit=ENDS_MAX)
        paying = [rental for rental in self._paying[account.id] if rental.rental_id not in self._ended_ids]
        return billing.in_order(paying, from_us)

    def _look_ahead(self, account: Account) -> None:
        runs_out_us = billing.runs_out_at(account.balance, account.settled_at_us, account.costs)
        account.depletes_at_us = None if account.closed_at_us is not None else runs_out_us

    def _warn(self, account: Account, depletions: list[int | None], *, until_us: int) -> None:
        """Record the warnings that become due after the last settlement and by `until_us`."""
        warnings, account.low_balance_warnings = low_balance.due(
            account.low_balance_warnings, depletions, from_us=account.settled_at_us, until_us=until_us
        )
        self._events += [low_balance_events.event(account, warning) for warning in warnings]

    def _pay_minutes(self, account: Account, cost: int, *, at_us: int) -> None:
        """Pay the minutes of all rentals since the last settlement, and mark the account as settled at `at_us`."""
        if cost:
            ref = f"account {account.id}:{account.settled_at_us}"
            self._post(account, -cost, money.REVENUE, Kind.RENTAL_MINUTES, ref, self._reference(account), at_us=at_us)
        account.settled_at_us = at_us

    def _reference(self, account: Account) -> str:
        """Return what a statement entry pays for: the number, or how many there are."""
        if account.live_rentals != 1:
            return f"{account.live_rentals} numbers"
        if account.id not in self._only_numbers:
            ids = [a.id for a in self.accounts.values() if a.live_rentals == 1]
            for row in rentals.live_numbers(self._tx, ids):
                if row["id"] not in self._ended_ids:
                    self._only_numbers[row["account_id"]] = row["e164"]
        return self._only_numbers[account.id]

    def _end(self, account: Account, rental: LiveRental, at_us: int, reason: EndReason) -> None:
        """Book the rental's share of the minutes paid so far, and remove it from the account's sums."""
        is_unpaid = reason is EndReason.DEPLETED or at_us == rental.limit_at_us  # the minute that starts now
        minutes = billing.minutes_started(rental.started_at_us, at_us) - is_unpaid
        if rental.cost_per_minute and minutes > rental.booked_minutes:
            self._shares.append((rental.rental_id, rental.booked_minutes, minutes, None))
        account.costs.end(rental)
        account.live_rentals -= 1
        self._touched.add(account.id)
        self._ended_ids.add(rental.rental_id)
        if rental.limit_at_us is not None or rental.change is not None:
            self._relimited.add(account.id)
        self._ended.append((account.id, structs.replace(rental, booked_minutes=minutes), at_us, reason))

    def _post(
        self,
        account: Account,
        sats: int,
        counterpart: int,
        kind: Kind,
        unique_ref: str,
        reference: str,
        *,
        at_us: int | None = None,
        minutes: tuple[int, int, int] | None = None,
    ) -> None:
        """Move satoshis between the account (positive: to it) and a system account; does nothing for 0."""
        if sats == 0:
            return
        account.balance += sats
        if kind is not Kind.RENTAL_MINUTES:  # passing minutes do not change when the balance runs out
            self._touched.add(account.id)
        assert account.balance >= 0, "a customer's balance cannot go below 0"
        debit, credit = (counterpart, account.id) if sats > 0 else (account.id, counterpart)
        at_us = account.settled_at_us if at_us is None else at_us
        transfer = Transfer(
            at_us, kind, unique_ref, debit, credit, abs(sats), account.id, account.balance, reference, minutes
        )
        self._transfers.append(transfer)

    def _move(
        self, account: Account, amount: int, debit: int, credit: int, kind: Kind, unique_ref: str, reference: str
    ) -> None:
        """Move satoshis between two system accounts, because of a payment to this account; does nothing for 0."""
        if amount:
            at_us, balance = account.settled_at_us, account.balance
            moved = Transfer(at_us, kind, unique_ref, debit, credit, amount, account.id, balance, reference, None)
            self._transfers.append(moved)

    def _write_ends(self) -> None:
        """Write the rentals that ended, so that they are no longer read as live."""
        ended, self._ended = self._ended, []
        shares, self._shares = self._shares, []
        if ended:
            now_us = max(self.accounts[account_id].settled_at_us for account_id, _, _, _ in ended)
            self._events += rental_ends.write(self._tx, ended, shares, now_us=now_us)


@contextmanager
def open_ledger(tx: Tx, account_ids: Iterable[int], *, now_us: int, is_portion: bool = False) -> Iterator[Ledger]:
    """Open a ledger that is closed when the block ends without an error; an error writes nothing."""
    ledger = Ledger(tx, account_ids, now_us=now_us, is_portion=is_portion)
    yield ledger
    ledger.flush()


def settle_portion(tx: Tx, account_ids: list[int], *, now_us: int) -> bool:
    """Settle accounts, or end some of the rentals they cannot pay any more. Return True if there is more to do."""
    with open_ledger(tx, account_ids, now_us=now_us, is_portion=True) as ledger:
        pass
    return not ledger.is_settled(now_us)
