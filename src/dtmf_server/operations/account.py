"""Accounts: opening one, its balance, what it costs and how long the money lasts, and why each satoshi moved."""

from dataclasses import dataclass

from dtmf_server.core import billing
from dtmf_server.core.billing import NEVER_US, Settlement
from dtmf_server.storage import accounts, entries, tokens
from dtmf_server.storage.db import Row, Tx


@dataclass(frozen=True, slots=True)
class Usage:
    """What an account has, what it takes each minute, when it runs out (None: never), and what it owes."""

    balance: int
    cost_per_minute: int
    runs_out_at_us: int | None
    debt: int  # satoshis owed, paid first by whatever is credited


def open_account(tx: Tx, *, token_sha256: bytes, now_us: int) -> int:
    """The id of a new account with its first token."""
    account_id = accounts.add(tx, now_us=now_us)
    tokens.add(tx, account_id=account_id, sha256=token_sha256, label="first", now_us=now_us)
    return account_id


def settled(tx: Tx, account_id: int, *, now_us: int) -> Settlement:
    """The account as it is now, computed and not written: minutes started since the last booking are paid."""
    account = accounts.load(tx, account_id)
    return billing.settle(account.balance, account.running, max(now_us, account.settled_at_us))


def balance(tx: Tx, account_id: int, *, now_us: int) -> int:
    """Satoshis the account can spend now."""
    account = accounts.begun(tx, account_id, now_us=now_us)
    if account["depletes_at_us"] is not None and account["depletes_at_us"] <= account["now_us"]:
        return settled(tx, account_id, now_us=now_us).balance
    return int(account["balance"] - account["cost_begun"])


def usage(tx: Tx, account_id: int, *, now_us: int) -> Usage:
    """Balance, running cost, the instant the money runs out, and the debt."""
    account = accounts.load(tx, account_id)
    now = billing.settle(account.balance, account.running, max(now_us, account.settled_at_us))
    runs_out = now.depletes_at_us if now.depletes_at_us != NEVER_US else None
    return Usage(now.balance, now.cost_per_minute, runs_out, account.debt)


def transactions(tx: Tx, account_id: int, *, after: int, limit: int) -> list[Row]:
    """The account's booked transfers after that id, oldest first."""
    return entries.of_account(tx, account_id, after=after, limit=limit)
