"""Database keys of callers' networks, for limits per network."""

import hmac

from dtmf_server.storage import instance
from dtmf_server.storage.db import Tx


def key(tx: Tx, network: str, *, purpose: bytes) -> bytes:
    """Return the database key of a network: a keyed hash, which does not reveal the network without the secret. One
    transaction at a time computes it, so that callers of the same network are counted one after the other."""
    secret = instance.webhook_key(tx)
    instance.lock(tx)
    return hmac.digest(secret, purpose + network.encode(), "sha256")[:16]
