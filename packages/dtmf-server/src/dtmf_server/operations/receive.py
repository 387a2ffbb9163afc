"""Receiving SMS: one transaction for the whole batch. Message, charge, delivery row; only then is it acknowledged."""

from collections import Counter
from collections.abc import Sequence

from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.money import Kind
from dtmf_server.core.sms_segments import segments as count_segments
from dtmf_server.operations import account, deliver
from dtmf_server.operations.ledger import ENDS_MAX, Ledger, open_ledger
from dtmf_server.storage import messages, rentals, schema, strays
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.delivery_queue import NewDelivery
from dtmf_server.storage.events import Event


def receive_many(tx: Tx, inbound: Sequence[InboundMessage], *, now_us: int) -> list[int | None]:
    """The id each SMS is stored under, None for those whose number nobody rents (counted, text discarded).

    Each costs `min(price, what is left)` and is never withheld for lack of funds.
    """
    e164s = sorted({sms.to for sms in inbound})
    live = _live(tx, e164s, now_us=now_us)
    with open_ledger(tx, {rental["account_id"] for rental in live.values()}, now_us=now_us) as ledger:
        if tx.has_concurrent_writers:  # now that the accounts are ours nobody changes a rental's action or end any more
            live = _live(tx, e164s, now_us=now_us)
        rented = {e164: rental for e164, rental in live.items() if ledger.survives(rental["account_id"], rental["id"])}
        accepted = [(sms, rented[sms.to]) for sms in inbound if sms.to in rented]
        ids = tx.allocate_ids(schema.messages, len(accepted))
        _store(tx, ledger, list(zip(ids, accepted, strict=True)))
        new = [
            (_delivery(rental, id_), sms, rental)
            for id_, (sms, rental) in zip(ids, accepted, strict=True)
            if rental["action"] is not None
        ]
        deliver.queue(tx, new, now_us=now_us)
    if len(accepted) < len(inbound):
        strays.count(tx, Counter(sms.to for sms in inbound if sms.to not in rented), now_us=now_us)
    remaining = iter(ids)
    return [next(remaining) if sms.to in rented else None for sms in inbound]


def _live(tx: Tx, e164s: list[str], *, now_us: int) -> dict[str, Row]:
    """The live rental of each of these numbers that has one, as far as the database says so.

    A mass run-out takes many transactions, and opening the books of its account waits for all of them. So whether its
    rentals are over is computed instead, as for readers: only an SMS for one that goes on waits.
    """
    live = rentals.live_by_numbers(tx, e164s)
    running_out = {r["account_id"] for r in live.values() if _ends_in_portions(r, now_us=now_us)}
    over = {rental_id for id_ in running_out for rental_id in account.standing(tx, id_, now_us=now_us).ended_ids}
    return {e164: rental for e164, rental in live.items() if rental["id"] not in over}


def _ends_in_portions(rental: Row, *, now_us: int) -> bool:
    """Whether more rentals of the account may be out of money than end in one transaction."""
    depletes_at_us = rental["depletes_at_us"]
    return depletes_at_us is not None and depletes_at_us <= now_us and rental["live_rentals"] > ENDS_MAX


def _delivery(rental: Row, message_id: int) -> NewDelivery:
    return NewDelivery(
        rental["account_id"],
        rental["id"],
        message_id,
        rental["action"],
        rental["destination"],
        lane_is_busy=bool(rental["lane_is_busy"]),
    )


def _store(tx: Tx, ledger: Ledger, accepted: list[tuple[int, tuple[InboundMessage, Row]]]) -> None:
    rows: list[tuple[object, ...]] = []
    for id_, (inbound, rental) in accepted:
        account_id = rental["account_id"]
        now_us = ledger.now_us(account_id)
        cost = min(rental["cost_per_inbound_message"] or 0, ledger.balance(account_id))
        ledger.charge(account_id, cost, kind=Kind.MESSAGE_RECEIVED, unique_ref=str(id_), reference=str(id_))
        segments = count_segments(inbound.text).count
        rows.append(
            (
                id_,
                account_id,
                rental["id"],
                True,
                inbound.sender,
                inbound.to,
                inbound.text,
                now_us,
                "received",
                cost,
                segments,
            )
        )
        ledger.add_event(Event(account_id, now_us, "message", id_))
    messages.add(tx, rows)
