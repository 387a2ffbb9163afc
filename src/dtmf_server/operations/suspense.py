"""Coins in suspense: on addresses of a database that was lost, whose owners are not known any more.

A restored database has its descriptor's addresses and what the chain has on them, all in the suspense account: deposits
like any other, to be credited and reversed. The operator hands an address on to the account of whoever can show that
it is theirs, with everything that was, or will be, paid to it. In the books its credited deposits are taken back from
the suspense account and given to the other, as the next two of their alternations.
"""

from collections.abc import Sequence

from dtmf_server.core.chain import Output
from dtmf_server.core.errors import InvalidRequest, Refusal
from dtmf_server.core.money import SUSPENSE
from dtmf_server.operations import deposit
from dtmf_server.operations.books import Books, open_books
from dtmf_server.operations.deposit import Derive
from dtmf_server.storage import chain_state, closing, deposits, schema
from dtmf_server.storage.db import Row, Tx


class NotOurs(Refusal):
    """This is no address of this service."""

    status, code, title = 404, "not_ours", "Not an address of ours"


class NotInSuspense(Refusal):
    """This address is not in suspense: its account is known."""

    status, code, title = 409, "not_in_suspense", "Not in suspense"


class NoAccount(Refusal):
    """This address belongs to no account that could take coins: it is in suspense, or its account was deleted."""

    status, code, title = 409, "no_account", "No account"


def require_empty(tx: Tx) -> None:
    """Raises InvalidRequest where addresses were given to accounts: their coins are not in suspense."""
    if deposits.any_address_but_of(tx, SUSPENSE):
        raise InvalidRequest("database", "has given out addresses already: only an empty one can be filled")


def watch(tx: Tx, indexes: Sequence[int], *, derive: Derive, now_us: int) -> None:
    """Puts the descriptor's addresses of these indexes in suspense; nobody is given them again."""
    for index in indexes:
        address, script_pubkey = derive(index)
        deposits.add_address(
            tx,
            account_id=SUSPENSE,
            descriptor_index=index,
            address=address,
            script_pubkey=script_pubkey,
            now_us=now_us,
        )
    tx.continue_ids([schema.addresses])


def note(tx: Tx, found: Sequence[tuple[Output, int]], *, now_us: int) -> None:
    """Notes outputs with their blocks' heights, to be credited when the chain is followed."""
    owners = deposits.owners(tx, {output.script_pubkey for output, _ in found})
    for output, height in found:
        owner = owners.get(output.script_pubkey)
        if owner and output.amount and deposits.by_outpoint(tx, output.txid, output.vout) is None:
            deposit.note(tx, output, owner, height=height, now_us=now_us)


def hand_on(tx: Tx, address: str, *, to_account_of: str, now_us: int, rest_us: int) -> tuple[int, int]:
    """Hands an address on to the account that has another one; how many deposits went with it, and the satoshis that
    were credited. Raises NotOurs, NotInSuspense, NoAccount."""
    chain_state.hold(tx)
    handed_on, known = deposits.address(tx, address), deposits.address(tx, to_account_of)
    if handed_on is None or known is None:
        raise NotOurs(f"{address if handed_on is None else to_account_of} is no address of this service")
    account_id = known["account_id"]
    if handed_on["account_id"] != SUSPENSE:
        raise NotInSuspense
    if account_id == SUSPENSE or closing.is_closed(tx, account_id):
        raise NoAccount
    moved = deposits.of_address(tx, handed_on["id"])
    deposits.move_address(tx, handed_on["id"], account_id)
    tip = deposits.tip(tx)
    with open_books(tx, [SUSPENSE, account_id], now_us=now_us, rest_us=rest_us) as books:
        for row in moved:
            _book(tx, books, row, account_id, tip_height=tip["height"] if tip else 0)
    tx.notify("deposits")
    return len(moved), sum(row["amount"] for row in moved if row["status"] == "credited")


def _book(tx: Tx, books: Books, row: Row, account_id: int, *, tip_height: int) -> None:
    """Takes a deposit's credit back from suspense and gives it to the account, which hears of it as of any other."""
    theirs = {**row, "account_id": account_id}
    if row["status"] == "credited":
        deposit.apply(tx, books, row, "reversed", tip_height=tip_height)
        theirs["alternations"] += 1
    if row["status"] in ("credited", "pending"):
        deposit.apply(tx, books, theirs, row["status"], tip_height=tip_height)
