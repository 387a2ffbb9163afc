"""Deposits: addresses given out, and outputs followed along the best chain until they are credited or gone."""

from collections.abc import Callable, Sequence

from dtmf_server.core.chain import ChainStep, Output, confirmations, status_of_deposit
from dtmf_server.core.errors import TooManyUnusedAddresses
from dtmf_server.operations.books import Books, open_books
from dtmf_server.storage import accounts, deposits
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.events import Event

UNUSED_ADDRESSES_MAX = 100
REORG_WINDOW = 144  # blocks remembered: a deeper reorg stops crediting

# The address and scriptPubKey of a descriptor's index.
Derive = Callable[[int], tuple[str, bytes]]


def new_address(tx: Tx, account_id: int, *, derive: Derive, now_us: int) -> str:
    """An address never given to anyone before. Raises TooManyUnusedAddresses."""
    accounts.hold(tx, account_id)
    if deposits.unused_addresses(tx, account_id) >= UNUSED_ADDRESSES_MAX:
        raise TooManyUnusedAddresses
    index = deposits.next_descriptor_index(tx)
    address, script_pubkey = derive(index)
    deposits.add_address(
        tx,
        account_id=account_id,
        descriptor_index=index,
        address=address,
        script_pubkey=script_pubkey,
        now_us=now_us,
    )
    return address


def deposits_of(tx: Tx, account_id: int) -> list[tuple[Row, int]]:
    """The account's deposits, oldest first, each with its confirmations."""
    tip = deposits.tip(tx)
    height = tip["height"] if tip else 0
    return [(row, confirmations(row["height"], height)) for row in deposits.deposits_of(tx, account_id)]


def newest_of(tx: Tx, account_id: int, *, limit: int) -> list[tuple[Row, int]]:
    """The account's last deposits, newest first, each with its confirmations."""
    tip = deposits.tip(tx)
    height = tip["height"] if tip else 0
    rows = deposits.newest_of_account(tx, account_id, limit=limit)
    return [(row, confirmations(row["height"], height)) for row in rows]


def follow(tx: Tx, step: ChainStep, *, required: int, now_us: int, rest_us: int) -> None:
    """Applies one step of the chain: new outputs noted, deposits credited or reversed, cursor moved; all at once."""
    deposits.unmine_above(tx, step.fork_height)
    deposits.forget_blocks_above(tx, step.fork_height)
    for block in step.blocks:
        deposits.add_block(tx, height=block.height, hash_=block.hash, keep=REORG_WINDOW)
        _note_outputs(tx, list(block.outputs), height=block.height, now_us=now_us)
    _note_outputs(tx, list(step.mempool), height=None, now_us=now_us)
    tip = deposits.tip(tx)
    if tip is not None:
        in_mempool = {(output.txid, output.vout) for output in step.mempool}
        _move_on(tx, tip["height"], in_mempool=in_mempool, required=required, now_us=now_us, rest_us=rest_us)
    tx.notify("deposits")


def mempool_followed(tx: Tx, mempool: Sequence[Output]) -> bool:
    """Whether every unmined output that is ours is known."""
    owners = deposits.owners(tx, {output.script_pubkey for output in mempool})
    return all(
        output.script_pubkey not in owners or deposits.by_outpoint(tx, output.txid, output.vout) is not None
        for output in mempool
    )


def _note_outputs(tx: Tx, outputs: list[Output], *, height: int | None, now_us: int) -> None:
    """Notes where each output that is ours stands now; one seen for the first time becomes a deposit."""
    owners = deposits.owners(tx, {output.script_pubkey for output in outputs})
    for output in outputs:
        owner = owners.get(output.script_pubkey)
        if owner is None or output.amount == 0:
            continue
        known = deposits.by_outpoint(tx, output.txid, output.vout)
        if known is not None:
            if height is not None:
                deposits.set_height(tx, known["id"], height)
            continue
        deposits.mark_used(tx, owner["id"])
        deposits.add(
            tx,
            txid=output.txid,
            vout=output.vout,
            owner=owner,
            amount=output.amount,
            height=height,
            now_us=now_us,
        )


def _move_on(
    tx: Tx,
    tip_height: int,
    *,
    in_mempool: set[tuple[str, int]],
    required: int,
    now_us: int,
    rest_us: int,
) -> None:
    """Credits, reverses or gives up every deposit whose standing has changed."""
    changes = []
    for deposit in deposits.unmined_credits(tx) + deposits.open_deposits(tx):
        status = status_of_deposit(
            deposit["status"],
            height=deposit["height"],
            in_mempool=(deposit["txid"], deposit["vout"]) in in_mempool,
            tip_height=tip_height,
            required=required,
        )
        first_seen = deposit["seen_at_us"] == now_us and status == "pending"
        if status != deposit["status"] or first_seen:
            changes.append((deposit, status))
    if not changes:
        return
    account_ids = {deposit["account_id"] for deposit, _ in changes}
    with open_books(tx, account_ids, now_us=now_us, rest_us=rest_us) as books:
        for deposit, status in changes:
            _apply(tx, books, deposit, status, tip_height=tip_height)


def _apply(tx: Tx, books: Books, deposit: Row, status: str, *, tip_height: int) -> None:
    account_id, amount = deposit["account_id"], deposit["amount"]
    outpoint = f"{deposit['txid']}:{deposit['vout']}"
    alternations = deposit["alternations"]
    ref = f"{outpoint}:{alternations}"
    if status == "credited":
        alternations += 1
        books.deposit(account_id, amount, ref=ref, reference=outpoint)
    elif status == "reversed":
        alternations += 1
        books.reverse_deposit(account_id, amount, ref=ref, reference=outpoint)
    deposits.set_status(tx, deposit["id"], status=status, alternations=alternations)
    kind = {"pending": "deposit.seen"}.get(status, f"deposit.{status}")
    data = {
        "txid": deposit["txid"],
        "vout": deposit["vout"],
        "address": deposit["address"],
        "amount": amount,
        "confirmations": confirmations(deposit["height"], tip_height),
    }
    books.note(Event(account_id, books.now_us(account_id), kind, data=data))
