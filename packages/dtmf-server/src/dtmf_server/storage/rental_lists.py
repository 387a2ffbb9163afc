"""Lists of an account's live rentals, for people who have many of them."""

import re

from msgspec import Struct

from dtmf_server.storage.db import Row, Tx

_PHONE_NUMBER = re.compile(r"[+(]{0,2}[0-9][0-9 ()./-]*")
NEVER = 0  # no limit_at_us is as early


class RentalFilter(Struct, frozen=True):
    """Which rentals to list. `words`: part of the number or of the label. `action`: store, forward or webhook.
    `ends_before_us`: only those with a limit that ends them before then. Empty values mean any."""

    words: str = ""
    country: str = ""
    action: str = ""
    ends_before_us: int = NEVER

    @property
    def is_set(self) -> bool:
        """True unless every rental is listed."""
        return self != RentalFilter()


def live(tx: Tx, account_id: int, wanted: RentalFilter, *, before: int, limit: int) -> list[Row]:
    """Return live rentals with IDs below `before`, newest first, each with its group's name and country."""
    return tx.all(
        "SELECT r.*, g.name AS group_name, g.country_code FROM rentals r JOIN groups g ON g.id = r.group_id"
        " WHERE r.account_id = :account_id AND r.ended_at_us IS NULL AND r.id < :before"
        " AND (r.e164 LIKE :digits OR lower(r.label) LIKE :words ESCAPE '\\')"
        " AND (:country = '' OR g.country_code = :country)"
        " AND (:action = '' OR coalesce(r.action, 'store') = :action)"
        " AND (:ends_before_us = 0 OR r.limit_at_us < :ends_before_us)"
        " ORDER BY r.id DESC LIMIT :limit",
        account_id=account_id,
        before=before,
        limit=limit,
        digits=_digits(wanted.words),
        words=f"%{_escaped(wanted.words.lower())}%",
        country=wanted.country,
        action=wanted.action,
        ends_before_us=wanted.ends_before_us,
    )


def countries(tx: Tx, account_id: int) -> list[str]:
    """Return the countries of the account's live rentals, in order."""
    rows = tx.all(
        "SELECT DISTINCT g.country_code FROM rentals r JOIN groups g ON g.id = r.group_id"
        " WHERE r.account_id = :account_id AND r.ended_at_us IS NULL ORDER BY g.country_code",
        account_id=account_id,
    )
    return [row["country_code"] for row in rows]


def _digits(words: str) -> str:
    """Return the pattern of the numbers that contain these digits; without words, of every number."""
    if _PHONE_NUMBER.fullmatch(words):
        return f"%{''.join(filter(str.isdecimal, words))}%"
    return "" if words else "%"


def _escaped(words: str) -> str:
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
