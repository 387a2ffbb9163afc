"""The data that is stored about an account: how many rows of each kind, and since when. No content."""

from collections.abc import Sequence

from msgspec import Struct

from dtmf_server.storage import stored_rows
from dtmf_server.storage.db import Tx


class StoredData(Struct, frozen=True):
    """A kind of data: how many there are, and the time of the oldest one. `is_more`: only the first
    `stored_rows.COUNT_MAX` were counted."""

    data: str
    count: int
    oldest_at_us: int | None
    is_more: bool


def of_account(tx: Tx, account_id: int) -> Sequence[StoredData]:
    """Return the kinds of data that are stored about an account. Kinds of which there is nothing have a count of 0."""
    found = []
    for data, source in stored_rows.SOURCES.items():
        row = stored_rows.count(tx, account_id, source)
        found.append(StoredData(data, row["n"], row["oldest_us"], row["read"] > stored_rows.COUNT_MAX))
    return found
