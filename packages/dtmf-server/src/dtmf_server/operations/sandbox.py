"""Operations that only a sandbox has: test coins, a clock that can be fast-forwarded, and the inbox of other phones."""

import hashlib

from dtmf_server.core.deposit_rules import Block, ConfirmationTiers, Mempool, Output, blocks_to_credit, confirmations
from dtmf_server.core.errors import InvalidRequest
from dtmf_server.core.units import MINUTE_US
from dtmf_server.storage import deposits, instance, messages, simulated_chain
from dtmf_server.storage.db import Row, Tx

BLOCK_INTERVAL_US = 10 * MINUTE_US
BLOCKS_PER_ADVANCE_MAX = 6  # enough to confirm any waiting deposit


def broadcast(tx: Tx, account_id: int, *, address: str, amount: int) -> str:
    """Broadcast a transaction that pays one of the account's addresses into the mempool. Return its ID."""
    instance.lock(tx)  # the ID depends on the number of earlier broadcasts
    owner = deposits.address(tx, address)
    if owner is None or owner["account_id"] != account_id:
        raise InvalidRequest("address", f"{address!r} is not a deposit address of this account")
    txid = _digest("transaction", address, amount, simulated_chain.count_outputs(tx))
    simulated_chain.add_output(tx, txid=txid, script_pubkey=bytes(owner["script_pubkey"]), amount=amount)
    return txid


def blocks_needed(tx: Tx, account_id: int, amount: int, *, depths: ConfirmationTiers) -> int:
    """Return how many blocks must be mined to credit a payment of `amount` satoshis that is broadcast to the account
    now."""
    instance.lock(tx)
    tip = simulated_chain.tip(tx)
    height = tip["height"] if tip else 0
    rows = simulated_chain.shallow_of(tx, account_id, above=height - depths[-1][1])
    others = [(row["amount"], confirmations(row["height"], height)) for row in rows]
    return blocks_to_credit(depths, amount, others)


def mine(tx: Tx, count: int) -> None:
    """Mine blocks; the first includes the whole mempool."""
    instance.lock(tx)  # the height is read before it is written: one transaction mines at a time
    tip = simulated_chain.tip(tx)
    height, hash_ = (tip["height"], tip["hash"]) if tip else (0, "")
    for _ in range(count):
        height, hash_ = height + 1, _digest("block", hash_, height)
        simulated_chain.add_block(tx, height=height, hash_=hash_)


def advance_clock(tx: Tx, by_us: int) -> None:
    """Fast-forward the clock; one block is mined for each ten minutes, up to a limit."""
    instance.advance_clock(tx, by_us)
    mine(tx, min(by_us // BLOCK_INTERVAL_US, BLOCKS_PER_ADVANCE_MAX))
    tx.notify("supply")  # numbers may have to be given back


def chain_tip(tx: Tx) -> tuple[int, str] | None:
    """Return height and hash of the simulated chain's newest block."""
    tip = simulated_chain.tip(tx)
    return (tip["height"], tip["hash"]) if tip else None


def chain_block(tx: Tx, height: int) -> Block | None:
    """Return a block of the simulated chain."""
    hash_ = simulated_chain.block_hash(tx, height)
    if hash_ is None:
        return None
    previous = simulated_chain.block_hash(tx, height - 1) or ""
    return Block(height, hash_, previous, [_output(row) for row in simulated_chain.outputs(tx, height)])


def chain_mempool(tx: Tx) -> Mempool:
    """Return the unconfirmed transactions."""
    outputs = [_output(row) for row in simulated_chain.outputs(tx, None)]
    return Mempool({output.txid for output in outputs}, outputs)


def sent(tx: Tx, account_id: int) -> list[Row]:
    """Return the SMS sent from this account's numbers to other phones, oldest first."""
    return messages.sent_messages(tx, account_id)


def _output(row: Row) -> Output:
    return Output(row["txid"], 0, bytes(row["script_pubkey"]), row["amount"])


def _digest(*parts: object) -> str:
    return hashlib.sha256(":".join(map(str, parts)).encode()).hexdigest()
