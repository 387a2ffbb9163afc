"""IDs of SMS from carriers with durable IDs: each SMS is stored once, whenever and however often it arrives."""

import hashlib
from collections.abc import Sequence

from dtmf_server.core.inbound import InboundMessage
from dtmf_server.core.units import DAY_US
from dtmf_server.storage import schema
from dtmf_server.storage.db import Tx

STRAY_KEPT_US = 90 * DAY_US
FORGOTTEN_AT_ONCE = 500  # per transaction, so that arriving SMS need not wait for thousands


def add(tx: Tx, carrier: str, messages: Sequence[InboundMessage], *, wall_us: int) -> list[bool]:
    """Record the SMS, and return whether each is new. The carrier must be locked, so that two requests agree."""
    digests = [_digest(message) for message in messages]
    rows = tx.all(
        "SELECT digest FROM carrier_message_ids WHERE carrier = :carrier AND digest = ANY(:digests)",
        carrier=carrier,
        digests=sorted(set(digests)),
    )
    known = {row["digest"] for row in rows}
    in_stock = _in_stock(tx, {message.to for message in messages})
    is_new, new = list[bool](), list[tuple[object, ...]]()
    for digest, message in zip(digests, messages, strict=True):
        is_new.append(digest not in known)
        if is_new[-1]:
            known.add(digest)
            new.append((carrier, digest, wall_us, message.to not in in_stock))
    tx.insert(schema.carrier_message_ids, ("carrier", "digest", "stored_wall_us", "is_stray"), new)
    return is_new


def forget(tx: Tx, *, wall_us: int) -> int:
    """Delete IDs of SMS for numbers that were not in stock, 90 days after they were stored, up to FORGOTTEN_AT_ONCE. Return
    how many."""
    return tx.run(
        "DELETE FROM carrier_message_ids WHERE (carrier, digest) IN (SELECT carrier, digest FROM carrier_message_ids"
        " WHERE is_stray AND stored_wall_us < :before_us ORDER BY stored_wall_us LIMIT :limit)",
        before_us=wall_us - STRAY_KEPT_US,
        limit=FORGOTTEN_AT_ONCE,
    )


def _digest(message: InboundMessage) -> str:
    ref = f"{message.to}\0{message.carrier_ref}".encode(errors="surrogatepass")
    return hashlib.blake2b(ref, digest_size=16).hexdigest()


def _in_stock(tx: Tx, e164s: set[str]) -> set[str]:
    rows = tx.all("SELECT e164 FROM numbers WHERE e164 = ANY(:e164s)", e164s=sorted(e164s))
    return {row["e164"] for row in rows}
