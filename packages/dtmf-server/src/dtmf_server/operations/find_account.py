"""Finds an account by any identifier that a customer has, and reports what is stored about it, except message texts."""

import re
from dataclasses import dataclass

from dtmf_server.core.errors import Refusal
from dtmf_server.operations import account
from dtmf_server.operations.account import Usage
from dtmf_server.storage import accounts, deposits, invoices, numbers, operator_actions, rentals, tokens, transfers
from dtmf_server.storage.db import Row, Tx

FOUND_MAX = 20  # accounts that one name can stand for
SHOWN_MAX = 20  # entries of each list of a report
_BEYOND = 2**62
_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_OUTPOINT = re.compile(r"([0-9a-f]{64})(:[0-9]{1,9})?")


class UnknownAccount(Refusal):
    """There is no such account."""

    status, code, title = 404, "unknown_account", "Unknown account"


class SeveralAccounts(Refusal):
    """This label or transaction belongs to several accounts."""

    status, code, title = 409, "several_accounts", "Several accounts"


def find(tx: Tx, what: str) -> int:
    """Return the ID of the account that `what` belongs to: an account ID, a number, a transaction ID or outpoint, a
    payment hash, an address, or the label of a token. A number belongs to the account that rents it, or rented it last.
    Raises UnknownAccount, SeveralAccounts."""
    found: list[int] = [
        row["id"] for row in accounts.customers(tx, after=0, limit=FOUND_MAX + 1, ids=_candidates(tx, what))
    ]
    if not found:
        raise UnknownAccount(f"no account has {what!r}: {WHAT}")
    if len(found) > 1:
        listed = ", ".join(map(str, found[:FOUND_MAX])) + (", …" if len(found) > FOUND_MAX else "")
        raise SeveralAccounts(f"{what!r} belongs to the accounts {listed}: use the ID of one of them")
    return found[0]


WHAT = (
    "use an account ID, a number (+…), a transaction ID or outpoint, an address, an invoice or its payment hash, or the"
    " label of a token"
)


def _candidates(tx: Tx, what: str) -> list[int]:
    if what.isascii() and what.isdigit() and len(what) < 19:
        return [int(what)]
    if _E164.fullmatch(what):
        renter = numbers.last_renter(tx, what)
        return [] if renter is None else [renter]
    if outpoint := _OUTPOINT.fullmatch(what):
        return _paid(tx, outpoint[1], outpoint[2])
    if address := deposits.address(tx, what):
        return [address["account_id"]]
    return tokens.accounts_of_label(tx, what, limit=FOUND_MAX + 1)


def _paid(tx: Tx, hash_: str, vout: str | None) -> list[int]:
    """Return the accounts that a transaction, one output of it, or a Lightning payment paid."""
    if vout is not None:
        deposit = deposits.by_outpoint(tx, hash_, int(vout[1:]))
        return [] if deposit is None else [deposit["account_id"]]
    if invoice := invoices.by_hashes(tx, [hash_]).get(hash_):
        return [invoice["account_id"]]
    return deposits.accounts_of_txid(tx, hash_, limit=FOUND_MAX + 1)


@dataclass(frozen=True, slots=True)
class Report:
    """An account. Each list is newest first and has at most SHOWN_MAX entries; `live_rentals` counts all."""

    account_id: int
    created_at_us: int
    closed_at_us: int | None
    usage: Usage
    live_rentals: int
    rentals: list[Row]
    tokens: list[Row]
    transfers: list[Row]
    deposits: list[Row]
    invoices: list[Row]
    networks: list[bytes]
    actions: list[Row]


def report(tx: Tx, account_id: int, *, now_us: int, wall_us: int) -> Report:
    """Return what is stored about a customer's account, without message texts, tokens and their hashes."""
    (row,) = accounts.customers(tx, after=0, limit=1, ids=[account_id])
    return Report(
        account_id,
        row["created_at_us"],
        row["closed_at_us"],
        account.usage(tx, account_id, now_us=now_us),
        row["live_rentals"],
        rentals.newest_live(tx, account_id, limit=SHOWN_MAX),
        tokens.newest_of_account(tx, account_id, wall_us=wall_us, limit=SHOWN_MAX),
        transfers.newest_of_account(tx, account_id, before=_BEYOND, limit=SHOWN_MAX),
        deposits.newest_of_account(tx, account_id, limit=SHOWN_MAX),
        invoices.newest_of_account(tx, account_id, limit=SHOWN_MAX),
        deposits.networks_of(tx, account_id),
        operator_actions.newest_of_account(tx, account_id, before=_BEYOND, limit=SHOWN_MAX),
    )
