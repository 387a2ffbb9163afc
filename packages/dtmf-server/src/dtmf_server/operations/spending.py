"""The spending of accounts in a span of time: set-ups, minutes and SMS of each group, less refunds.

Minutes count when they start, not when they are booked: an account's minutes are booked together, at least once a day.
"""

from collections.abc import Sequence

from msgspec import Struct

from dtmf_server.core.units import DAY_US
from dtmf_server.storage import account_figures
from dtmf_server.storage.db import Row, Tx

DAYS_MAX = 31


class GroupSpending(Struct, frozen=True, kw_only=True):
    """The spending of an account on the numbers of a group. `numbers`: up to LISTED_MAX of those that were rented then."""

    group_id: str
    rentals_started: int
    messages: int
    setup_sats: int
    minutes_sats: int
    messages_sats: int
    refunded_sats: int
    numbers: Sequence[str]

    @property
    def sats(self) -> int:
        """The satoshis spent."""
        return self.setup_sats + self.minutes_sats + self.messages_sats - self.refunded_sats


class AccountSpending(Struct, frozen=True):
    """The spending of an account, by group, most first."""

    account_id: int
    sats: int
    groups: Sequence[GroupSpending]


LISTED_MAX = 20


Sums = dict[str, int]  # of an account and group, by column


def _add(sums: Sums, row: Row) -> None:
    for name, value in dict(row).items():
        if name not in ("account_id", "group_id"):
            sums[name] = sums.get(name, 0) + int(value)


def spent(
    tx: Tx, *, from_day: int, before_day: int, now_us: int, at_least: int = 1, limit: int = 50
) -> list[AccountSpending]:
    """Return the accounts that spent at least so many satoshis on these UTC days, most first. Raises ValueError for more than
    DAYS_MAX days."""
    if before_day - from_day > DAYS_MAX:
        raise ValueError(f"{before_day - from_day} days are more than {DAYS_MAX}")
    from_us, until_us = from_day * DAY_US, min(before_day * DAY_US, now_us)
    sums: dict[int, dict[str, Sums]] = {}
    for rows in (
        account_figures.rentals(tx, from_us=from_us, until_us=until_us),
        account_figures.messages(tx, from_us=from_us, until_us=until_us),
    ):
        for row in rows:
            groups = sums.setdefault(row["account_id"], {})
            _add(groups.setdefault(row["group_id"], {}), row)
    for row in account_figures.refunds(tx, from_day=from_day, before_day=before_day, account_ids=sorted(sums)):
        if group := sums[row["account_id"]].get(row["group_id"]):
            _add(group, row)
    found = [(account_id, _total(groups)) for account_id, groups in sums.items()]
    top = sorted(((id_, sats) for id_, sats in found if sats >= at_least), key=lambda one: (-one[1], one[0]))[:limit]
    return [AccountSpending(id_, sats, _groups(tx, id_, sums[id_], from_us, until_us)) for id_, sats in top]


def _total(groups: dict[str, Sums]) -> int:
    return sum(
        sum(group.get(name, 0) for name in ("setup_sats", "minutes_sats", "messages_sats"))
        - group.get("refunded_sats", 0)
        for group in groups.values()
    )


def _groups(tx: Tx, account_id: int, sums: dict[str, Sums], from_us: int, until_us: int) -> list[GroupSpending]:
    numbers: dict[str, list[str]] = {}
    for row in account_figures.numbers(tx, account_id, from_us=from_us, until_us=until_us, limit=1000):
        numbers.setdefault(row["group_id"], []).append(row["e164"])
    found = [
        GroupSpending(
            group_id=group_id,
            rentals_started=group.get("rentals", 0),
            messages=group.get("messages", 0),
            setup_sats=group.get("setup_sats", 0),
            minutes_sats=group.get("minutes_sats", 0),
            messages_sats=group.get("messages_sats", 0),
            refunded_sats=group.get("refunded_sats", 0),
            numbers=numbers.get(group_id, [])[:LISTED_MAX],
        )
        for group_id, group in sums.items()
    ]
    return sorted((each for each in found if each.sats or each.messages), key=lambda each: (-each.sats, each.group_id))
