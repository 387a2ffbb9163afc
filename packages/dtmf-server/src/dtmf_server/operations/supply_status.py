"""The state of the supplies for the operator: numbers by state, costs, earnings, and what is wrong."""

from collections.abc import Collection
from dataclasses import dataclass

from dtmf_server.core import number_supply
from dtmf_server.core.number_supply import SupplyRules
from dtmf_server.operations.supply import sats_of
from dtmf_server.storage import numbers, supplies, supply_numbers
from dtmf_server.storage.db import Row, Tx


@dataclass(frozen=True, slots=True)
class GroupStatus:
    """The supply of one group. `cost` is in millionths of `currency`; `cost_sats` is None without a rate."""

    group_id: str
    carrier: str | None  # None: the group has no supply any more
    trouble: str
    states: dict[str, int]
    currency: str
    cost: int
    cost_sats: int | None
    earned_sats: int


@dataclass(frozen=True, slots=True)
class Status:
    """The supply of all groups, and what was spent by currency."""

    is_buying: bool
    groups: list[GroupStatus]
    spent: dict[str, number_supply.Spent]


def status(tx: Tx, *, now_us: int, cooldown_us: int, rules: SupplyRules) -> Status:
    """Return the state of every supply, and of groups that still have bought numbers."""
    counted: dict[str, dict[str, int]] = {}
    for row in supplies.states(tx, cooled_us=numbers.cooled_us(now_us, cooldown_us), now_us=now_us):
        state = number_supply.state_of(row["state"], rented=bool(row["rented"]), cooling=bool(row["cooling"]))
        of_group = counted.setdefault(row["group_id"], {})
        of_group[state.value] = of_group.get(state.value, 0) + int(row["numbers"])
    having = {row["group_id"]: row for row in supplies.every(tx)}
    earned = {row["group_id"]: row for row in supplies.figures(tx)}
    groups = [
        _group_status(group_id, having.get(group_id), counted.get(group_id, {}), earned.get(group_id))
        for group_id in sorted(having.keys() | counted.keys() | earned.keys())
    ]
    currencies = sorted({group.currency for group in groups})
    spent = {currency: supply_numbers.spent(tx, currency=currency, now_us=now_us) for currency in currencies}
    return Status(rules.enabled and not supply_numbers.is_stopped(tx), groups, spent)


def _group_status(group_id: str, supply: Row | None, states: dict[str, int], earned: Row | None) -> GroupStatus:
    return GroupStatus(
        group_id,
        None if supply is None else supply["carrier"],
        "" if supply is None else supply["trouble"],
        states,
        earned["currency"] if earned else supply["currency"] if supply else "",
        int(earned["cost"]) if earned else 0,
        None if earned is None or earned["cost_sats"] is None else int(earned["cost_sats"]),
        int(earned["earned_sats"]) if earned else 0,
    )


def complaints(tx: Tx, sellers: Collection[str]) -> list[str]:
    """Return what is wrong with the supplies, with a fix. `sellers`: the configured carriers that sell numbers."""
    found = [
        f"group {row['group_id']} has the supply {row['carrier']}, which is not a configured carrier that sells numbers"
        for row in supplies.every(tx)
        if row["carrier"] not in sellers
    ]
    found += [
        f"no numbers are bought for group {row['group_id']}: {row['trouble']}"
        for row in supplies.every(tx)
        if row["trouble"]
    ]
    return found + [
        f"{row['e164']} was bought from {row['carrier']}, which does not have it as ours any more: end its rental, and ask"
        " the carrier"
        if row["only_ours"]
        else f"{row['e164']} at {row['carrier']} is unknown to this service and costs money: import it, or give it back"
        for row in supply_numbers.differences(tx)
    ]


def cheap(tx: Tx, *, rules: SupplyRules) -> list[str]:
    """Return the groups whose shortest rental earns less than a month of a number may cost, if the rate is known."""
    if rules.sats_per_unit is None:
        return []
    found = []
    for row in supplies.every(tx):
        earned = row["setup_cost"] + row["rental_cost_per_minute"]
        most = sats_of(row["month_price_max"], rules=rules)
        assert most is not None, "the rate is known"
        if earned < most:
            found.append(
                f"group {row['group_id']} earns {earned} satoshis from the shortest rental, and a month of a number may cost"
                f" {most}: raise setup_cost, or lower month_price_max"
            )
    return found
