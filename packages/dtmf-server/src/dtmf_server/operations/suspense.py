"""Satoshis in suspense: coins on addresses of a database that was lost, whose owners are not known any more, and what
reached an account after its renter deleted it: deposits, and refunds.

A restored database has its descriptor's addresses and what the chain has on them, all in the suspense account: deposits
like any other, to be credited and reversed. The operator hands an address on to the account of whoever can show that
it is theirs, with everything that was, or will be, paid to it. In the books its credited deposits are taken back from
the suspense account and given to the other, as the next two of their alternations.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dtmf_server.core.deposit_rules import Output
from dtmf_server.core.errors import InvalidRequest, Refusal
from dtmf_server.core.money import SUSPENSE
from dtmf_server.operations import deposit
from dtmf_server.operations.deposit import Derive
from dtmf_server.operations.ledger import Ledger, open_ledger
from dtmf_server.storage import account_erasure, chain, deposits, schema, transfers
from dtmf_server.storage import chain as stored_chain
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


def watch(tx: Tx, *, gap: int, at_least: int, derive: Derive, now_us: int) -> bool:
    """Put the descriptor's addresses in suspense up to `gap` past the last used index, and up to the index `at_least`.
    No account is given any of them again. False if all of them were there before."""
    chain.lock(tx)  # two restores may run at once
    indexes = range(deposits.last_index(tx) + 1, max(deposits.last_used_index(tx) + gap, at_least) + 1)
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
    tx.resync_sequences([schema.addresses])
    return bool(indexes)


def note(tx: Tx, found: Sequence[tuple[Output, int]], *, now_us: int) -> None:
    """Notes outputs with their blocks' heights, to be credited when the chain is followed."""
    owners = deposits.owners(tx, {output.script_pubkey for output, _ in found})
    for output, height in found:
        owner = owners.get(output.script_pubkey)
        if owner and output.amount and deposits.by_outpoint(tx, output.txid, output.vout) is None:
            deposit.note(tx, output, owner, height=height, now_us=now_us)


@dataclass(frozen=True, slots=True)
class HandedOn:
    """What left suspense: how many deposits, their satoshis that were credited, and those of refunds."""

    deposits: int
    sats: int
    refunds: int


def assign(tx: Tx, what: str, *, to_account_of: str, now_us: int) -> HandedOn:
    """Hand an address on to the account that has another one, with what is in suspense for it. If its account was deleted,
    refunds that reached it go along; `what` may also be the number of such an account. Raises NotOurs, NotInSuspense,
    NoAccount."""
    chain.lock(tx)
    known = deposits.address(tx, to_account_of)
    address_ids, closed_id = _in_suspense(tx, what)
    if known is None:
        raise NotOurs(f"{to_account_of} is no address of this service")
    account_id = known["account_id"]
    if account_id == SUSPENSE or account_erasure.is_closed(tx, account_id):
        raise NoAccount
    moved = [row for id_ in address_ids for row in deposits.of_address(tx, id_, SUSPENSE)]
    for id_ in address_ids:
        deposits.move_address(tx, id_, account_id, deposits_of=SUSPENSE)
    tip = stored_chain.tip(tx)
    with open_ledger(tx, [SUSPENSE, account_id], now_us=now_us) as ledger:
        refunds = transfers.suspended(tx, SUSPENSE, f"account {closed_id}: ") if closed_id is not None else []
        for row in refunds:
            ref = f"{row['ref']} assigned"
            ledger.hand_over(SUSPENSE, account_id, row["amount"], unique_ref=ref, reference=f"from account {closed_id}")
        for row in moved:
            _book(tx, ledger, row, account_id, tip_height=tip["height"] if tip else 0)
    tx.notify("deposits")
    credited = sum(row["amount"] for row in moved if row["status"] == "credited")
    return HandedOn(len(moved), credited, sum(row["amount"] for row in refunds))


def _in_suspense(tx: Tx, what: str) -> tuple[list[int], int | None]:
    """The ids of the addresses that are meant, and the deleted account that had them."""
    if what.isascii() and what.isdigit() and len(what) < 19:
        if not account_erasure.is_closed(tx, int(what)):
            raise NotInSuspense(f"account {what} was not deleted: there is nothing in suspense for it")
        return deposits.ids_of(tx, int(what)), int(what)
    found = deposits.address(tx, what)
    if found is None:
        raise NotOurs(f"{what} is no address of this service")
    if found["account_id"] == SUSPENSE:
        return [found["id"]], None
    if not account_erasure.is_closed(tx, found["account_id"]):
        raise NotInSuspense
    return [found["id"]], found["account_id"]


def _book(tx: Tx, ledger: Ledger, row: Row, account_id: int, *, tip_height: int) -> None:
    """Takes a deposit's credit back from suspense and gives it to the account, which hears of it as of any other."""
    theirs = {**row, "account_id": account_id}
    if row["status"] == "credited":
        deposit.apply(tx, ledger, row, "reversed", tip_height=tip_height)
        theirs["alternations"] += 1
    if row["status"] in ("credited", "pending"):
        deposit.apply(tx, ledger, theirs, row["status"], tip_height=tip_height)
