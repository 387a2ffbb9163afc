"""Whether what a carrier brings is new, or is brought again because it saw no answer. Pure.

A deliver_sm has no durable id, and people do send the same text twice. So an identical one is a redelivery only if it
comes where an answer can have been lost: on another link once the first one's is gone, or on the same link after the
carrier may have given up waiting; and only if the stored one was never answered, or was within the last minute.
"""

from msgspec import Struct

from dtmf_server.core.units import MINUTE_US, SECOND_US

ANSWER_TIMEOUT_US = 10 * SECOND_US  # after which a carrier may send again on the same link
ANSWER_LOST_US = MINUTE_US  # how long after an answer left, the carrier may not have seen it


class Stored(Struct, frozen=True):
    """What was stored before, on a link, and when its answer left (None: not that we know)."""

    id: int
    link: int
    stored_us: int
    answered_us: int | None


def is_redelivery(stored: Stored, *, link: int, link_of_stored_is_up: bool, now_us: int) -> bool:
    """Whether an identical one that now comes on `link` is the stored one again."""
    if stored.answered_us is not None and now_us - stored.answered_us >= ANSWER_LOST_US:
        return False
    if link != stored.link:
        return not link_of_stored_is_up
    waited_us = (now_us if stored.answered_us is None else stored.answered_us) - stored.stored_us
    return waited_us >= ANSWER_TIMEOUT_US
