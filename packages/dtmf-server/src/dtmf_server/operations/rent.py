"""Rentals: starting and ending one, setting its SMS action, and listing live ones."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from dtmf_server.core import monthly_cap
from dtmf_server.core.billing import LiveRental
from dtmf_server.core.errors import GroupNotFound, NumberNotRented, NumberTaken, TooManyCappedRentals
from dtmf_server.core.limits import Limited
from dtmf_server.core.number_supply import DEFAULT_RULES, SupplyRules
from dtmf_server.core.pegged import DEFAULT_TERMS, PriceTerms
from dtmf_server.core.refunds import DEFAULT_CAPS, RefundCaps
from dtmf_server.core.rental import Action, ActionKind, EndReason
from dtmf_server.operations import account, ended, limits, pegged, rental_refunds, supply_demand, token_limits
from dtmf_server.operations.ledger import Ledger, open_ledger
from dtmf_server.operations.refund import fail_message
from dtmf_server.storage import events, messages, numbers, outbox, rental_lists, rentals, supplies, token_rentals
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.rental_lists import RentalFilter

SHOWN = 50  # rentals per page
CHOOSE = "choose another one from GET /api/v1/groups/{id}/numbers"
ACTION_CHANGED = "the number's action was changed"


def start(
    tx: Tx,
    account_id: int,
    group_id: str,
    *,
    now_us: int,
    cooldown_us: int,
    e164: str | None = None,
    rules: SupplyRules = DEFAULT_RULES,
    max_minutes: int | None = None,
    max_sats: int | None = None,
    label: str | None = None,
    network: str | None = None,
    started_by: int | None = None,
    price_terms: PriceTerms = DEFAULT_TERMS,
) -> Row:
    """Rent a free number of the group, or exactly `e164`, and return the new rental. Another account's number is only
    available after `cooldown_us`, or after the group's `reclaim_days` if that account's money ran out. `max_minutes` and
    `max_sats` (set-up, minutes and messages) end the rental by themselves (core/limits.py). `network` is the caller's,
    whose refunds are capped; None where networks are not limited. `started_by` is the restricted token that rents it: the
    rental ends with that token and counts against its limits. `price_terms` are those of a pegged group.

    Raises AccountSuspended, GroupNotFound, GroupNotAllowed, LimitTooLow, TokenLimitReached, InsufficientFunds (set-up and
    first minute are due immediately), NoNumbersAvailable, NumberTaken, PriceUnavailable, TooManyCappedRentals,
    TooManySupplyNumbers.
    """
    group = catalog_group(tx, group_id)
    pegged.require_rate(group, price_terms)
    limits.require(max_minutes, "max_minutes", minimum=1)
    limits.require(max_sats, "max_sats", minimum=token_limits.minimum_sats(group))
    with open_ledger(tx, [account_id], now_us=now_us) as ledger:
        ledger.require_active(account_id)
        now_us = ledger.now_us(account_id)
        max_sats, reserves = token_limits.start(
            tx, account_id, group, started_by, max_minutes=max_minutes, max_sats=max_sats, now_us=now_us
        )
        ledger.require(account_id, group["setup_cost"] + group["rental_cost_per_minute"])
        cap = monthly_cap.effective(group["monthly_cap"], group["rental_cost_per_minute"])
        if cap is not None and len(ledger.accounts[account_id].costs.capped) >= monthly_cap.CAPPED_RENTALS_MAX:
            raise TooManyCappedRentals
        found = _take_number(tx, account_id, group_id, e164=e164, now_us=now_us, cooldown_us=cooldown_us, rules=rules)
        with_terms = partial(_add, label=label, network=network, token_id=started_by, price_days=price_terms.days)
        rental = with_terms(tx, account_id, group, found, now_us=now_us)
        ledger.start(account_id, rental, setup_cost=group["setup_cost"], e164=found)
        if max_minutes is not None or max_sats is not None:
            sms_cost = group["cost_per_inbound_message"] or 0
            limited = Limited(rental, group["setup_cost"], sms_cost, max_minutes, max_sats, 0, reserves, started_by)
            limits.store(tx, ledger, [(account_id, limited)])
    return rentals.by_id(tx, rental.rental_id)


def _take_number(
    tx: Tx, account_id: int, group_id: str, *, e164: str | None, now_us: int, cooldown_us: int, rules: SupplyRules
) -> str:
    """Return the number to rent, which is no longer free."""
    found = numbers.allocate(tx, group_id, account_id=account_id, now_us=now_us, cooldown_us=cooldown_us, e164=e164)
    if found is None and e164 is not None:
        raise NumberTaken(f"{e164} can't be rented now: {CHOOSE}")
    if found is None:
        raise supply_demand.no_stock(tx, account_id, group_id, now_us=now_us, cooldown_us=cooldown_us, rules=rules)
    supply_demand.took(tx, account_id, group_id, found, now_us=now_us, cooldown_us=cooldown_us, rules=rules)
    return found


def _add(
    tx: Tx,
    account_id: int,
    group: Row,
    e164: str,
    *,
    now_us: int,
    label: str | None,
    network: str | None,
    token_id: int | None,
    price_days: int,
) -> LiveRental:
    """Store a new rental, with the group's prices and its terms of refunds."""
    is_refunded = group["refund_percent"] is not None
    minute = group["rental_cost_per_minute"]
    rental_id = rentals.add(
        tx,
        account_id=account_id,
        e164=e164,
        group=group,
        now_us=now_us,
        label=label,
        network=rental_refunds.network_key(tx, network) if is_refunded else None,
        refunds_setup=is_refunded and supplies.of_group(tx, group["id"]) is None,
        token_id=token_id,
        price_days=None if group["currency"] is None else price_days,
    )
    cap = monthly_cap.effective(group["monthly_cap"], minute)
    if group["currency"] is not None:
        pegged.started(tx, rental_id, group, cap=cap, now_us=now_us)
    return LiveRental(rental_id, now_us, minute, e164=e164, monthly_cap=cap, booked_minutes=1)


def catalog_group(tx: Tx, group_id: str) -> Row:
    """Return a group of the catalog. Raises GroupNotFound."""
    group = numbers.group(tx, group_id) if "\0" not in group_id else None
    if group is None:
        raise GroupNotFound(f"group {group_id!r} does not exist: GET /api/v1/groups lists all groups")
    return group


def end(
    tx: Tx,
    account_id: int,
    e164: str,
    *,
    now_us: int,
    refund_caps: RefundCaps = DEFAULT_CAPS,
    ended_by: int | None = None,
) -> None:
    """End the account's rental of this number, and refund it if it received nothing and its terms say so. `ended_by`: the
    restricted token that ends it. Raises NumberNotRented, and NotItsRental if neither that token nor one that it created
    started the rental."""
    rental = _live(tx, account_id, e164, now_us=now_us)
    with open_ledger(tx, [account_id], now_us=now_us) as ledger:
        ledger.require_active(account_id)
        if not ledger.is_live(account_id, rental["id"]):
            raise ended.not_rented(tx, account_id, e164, now_us=now_us)
        token_limits.require_own(tx, account_id, rental["id"], ended_by)
        ledger.end(account_id, rental["id"], EndReason.RENTER)
    if rental["network"] is not None:
        rental_refunds.decide(tx, [rental["id"]], caps=refund_caps, now_us=now_us)


def end_several(
    tx: Tx, account_id: int, e164s: Iterable[str], *, now_us: int, refund_caps: RefundCaps = DEFAULT_CAPS
) -> int:
    """End the account's rentals of these numbers. Return how many; those that have ended already are not counted."""
    count = 0
    for e164 in e164s:
        with suppress(NumberNotRented):
            end(tx, account_id, e164, now_us=now_us, refund_caps=refund_caps)
            count += 1
    return count


def set_action(
    tx: Tx, account_id: int, e164: str, action: Action | None, *, now_us: int, set_by: int | None = None
) -> Row:
    """Set what happens to an SMS to this number besides being stored. Return the updated rental. `set_by`: the restricted
    token that does; the action is removed when that token ends.

    Waiting webhooks follow a changed URL; with another action they are parked, and can be replayed. Raises NotItsRental if
    that token has a limit in satoshis and would forward from the rental of another.
    """
    rental = _live(tx, account_id, e164, now_us=now_us)
    with open_ledger(tx, [account_id], now_us=now_us) as ledger:
        ledger.require_active(account_id)
        if not ledger.is_live(account_id, rental["id"]):
            raise ended.not_rented(tx, account_id, e164, now_us=now_us)
        token_limits.require_working(tx, account_id, set_by)
        if action is not None and action.kind is ActionKind.FORWARD:
            token_limits.require_may_spend(tx, account_id, rental["id"], set_by)
        apply_action(tx, ledger, rental, action, set_by=set_by)
    return rentals.by_id(tx, rental["id"])


def apply_action(tx: Tx, ledger: Ledger, rental: Row, action: Action | None, *, set_by: int | None = None) -> None:
    """Set the action of a live rental, in an open ledger."""
    now_us = ledger.now_us(rental["account_id"])
    rentals.set_action(tx, rental["id"], action, token_id=None if action is None else set_by)
    for kind in ActionKind:
        if action is not None and action.kind is kind:
            outbox.redirect(tx, rental["id"], kind=kind, destination=action.destination, now_us=now_us)
            continue
        for delivery in outbox.park_waiting(tx, rental["id"], kind=kind, now_us=now_us, reason=ACTION_CHANGED):
            ledger.add_event(events.parked(delivery, now_us=now_us, reason=ACTION_CHANGED))
            accrued = messages.forward_of(tx, delivery["message_id"]) if kind is ActionKind.FORWARD else None
            if accrued is not None and accrued["status"] == "queued":
                fail_message(tx, ledger, accrued, reason=ACTION_CHANGED)


def adopt(tx: Tx, account_id: int, e164: str, *, now_us: int) -> Row:
    """Make a rental that a restricted token started one of the account's own, and return it. Its costs no longer count
    against that token, and it goes on when that token ends; only limits that its renter has set remain. Raises
    NumberNotRented."""
    rental = _live(tx, account_id, e164, now_us=now_us)
    with open_ledger(tx, [account_id], now_us=now_us) as ledger:
        ledger.require_active(account_id)
        if not ledger.is_live(account_id, rental["id"]):
            raise ended.not_rented(tx, account_id, e164, now_us=now_us)
        limits.unreserve(tx, ledger, account_id, rental["id"])
        token_rentals.adopt(tx, rental["id"])
    return rentals.by_id(tx, rental["id"])


def live_rentals(tx: Tx, account_id: int, *, now_us: int) -> list[Row]:
    """Return all live rentals of the account, oldest first, without those whose balance ran out but that are not
    written yet."""
    ended_ids = account.standing(tx, account_id, now_us=now_us).ended_ids
    live = rentals.live(tx, account_id)
    return [rental for rental in live if rental["id"] not in ended_ids] if ended_ids else live


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest live rentals, newest first, limited to one page, and how many more there are."""

    rows: list[Row]
    more: int


def newest_rentals(tx: Tx, account_id: int, *, now_us: int, hooked: bool = False, limit: int = SHOWN) -> Newest:
    """Return the newest of the account's live rentals, or of those with a webhook."""
    ended_ids = account.standing(tx, account_id, now_us=now_us).ended_ids
    newest = rental_lists.newest(tx, account_id, limit=limit, hooked=hooked)
    rows = [rental for rental in newest if rental["id"] not in ended_ids]
    if len(newest) < limit:
        return Newest(rows, 0)
    live = rental_lists.count_live(tx, account_id, hooked=hooked)
    return Newest(rows, max(0, live - len(ended_ids) - len(rows)))


def matching_rentals(
    tx: Tx, account_id: int, wanted: RentalFilter, *, before: int, limit: int, now_us: int
) -> list[Row]:
    """Return the account's live rentals that match, with IDs below `before`, newest first. A rental whose balance ran out
    but that is not written yet is included with `is_over`: it must not end a page early."""
    ended_ids = account.standing(tx, account_id, now_us=now_us).ended_ids
    rows = rental_lists.matching(tx, account_id, wanted, before=before, limit=limit)
    return [dict(row) | {"is_over": row["id"] in ended_ids} for row in rows]


def live_rental(tx: Tx, account_id: int, e164: str, *, now_us: int) -> Row:
    """Return the account's live rental of this number. Raises NumberNotRented."""
    rental = _live(tx, account_id, e164, now_us=now_us)
    if rental["id"] in account.standing(tx, account_id, now_us=now_us).ended_ids:
        raise ended.not_rented(tx, account_id, e164, now_us=now_us)
    return rental


def rentals_of_numbers(tx: Tx, account_id: int, e164s: Iterable[str], *, now_us: int) -> list[Row]:
    """Return the account's live rentals of these numbers. Numbers that it does not rent are left out."""
    ended_ids = account.standing(tx, account_id, now_us=now_us).ended_ids
    found = [rentals.live_of_account(tx, account_id, e164) for e164 in e164s]
    return [rental for rental in found if rental is not None and rental["id"] not in ended_ids]


def _live(tx: Tx, account_id: int, e164: str, *, now_us: int) -> Row:
    rental = rentals.live_of_account(tx, account_id, e164)
    if rental is None:
        raise ended.not_rented(tx, account_id, e164, now_us=now_us)
    return rental
