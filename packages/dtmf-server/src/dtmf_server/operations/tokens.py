"""Tokens of an account."""

from dtmf_server.core.errors import LastToken, NotFound
from dtmf_server.storage import accounts, tokens
from dtmf_server.storage.db import Row, Tx


def add(tx: Tx, account_id: int, *, token_sha256: bytes, label: str, now_us: int) -> int:
    """Add a token to the account. Return its ID."""
    return tokens.add(tx, account_id=account_id, sha256=token_sha256, label=label, now_us=now_us)


def of_account(tx: Tx, account_id: int) -> list[Row]:
    """Return the account's working tokens, oldest first; never the tokens themselves."""
    return tokens.of_account(tx, account_id)


def revoke(tx: Tx, account_id: int, token_id: int, *, now_us: int) -> None:
    """Revoke a token immediately. Raises NotFound, LastToken."""
    accounts.lock(tx, account_id)
    working = [row["id"] for row in tokens.of_account(tx, account_id)]
    if token_id not in working:
        raise NotFound(f"this account has no token {token_id}")
    if len(working) == 1:
        raise LastToken
    tokens.revoke(tx, account_id=account_id, token_id=token_id, now_us=now_us)
