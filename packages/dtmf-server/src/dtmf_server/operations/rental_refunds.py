"""Refunds of rentals that received nothing, under the terms of their group when they started.

A rental is refunded if it ended within the group's minutes, by its renter or a limit; if no SMS, part of one or call
reached the number and nothing was sent; if the account has a credited deposit and no debt; and if the account had no
other refund in the group since it last received an SMS there. A day's refunds are capped per network and per group.
"""

import hmac

from dtmf_server.core.money import Kind
from dtmf_server.core.monthly_cap import cost_of_minutes
from dtmf_server.core.refunds import DEFAULT_CAPS, RefundCaps, share_of
from dtmf_server.core.rental import EndReason
from dtmf_server.core.units import DAY_US, MINUTE_US
from dtmf_server.operations.ledger import Ledger, open_ledger
from dtmf_server.operations.token_limits import TokenBudgets
from dtmf_server.storage import instance, rental_refunds
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.events import Event

DECIDED_MAX = 200  # rentals in one transaction
UNLIMITED = b""  # the network of a rental that no network's cap limits


def network_key(tx: Tx, network: str | None) -> bytes:
    """Return a keyed hash of a network, which does not reveal it without the secret; empty for None."""
    if network is None:
        return UNLIMITED
    return hmac.digest(instance.webhook_key(tx), b"refund network " + network.encode(), "sha256")[:16]


def is_due(tx: Tx) -> bool:
    """Return True if the refund of an ended rental is not decided yet."""
    return bool(rental_refunds.undecided(tx, limit=1))


def decide_due(tx: Tx, *, caps: RefundCaps, now_us: int) -> int:
    """Decide the refunds of rentals that ended. Return how many; call until 0."""
    ids = rental_refunds.undecided(tx, limit=DECIDED_MAX)
    decide(tx, ids, caps=caps, now_us=now_us)
    return len(ids)


def decide(tx: Tx, rental_ids: list[int], *, caps: RefundCaps = DEFAULT_CAPS, now_us: int) -> None:
    """Decide the refunds of those of these rentals that have ended, and pay them."""
    account_ids = {row["account_id"] for row in rental_refunds.ended(tx, rental_ids)}
    if not account_ids:
        return
    with open_ledger(tx, account_ids, now_us=now_us) as ledger:
        ended = rental_refunds.ended(tx, rental_ids)  # read again, now that the accounts are locked
        for rental in ended:
            if _is_eligible(tx, rental):
                _refund(tx, ledger, rental, caps)
        rental_refunds.decided(tx, [rental["id"] for rental in ended])


def _is_eligible(tx: Tx, rental: Row) -> bool:
    """Return True if the rental is refunded, should the caps allow it."""
    within_us = rental["refund_within_minutes"] * MINUTE_US
    return (
        rental["end_reason"] in (EndReason.RENTER, EndReason.LIMIT)
        and rental["ended_at_us"] - rental["started_at_us"] <= within_us
        and rental["closed_at_us"] is None
        and rental["debt"] == 0
        and not rental_refunds.was_used(tx, rental)
        and rental_refunds.has_deposit(tx, rental["account_id"])
        and rental_refunds.may_again(tx, rental["account_id"], rental["group_id"])
    )


def _refund(tx: Tx, ledger: Ledger, rental: Row, caps: RefundCaps) -> None:
    paid = cost_of_minutes(rental["booked_minutes"], rental["cost_per_minute"], rental["monthly_cap"])
    minutes_sats = share_of(paid, rental["refund_percent"])
    setup_sats = share_of(rental["setup_cost"], rental["refund_percent"]) if rental["refunds_setup"] else 0
    sats, day = minutes_sats + setup_sats, rental["ended_at_us"] // DAY_US
    if sats == 0 or not _is_within_caps(tx, rental, caps, day=day, sats=sats):
        return
    rental_refunds.add(tx, rental, day=day, paid_sats=paid, minutes_sats=minutes_sats, setup_sats=setup_sats)
    ref = str(rental["id"])
    if rental["reserves"] is not None:
        budgets = TokenBudgets(tx, [rental["token_id"]], now_us=ledger.now_us(rental["account_id"]))
        budgets.refund(rental["token_id"], sats, is_live=False)
        budgets.store()
    ledger.refund(rental["account_id"], sats, kind=Kind.RENTAL_REFUNDED, unique_ref=ref, reference=rental["e164"])
    data = {"e164": rental["e164"], "amount": sats}
    ledger.add_event(Event(rental["account_id"], ledger.now_us(rental["account_id"]), "rental.refunded", data=data))


def _is_within_caps(tx: Tx, rental: Row, caps: RefundCaps, *, day: int, sats: int) -> bool:
    """Count a refund against the day's caps of its network and its group. Return False if one of them does not allow it."""
    network = bytes(rental["network"]).hex()
    if network and not rental_refunds.count(tx, "network", network, day=day, sats=sats, at_most=caps.network_sats):
        return False
    if rental_refunds.count(tx, "group", rental["group_id"], day=day, sats=sats, at_most=caps.group_sats):
        return True
    if network:
        rental_refunds.uncount(tx, "network", network, day=day, sats=sats)
    return False
