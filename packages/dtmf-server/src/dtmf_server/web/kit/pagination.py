"""Long lists, newest first: a page, and where the next one begins."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dtmf_server.core.units import INT64_MAX
from dtmf_server.http.request import Request
from dtmf_server.storage.db import Row

PAGE = 50
NEWEST = INT64_MAX


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and the id that older ones are below (None: there are none)."""

    rows: Sequence[Row]
    older: int | None


def position(request: Request) -> int:
    """The `before` of the address; what is no position is the newest page."""
    given = digits(request.query_params.get("before", ""))
    return NEWEST if given is None else given


def digits(text: str) -> int | None:
    """A whole number that every database can hold, None if it is none."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def page_of(rows: Sequence[Row]) -> Page:
    """A page of rows, of which one more than fits was read."""
    return Page(rows[:PAGE], rows[PAGE - 1]["id"] if len(rows) > PAGE else None)
