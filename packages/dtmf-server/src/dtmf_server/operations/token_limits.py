"""What a restricted token may still do. Everything here needs the account to be locked, as an open ledger has it: then no
token of the account changes meanwhile."""

from dtmf_server.core.errors import GroupNotAllowed, NotItsRental, TokenLimitReached, Unauthenticated
from dtmf_server.core.units import DAY_US
from dtmf_server.storage import rentals, tokens
from dtmf_server.storage.db import Row, Tx


def today(row: Row, *, now_us: int) -> int:
    """Return the satoshis that count against the token's limit per day on the UTC day of `now_us`. What is reserved for its
    rentals counts on each day of theirs."""
    same_day = row["day"] == now_us // DAY_US
    return int(row["day_sats"] if same_day else row["reserved_sats"])


def working(tx: Tx, account_id: int, token_id: int | None) -> list[Row]:
    """Return a restricted token and the one that created it, the latter first; nothing for None, an unrestricted token.
    Raises Unauthenticated if it was revoked since the request began."""
    if token_id is None:
        return []
    own = tokens.by_id(tx, account_id, token_id)
    if own is None or own["revoked_at_us"] is not None:
        raise Unauthenticated("this token was revoked")
    parent = None if own["parent_id"] is None else tokens.by_id(tx, account_id, own["parent_id"])
    return [own] if parent is None else [parent, own]


def require_working(tx: Tx, account_id: int, token_id: int | None) -> None:
    """Raise Unauthenticated if the restricted token was revoked since the request began."""
    working(tx, account_id, token_id)


def require_own(tx: Tx, account_id: int, rental_id: int, token_id: int | None) -> None:
    """Raise NotItsRental unless the restricted token, or one that it created, started the rental."""
    if token_id is None:
        return
    working(tx, account_id, token_id)
    starter_id = rentals.by_id(tx, rental_id)["token_id"]
    starter = None if starter_id is None else tokens.by_id(tx, account_id, starter_id)
    if starter is None or token_id not in (starter["id"], starter["parent_id"]):
        raise NotItsRental


def require_may_spend(tx: Tx, account_id: int, rental_id: int, token_id: int | None) -> None:
    """Raise NotItsRental if the restricted token has a limit in satoshis and did not start the rental: what the rental
    costs counts against the token that started it."""
    chain = working(tx, account_id, token_id)
    if any(row["sats_max"] is not None or row["sats_per_day"] is not None for row in chain):
        require_own(tx, account_id, rental_id, token_id)


def start(tx: Tx, account_id: int, group_id: str, token_id: int | None) -> None:
    """Count a new rental against the limits of the restricted token. Raises GroupNotAllowed, TokenLimitReached."""
    chain = working(tx, account_id, token_id)
    for row in chain:
        grant = tokens.grant_of(row)
        assert grant is not None, "a restricted token has a grant"
        if grant.groups is not None and group_id not in grant.groups:
            raise GroupNotAllowed
        if grant.rentals_max is not None and row["rentals_started"] >= grant.rentals_max:
            raise TokenLimitReached("rentals_max", limit=grant.rentals_max, remaining=0, required=1)
    tokens.count_rental(tx, [row["id"] for row in chain])
