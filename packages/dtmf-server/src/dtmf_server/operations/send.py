"""Sending SMS: priced by destination and segment, charged when queued, refunded if permanently refused."""

from dtmf_server.core.errors import DailyLimitReached, DestinationNotServed, NumberNotRented
from dtmf_server.core.money import Kind
from dtmf_server.core.sms_segments import segments as count_segments
from dtmf_server.core.units import DAY_US
from dtmf_server.operations import token_limits
from dtmf_server.operations.ledger import Ledger, open_ledger
from dtmf_server.operations.limits import MessageBudget
from dtmf_server.operations.refund import fail_message
from dtmf_server.operations.rent import live_rental
from dtmf_server.storage import delivery_queue, messages, numbers, schema
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.delivery_queue import NewDelivery
from dtmf_server.storage.events import Event


def send(
    tx: Tx,
    account_id: int,
    *,
    sender: str,
    to: str,
    content: str,
    now_us: int,
    daily_limit: int | None,
    sent_by: int | None = None,
) -> Row:
    """Queue a message and return it. `sent_by`: the restricted token that sends. Raises AccountSuspended, NumberNotRented,
    NotItsRental, DestinationNotServed, DailyLimitReached, LimitReached, InsufficientFunds."""
    rental = live_rental(tx, account_id, sender, now_us=now_us)
    with open_ledger(tx, [account_id], now_us=now_us) as ledger:
        if not ledger.is_live(account_id, rental["id"]):
            raise NumberNotRented
        token_limits.require_working(tx, account_id, sent_by)
        token_limits.require_may_spend(tx, account_id, rental["id"], sent_by)
        message_id = queue(tx, ledger, rental, to=to, content=content, daily_limit=daily_limit)
        delivery = NewDelivery(account_id, rental["id"], message_id, "send", to)
        delivery_queue.add(tx, [delivery], now_us=ledger.now_us(account_id))
    message = messages.by_id(tx, message_id)
    assert message is not None
    return message


def queue(tx: Tx, ledger: Ledger, rental: Row, *, to: str, content: str, daily_limit: int | None) -> int:
    """Charge and store a new sent message of this rental. Return its ID. If it uses up the rental's limit, the rental
    ends."""
    account_id = rental["account_id"]
    ledger.require_active(account_id)
    now_us = ledger.now_us(account_id)
    cost_per_segment = numbers.cost_per_segment(tx, to)
    if cost_per_segment is None:
        raise DestinationNotServed(f"no carrier of this service sends to {to}")
    if daily_limit is not None:
        sent = messages.sent_since(tx, account_id, since_us=now_us - DAY_US, limit=daily_limit)
        if sent >= daily_limit:
            raise DailyLimitReached(
                f"this account has reached its limit of {daily_limit} messages sent within 24 hours"
            )
    segments = count_segments(content).count
    cost = segments * cost_per_segment
    budget = MessageBudget(tx, ledger, [rental["id"]])
    budget.require(account_id, rental["id"], cost)
    ledger.require(account_id, cost)
    (message_id,) = tx.allocate_ids(schema.messages, 1)
    ledger.charge(account_id, cost, kind=Kind.MESSAGE_SENT, unique_ref=str(message_id), reference=str(message_id))
    messages.add(
        tx,
        [
            (
                message_id,
                account_id,
                rental["id"],
                False,
                rental["e164"],
                to,
                content,
                now_us,
                "queued",
                cost,
                segments,
            )
        ],
    )
    budget.spend(account_id, rental["id"], cost)
    budget.store()
    return message_id


# A late answer, or a receipt, settles an SMS in doubt even after none was expected any more.
_DOUBTS = ("in_doubt", "unknown")


def accepted(tx: Tx, message_id: int, *, now_us: int) -> None:
    """Record that the carrier accepted the message."""
    _move_on(tx, message_id, from_status=("queued", *_DOUBTS), to_status="sent", now_us=now_us)


def delivered(tx: Tx, message_id: int, *, now_us: int) -> None:
    """Record that the phone received the message."""
    _move_on(tx, message_id, from_status=("queued", "sent", *_DOUBTS), to_status="delivered", now_us=now_us)


def in_doubt(tx: Tx, message_id: int, *, reason: str, now_us: int) -> None:
    """Record that the carrier may have the message but has not confirmed it: the charge stands, and it is not sent
    again."""
    _move_on(
        tx,
        message_id,
        from_status=("queued",),
        to_status="in_doubt",
        reason=reason,
        now_us=now_us,
    )


def unknown(tx: Tx, message_id: int, *, reason: str, now_us: int) -> None:
    """Record that the carrier never confirmed the message: the charge stands."""
    _move_on(
        tx,
        message_id,
        from_status=("in_doubt",),
        to_status="unknown",
        reason=reason,
        now_us=now_us,
    )


def queued_again(tx: Tx, message_id: int, *, now_us: int) -> None:
    """Record that the carrier certainly does not have a message that was in doubt: it is queued again."""
    _move_on(tx, message_id, from_status=("in_doubt",), to_status="queued", now_us=now_us)


def failed(tx: Tx, message_id: int, *, reason: str, now_us: int) -> None:
    """Record that the message is permanently refused, and refund its cost, once."""
    _move_on(
        tx,
        message_id,
        from_status=("queued", "sent", *_DOUBTS),
        to_status="failed",
        reason=reason,
        now_us=now_us,
    )


def carried(tx: Tx, kind: str, message_id: int) -> Row | None:
    """Return the sent message of a delivery to a carrier; None for a forward that has not started."""
    return messages.by_id(tx, message_id) if kind == "send" else messages.forward_of(tx, message_id)


def _move_on(
    tx: Tx,
    message_id: int,
    *,
    from_status: tuple[str, ...],
    to_status: str,
    now_us: int,
    reason: str | None = None,
) -> None:
    """Change the status of a message if it is in one of `from_status`; a repeated report changes nothing."""
    message = messages.by_id(tx, message_id)
    assert message is not None
    account_id = message["account_id"]
    with open_ledger(tx, [account_id], now_us=now_us) as ledger:
        message = messages.by_id(tx, message_id)  # read again, now that the account is locked
        assert message is not None
        if message["status"] not in from_status:
            return
        if to_status == "failed":
            fail_message(tx, ledger, message, reason=reason or "")
            return
        messages.set_status(tx, message_id, status=to_status, reason=reason)
        data = {"status": to_status, **({"reason": reason} if reason else {})}
        ledger.add_event(Event(account_id, ledger.now_us(account_id), "message.status", message_id, data))


def give_up(tx: Tx, message_id: int, *, reason: str, now_us: int) -> None:
    """Stop attempting a message that no carrier accepted: it fails, and its cost is refunded."""
    _move_on(
        tx,
        message_id,
        from_status=("queued",),
        to_status="failed",
        reason=reason,
        now_us=now_us,
    )
