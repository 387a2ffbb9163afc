"""The money of the service: what it owes and holds, and what each group earned and cost. Read-only."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from dtmf_server.core import money
from dtmf_server.core.number_supply import SupplyRules
from dtmf_server.core.units import DAY_US
from dtmf_server.operations.supply import sats_of
from dtmf_server.storage import group_figures, ledger_days
from dtmf_server.storage.db import Tx
from dtmf_server.storage.ledger_days import CUSTOMERS

DAYS_MAX = 366  # in one query

NAMES = {CUSTOMERS: "customers", **money.SYSTEM_ACCOUNTS}
_ASSETS = {money.BITCOIN, money.LIGHTNING}  # their balances are negative: coins received from outside


class Position(Struct, frozen=True, kw_only=True):
    """Debts and holdings of the service, in satoshis. `ledger`: credits minus debits of each account of the ledger; they sum
    to 0. `owed_sats`: balances of customers and what is in suspense. `booked_sats`: coins received, less those that a
    reorganization took back."""

    balances_sats: int
    suspense_sats: int
    owed_sats: int
    debt_sats: int
    onchain_booked_sats: int
    lightning_booked_sats: int
    booked_sats: int
    revenue_sats: int
    promotion_sats: int | None
    ledger: dict[str, int]


class GroupDay(Struct, frozen=True, kw_only=True):
    """Revenue and cost of a group on a UTC day. `revenue_sats` is without refunds; `cost_sats` and `margin_sats` are None
    if no rate is known for what its numbers cost, which `costs` has by currency in millionths."""

    day: int
    group_id: str
    rentals: int = 0
    messages: int = 0
    setup_sats: int = 0
    minutes_sats: int = 0
    messages_sats: int = 0
    refunded_sats: int = 0
    costs: dict[str, int] = {}
    cost_sats: int | None = 0

    @property
    def revenue_sats(self) -> int:
        return self.setup_sats + self.minutes_sats + self.messages_sats - self.refunded_sats

    @property
    def margin_sats(self) -> int | None:
        return None if self.cost_sats is None else self.revenue_sats - self.cost_sats


class Day(Struct, frozen=True, kw_only=True):
    """A UTC day of the whole service, as booked: its revenue and cost, and what was owed and held at its end. `cost_sats` is
    None if no rate is known for a cost."""

    day: int
    revenue_sats: int
    cost_sats: int | None
    owed_sats: int
    held_sats: int

    @property
    def margin_sats(self) -> int | None:
        return None if self.cost_sats is None else self.revenue_sats - self.cost_sats


class GroupTotal(Struct, frozen=True, kw_only=True):
    """Revenue, cost and margin of a group over several days. `cost_sats` and `margin_sats` are None if the cost of one day
    is not known in satoshis."""

    group_id: str
    rentals: int
    messages: int
    revenue_sats: int
    cost_sats: int | None
    margin_sats: int | None

    @property
    def is_loss(self) -> bool:
        """True if the group cost more than it earned."""
        return self.margin_sats is not None and self.margin_sats < 0


def group_totals(days: Iterable[GroupDay]) -> list[GroupTotal]:
    """Return the sums of each group over all days: the lowest margin first, unknown ones last."""
    by_group: dict[str, list[GroupDay]] = {}
    for each in days:
        by_group.setdefault(each.group_id, []).append(each)
    totals = []
    for group_id, of_group in by_group.items():
        revenue = sum(each.revenue_sats for each in of_group)
        costs = [each.cost_sats for each in of_group if each.cost_sats is not None]
        cost = sum(costs) if len(costs) == len(of_group) else None
        totals.append(
            GroupTotal(
                group_id=group_id,
                rentals=sum(each.rentals for each in of_group),
                messages=sum(each.messages for each in of_group),
                revenue_sats=revenue,
                cost_sats=cost,
                margin_sats=None if cost is None else revenue - cost,
            )
        )
    return sorted(totals, key=lambda one: (one.margin_sats is None, one.margin_sats or 0, one.group_id))


def position(tx: Tx) -> Position:
    """Return what the service owes and holds now. Minutes that have started since the last booking of an account are still
    in its balance."""
    ledger = ledger_days.balances(tx)
    by_name = {NAMES.get(account, str(account)): sats for account, sats in ledger.items()}
    balances, suspense = ledger.get(CUSTOMERS, 0), ledger.get(money.SUSPENSE, 0)
    held = {account: -ledger.get(account, 0) for account in _ASSETS}
    return Position(
        balances_sats=balances,
        suspense_sats=suspense,
        owed_sats=balances + suspense,
        debt_sats=-ledger.get(money.RECEIVABLE, 0),
        onchain_booked_sats=held[money.BITCOIN],
        lightning_booked_sats=held[money.LIGHTNING],
        booked_sats=sum(held.values()),
        revenue_sats=ledger.get(money.REVENUE, 0),
        promotion_sats=by_name.get("promotion"),
        ledger=by_name,
    )


def days(tx: Tx, *, from_day: int, before_day: int, rules: SupplyRules) -> list[Day]:
    """Return every day of a span, in order, from the daily sums of the ledger. Minutes count on the day they are booked.
    Raises ValueError for more than `DAYS_MAX` days."""
    if before_day - from_day > DAYS_MAX:
        raise ValueError(f"{before_day - from_day} days are more than {DAYS_MAX}")
    balances = ledger_days.balances(tx, before_day=from_day)
    moved: dict[int, list[tuple[int, int, int]]] = {}
    for row in ledger_days.moved(tx, from_day=from_day, before_day=before_day):
        moved.setdefault(row["day"], []).append((row["debit"], row["credit"], row["amount"]))
    found = []
    for day in range(from_day, before_day):
        revenue_before = balances.get(money.REVENUE, 0)
        for debit, credit, amount in moved.get(day, ()):
            balances[debit] = balances.get(debit, 0) - amount
            balances[credit] = balances.get(credit, 0) + amount
        found.append(
            Day(
                day=day,
                revenue_sats=balances.get(money.REVENUE, 0) - revenue_before,
                cost_sats=_cost_of_day(tx, day, rules),
                owed_sats=balances.get(CUSTOMERS, 0) + balances.get(money.SUSPENSE, 0),
                held_sats=-sum(balances.get(account, 0) for account in _ASSETS),
            )
        )
    return found


def _cost_of_day(tx: Tx, day: int, rules: SupplyRules) -> int | None:
    total = 0
    for _, sats in _costs(tx, day * DAY_US, (day + 1) * DAY_US, rules).values():
        if sats is None:
            return None
        total += sats
    return total


def group_days(tx: Tx, *, from_day: int, before_day: int, now_us: int, rules: SupplyRules) -> Iterator[GroupDay]:
    """Yield what each group earned and cost on each day, in order; days on which nothing happened are left out. Raises
    ValueError for more than `DAYS_MAX` days."""
    if before_day - from_day > DAYS_MAX:
        raise ValueError(f"{before_day - from_day} days are more than {DAYS_MAX}")
    for day in range(from_day, min(before_day, now_us // DAY_US + 1)):
        found: dict[str, dict[str, object]] = {}
        from_us, until_us = day * DAY_US, min((day + 1) * DAY_US, now_us)
        for rows in (
            group_figures.rentals(tx, from_us=from_us, until_us=until_us),
            group_figures.messages(tx, from_us=from_us, until_us=until_us),
            group_figures.refunds(tx, day=day),
        ):
            for row in rows:
                found.setdefault(row["group_id"], {}).update(row)
        for group_id, (costs, cost_sats) in _costs(tx, from_us, (day + 1) * DAY_US, rules).items():
            found.setdefault(group_id, {"group_id": group_id}).update(costs=costs, cost_sats=cost_sats)
        for _, values in sorted(found.items()):
            yield GroupDay(day=day, **values)  # type: ignore[arg-type]  # the columns of the rows are its fields


def _costs(tx: Tx, from_us: int, until_us: int, rules: SupplyRules) -> dict[str, tuple[dict[str, int], int | None]]:
    """Return for each group what its numbers cost by currency, and in satoshis at the rate of the time or else today's."""
    found: dict[str, tuple[dict[str, int], int | None]] = {}
    for row in group_figures.costs(tx, from_us=from_us, until_us=until_us):
        costs, before = found.get(row["group_id"], ({}, 0))
        sats = sats_of(row["amount"], rules=rules) if row["cost_sats"] is None else row["cost_sats"]
        total = None if sats is None or before is None else before + sats
        found[row["group_id"]] = ({**costs, row["currency"]: row["amount"]}, total)
    return found
