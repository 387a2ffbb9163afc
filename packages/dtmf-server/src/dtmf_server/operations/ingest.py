"""Store SMS and receipts from carriers, a whole batch in one transaction: recognize redeliveries, join parts, store SMS,
apply receipts.

Rules for long SMS:
1. A part waits for the others with the same carrier, sender, recipient, reference, width of reference, and total.
2. The transaction that stores the last missing part joins them: the octets are joined first, then decoded.
3. A part that is already stored, octet for octet, is not stored twice. A part with the same position and other content
   means that two messages share all of these values. The other parts can then belong to either, so each part, stored or
   still to arrive, is delivered alone and marked as a part; parts of different messages are never joined.
4. A message that is incomplete `patience` after its first part is delivered with its gaps marked.
"""

from collections.abc import Collection, Sequence

from dtmf_server.core.deduplication import is_redelivery
from dtmf_server.core.inbound import InboundMessage, Part, Receipt
from dtmf_server.core.sms_encoding import join
from dtmf_server.core.units import DAY_US, MINUTE_US
from dtmf_server.operations import receipts
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage import carrier_message_ids, carriers, inbound_log, message_parts
from dtmf_server.storage.db import Row, Tx

ANSWERED_KEPT_US = 2 * MINUTE_US
UNANSWERED_KEPT_US = 3 * DAY_US  # as long as SMSCs retry

Key = tuple[str, str, int, int, int]  # recipient, sender, reference, its width, total


def ingest_batch(
    tx: Tx,
    carrier: str,
    batch: Sequence[InboundMessage | Receipt],
    *,
    live: Collection[int],
    now_us: int,
    wall_us: int,
) -> list[int]:
    """Store a batch. Return a note for each item, to pass to `answered`; 0 where none is needed.

    `live` are the carrier's links that are up. `wall_us` is the real time, to which links and parts are compared.
    """
    messages = [item for item in batch if isinstance(item, InboundMessage)]
    numbered = any(isinstance(message.content, Part) for message in messages)
    if numbered or len(messages) < len(batch) or any(m.digest or m.carrier_ref for m in messages):
        carriers.lock(tx, carrier)
    fresh, notes = _deduplicate(tx, carrier, messages, live=live, wall_us=wall_us)
    inbound = _reassemble(tx, carrier, fresh, wall_us=wall_us) if numbered else fresh
    if inbound:
        receive_many(tx, inbound, now_us=now_us, wall_us=wall_us, carrier=carrier)
    for item in batch:
        if isinstance(item, Receipt):
            receipts.apply(tx, carrier, item, now_us=now_us, wall_us=wall_us)
    remaining = iter(notes)
    return [next(remaining) if isinstance(item, InboundMessage) else 0 for item in batch]


def flush_incomplete(tx: Tx, carrier: str, *, patience_us: int, now_us: int, wall_us: int) -> int:
    """Deliver incomplete SMS whose other parts did not arrive in time. Return how many."""
    carriers.lock(tx, carrier)
    waiting: dict[Key, list[Row]] = {}
    for row in message_parts.overdue(tx, carrier, before_us=wall_us - patience_us):
        waiting.setdefault(_key_of(row), []).append(row)
    inbound = []
    for rows in waiting.values():
        alone = len({row["number"] for row in rows}) < len(rows)
        for group in [[row] for row in rows] if alone else [rows]:
            received_us = _received_us(group)
            inbound.append(
                InboundMessage(group[0]["recipient"], group[0]["sender"], _text(group), received_us=received_us)
            )
        message_parts.remove(tx, [row["id"] for row in rows])
    if inbound:
        receive_many(tx, inbound, now_us=now_us, wall_us=wall_us, carrier=carrier)
    return len(inbound)


def forget(tx: Tx, *, wall_us: int) -> int:
    """Delete the records of SMS that can't be redelivered any more. Return how many; call again until 0."""
    forgotten = inbound_log.forget(
        tx, answered_before_us=wall_us - ANSWERED_KEPT_US, stored_before_us=wall_us - UNANSWERED_KEPT_US
    )
    return forgotten + carrier_message_ids.forget(tx, wall_us=wall_us)


def _deduplicate(
    tx: Tx, carrier: str, messages: Sequence[InboundMessage], *, live: Collection[int], wall_us: int
) -> tuple[list[InboundMessage], list[int]]:
    """Return the messages that were not stored before, and the note of each message of the batch (0 for one without a digest).

    Messages with the same carrier ID are the same message, whenever and however often they arrive. Others are compared by
    digest.
    """
    named = [message for message in messages if message.carrier_ref]
    named_new = iter(carrier_message_ids.add(tx, carrier, named, wall_us=wall_us) if named else ())
    is_new = [not message.carrier_ref or next(named_new) for message in messages]
    digests = sorted({message.digest for message in messages if message.digest and not message.carrier_ref})
    known = inbound_log.stored(tx, carrier, digests) if digests else {}
    again: dict[int, int] = {}  # position in the batch: note of the stored message
    for place, message in enumerate(messages):
        candidates = [] if message.carrier_ref else known.get(message.digest, [])
        for stored in candidates:
            up = stored.link in live
            if is_redelivery(stored, link=message.link, link_of_stored_is_up=up, now_us=wall_us):
                again[place] = stored.id
                candidates.remove(stored)  # each stored message matches one redelivery
                break
    inbound_log.mark_redelivered(tx, [(note, messages[place].link) for place, note in again.items()], wall_us=wall_us)
    new = [(place, message) for place, message in enumerate(messages) if is_new[place] and place not in again]
    tracked = [(place, message) for place, message in new if message.digest and not message.carrier_ref]
    added = inbound_log.add(tx, carrier, [(message.digest, message.link) for _, message in tracked], wall_us=wall_us)
    notes = again | {place: note for (place, _), note in zip(tracked, added, strict=True)}
    return [message for _, message in new], [notes.get(place, 0) for place in range(len(messages))]


def _reassemble(tx: Tx, carrier: str, messages: Sequence[InboundMessage], *, wall_us: int) -> list[InboundMessage]:
    """Return the SMS that are now complete, in the order in which they became complete. Store the parts of the others."""
    recipients = sorted({message.to for message in messages if isinstance(message.content, Part)})
    waiting: dict[Key, list[Row]] = {}
    for row in message_parts.waiting(tx, carrier, recipients):
        waiting.setdefault(_key_of(row), []).append(row)
    inbound, done, kept = list[InboundMessage](), list[int](), dict[int, InboundMessage]()
    for place, message in enumerate(messages, 1):
        if not isinstance(message.content, Part):
            inbound.append(message)
            continue
        row = _row(message, message.content, -place)  # ids below 0 are not stored yet
        others = waiting.setdefault(_key_of(row), [])
        if any(_same(row, other) for other in others):
            continue
        others.append(row)
        kept[-place] = message
        if sorted(other["number"] for other in others) == list(range(1, row["total"] + 1)):
            inbound.append(InboundMessage(message.to, message.sender, _text(others), received_us=_received_us(others)))
            done += [other["id"] for other in others]
            others.clear()
    message_parts.remove(tx, [id_ for id_ in done if id_ > 0])
    finished = set(done)
    message_parts.add(tx, carrier, [message for id_, message in kept.items() if id_ not in finished], wall_us=wall_us)
    return inbound


def _row(message: InboundMessage, part: Part, id_: int) -> Row:
    place = part.place
    return {
        "id": id_,
        "recipient": message.to,
        "sender": message.sender,
        "ref": place.ref,
        "ref_bits": place.ref_bits,
        "total": place.total,
        "number": place.number,
        "octets": part.octets,
        "coding": part.coding,
        "received_wall_us": message.received_us,
    }


def _key_of(row: Row) -> Key:
    return row["recipient"], row["sender"], row["ref"], row["ref_bits"], row["total"]


def _same(row: Row, other: Row) -> bool:
    return all(row[name] == other[name] for name in ("number", "octets", "coding"))


def _received_us(rows: Sequence[Row]) -> int | None:
    """Return when the carrier received the first of these parts."""
    known = [row["received_wall_us"] for row in rows if row["received_wall_us"] is not None]
    return min(known, default=None)


def _text(rows: Sequence[Row]) -> str:
    return join([(row["number"], bytes(row["octets"]), row["coding"]) for row in rows], total=rows[0]["total"])
