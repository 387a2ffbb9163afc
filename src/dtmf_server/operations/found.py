"""Deposits of a database that was lost: its descriptor's addresses, and what the chain has on them, for one account.

Who they were given to is not known any more, so they belong to a suspense account: an account without a token, whose
balance the operator hands on by hand. From there on they are deposits like any other.
"""

from collections.abc import Sequence

from dtmf_server.core.chain import Output
from dtmf_server.core.errors import InvalidRequest
from dtmf_server.operations.deposit import Derive
from dtmf_server.storage import accounts, deposits, schema
from dtmf_server.storage.db import Tx


def open_suspense_account(tx: Tx, *, now_us: int) -> int:
    """The id of a new account without a token. Raises InvalidRequest where addresses were given out before."""
    if deposits.any_address(tx):
        raise InvalidRequest("database", "has given out addresses already: only an empty one can be filled")
    return accounts.add(tx, now_us=now_us)


def watch(tx: Tx, account_id: int, indexes: Sequence[int], *, derive: Derive, now_us: int) -> None:
    """Gives the descriptor's addresses of these indexes to the account; no later one gets them again."""
    for index in indexes:
        address, script_pubkey = derive(index)
        deposits.add_address(
            tx,
            account_id=account_id,
            descriptor_index=index,
            address=address,
            script_pubkey=script_pubkey,
            now_us=now_us,
        )
    tx.continue_ids([schema.addresses])


def note(tx: Tx, found: Sequence[tuple[Output, int]], *, now_us: int) -> int:
    """Notes outputs with their blocks' heights, to be credited when the chain is followed; how many are ours."""
    owners = deposits.owners(tx, {output.script_pubkey for output, _ in found})
    count = 0
    for output, height in found:
        owner = owners.get(output.script_pubkey)
        if owner is None or deposits.by_outpoint(tx, output.txid, output.vout) is not None:
            continue
        deposits.mark_used(tx, owner["id"])
        deposits.add(
            tx, txid=output.txid, vout=output.vout, owner=owner, amount=output.amount, height=height, now_us=now_us
        )
        count += 1
    return count
