"""The ledger: transfers and the minutes they paid. Append-only."""

from collections.abc import Sequence

from msgspec import Struct

from dtmf_server.storage import schema
from dtmf_server.storage.db import Row, Tx


class Transfer(Struct, frozen=True):
    """`amount` satoshis from `debit` to `credit`. `UNIQUE(kind, ref)`: the same fact is never booked twice."""

    at_us: int
    kind: str
    unique_ref: str
    debit: int
    credit: int
    amount: int
    account_id: int  # the customer account
    balance: int  # that account's, after the transfer
    reference: str  # the reason, as the customer sees it
    minutes: tuple[int, int, int] | None = None  # rental, from, to: the minutes it pays


def append(tx: Tx, transfers: list[Transfer]) -> None:
    """Book the transfers, in this order, and the minutes they pay."""
    ids = tx.insert_returning_ids(
        schema.transfers,
        ("at_us", "kind", "ref", "debit", "credit", "amount", "account_id", "balance", "reference"),
        [
            (t.at_us, t.kind, t.unique_ref, t.debit, t.credit, t.amount, t.account_id, t.balance, t.reference)
            for t in transfers
        ],
    )
    paid = [(*t.minutes, id_) for id_, t in zip(ids, transfers, strict=True) if t.minutes]
    book_minutes(tx, paid)


def book_minutes(tx: Tx, minutes: Sequence[tuple[int, int, int, int | None]]) -> None:
    """Book minutes of rentals, each as (rental, from, to, the transfer that paid exactly these); None for a rental's
    share of what its account paid for all."""
    tx.insert(
        schema.minute_bookings,
        ("rental_id", "from_minute", "to_minute", "after_minute", "transfer_id"),
        [(rental, start, end, start or None, id_) for rental, start, end, id_ in minutes],
    )


def of_reference(tx: Tx, account_id: int, reference: str) -> list[Row]:
    """Return an account's transfers with this reference, oldest first."""
    return tx.all(
        "SELECT id, kind, amount FROM transfers WHERE account_id = :account_id AND reference = :reference ORDER BY id",
        account_id=account_id,
        reference=reference,
    )


def of_account(tx: Tx, account_id: int, *, after: int, limit: int) -> list[Row]:
    """Return an account's transfers with IDs above `after`, oldest first."""
    return tx.all(
        "SELECT id, at_us, kind, debit, credit, amount, balance, reference FROM transfers"
        " WHERE account_id = :account_id AND id > :after AND (debit = :account_id OR credit = :account_id)"
        " ORDER BY id LIMIT :limit",
        account_id=account_id,
        after=after,
        limit=limit,
    )


def suspended(tx: Tx, suspense: int, reference: str) -> list[Row]:
    """Return what was moved to the suspense account with a reference that begins like this, and is still there."""
    return tx.all(
        "SELECT t.ref, t.amount FROM transfers t WHERE t.account_id = :suspense AND t.kind = 'moved_in'"
        " AND t.reference LIKE :reference AND NOT EXISTS"
        " (SELECT 1 FROM transfers o WHERE o.kind = 'moved_out' AND o.ref = t.ref || ' assigned') ORDER BY t.id",
        suspense=suspense,
        reference=f"{reference}%",
    )


def exists(tx: Tx, *, kind: str, ref: str) -> bool:
    """Return True if this fact is booked."""
    return tx.one("SELECT 1 FROM transfers WHERE kind = :kind AND ref = :ref", kind=kind, ref=ref) is not None


def newest_of_account(tx: Tx, account_id: int, *, before: int, limit: int) -> list[Row]:
    """Return an account's transfers with IDs below `before`, newest first."""
    return tx.all(
        "SELECT id, at_us, kind, debit, credit, amount, balance, reference FROM transfers"
        " WHERE account_id = :account_id AND id < :before AND (debit = :account_id OR credit = :account_id)"
        " ORDER BY id DESC LIMIT :limit",
        account_id=account_id,
        before=before,
        limit=limit,
    )
