"""Pagination of lists that start with the newest row."""

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
    """Rows, and the id below which older rows start; None on the last page."""

    rows: Sequence[Row]
    older: int | None


def position(request: Request) -> int:
    """Return the URL's `before`; an invalid one means the newest page."""
    given = digits(request.query_params.get("before", ""))
    return NEWEST if given is None else given


def digits(text: str) -> int | None:
    """Parse a whole number that fits every database; None if it is invalid."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def page_of(rows: Sequence[Row]) -> Page:
    """Build a page from rows, of which one more than fits was read."""
    return Page(rows[:PAGE], rows[PAGE - 1]["id"] if len(rows) > PAGE else None)
