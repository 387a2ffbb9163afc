"""The one way satoshis move: open the books of some accounts, post transfers, close.

Opening locks the accounts and pays their started minutes up to now; closing writes everything set-wise, once per
account, with the new `depletes_at`. Nothing else changes a balance.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from msgspec import structs

from dtmf_server.core import billing, low_balance, money
from dtmf_server.core.billing import Running
from dtmf_server.core.errors import InsufficientFunds
from dtmf_server.core.money import Kind
from dtmf_server.core.rental import EndReason
from dtmf_server.operations import account_webhook
from dtmf_server.storage import accounts, closing, entries, events, messages, numbers, rentals
from dtmf_server.storage.accounts import Account
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.entries import Transfer
from dtmf_server.storage.events import Event


class Books:
    """The open books of some accounts. Balances here are settled to `now_us(account)` and include what was posted."""

    def __init__(self, tx: Tx, account_ids: Iterable[int], *, now_us: int, rest_us: int) -> None:
        self._tx = tx
        self._rest_us = rest_us
        self._transfers: list[Transfer] = []
        self._events: list[Event] = []
        self._booked: dict[int, Running] = {}
        self._ended: list[tuple[int, Running, int, EndReason]] = []
        self.accounts = accounts.lock(tx, account_ids)
        self._e164s: dict[int, str] | None = None
        for account in self.accounts.values():
            self._settle(account, now_us)

    def now_us(self, account_id: int) -> int:
        """The account's now, which never runs backwards."""
        return self.accounts[account_id].settled_at_us

    def balance(self, account_id: int) -> int:
        """What the account can spend."""
        return self.accounts[account_id].balance

    def is_live(self, account_id: int, rental_id: int) -> bool:
        """Whether the rental is still on, after settling; False too for an account whose books are not open."""
        return account_id in self.accounts and any(
            rental.rental_id == rental_id for rental in self.accounts[account_id].running
        )

    def require(self, account_id: int, amount: int) -> None:
        """Raises InsufficientFunds unless the account can spend that much."""
        if self.balance(account_id) < amount:
            raise InsufficientFunds(balance=self.balance(account_id), required=amount)

    def charge(self, account_id: int, amount: int, *, kind: Kind, ref: str, reference: str) -> None:
        """Takes satoshis from the account, for the service."""
        self.require(account_id, amount)
        self._post(self.accounts[account_id], -amount, money.REVENUE, kind, ref, reference)

    def refund(self, account_id: int, amount: int, *, kind: Kind, ref: str, reference: str) -> None:
        """Give satoshis that were charged back to the account. The suspense account gets what reaches a deleted one."""
        self._credit(self.accounts[account_id], amount, money.REVENUE, kind, ref, reference)
        if closing.is_closed(self._tx, account_id):
            self._suspend(self.accounts[account_id], f"{kind}:{ref}", reference)

    def deposit(self, account_id: int, amount: int, *, ref: str, reference: str) -> None:
        """Credit coins that arrived."""
        self._credit(self.accounts[account_id], amount, money.BITCOIN, Kind.DEPOSIT, ref, reference)

    def reverse_deposit(self, account_id: int, amount: int, *, ref: str, reference: str) -> None:
        """Take back coins that left the chain, all of them; what the balance lacks is lent first, as the account's debt."""
        account = self.accounts[account_id]
        if owed := max(0, amount - account.balance):
            account.debt += owed
            self._post(account, owed, money.RECEIVABLE, Kind.DEBT, ref, reference)
        self._post(account, -amount, money.BITCOIN, Kind.DEPOSIT_REVERSED, ref, reference)

    def hand_over(self, from_id: int, to_id: int, amount: int, *, ref: str, reference: str) -> None:
        """Move satoshis from one account to another, into suspense or out of it; what the receiver owes is paid first."""
        self._post(self.accounts[from_id], -amount, money.BITCOIN, Kind.MOVED_OUT, ref, reference)
        self._credit(self.accounts[to_id], amount, money.BITCOIN, Kind.MOVED_IN, ref, reference)

    def _credit(self, account: Account, amount: int, counterpart: int, kind: Kind, ref: str, reference: str) -> None:
        """Give satoshis to an account: the one place where that happens, so that what it owes is always paid first."""
        self._post(account, amount, counterpart, kind, ref, reference)
        if paid := min(account.debt, amount):
            account.debt -= paid
            debt_ref = ref if kind is Kind.DEPOSIT else f"{kind}:{ref}"
            self._post(account, -paid, money.RECEIVABLE, Kind.DEBT_PAID, debt_ref, reference)

    def _suspend(self, account: Account, ref: str, reference: str) -> None:
        """Move what a deleted account has into suspense, where `deposits assign` finds it by the account."""
        if money.SUSPENSE not in self.accounts:
            self.accounts |= accounts.lock(self._tx, [money.SUSPENSE])
            self._settle(self.accounts[money.SUSPENSE], account.settled_at_us)
        if account.balance:
            reference = f"account {account.id}: {reference}"
            self.hand_over(account.id, money.SUSPENSE, account.balance, ref=ref, reference=reference)

    def start(self, account_id: int, rental: Running, *, setup_cost: int, e164: str) -> None:
        """Pays a new rental's set-up and first minute; its minutes count from now on."""
        account = self.accounts[account_id]
        self.require(account_id, setup_cost + rental.cost_per_minute)
        self._numbers()[rental.rental_id] = e164
        self._post(account, -setup_cost, money.REVENUE, Kind.RENTAL_SETUP, str(rental.rental_id), e164)
        self._book_minutes(account, structs.replace(rental, booked_minutes=0), rental, account.settled_at_us)
        account.running += (rental,)

    def end(self, account_id: int, rental_id: int, reason: EndReason) -> None:
        """Ends a live rental now; its started minute is paid already."""
        account = self.accounts[account_id]
        rental = next(rental for rental in account.running if rental.rental_id == rental_id)
        account.running = tuple(other for other in account.running if other is not rental)
        self._ended.append((account_id, rental, account.settled_at_us, reason))

    def note(self, event: Event) -> None:
        """Writes an event with this transaction."""
        self._events.append(event)

    def close(self) -> None:
        """Writes transfers, minutes, ended rentals, events and accounts."""
        for account in self.accounts.values():
            account.depletes_at_us = billing.depletes_at(account.balance, account.running)
            self._warn(account, [account.depletes_at_us], since=None)
        entries.append(self._tx, self._transfers)
        rentals.store_booked(self._tx, self._booked.values())
        self._write_ends()
        self._events.sort(key=lambda event: event.at_us)
        ids = events.append(self._tx, self._events)
        now_us = max((account.settled_at_us for account in self.accounts.values()), default=0)
        account_webhook.queue(self._tx, list(zip(ids, self._events, strict=True)), now_us=now_us)
        accounts.store(self._tx, self.accounts.values())
        dues = [low_balance.next_due_us(a.low_balance_warnings, a.depletes_at_us) for a in self.accounts.values()]
        if any(due_us is not None and due_us <= now_us + billing.LOOK_EVERY_US for due_us in dues):
            self._tx.notify("meter")  # which would come too late by itself

    def _settle(self, account: Account, now_us: int) -> None:
        """Pays the started minutes and ends what can't be paid, each booked at its own instant."""
        now_us = max(now_us, account.settled_at_us)
        if all(rental.next_minute_us > now_us for rental in account.running):
            account.settled_at_us = now_us  # no minute has started since: the usual case of a busy account
            return
        since = replace(account)
        before = {rental.rental_id: rental for rental in account.running}
        settled = billing.settle(account.balance, account.running, now_us)
        for rental, at_us in settled.ended:
            self._book_minutes(account, before[rental.rental_id], rental, at_us)
            self._ended.append((account.id, rental, at_us, EndReason.DEPLETED))
        for rental in settled.running:
            self._book_minutes(account, before[rental.rental_id], rental, now_us)
        assert account.balance == settled.balance, "the minutes booked are not the minutes settled"
        account.running = settled.running
        account.settled_at_us = now_us
        ran_out = dict.fromkeys(at_us for _, at_us in settled.ended)
        self._warn(account, [*ran_out, settled.depletes_at_us], since=since)

    def _warn(self, account: Account, depletions: list[int | None], *, since: Account | None) -> None:
        """Notes the warnings that became due since the account was like that; None: because of what was just done."""
        warnings, account.low_balance_warnings = low_balance.due(
            account.low_balance_warnings,
            depletions,
            from_us=since.settled_at_us if since else account.settled_at_us,
            until_us=account.settled_at_us,
        )
        for warning in warnings:
            then = billing.settle(since.balance, since.running, warning.at_us) if since else account
            data = {"hours": warning.hours, "balance": then.balance, "runs_out_at_us": warning.depletes_at_us}
            self._events.append(Event(account.id, warning.at_us, "balance.low", data=data))

    def _book_minutes(self, account: Account, before: Running, after: Running, at_us: int) -> None:
        start, end = before.booked_minutes, after.booked_minutes
        if start == end:
            return
        self._booked[after.rental_id] = after
        self._post(
            account,
            -(end - start) * after.cost_per_minute,
            money.REVENUE,
            Kind.RENTAL_MINUTES,
            f"{after.rental_id}:{start}",
            self._numbers()[after.rental_id],
            at_us=at_us,
            minutes=(after.rental_id, start, end),
        )

    def _post(
        self,
        account: Account,
        sats: int,
        counterpart: int,
        kind: Kind,
        ref: str,
        reference: str,
        *,
        at_us: int | None = None,
        minutes: tuple[int, int, int] | None = None,
    ) -> None:
        """Moves satoshis between the account (positive: to it) and a system account; nothing for nothing."""
        if sats == 0:
            return
        account.balance += sats
        assert account.balance >= 0, "a customer's balance can't go below 0"
        debit, credit = (counterpart, account.id) if sats > 0 else (account.id, counterpart)
        self._transfers.append(
            Transfer(
                at_us=account.settled_at_us if at_us is None else at_us,
                kind=kind,
                ref=ref,
                debit=debit,
                credit=credit,
                amount=abs(sats),
                account_id=account.id,
                balance=account.balance,
                reference=reference,
                minutes=minutes,
            )
        )

    def _numbers(self) -> dict[int, str]:
        """The number of each live rental, read only if a booking needs it."""
        if self._e164s is None:
            ids = [rental.rental_id for account in self.accounts.values() for rental in account.running]
            self._e164s = rentals.numbers_of(self._tx, ids)
        return self._e164s

    def _write_ends(self) -> None:
        for reason in EndReason:
            ended = [(account_id, rental, at_us) for account_id, rental, at_us, why in self._ended if why is reason]
            if not ended:
                continue
            e164s = rentals.numbers_of(self._tx, [rental.rental_id for _, rental, _ in ended])
            rentals.end(self._tx, [(rental.rental_id, at_us) for _, rental, at_us in ended], reason)
            numbers.put_to_rest(
                self._tx, [(e164s[rental.rental_id], at_us + self._rest_us) for _, rental, at_us in ended]
            )
            self._events += [
                Event(
                    account_id,
                    at_us,
                    "rental.ended",
                    data={"e164": e164s[rental.rental_id], "reason": reason.value},
                )
                for account_id, rental, at_us in ended
            ]


@contextmanager
def open_books(tx: Tx, account_ids: Iterable[int], *, now_us: int, rest_us: int) -> Iterator[Books]:
    """Open books that are closed when the block ends well; an error writes nothing."""
    books = Books(tx, account_ids, now_us=now_us, rest_us=rest_us)
    yield books
    books.close()


def fail_message(tx: Tx, books: Books, message: Row, *, reason: str) -> None:
    """The message will not arrive: its cost goes back, in open books."""
    account_id, message_id = message["account_id"], message["id"]
    messages.set_status(tx, message_id, status="failed", reason=reason)
    if message["cost"]:
        ref = str(message_id)
        books.refund(account_id, message["cost"], kind=Kind.MESSAGE_REFUNDED, ref=ref, reference=ref)
        messages.refund(tx, message_id)
    data = {"status": "failed", "reason": reason}
    books.note(Event(account_id, books.now_us(account_id), "message.status", message_id, data))
