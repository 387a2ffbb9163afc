"""Satoshis in suspense: coins on addresses of a lost database, whose owners are not known any more, and what arrived
for an account after its renter deleted it: deposits and refunds.

A restored database has its descriptor's addresses and their coins on the chain, all in the suspense account: deposits
like any other, which are credited and reversed. The operator assigns an address to the account of a customer who proves
ownership, with everything that was, or will be, paid to it. In the ledger, its credited deposits are taken back from
the suspense account and credited to the other, as their next two alternations.

Not in suspense, but assigned in the same way, is the account of a paid sign-up whose claim was lost before it was used.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dtmf_server.core.deposit_rules import Output
from dtmf_server.core.errors import InvalidRequest, Refusal
from dtmf_server.core.money import SUSPENSE
from dtmf_server.operations import audit, deposit
from dtmf_server.operations.audit import By
from dtmf_server.operations.deposit import Derive
from dtmf_server.operations.ledger import Ledger, open_ledger
from dtmf_server.storage import account_erasure, chain, deposits, schema, sign_ups, transfers
from dtmf_server.storage import chain as stored_chain
from dtmf_server.storage.db import Row, Tx


class NotOurs(Refusal):
    """This is not an address of this service."""

    status, code, title = 404, "not_ours", "Not an address of this service"


class NotInSuspense(Refusal):
    """This address is not in suspense: its account is known."""

    status, code, title = 409, "not_in_suspense", "Not in suspense"


class NoAccount(Refusal):
    """This address belongs to no account that can receive coins: it is in suspense, or its account was deleted."""

    status, code, title = 409, "no_account", "No account"


def require_empty(tx: Tx) -> None:
    """Raise InvalidRequest if addresses were issued to accounts: their coins are not in suspense."""
    if deposits.any_address_but_of(tx, SUSPENSE):
        raise InvalidRequest("database", "has already issued addresses: only an empty one can be filled")


def watch(tx: Tx, *, gap: int, at_least: int, derive: Derive, now_us: int) -> bool:
    """Put the descriptor's addresses in suspense, up to `gap` past the last used index and up to index `at_least`. They
    are never issued to an account again. Return False if all of them were already there."""
    chain.lock(tx)  # two restores may run at the same time
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
    """Record outputs with the heights of their blocks, to be credited when the chain is followed."""
    owners = deposits.owners(tx, {output.script_pubkey for output, _ in found})
    for output, height in found:
        owner = owners.get(output.script_pubkey)
        if owner and output.amount and deposits.by_outpoint(tx, output.txid, output.vout) is None:
            deposit.note(tx, output, owner, height=height, now_us=now_us)


@dataclass(frozen=True, slots=True)
class HandedOn:
    """The result of an assignment: the number of deposits, their credited satoshis, those of refunds, and the account that
    received them."""

    deposits: int
    sats: int
    refunds: int
    account_id: int


def assign(tx: Tx, what: str, *, to_account_of: str, now_us: int, by: By) -> HandedOn:
    """Assign an address, with what is in suspense for it, to the account of another address. If its former account was
    deleted, the refunds of that account move along; `what` may also be the number of such an account, or the payment hash
    of an unclaimed sign-up. Raises NotOurs, NotInSuspense, NoAccount."""
    moved = _assign(tx, what, to_account_of=to_account_of, now_us=now_us)
    sats = moved.sats + moved.refunds
    audit.record(tx, by, "deposits assign", what, account_id=moved.account_id, sats=sats)
    return moved


def _assign(tx: Tx, what: str, *, to_account_of: str, now_us: int) -> HandedOn:
    chain.lock(tx)
    known = deposits.address(tx, to_account_of)
    sign_up = sign_ups.by_payment_hash(tx, what)
    address_ids, closed_id = ([], None) if sign_up else _in_suspense(tx, what)
    if known is None:
        raise NotOurs(f"{to_account_of} is not an address of this service")
    account_id = known["account_id"]
    if account_id == SUSPENSE or account_erasure.is_closed(tx, account_id):
        raise NoAccount
    if sign_up is not None:
        return _assign_unclaimed(tx, sign_up["id"], account_id, now_us=now_us)
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
    return HandedOn(len(moved), credited, sum(row["amount"] for row in refunds), account_id)


def _assign_unclaimed(tx: Tx, sign_up_id: int, account_id: int, *, now_us: int) -> HandedOn:
    """Move the balance of an unclaimed sign-up's account to another. The claim opens nothing any more."""
    row = sign_ups.lock_and_load(tx, sign_up_id)
    if row["account_id"] is None or row["claim_until_us"] is not None:
        raise NotInSuspense("this sign-up is not paid, or its account was claimed: there is nothing to assign")
    sign_ups.record_claim(tx, sign_up_id, token_id=None, claim_until_us=now_us)
    with open_ledger(tx, [row["account_id"], account_id], now_us=now_us) as ledger:
        sats = ledger.balance(row["account_id"])
        ref, reference = f"sign-up {sign_up_id}", f"from account {row['account_id']}"
        ledger.hand_over(row["account_id"], account_id, sats, unique_ref=ref, reference=reference)
    return HandedOn(1, sats, 0, account_id)


def _in_suspense(tx: Tx, what: str) -> tuple[list[int], int | None]:
    """Return the IDs of the addresses that `what` stands for, and the deleted account that had them."""
    if what.isascii() and what.isdigit() and len(what) < 19:
        if not account_erasure.is_closed(tx, int(what)):
            raise NotInSuspense(f"account {what} was not deleted: there is nothing in suspense for it")
        return deposits.ids_of(tx, int(what)), int(what)
    found = deposits.address(tx, what)
    if found is None:
        raise NotOurs(f"{what} is not an address of this service")
    if found["account_id"] == SUSPENSE:
        return [found["id"]], None
    if not account_erasure.is_closed(tx, found["account_id"]):
        raise NotInSuspense
    return [found["id"]], found["account_id"]


def _book(tx: Tx, ledger: Ledger, row: Row, account_id: int, *, tip_height: int) -> None:
    """Take a deposit's credit back from suspense and credit the account, which gets the same events as for any
    deposit."""
    theirs = {**row, "account_id": account_id}
    if row["status"] == "credited":
        deposit.apply(tx, ledger, row, "reversed", tip_height=tip_height)
        theirs["alternations"] += 1
    if row["status"] in ("credited", "pending"):
        deposit.apply(tx, ledger, theirs, row["status"], tip_height=tip_height)
