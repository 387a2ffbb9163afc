"""The demand of renters: a rental wants the next number, and one that finds no free number wants the first.
`rent.start` calls `took` and `no_stock`; workers/supply.py buys.
"""

from functools import partial

from dtmf_server.core import number_supply
from dtmf_server.core.errors import NoNumbersAvailable, TooManySupplyNumbers
from dtmf_server.core.number_supply import RETRY_AFTER_S, SupplyRules
from dtmf_server.storage import numbers, supplies, supply_numbers
from dtmf_server.storage.db import DoFirst, Tx

OTHERS_MAX = 20  # numbers wanted for others that are looked at


def took(
    tx: Tx, account_id: int, group_id: str, e164: str, *, now_us: int, cooldown_us: int, rules: SupplyRules
) -> None:
    """Record that an account is about to rent a number: want the next one, if this was one of the numbers held
    free. Raises TooManySupplyNumbers."""
    bought = supply_numbers.live_by_e164(tx, e164)
    supply = supplies.of_group(tx, group_id)
    if bought is not None:
        _check_share(tx, account_id, now_us=now_us, cooldown_us=cooldown_us, rules=rules)
    if supply is None:
        return
    terms = supplies.terms_of(supply)
    free = numbers.count_free(tx, group_id, now_us=now_us, cooldown_us=cooldown_us, at_most=terms.stock_min)
    coming, owned = supply_numbers.counts(tx, group_id)
    if number_supply.to_want(terms, free=free, coming=coming, owned=owned):
        supply_numbers.want(tx, group_id=group_id, carrier=supply["carrier"], account_id=account_id, now_us=now_us)
        tx.notify("supply")


def can_buy_for(tx: Tx, *, rules: SupplyRules) -> set[str]:
    """Return the groups whose supply buys numbers at present."""
    if not rules.enabled or supply_numbers.is_stopped(tx):
        return set()
    return {supply["group_id"] for supply in supplies.every(tx) if not supply["trouble"]}


def no_stock(
    tx: Tx, account_id: int, group_id: str, *, now_us: int, cooldown_us: int, rules: SupplyRules
) -> NoNumbersAvailable:
    """Return the refusal for a group without a free number. If its supply can buy one, the refusal says when to ask again.
    Raises DoFirst with the transaction that wants a number, and TooManySupplyNumbers."""
    supply = supplies.of_group(tx, group_id)
    if supply is None or not rules.enabled or supply["trouble"] or supply_numbers.is_stopped(tx):
        return NoNumbersAvailable()
    _check_share(tx, account_id, now_us=now_us, cooldown_us=cooldown_us, rules=rules)
    coming, owned = supply_numbers.counts(tx, group_id)
    if coming == 0:
        if owned >= supply["stock_max"] or supply_numbers.is_wanted_by(tx, account_id):
            return NoNumbersAvailable()
        raise DoFirst(partial(_want_first, group_id=group_id, account_id=account_id, now_us=now_us))
    if _held_up(tx, group_id, account_id) is not None:
        raise DoFirst(partial(_take_over, group_id=group_id, account_id=account_id))
    return NoNumbersAvailable(
        f"every number of this group is rented or in cooldown, and a new one is being bought: try again in"
        f" {RETRY_AFTER_S} seconds",
        retry_after=RETRY_AFTER_S,
    )


def _want_first(tx: Tx, *, group_id: str, account_id: int, now_us: int) -> bool:
    supply = supplies.of_group(tx, group_id)
    if supply is not None and supply_numbers.counts(tx, group_id)[0] == 0:
        supply_numbers.want(tx, group_id=group_id, carrier=supply["carrier"], account_id=account_id, now_us=now_us)
        tx.notify("supply")
    return False


def _held_up(tx: Tx, group_id: str, account_id: int) -> int | None:
    """Return a number that is wanted for an account without SMS, if this account has received some: its half of the day may
    be left when the other half is spent."""
    if supply_numbers.is_wanted_by(tx, account_id) or not supply_numbers.received_sms(tx, account_id):
        return None
    others = supply_numbers.wanted_by_others(tx, group_id, account_id, limit=OTHERS_MAX)
    return next((row["id"] for row in others if not supply_numbers.received_sms(tx, row["account_id"])), None)


def _take_over(tx: Tx, *, group_id: str, account_id: int) -> bool:
    number_id = _held_up(tx, group_id, account_id)
    if number_id is not None:
        supply_numbers.want_for(tx, number_id, account_id)
        tx.notify("supply")
    return False


def _check_share(tx: Tx, account_id: int, *, now_us: int, cooldown_us: int, rules: SupplyRules) -> None:
    cooled_us = numbers.cooled_us(now_us, cooldown_us)
    if supply_numbers.of_account(tx, account_id, cooled_us=cooled_us, at_most=rules.per_account) >= rules.per_account:
        raise TooManySupplyNumbers
