"""The limits of restricted tokens. Everything here needs the account to be locked, as an open ledger has it: then no
token of the account changes meanwhile."""

from collections.abc import Iterable

from dtmf_server.core import monthly_cap
from dtmf_server.core.errors import GroupNotAllowed, LimitTooLow, NotItsRental, TokenLimitReached, Unauthenticated
from dtmf_server.core.limits import Reserves
from dtmf_server.core.token_budget import TokenBudget
from dtmf_server.core.token_grant import Grant
from dtmf_server.core.units import DAY_US
from dtmf_server.storage import rentals, token_rentals, tokens
from dtmf_server.storage.db import Row, Tx


def today(row: Row, *, now_us: int) -> int:
    """Return the satoshis that count against the token's limit per day on the UTC day of `now_us`. A reservation counts
    on each day on which its rental is live."""
    same_day = row["day"] == now_us // DAY_US
    return int(row["day_sats"] if same_day else row["reserved_sats"])


def working(tx: Tx, account_id: int, token_id: int | None) -> list[Row]:
    """Return a restricted token and the one that created it, the latter first; nothing for None, an unrestricted token.
    Raises Unauthenticated if it was revoked since the request began."""
    if token_id is None:
        return []
    own = tokens.by_id(tx, account_id, token_id)
    if own is None or own["revoked_at_us"] is not None:
        raise Unauthenticated("this token was revoked")
    parent = None if own["parent_id"] is None else tokens.by_id(tx, account_id, own["parent_id"])
    return [own] if parent is None else [parent, own]


def require_working(tx: Tx, account_id: int, token_id: int | None) -> None:
    """Raise Unauthenticated if the restricted token was revoked since the request began."""
    working(tx, account_id, token_id)


def require_own(tx: Tx, account_id: int, rental_id: int, token_id: int | None) -> None:
    """Raise NotItsRental unless the restricted token, or one that it created, started the rental."""
    if token_id is None:
        return
    working(tx, account_id, token_id)
    starter_id = rentals.by_id(tx, rental_id)["token_id"]
    starter = None if starter_id is None else tokens.by_id(tx, account_id, starter_id)
    if starter is None or token_id not in (starter["id"], starter["parent_id"]):
        raise NotItsRental


def require_may_spend(tx: Tx, account_id: int, rental_id: int, token_id: int | None) -> None:
    """Raise NotItsRental if the restricted token has a limit in satoshis and did not start the rental: what the rental
    costs counts against the token that started it."""
    chain = working(tx, account_id, token_id)
    if any(grant_of(row).is_capped for row in chain):
        require_own(tx, account_id, rental_id, token_id)


def start(
    tx: Tx,
    account_id: int,
    group: Row,
    token_id: int | None,
    *,
    max_minutes: int | None,
    max_sats: int | None,
    now_us: int,
) -> tuple[int | None, Reserves | None]:
    """Count a new rental against the limits of the restricted token, and reserve what it may cost. Return its `max_sats`,
    and what determined it; None if nothing is reserved. Raises GroupNotAllowed, LimitTooLow, TokenLimitReached."""
    chain = working(tx, account_id, token_id)
    for row in chain:
        grant = grant_of(row)
        if grant.groups is not None and group["id"] not in grant.groups:
            raise GroupNotAllowed
        if grant.rentals_max is not None and row["rentals_started"] >= grant.rentals_max:
            raise TokenLimitReached("rentals_max", limit=grant.rentals_max, remaining=0, required=1)
    tokens.count_rental(tx, [row["id"] for row in chain])
    if token_id is None or not any(grant_of(row).is_capped for row in chain):
        return max_sats, None
    budgets = TokenBudgets(tx, [token_id], now_us=now_us)
    left, field, limit = budgets.left(token_id)
    minimum = minimum_sats(group)
    if left < minimum:
        raise LimitTooLow(field=field, minimum=minimum, remaining=left)
    wanted, reserves = _wanted(group, max_minutes, max_sats, rest=left)
    if wanted > left:
        raise TokenLimitReached(field, limit=limit, remaining=left, required=wanted)
    budgets.reserve(token_id, wanted)
    budgets.store()
    return wanted, reserves


def _wanted(group: Row, max_minutes: int | None, max_sats: int | None, *, rest: int) -> tuple[int, Reserves]:
    """Return the satoshis that a new rental reserves, and what determined them."""
    if max_sats is not None:
        return max_sats, "max_sats"
    if max_minutes is None:
        return rest, "rest"
    price = group["rental_cost_per_minute"]
    minutes = monthly_cap.cost_of_minutes(max_minutes, price, monthly_cap.effective(group["monthly_cap"], price))
    return group["setup_cost"] + minutes + (group["cost_per_inbound_message"] or 0), "max_minutes"


def minimum_sats(group: Row) -> int:
    """Return the lowest `max_sats` of a new rental in this group: set-up, the first minute and one inbound SMS."""
    return int(group["setup_cost"] + group["rental_cost_per_minute"] + (group["cost_per_inbound_message"] or 0))


def grant_of(row: Row) -> Grant:
    """Return what a restricted token may do."""
    grant = tokens.grant_of(row)
    assert grant is not None, "a restricted token has a grant"
    return grant


class TokenBudgets:
    """The sums that count against the limits of some restricted tokens and of those that created them, in an open ledger. Each
    method counts for a token and its creator. `store` writes it."""

    def __init__(self, tx: Tx, token_ids: Iterable[int], *, now_us: int) -> None:
        self._tx = tx
        own = tokens.by_ids(tx, set(token_ids))
        parents = tokens.by_ids(
            tx, {row["parent_id"] for row in own.values() if row["parent_id"] is not None} - set(own)
        )
        self._parents = {id_: row["parent_id"] for id_, row in own.items()}
        self._budgets = {id_: tokens.budget_of(row) for id_, row in (own | parents).items()}
        for budget in self._budgets.values():
            budget.begin_day(now_us)

    def left(self, token_id: int) -> tuple[int, str, int]:
        """Return the satoshis left of the limit that leaves the fewest, its name, and its value."""
        return min(left for budget in self._chain(token_id) if (left := budget.left()) is not None)

    def reserve(self, token_id: int, sats: int) -> None:
        """Reserve satoshis; negative: return some of them."""
        for budget in self._chain(token_id):
            budget.reserve(sats)

    def settle(self, token_id: int, reserved: int, spent: int) -> None:
        """Count what a rental cost in place of what was reserved for it."""
        for budget in self._chain(token_id):
            budget.settle(reserved, spent)

    def refund(self, token_id: int, sats: int, *, is_live: bool) -> None:
        """Return what a message cost."""
        for budget in self._chain(token_id):
            budget.refund(sats, is_live=is_live)

    def count_adopted(self, token_id: int, sats: int) -> None:
        """Count what a rental cost before it was adopted."""
        tokens.count_adopted(self._tx, [budget.token_id for budget in self._chain(token_id)], sats)

    def store(self) -> None:
        """Write what counts, the creators first."""
        tokens.store_budgets(self._tx, [self._budgets[id_] for id_ in sorted(self._budgets)])

    def _chain(self, token_id: int) -> list[TokenBudget]:
        parent_id = self._parents[token_id]
        own = self._budgets[token_id]
        return [own] if parent_id is None else [self._budgets[parent_id], own]


def settle_ended(tx: Tx, rental_ids: list[int], *, now_us: int) -> None:
    """Return what rentals that have ended did not use of what was reserved for them."""
    ended = [row for row in token_rentals.by_ids(tx, rental_ids) if row["reserves"] is not None]
    budgets = TokenBudgets(tx, {row["token_id"] for row in ended}, now_us=now_us)
    for row in ended:
        budgets.settle(row["token_id"], row["reserved_sats"], rentals.with_limits(row).spent(row["booked_minutes"]))
    budgets.store()
