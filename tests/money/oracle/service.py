"""The service's money reimplemented with integers, dicts and loops: the oracle of the state machine.

Each method returns what the service must answer ("ok" or the refusal's code), and applies the change here. Time
passes for an account only when the service writes to it; `at` computes without writing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from money.oracle.minutes import PlainRental, pay_minutes, run_out_us

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US


@dataclass(frozen=True, slots=True)
class PlainGroup:
    """A group's prices."""

    setup_cost: int
    cost: int
    sms_cost: int
    cap: int | None = None
    reclaim_days: int = 0
    is_pegged: bool = False


@dataclass(slots=True)
class PlainNumber:
    """A number, in stock or not."""

    group_id: str
    rented: bool = False
    released_at_us: int | None = None  # None: never rented
    last_account_id: int | None = None
    reserved_until_us: int = 0


@dataclass(slots=True)
class PlainAccount:
    """A customer."""

    id: int
    settled_us: int
    balance: int = 0
    debt: int = 0
    live: list[PlainRental] = field(default_factory=list)
    ended: list[PlainRental] = field(default_factory=list)
    sent_us: list[int] = field(default_factory=list)

    def copy(self) -> "PlainAccount":
        """Return an independent copy."""
        live, ended = [r.copy() for r in self.live], [r.copy() for r in self.ended]
        return replace(self, live=live, ended=ended, sent_us=list(self.sent_us))

    def credit(self, sats: int) -> None:
        """Add satoshis from any source. Debt is paid first."""
        paid = min(self.debt, sats)
        self.debt -= paid
        self.balance += sats - paid

    def pass_time(self, now_us: int) -> list[PlainRental]:
        """Pay every minute begun by now, or by the account's own time if that is later; return the rentals that ended."""
        self.settled_us = max(self.settled_us, now_us)
        # A free minute moves no money; counting a year of them would only take time.
        self.balance = pay_minutes(self.balance, [r for r in self.live if r.cost], self.settled_us)
        for rental in self.live:
            limit_us = rental.limit_us() if rental.cost == 0 else None
            if limit_us is not None and limit_us <= self.settled_us:
                rental.ended_us, rental.reason = limit_us, "limit"
        ended = [rental for rental in self.live if rental.ended_us is not None]
        self.live = [rental for rental in self.live if rental.ended_us is None]
        self.ended += ended
        return ended

    def rental(self, e164: str) -> PlainRental | None:
        """Return the live rental of this number."""
        return next((rental for rental in self.live if rental.e164 == e164), None)


@dataclass(slots=True)
class PlainMessage:
    """A message's charge and status."""

    id: int
    account_id: int
    cost: int
    status: str
    forward_of: int | None = None
    forwarded_by: int | None = None  # the rental
    rental_id: int | None = None  # the rental that sent it


def segments(text: str) -> int:
    """Return the number of segments of a text in the basic GSM alphabet."""
    return 1 if len(text) <= 160 else -(-len(text) // 153)


class PlainService:
    """All accounts, numbers and messages."""

    def __init__(
        self,
        *,
        groups: Mapping[str, PlainGroup],
        numbers: Mapping[str, str],
        destinations: Mapping[str, int],
        cooldown_us: int,
        daily_limit: int,
    ) -> None:
        self.groups, self.destinations = groups, destinations
        self.cooldown_us, self.daily_limit = cooldown_us, daily_limit
        self.numbers = {e164: PlainNumber(group_id) for e164, group_id in sorted(numbers.items())}
        self.accounts: dict[int, PlainAccount] = {}
        self.messages: dict[int, PlainMessage] = {}
        self.strays = 0
        self._run_outs: dict[object, int | None] = {}

    def at(self, account_id: int, now_us: int) -> PlainAccount:
        """Return the account as it would be at this time if it were settled."""
        account = self.accounts[account_id].copy()
        account.pass_time(now_us)
        return account

    def settle(self, account_id: int, now_us: int) -> PlainAccount:
        """Settle the account at this time."""
        account = self.accounts[account_id]
        for rental in account.pass_time(now_us):
            self._rest(rental)
        return account

    def _rest(self, rental: PlainRental) -> None:
        assert rental.ended_us is not None
        number = self.numbers[rental.e164]
        number.rented, number.released_at_us = False, rental.ended_us
        days = self.groups[number.group_id].reclaim_days
        if rental.reason == "depleted" and days:
            number.reserved_until_us = rental.ended_us + days * DAY_US

    def _free_number(self, account_id: int, group_id: str, now_us: int) -> str | None:
        """Return the number that the account would get: its last one if still cooling down, else the first released."""
        free = [(e164, n) for e164, n in self.numbers.items() if n.group_id == group_id and not n.rented]
        own = [(e164, n) for e164, n in free if n.last_account_id == account_id and self._cools(n, now_us)]
        if own:
            return min(own, key=lambda pair: (-(pair[1].released_at_us or 0), pair[0]))[0]
        cooled = [(e164, n) for e164, n in free if not self._cools(n, now_us)]
        # Numbers that were never reserved come first.
        key: Callable[[tuple[str, PlainNumber]], tuple[int, int, str]] = lambda pair: (  # noqa: E731 - named for its type
            pair[1].reserved_until_us,
            0 if pair[1].reserved_until_us else pair[1].released_at_us or 0,
            pair[0],
        )
        return min(cooled, key=key)[0] if cooled else None

    def _cools(self, number: PlainNumber, now_us: int) -> bool:
        if number.reserved_until_us > now_us:
            return True
        return number.released_at_us is not None and number.released_at_us + self.cooldown_us > now_us

    def rent(
        self,
        account_id: int,
        group_id: str,
        now_us: int,
        *,
        max_minutes: int | None = None,
        max_sats: int | None = None,
    ) -> str:
        """Return the refusal for renting, or the number that would be rented; `started` performs it."""
        group, account = self.groups[group_id], self.at(account_id, now_us)
        if max_minutes is not None and max_minutes < 1:
            return "limit_too_low"
        if max_sats is not None and max_sats < group.setup_cost + group.cost + group.sms_cost:
            return "limit_too_low"
        if account.balance < group.setup_cost + group.cost:
            return "insufficient_funds"
        return self._free_number(account_id, group_id, account.settled_us) or "no_numbers_available"

    def started(
        self,
        account_id: int,
        e164: str,
        rental_id: int,
        now_us: int,
        *,
        max_minutes: int | None = None,
        max_sats: int | None = None,
    ) -> None:
        """Rent this number to the account."""
        account, number = self.settle(account_id, now_us), self.numbers[e164]
        group = self.groups[number.group_id]
        account.balance -= group.setup_cost + group.cost
        account.live.append(
            PlainRental(
                rental_id,
                account.settled_us,
                group.cost,
                1,
                e164=e164,
                sms_cost=group.sms_cost,
                cap=group.cap,
                until_us=account.settled_us + 30 * DAY_US if group.is_pegged else None,
                setup=group.setup_cost,
                max_minutes=max_minutes,
                max_sats=max_sats,
            )
        )
        number.rented, number.last_account_id, number.reserved_until_us = True, account_id, 0

    def end(self, account_id: int, e164: str, now_us: int) -> str:
        """End a rental as its renter."""
        if self.at(account_id, now_us).rental(e164) is None:
            return "number_not_rented"
        account = self.settle(account_id, now_us)
        rental = account.rental(e164)
        assert rental is not None
        self._end(account, rental, "renter")
        return "ok"

    def _end(self, account: PlainAccount, rental: PlainRental, reason: str) -> None:
        rental.ended_us, rental.reason = account.settled_us, reason
        account.live.remove(rental)
        account.ended.append(rental)
        self._rest(rental)

    def set_limits(
        self, account_id: int, e164: str, now_us: int, *, max_minutes: int | None, max_sats: int | None
    ) -> str:
        """Set both limits of a rental; return the answer."""
        live = self.at(account_id, now_us).rental(e164)
        if live is None:
            return "number_not_rented"
        account = self.at(account_id, now_us)
        started = (account.settled_us - live.started_us) // MINUTE_US + 1
        if max_minutes is not None and max_minutes < started:
            return "limit_too_low"
        live.paid_minutes = started
        if max_sats is not None and max_sats < live.setup + live.paid() + self.messages_cost(live) + live.sms_price():
            return "limit_too_low"
        rental = self.settle(account_id, now_us).rental(e164)
        assert rental is not None
        rental.message_sats = self.messages_cost(rental)
        rental.max_minutes, rental.max_sats = max_minutes, max_sats
        return "ok"

    def messages_cost(self, rental: PlainRental) -> int:
        """Return what the rental's messages have cost."""
        return sum(message.cost for message in self.messages.values() if message.rental_id == rental.id)

    def _spend(self, account: PlainAccount, rental: PlainRental, sats: int) -> None:
        """Pay for a message of a live rental, which ends if another SMS could not be paid."""
        account.balance -= sats
        rental.message_sats += sats
        left = rental.left()
        if sats and left is not None and left < rental.sms_price():
            self._end(account, rental, "limit")

    def receive(self, to: list[str], now_us: int) -> list[tuple[int, int, int] | None]:
        """Receive SMS for these numbers in one batch: (account, cost, rental) for each, None for a stray."""
        for account in self.accounts.values():
            if any(rental.e164 in to for rental in account.live):
                self.settle(account.id, now_us)
        return [self._receive_one(e164) for e164 in to]

    def _receive_one(self, e164: str) -> tuple[int, int, int] | None:
        for account in self.accounts.values():
            rental = account.rental(e164)
            if rental is not None:
                cost = min(rental.sms_price(), account.balance)
                left = rental.left()
                cost = cost if left is None else min(cost, left)
                self._spend(account, rental, cost)
                return account.id, cost, rental.id
        self.strays += 1
        return None

    def price(self, to: str) -> int | None:
        """Return the price of a segment to this number: that of the longest matching prefix."""
        fitting = [prefix for prefix in self.destinations if to[1:].startswith(prefix)]
        return self.destinations[max(fitting, key=len)] if fitting else None

    def send(self, account_id: int, e164: str, to: str, content: str, now_us: int) -> tuple[str, int]:
        """Send from a number; return the answer and the cost."""
        account = self.at(account_id, now_us)
        rental = account.rental(e164)
        if rental is None:
            return "number_not_rented", 0
        price = self.price(to)
        if price is None:
            return "destination_not_served", 0
        if sum(1 for at_us in account.sent_us if at_us > account.settled_us - DAY_US) >= self.daily_limit:
            return "daily_limit_reached", 0
        cost = price * segments(content)
        left = rental.left()
        if left is not None and cost > left:
            return "limit_reached", 0
        if cost > account.balance:
            return "insufficient_funds", 0
        account = self.settle(account_id, now_us)
        live = account.rental(e164)
        assert live is not None
        self._spend(account, live, cost)
        account.sent_us.append(account.settled_us)
        return "ok", cost

    def move_on(self, message_id: int, status: str, now_us: int) -> None:
        """Apply a status reported by the carrier; only the first 'failed' refunds the cost."""
        message = self.messages[message_id]
        account = self.settle(message.account_id, now_us)
        may_follow = {
            "in_doubt": ["queued"],
            "queued": ["in_doubt"],
            "sent": ["queued", "in_doubt"],
            "delivered": ["queued", "sent", "in_doubt"],
            "failed": ["queued", "sent", "in_doubt"],
        }
        if message.status not in may_follow[status]:
            return
        message.status = status
        if status == "failed":
            account.credit(message.cost)
            for rental in account.live + account.ended:
                if rental.id == message.rental_id:
                    rental.message_sats -= message.cost
            message.cost = 0

    def give_up_forwards(self, rental_id: int, now_us: int) -> None:
        """Stop the rental's forwarding: charged forwards that no carrier has accepted are dropped and refunded."""
        for message in self.messages.values():
            if message.forwarded_by == rental_id and message.status == "queued":
                self.move_on(message.id, "failed", now_us)

    def move_coins(self, account_id: int, sats: int, now_us: int) -> None:
        """Credit a deposit, paying debt first; or reverse one, with any shortfall becoming debt."""
        account = self.settle(account_id, now_us)
        if sats > 0:
            account.credit(sats)
        else:
            covered = min(account.balance, -sats)
            account.balance -= covered
            account.debt += -sats - covered

    def due(self, now_us: int) -> list[int]:
        """Return the accounts the meter must settle: out of money, due for a warning, or not settled for a day."""
        return [
            account.id
            for account in self.accounts.values()
            if any(at_us is not None and at_us <= now_us for at_us in self._limits_us(account))
            or (
                any(rental.cost for rental in account.live)
                and (
                    len(self.at(account.id, now_us).live) < len(account.live)
                    or account.settled_us <= now_us - DAY_US
                    or any(at_us <= now_us for at_us in self.warnings_us(account.id))
                )
            )
        ]

    def next_due_us(self) -> int | None:
        """Return when the meter must next settle an account."""
        paying = [account for account in self.accounts.values() if any(rental.cost for rental in account.live)]
        due_us = [account.settled_us + DAY_US for account in paying]
        due_us += [at_us for account in paying if (at_us := self.run_out_us(account.id, 0)) is not None]
        due_us += [at_us for account in paying for at_us in self.warnings_us(account.id)]
        due_us += [
            at_us for account in self.accounts.values() for at_us in self._limits_us(account) if at_us is not None
        ]
        return min(due_us, default=None)

    def _limits_us(self, account: PlainAccount) -> list[int | None]:
        """Return when each rental reaches a limit or changes its price."""
        changes = [rental.change_us(account.settled_us) for rental in account.live]
        return changes + [rental.limit_us() for rental in account.live]

    def warnings_us(self, account_id: int) -> list[int]:
        """Return when the account is due for warnings that had not been sent when it was last settled."""
        settled_us, run_out_us = self.accounts[account_id].settled_us, self.run_out_us(account_id, 0)
        if run_out_us is None:
            return []
        return [at_us for at_us in (run_out_us - DAY_US, run_out_us - HOUR_US) if at_us > settled_us]

    def run_out_us(self, account_id: int, now_us: int) -> int | None:
        """Return when the account's money runs out; recomputed only after a write."""
        written = self.accounts[account_id]
        state = (account_id, written.balance, tuple((r.id, r.paid_minutes) for r in written.live))
        if state not in self._run_outs:
            self._run_outs[state] = run_out_us(written.balance, written.live)
        at_us = self._run_outs[state]
        ended = any(limit_us is not None and limit_us <= now_us for limit_us in self._limits_us(written))
        if not ended and (at_us is None or at_us > now_us):
            return at_us
        account = self.at(account_id, now_us)
        return run_out_us(account.balance, account.live)
