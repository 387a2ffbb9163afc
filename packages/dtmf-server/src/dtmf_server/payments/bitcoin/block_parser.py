"""Parses raw blocks and transactions (verbosity 0) with embit, and finds the outputs that are ours.

Only transactions that pay us are hashed: a block of thousands costs little more than embit needs to parse it.
"""

from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any

from embit import compact, hashes
from embit.transaction import Transaction

from dtmf_server.core.deposit_rules import Block, Output
from dtmf_server.core.money import SATS_MAX

_HEADER_BYTES = 80
_NULL = bytes(32)  # the outpoint that a coinbase transaction spends

Transactions = list[Any]  # embit's Transaction


def header_of(raw: bytes) -> tuple[str, str]:
    """Return the hash of a block, and of its predecessor."""
    return hashes.double_sha256(raw[:_HEADER_BYTES])[::-1].hex(), raw[4:36][::-1].hex()


def transactions_of(raw: bytes) -> Transactions:
    """Return the transactions of a block. Raises ValueError unless `raw` is exactly one block."""
    stream = BytesIO(raw)
    stream.seek(_HEADER_BYTES)
    found: Transactions = _read(lambda: [Transaction.read_from(stream) for _ in range(compact.read_from(stream))])
    if stream.read(1):
        raise ValueError("there is data after the block's last transaction")
    return found


def transaction_of(raw: bytes) -> Any:
    """Parse one transaction. Raises ValueError if it is invalid."""
    return _read(lambda: Transaction.parse(raw))


def scripts_of(transactions: Iterable[Any]) -> set[bytes]:
    """Return every scriptPubKey that is paid."""
    return {output.script_pubkey.data for transaction in transactions for output in transaction.vout}


def outputs_to(transactions: Iterable[Any], ours: set[bytes]) -> list[Output]:
    """Return the outputs that pay one of our scripts. Raises ValueError for amounts above the maximum supply."""
    found = []
    for transaction in transactions:
        paid = [(vout, out) for vout, out in enumerate(transaction.vout) if out.script_pubkey.data in ours]
        if any(out.value > SATS_MAX for _, out in paid):
            raise ValueError("it pays more coins than the maximum supply")
        if paid:
            txid, coinbase = transaction.txid().hex(), any(i.txid == _NULL for i in transaction.vin)
            found += [Output(txid, vout, bytes(out.script_pubkey.data), out.value, coinbase) for vout, out in paid]
    return found


def block_of(raw: bytes, height: int, transactions: Transactions, ours: set[bytes]) -> Block:
    """Return the block with the outputs that are ours."""
    hash_, previous = header_of(raw)
    return Block(height, hash_, previous, outputs_to(transactions, ours))


def _read(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Exception as error:  # embit's errors have no common base
        raise ValueError(f"not a valid transaction: {error!r}") from error
