"""Store received SMS with their charges and deliveries, a whole batch in one transaction. They are acknowledged only after
it is committed."""

from collections import Counter
from collections.abc import Sequence

from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.money import Kind
from dtmf_server.core.rental import ActionKind
from dtmf_server.core.sms_segments import segments as count_segments
from dtmf_server.core.units import DAY_US, MINUTE_US
from dtmf_server.operations import account, canary, deliver
from dtmf_server.operations.ledger import ENDS_MAX, Ledger, open_ledger
from dtmf_server.operations.limits import MessageBudget
from dtmf_server.storage import messages, rental_owners, schema, strays
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.delivery_queue import NewDelivery
from dtmf_server.storage.events import Event
from dtmf_server.storage.suspended_deliveries import SUSPENDED

CLOCK_ERROR_US = 2 * MINUTE_US  # how far a carrier's clock may be wrong
CHANGED_HANDS_US = 90 * DAY_US  # how late a carrier may repeat a callback
REDACTED = "the carrier removed the code from this SMS"


def receive_many(
    tx: Tx, inbound: Sequence[InboundMessage], *, now_us: int, wall_us: int | None = None, carrier: str = ""
) -> list[int | None]:
    """Store SMS and return the ID of each; None for one that no rental owns, which is counted and its text discarded.

    Each costs its price, but no more than what the balance or the rental's limit has left, and is delivered even so.
    `wall_us` is the wall time of `now_us`, needed for SMS that have `received_us`, and for those from a `carrier`.
    """
    is_canary = _canaries(tx, inbound, carrier, wall_us=wall_us)
    arrived_us = [_arrived_us(sms, now_us=now_us, wall_us=wall_us) for sms in inbound]
    owners = _owners(tx, inbound, arrived_us, now_us=now_us)
    account_ids = {rental["account_id"] for rental in owners if rental}
    with open_ledger(tx, account_ids, now_us=now_us) as ledger:
        if tx.has_concurrent_writers:  # the accounts are locked now, so no rental ends or changes its action
            owners = _owners(tx, inbound, arrived_us, now_us=now_us)
        owners = [r if r and ledger.survives(r["account_id"], r["id"]) else None for r in owners]
        owners = [None if skipped else rental for rental, skipped in zip(owners, is_canary, strict=True)]
        owners, ids = _store(tx, ledger, inbound, owners)
        new = [
            (_delivery(rental, id_), sms, rental)
            for id_, sms, rental in zip(ids, inbound, owners, strict=True)
            if id_ is not None and rental is not None and _is_passed_on(rental)
        ]
        deliver.queue(tx, new, now_us=now_us)
    if None in ids:
        unowned = [
            sms for sms, rental, skipped in zip(inbound, owners, is_canary, strict=True) if not rental and not skipped
        ]
        _count_strays(tx, unowned, carrier, now_us=now_us, wall_us=wall_us)
    return ids


def _canaries(
    tx: Tx, inbound: Sequence[InboundMessage], carrier: str, *, wall_us: int | None, strays: bool = False
) -> list[bool]:
    """Return which SMS are tests of the operator's, which no renter gets."""
    if not carrier or wall_us is None:
        return [False] * len(inbound)
    return canary.take(tx, carrier, inbound, strays=strays, wall_us=wall_us)


def _count_strays(tx: Tx, unowned: Sequence[InboundMessage], carrier: str, *, now_us: int, wall_us: int | None) -> None:
    is_canary = _canaries(tx, unowned, carrier, wall_us=wall_us, strays=True)
    destinations = Counter(sms.to for sms, skipped in zip(unowned, is_canary, strict=True) if not skipped)
    if destinations:
        strays.count(tx, destinations, now_us=now_us)


def changed_hands(tx: Tx, e164s: Sequence[str], *, now_us: int) -> set[str]:
    """Return those of these numbers that more than one account rented within the last 90 days."""
    return rental_owners.changed_hands(tx, e164s, since_us=now_us - CHANGED_HANDS_US)


def _arrived_us(sms: InboundMessage, *, now_us: int, wall_us: int | None) -> int | None:
    """Return the billing time at which the carrier received an SMS; None if unknown. A time in the future counts as now."""
    if sms.received_us is None or wall_us is None:
        return None
    return min(now_us, sms.received_us + now_us - wall_us)


def _owners(
    tx: Tx, inbound: Sequence[InboundMessage], arrived_us: Sequence[int | None], *, now_us: int
) -> list[Row | None]:
    """Return the rental that each SMS belongs to: the one that was live when the carrier received the SMS."""
    live = _live(tx, sorted({sms.to for sms in inbound}), now_us=now_us)
    return [_owner(tx, sms.to, live.get(sms.to), at_us) for sms, at_us in zip(inbound, arrived_us, strict=True)]


def _owner(tx: Tx, e164: str, live: Row | None, at_us: int | None) -> Row | None:
    """Return the rental of a number at this instant; None if there was none, or if its texts have been erased.

    Carriers' clocks are not exact: an SMS from just before the start of a rental belongs to it, unless another account
    had the number within the same minutes.
    """
    if at_us is None or (live and live["started_at_us"] <= at_us):
        return live
    near = rental_owners.around(tx, e164, at_us=at_us, margin_us=CLOCK_ERROR_US)
    found = next((r for r in near if r["started_at_us"] <= at_us < (r["ended_at_us"] or at_us + 1)), None)
    if found is None and len({rental["account_id"] for rental in near}) == 1:
        found = next((rental for rental in reversed(near) if rental["started_at_us"] > at_us), None)
    if found is None or found["erased_at_us"] is not None:
        return None
    if found["ended_at_us"] is None:  # unless its money has run out, which the database may not show yet
        return live if live and live["id"] == found["id"] else None
    return found


def _live(tx: Tx, e164s: list[str], *, now_us: int) -> dict[str, Row]:
    """Return the live rental of each of these numbers, if it has one.

    Ending many rentals at once, when an account runs out of money, takes many transactions, and locking the account waits
    for all of them. So compute whether such a rental is over, as for readers: only an SMS for a live rental waits.
    """
    live = rental_owners.live_by_numbers(tx, e164s)
    running_out = {r["account_id"] for r in live.values() if _ends_in_portions(r, now_us=now_us)}
    over = {rental_id for id_ in running_out for rental_id in account.standing(tx, id_, now_us=now_us).ended_ids}
    return {e164: rental for e164, rental in live.items() if rental["id"] not in over}


def _ends_in_portions(rental: Row, *, now_us: int) -> bool:
    """Return whether more rentals of the account may be out of money than one transaction ends."""
    depletes_at_us = rental["depletes_at_us"]
    return depletes_at_us is not None and depletes_at_us <= now_us and rental["live_rentals"] > ENDS_MAX


def _is_passed_on(rental: Row) -> bool:
    """Return True if the rental's action applies. A suspended account's SMS are never forwarded."""
    return rental["action"] is not None and (
        rental["suspended_at_us"] is None or rental["action"] != ActionKind.FORWARD
    )


def _delivery(rental: Row, message_id: int) -> NewDelivery:
    return NewDelivery(
        rental["account_id"],
        rental["id"],
        message_id,
        rental["action"],
        rental["destination"],
        lane_is_busy=bool(rental["lane_is_busy"]),
        parked=None if rental["suspended_at_us"] is None else SUSPENDED,
    )


def _store(
    tx: Tx, ledger: Ledger, inbound: Sequence[InboundMessage], owners: Sequence[Row | None]
) -> tuple[list[Row | None], list[int | None]]:
    """Charge and store SMS. Return owners and IDs, None for one without an owner. An SMS that uses up its rental's limit is
    its last one: those behind it have no owner."""
    fresh = iter(tx.allocate_ids(schema.messages, sum(rental is not None for rental in owners)))
    budget = MessageBudget(tx, ledger, {rental["id"] for rental in owners if rental and rental["max_sats"] is not None})
    kept: list[Row | None] = []
    ids: list[int | None] = []
    rows: list[tuple[object, ...]] = []
    for sms, rental in zip(inbound, owners, strict=True):
        if rental is None or budget.is_over(rental["account_id"], rental["id"]):
            kept.append(None)
            ids.append(None)
            continue
        new_id = next(fresh)
        kept.append(rental)
        ids.append(new_id)
        rows.append(_charge(ledger, budget, new_id, sms, rental))
    messages.add(tx, rows)
    budget.store()
    for id_, sms in zip(ids, inbound, strict=True):
        if id_ is not None and sms.redacted:
            messages.set_status(tx, id_, status="received", reason=REDACTED)
    return kept, ids


def _charge(ledger: Ledger, budget: MessageBudget, id_: int, sms: InboundMessage, rental: Row) -> tuple[object, ...]:
    """Charge an SMS and append its event. Return its row."""
    account_id = rental["account_id"]
    now_us = ledger.now_us(account_id)
    cost = min(0 if sms.redacted else rental_owners.sms_cost(rental, at_us=now_us), ledger.balance(account_id))
    if (left := budget.left(account_id, rental["id"])) is not None:
        cost = min(cost, left)
    ledger.charge(account_id, cost, kind=Kind.MESSAGE_RECEIVED, unique_ref=str(id_), reference=str(id_))
    budget.spend(account_id, rental["id"], cost)
    ledger.add_event(Event(account_id, now_us, "message", id_))
    segments = count_segments(sms.text).count
    return (id_, account_id, rental["id"], True, sms.sender, sms.to, sms.text, now_us, "received", cost, segments)
