"""Accounts: opening one, its balance, cost and runway, and its transactions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from msgspec import structs

from dtmf_server.core import billing
from dtmf_server.core.billing import NEVER_US, LiveRental
from dtmf_server.core.units import MINUTE_US
from dtmf_server.storage import accounts, rentals, tokens, transfers
from dtmf_server.storage.db import Row, Tx


@dataclass(frozen=True, slots=True)
class Usage:
    """An account's balance, its cost per minute, when the balance runs out (None: never), its debt, and whether its operator
    has suspended it."""

    balance: int
    cost_per_minute: int
    runs_out_at_us: int | None
    debt: int  # satoshis owed; credits pay them first
    is_suspended: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of an account at an instant, whether or not it has been written."""

    balance: int
    cost_per_minute: int
    live_rentals: int
    depletes_at_us: int | None
    # Rentals that reached a limit, or that the balance could not pay, and that are still stored as live, each with its
    # end, in order of the end.
    ended: tuple[tuple[LiveRental, int], ...] = ()

    @property
    def ended_ids(self) -> frozenset[int]:
        """The IDs of those rentals."""
        return frozenset(rental.rental_id for rental, _ in self.ended)


def open_account(tx: Tx, *, token_sha256: bytes, now_us: int) -> int:
    """Open an account with a first token. Return its ID."""
    account_id = accounts.add(tx, now_us=now_us)
    tokens.add(tx, account_id=account_id, sha256=token_sha256, label="first", now_us=now_us)
    return account_id


READ_AT_ONCE = 200  # rentals
_STATE = ("settled_at_us", "balance", "live_rentals", "depletes_at_us", "limit_at_us")


def standing(tx: Tx, account_id: int, *, now_us: int) -> Standing:
    """Return the current state of the account, with the minutes started since the last settlement paid. Nothing is
    written.

    Reads one row and sums, however many rentals the account has. If the balance has run out since the last settlement,
    which the meter notices within moments, some rentals are read too; all of them if one has reached a limit or changed its
    price.
    """
    while True:
        row = accounts.at(tx, account_id, now_us=now_us)
        now_us = max(now_us, row["settled_at_us"])
        is_paying = row["cost_per_minute"] or row["capped_rentals"]
        is_closed = row["closed_at_us"] is not None and is_paying  # no time passes once it is closed
        capped = rentals.capped(tx, [account_id]).get(account_id, []) if row["capped_rentals"] else []
        limit_us = row["limit_at_us"]
        if limit_us is not None and limit_us <= now_us:
            found = _past_limit(tx, row, capped, now_us)
        elif is_closed or row["depletes_at_us"] is None or row["depletes_at_us"] > now_us:
            accrued = 0 if is_closed or now_us == row["settled_at_us"] else _accrued(row, capped, now_us)
            found = _standing(row, capped, row["balance"] - accrued, (), row["depletes_at_us"], now_us=now_us)
            if not capped:
                return found
        else:
            found = _past_run_out(tx, row, capped, now_us)
        if _same(row, accounts.at(tx, account_id, now_us=now_us)):  # else the reads saw two different states
            return found


def balance(tx: Tx, account_id: int, *, now_us: int) -> int:
    """Return the satoshis that the account can spend now."""
    return standing(tx, account_id, now_us=now_us).balance


def usage(tx: Tx, account_id: int, *, now_us: int) -> Usage:
    """Return balance, cost per minute, when the balance runs out, debt, and whether the account is suspended."""
    now = standing(tx, account_id, now_us=now_us)
    runs_out = now.depletes_at_us if now.depletes_at_us != NEVER_US else None
    row = accounts.debt_and_suspension(tx, account_id)
    return Usage(now.balance, now.cost_per_minute, runs_out, row["debt"], row["suspended_at_us"] is not None)


def _accrued(row: Row, capped: list[LiveRental], now_us: int) -> int:
    """Return the cost of the minutes that have started since the last settlement."""
    minutes = now_us // MINUTE_US - row["settled_at_us"] // MINUTE_US
    others = sum(rental.cost_between(row["settled_at_us"], now_us) for rental in capped)
    return int(row["cost_per_minute"] * minutes + row["accrued_now"] - row["begun_cost"]) + others


def _same(row: Row, other: Row) -> bool:
    return all(row[name] == other[name] for name in _STATE)


def _past_run_out(tx: Tx, row: Row, capped: list[LiveRental], now_us: int) -> Standing:
    """Return the state of an account whose balance has run out: computed from the rentals whose minutes come first, or
    from all rentals if those do not suffice."""
    from_us = row["depletes_at_us"]
    costs = accounts.load(tx, row["id"]).costs
    left = row["balance"] - billing.cost_between(costs, row["settled_at_us"], from_us - 1)
    first = rentals.paying_from(tx, row["id"], from_us, limit=READ_AT_ONCE)
    ended: list[tuple[LiveRental, int]] = []
    for turn in billing.turns(left, first, from_us):
        if turn.at_us > now_us and not turn.is_paid:
            return _standing(row, capped, left, ended, turn.at_us, now_us=now_us)
        if turn.at_us <= now_us:
            left = turn.left
            ended += [] if turn.is_paid else [(turn.rental, turn.at_us)]
    return _past_limit(tx, row, capped, now_us)


def _past_limit(tx: Tx, row: Row, capped: list[LiveRental], now_us: int) -> Standing:
    """Return the state of an account whose balance has run out, or one of whose rentals has reached a limit or changed its
    price: computed from all rentals."""
    every = [
        structs.replace(r, booked_minutes=billing.minutes_started(r.started_at_us, row["settled_at_us"]))
        for r in rentals.metered(tx, row["id"])
    ]
    settled = billing.settle(row["balance"], every, now_us)
    found = _standing(row, capped, settled.balance, settled.ended, settled.depletes_at_us, now_us=now_us)
    return replace(found, cost_per_minute=sum(rental.cost_at(now_us) for rental in settled.running))


def _standing(
    row: Row,
    capped: list[LiveRental],
    balance: int,
    ended: Sequence[tuple[LiveRental, int]],
    depletes_at_us: int | None,
    *,
    now_us: int,
) -> Standing:
    """Return the state of an account at `now_us`. The cost per minute is that of the minutes running now."""
    cost = row["cost_per_minute"] + sum(rental.cost_at(now_us) for rental in capped)
    return Standing(
        balance,
        cost - sum(rental.cost_at(now_us) for rental, _ in ended),
        row["live_rentals"] - len(ended),
        depletes_at_us,
        tuple(ended),
    )


def transactions(tx: Tx, account_id: int, *, after: int, limit: int) -> list[Row]:
    """Return the account's transfers with IDs above `after`, oldest first."""
    return transfers.of_account(tx, account_id, after=after, limit=limit)
