"""How to read a carrier's answer to a submitted SMS, segment by segment. Pure."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

STATUS_MAX = 0xFFFF_FFFF
_is_status = re.compile(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10}").fullmatch


class Verdict(StrEnum):
    """The meaning of a status other than 0 for the SMS."""

    TEMPORARY = "temporary"  # not accepted now: retried
    LINK = "link"  # not accepted, and the link is at fault: retried once the link has been restarted
    FINAL = "final"  # never accepted: failed and refunded


Retries = Mapping[int, Verdict]  # by command_status: overrides of the default table


class Segments(Struct, frozen=True):
    """The segments of one SMS after an attempt, numbered from 1. Segments in neither field were certainly not
    accepted."""

    total: int
    taken: dict[int, str]  # the carrier's reference of each accepted segment
    unanswered: tuple[int, ...] = ()  # written to the connection: the carrier may have accepted them


class LateAnswer(Struct, frozen=True):
    """A carrier's answer for a segment that was in doubt. `verdict` is None if the segment was accepted, under
    `ref`."""

    message_id: int
    segment: int
    total: int
    verdict: Verdict | None
    ref: str = ""
    reason: str = ""


def retries(table: Mapping[str, Any]) -> Retries:
    """Return the statuses of a table like `{"0x45": "temporary"}`. Raises ValueError that names the invalid entry."""
    found: dict[int, Verdict] = {}
    for key, value in table.items():
        status = int(key, 0 if key[:2].lower() == "0x" else 10) if _is_status(key) else 0
        if not 0 < status <= STATUS_MAX:
            raise ValueError(f"has the key {key!r}: use a command_status from 0x1 to 0xffffffff, like 0x45")
        if status in found:
            raise ValueError(f"lists the status 0x{status:x} twice")
        if value not in list(Verdict):
            raise ValueError(f"maps {key} to {value!r}: use 'temporary', 'link' or 'final'")
        found[status] = Verdict(value)
    return found
