"""Tokens of an account: creating, listing and revoking them, and what ends with a restricted one."""

from functools import partial

from dtmf_server.core import token_grant
from dtmf_server.core.errors import GroupNotFound, LastToken, NotFound, TokenTooDeep, Unauthenticated
from dtmf_server.core.rental import EndReason
from dtmf_server.core.token_grant import Grant
from dtmf_server.core.units import INT64_MAX
from dtmf_server.operations import account_webhook, rent
from dtmf_server.operations.ledger import ENDS_MAX, Ledger, open_ledger
from dtmf_server.storage import accounts, events, numbers, token_rentals, tokens
from dtmf_server.storage.db import DoFirst, Row, Tx


def add(
    tx: Tx,
    account_id: int,
    *,
    token_sha256: bytes,
    label: str,
    now_us: int,
    asked: Grant | None = None,
    created_by: int | None = None,
) -> int:
    """Add a token to the account and return its ID; a restricted one if `asked`, or if a restricted token creates it.

    Raises GroupNotFound, and TokenTooWide, TokenTooDeep and Unauthenticated for a restricted token.
    """
    grant = None if asked is None or asked.is_empty else token_grant.complete(asked)
    if created_by is not None:
        accounts.lock(tx, account_id)  # the token that creates this one may be revoked meanwhile
        grant = _narrowed(tx, account_id, created_by, asked or Grant())
    for group_id in grant.groups or () if grant else ():
        if numbers.group(tx, group_id) is None:
            raise GroupNotFound(f"group {group_id!r} does not exist: GET /api/v1/groups lists all groups")
    if grant and grant.expires_wall_us is not None:
        tx.notify("meter")  # which would otherwise wake too late
    return tokens.add(
        tx,
        account_id=account_id,
        sha256=token_sha256,
        label=label,
        now_us=now_us,
        grant=grant,
        parent_id=created_by,
    )


def _narrowed(tx: Tx, account_id: int, parent_id: int, asked: Grant) -> Grant:
    parent = tokens.by_id(tx, account_id, parent_id)
    if parent is None or parent["revoked_at_us"] is not None:
        raise Unauthenticated
    if parent["parent_id"] is not None:
        raise TokenTooDeep
    grant = tokens.grant_of(parent)
    assert grant is not None, "only restricted tokens have children"
    return token_grant.narrowed(grant, asked)


def of_account(tx: Tx, account_id: int, *, wall_us: int, seen_by: int | None = None) -> list[Row]:
    """Return the account's working tokens, oldest first, never the tokens themselves; or those that a restricted token
    sees: itself and those that it created."""
    if seen_by is not None:
        return tokens.of_parent(tx, seen_by, wall_us=wall_us)
    return tokens.of_account(tx, account_id, wall_us=wall_us)


def one(tx: Tx, account_id: int, token_id: int, *, seen_by: int | None = None) -> Row:
    """Return one token, also one that no longer works. Raises NotFound."""
    row = tokens.by_id(tx, account_id, token_id) if 0 < token_id <= INT64_MAX else None
    if row is None or (seen_by is not None and seen_by not in (row["id"], row["parent_id"])):
        raise NotFound(f"this account has no token {token_id}")
    return row


def revoke(tx: Tx, account_id: int, token_id: int, *, now_us: int, seen_by: int | None = None) -> None:
    """Revoke a token immediately. Raises NotFound, LastToken.

    With a restricted token, the tokens that it created are revoked, its rentals end, and the actions that it set are
    removed.
    """
    accounts.lock(tx, account_id)
    row = one(tx, account_id, token_id, seen_by=seen_by)
    if row["revoked_at_us"] is not None:
        raise NotFound(f"this account has no token {token_id}")
    if row["scopes"] is not None:
        _end(tx, account_id, token_id, now_us=now_us)
    elif tokens.count_unrestricted(tx, account_id) == 1:
        raise LastToken
    else:
        tokens.revoke(tx, [token_id], now_us=now_us)
    tx.notify(events.topic(account_id))  # streams that the token opened


def expire(tx: Tx, *, now_us: int, wall_us: int) -> bool:
    """Revoke a token that has expired. Return False if there is none; call until then.

    Its rentals end at the time of its expiry, unless something was already booked for the account after that.
    """
    row = tokens.first_expired(tx, wall_us=wall_us)
    if row is None:
        return False
    _end(tx, row["account_id"], row["id"], now_us=now_us - (wall_us - row["expires_wall_us"]))
    tx.notify(events.topic(row["account_id"]))
    return True


def _end(tx: Tx, account_id: int, token_id: int, *, now_us: int) -> None:
    """Revoke a restricted token and its children, and end what is theirs."""
    if _end_some(tx, account_id, token_id, now_us=now_us):
        raise DoFirst(partial(_end_some, account_id=account_id, token_id=token_id, now_us=now_us))
    tokens.revoke(tx, tokens.with_children(tx, token_id), now_us=now_us)


def _end_some(tx: Tx, account_id: int, token_id: int, *, now_us: int) -> bool:
    """Remove actions and end rentals of a token and its children, a limited number at a time. Return True if there are
    more."""
    with open_ledger(tx, [account_id], now_us=now_us) as ledger:
        ids = tokens.with_children(tx, token_id)
        hooked = token_rentals.with_action(tx, ids, limit=ENDS_MAX + 1)
        for rental in hooked[:ENDS_MAX]:
            if ledger.survives(account_id, rental["id"]):
                rent.apply_action(tx, ledger, rental, None)
        _remove_webhook(tx, ledger, account_id, ids)
        running = token_rentals.live(tx, ids, limit=ENDS_MAX + 1)
        ledger.end_all(
            account_id,
            [rental for rental in running[:ENDS_MAX] if ledger.survives(account_id, rental.rental_id)],
            EndReason.TOKEN,
        )
    return len(hooked) > ENDS_MAX or len(running) > ENDS_MAX


def _remove_webhook(tx: Tx, ledger: Ledger, account_id: int, token_ids: list[int]) -> None:
    if accounts.webhook_token(tx, account_id) in token_ids:
        account_webhook.set_url(tx, account_id, None, now_us=ledger.now_us(account_id))
