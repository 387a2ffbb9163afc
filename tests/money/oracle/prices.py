"""Prices in a currency the slow way: which rentals get a new price, and from which minute on."""

from dataclasses import replace

from money.oracle.minutes import MINUTE_US, PERIOD_MINUTES, PlainRental
from money.oracle.service import DAY_US, PlainGroup, PlainService


def at_rate(group: PlainGroup, micros: dict[str, int | None], rate: int) -> PlainGroup:
    """Return a group at this price of one bitcoin, each price rounded up."""
    setup, minute, sms, cap = (None if each is None else -(-each * 100 // rate) for each in micros.values())
    assert setup is not None and minute is not None
    return replace(group, setup_cost=setup, cost=minute, sms_cost=sms or 0, cap=cap)


def announce(service: PlainService, now_us: int, *, notice_us: int) -> int:
    """Announce the next prices of all rentals that are due. Return how many rentals were due."""
    times = 0
    for account in service.accounts.values():
        due = [rental.id for rental in account.live if _is_due(rental, account.settled_us, now_us + notice_us)]
        times += len(due)
        if due:
            service.settle(account.id, now_us)
        for rental in account.live:
            if rental.id in due:
                group = service.groups[service.numbers[rental.e164].group_id]
                _announce(rental, group, now_us=account.settled_us, notice_us=notice_us)
    return times


def _is_due(rental: PlainRental, settled_us: int, by_us: int) -> bool:
    return rental.until_us is not None and rental.until_us <= by_us and rental.change_us(settled_us) is None


def _announce(rental: PlainRental, group: PlainGroup, *, now_us: int, notice_us: int) -> None:
    assert rental.until_us is not None
    cap = group.cap if group.cap is not None and group.cap < group.cost * PERIOD_MINUTES else None
    first, *old = rental.prices()[-1]
    if old == [group.cost, group.sms_cost, cap]:
        rental.until_us = max(rental.until_us, now_us) + 30 * DAY_US
        return
    step = PERIOD_MINUTES if old[2] is not None else 1
    while rental.started_us + first * MINUTE_US < max(rental.until_us, now_us + notice_us):
        first += step
    rental.later = [*rental.later, (first, group.cost, group.sms_cost, cap)]
    rental.until_us = rental.started_us + first * MINUTE_US + 30 * DAY_US
