"""Our own IDs of SMS on the phone. The app refuses a second SMS with the same ID, so a retry never sends twice.

`dNNNN-MESSAGE-DIGEST`, at most 36 characters: NNNN is of the carrier's name, MESSAGE our message ID in hexadecimal, and
DIGEST covers the content under a key that belongs to this database: an emptied database that counts from 1 again, or
another service with the same phone, has other IDs.
"""

import hashlib
import hmac
import re

from dtmf_server.carriers.base import CarrierMessage

_MESSAGE_ID_MAX = 2**63 - 1
_parts = re.compile(r"d([0-9a-f]{4})-([1-9a-f][0-9a-f]{0,15})-[0-9a-f]{12}").fullmatch


def phone_id(service_key: bytes, *, carrier: str, message_id: int, message: CarrierMessage) -> str:
    """Return the ID of an SMS on the phone: the same for every attempt to send it."""
    content = "\0".join((carrier, str(message_id), message.sender, message.to, message.text))
    digest = hmac.digest(service_key or b"\0", content.encode(errors="surrogatepass"), "sha256").hex()[:12]
    return f"d{_name_digest(carrier)}-{message_id:x}-{digest}"


def message_id_of(id_: str, *, carrier: str) -> int | None:
    """Return our message ID; None if this carrier did not send the SMS."""
    found = _parts(id_)
    if found is None or found[1] != _name_digest(carrier):
        return None
    message_id = int(found[2], 16)
    return message_id if message_id <= _MESSAGE_ID_MAX else None


def _name_digest(carrier: str) -> str:
    return hashlib.blake2b(carrier.encode(), digest_size=2).hexdigest()
