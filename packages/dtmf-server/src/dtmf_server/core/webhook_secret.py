"""Webhook secrets: one per account and version, derived from the service's key, so none has to be stored."""

import base64
import hashlib
import hmac
from functools import lru_cache

from dtmf_server.core.units import DAY_US

DERIVED = 4096  # cache size: a busy account's secret is needed for each delivery
OVERLAP_US = DAY_US  # after a rotation, the previous secret also signs for this long, by the wall clock


@lru_cache(maxsize=DERIVED)
def derive(key: bytes, *, account_id: int, version: int) -> str:
    """Return the account's `whsec_…` secret of that version (Standard Webhooks: 24 to 64 bytes, base64)."""
    digest = hmac.digest(key, f"webhook {account_id} {version}".encode(), hashlib.sha256)
    return "whsec_" + base64.b64encode(digest).decode("ascii")


def signing_versions(version: int, *, rotated_wall_us: int | None, wall_us: int) -> list[int]:
    """Return the versions that sign now, newest first: two for a day after a rotation."""
    overlaps = rotated_wall_us is not None and wall_us - rotated_wall_us < OVERLAP_US
    return [version, version - 1] if overlaps else [version]
