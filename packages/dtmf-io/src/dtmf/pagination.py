"""The pages of long lists, by cursor: the id of the last item."""

from __future__ import annotations

from .e164 import quote
from .errors import ServerError

TYPE_CHECKING = False  # a name type checkers know; saves importing `typing`
if TYPE_CHECKING:
    from typing import Any

PAGE_LENGTH = 100
NEWEST = 2**63 - 1  # above every id


def next_after(page: list[Any], after: int) -> int | None:
    """Return the cursor of the next page, None after the last. Raises ServerError like last_id()."""
    return None if len(page) < PAGE_LENGTH else last_id(page, after)


def next_before(page: list[Any], before: int) -> int | None:
    """Return the cursor of the next page of newest-first items. Raises ServerError like last_id()."""
    return None if len(page) < PAGE_LENGTH else last_id(page, before, newest_first=True)


def last_id(page: list[Any], cursor: int, *, newest_first: bool = False) -> int:
    """Return the id of a page's last item.
    Raises ServerError if the ids don't ascend, or descend, because paging would never end."""
    last = page[-1].get("id") if isinstance(page[-1], dict) else None
    if not isinstance(last, int) or (last >= cursor if newest_first else last <= cursor):
        order, where = ("descend", "before") if newest_first else ("ascend", "after")
        raise ServerError(f"the service's page ids do not {order}: id {quote(last)} is in the page {where} {cursor}")
    return last
