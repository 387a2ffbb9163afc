"""Whether a message from a carrier is new, or is a redelivery after a lost acknowledgement. Pure.

A deliver_sm has no durable ID, and people do send the same text twice. So an identical message is a redelivery only if
the acknowledgement can have been lost: on another link after the first link has gone, or on the same link after the
carrier may have timed out. In addition, the stored message must be unacknowledged, or acknowledged less than a minute
ago.
"""

from msgspec import Struct

from dtmf_server.core.units import MINUTE_US, SECOND_US

ANSWER_TIMEOUT_US = 10 * SECOND_US  # after which a carrier may send again on the same link
ANSWER_LOST_US = MINUTE_US  # how long after an acknowledgement was sent the carrier may not have seen it


class Stored(Struct, frozen=True):
    """A stored message: the link it arrived on, and when its acknowledgement was sent (None: not known)."""

    id: int
    link: int
    stored_us: int
    answered_us: int | None


def is_redelivery(stored: Stored, *, link: int, link_of_stored_is_up: bool, now_us: int) -> bool:
    """Return True if an identical message that now arrives on `link` is a redelivery of the stored one."""
    if stored.answered_us is not None and now_us - stored.answered_us >= ANSWER_LOST_US:
        return False
    if link != stored.link:
        return not link_of_stored_is_up
    waited_us = (now_us if stored.answered_us is None else stored.answered_us) - stored.stored_us
    return waited_us >= ANSWER_TIMEOUT_US
