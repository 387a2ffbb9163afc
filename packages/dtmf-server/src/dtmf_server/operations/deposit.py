"""Deposits: issuing addresses, and following outputs along the best chain until they are credited or gone."""

from collections import defaultdict
from collections.abc import Callable, Sequence

from dtmf_server.core.deposit_rules import (
    Block,
    ChainStep,
    ConfirmationTiers,
    Mempool,
    Output,
    confirmations,
    exposed,
    required,
    status_of_deposit,
)
from dtmf_server.core.errors import DepositsUnavailable, TooManyUnusedAddresses
from dtmf_server.core.money import SUSPENSE
from dtmf_server.operations import networks
from dtmf_server.operations.ledger import Ledger, open_ledger
from dtmf_server.storage import account_erasure, accounts, chain, deposits
from dtmf_server.storage import chain as stored_chain
from dtmf_server.storage.db import Row, Tx
from dtmf_server.storage.events import Event

UNPAID_MAX = 20  # unpaid addresses per account
UNPAID_OF_NETWORK_MAX = 200  # and of all accounts together, per network of the callers
UNMINED = 2  # times the limit, where unconfirmed payments, which may be replaced, do not count
REORG_WINDOW = 144  # blocks remembered; a deeper reorganization stops crediting

# Returns the address and scriptPubKey for an index of the descriptor.
Derive = Callable[[int], tuple[str, bytes]]


def new_address(tx: Tx, account_id: int, *, derive: Derive, now_us: int, network: str | None = None) -> str:
    """Return an address that was never issued before. `network` is the caller's; None where networks are not limited.

    Raises TooManyUnusedAddresses. Raises DepositsUnavailable until the first block of a real chain is followed: before,
    coins could arrive below the block from which the chain is followed.
    """
    accounts.lock(tx, account_id)
    key = None if network is None else networks.key(tx, network, purpose=b"deposit address network ")
    if key is not None and _is_full(deposits.of_network(tx, key)):
        raise TooManyUnusedAddresses(
            f"{UNPAID_OF_NETWORK_MAX} addresses issued to your network are waiting for their first deposit: use one of yours,"
            " or retry from another network"
        )
    drawn = deposits.next_index(tx, account_id, unused_max=UNPAID_MAX, unmined_max=UNMINED * UNPAID_MAX)
    if not drawn["is_followed"]:
        raise DepositsUnavailable("the service has not reached its Bitcoin node yet: try again later")
    if drawn["next_index"] is None:
        raise TooManyUnusedAddresses
    address, script_pubkey = derive(drawn["next_index"])
    deposits.add_address(
        tx,
        account_id=account_id,
        descriptor_index=drawn["next_index"],
        address=address,
        script_pubkey=script_pubkey,
        now_us=now_us,
        network=key,
    )
    return address


def _is_full(network: Row) -> bool:
    unused, unmined = network["unused"], network["unmined"]
    return bool(unused >= UNPAID_OF_NETWORK_MAX or unmined >= UNMINED * UNPAID_OF_NETWORK_MAX)


def deposits_of(tx: Tx, account_id: int) -> list[tuple[Row, int]]:
    """Return the account's deposits, oldest first, each with its confirmations."""
    tip = stored_chain.tip(tx)
    height = tip["height"] if tip else 0
    return [(row, confirmations(row["height"], height)) for row in deposits.deposits_of(tx, account_id)]


def newest_of(tx: Tx, account_id: int, *, depths: ConfirmationTiers, limit: int) -> list[tuple[Row, int, int]]:
    """Return the account's last deposits, newest first, each with the confirmations it has and needs."""
    tip = stored_chain.tip(tx)
    height = tip["height"] if tip else 0
    below = exposed_of(tx, account_id, depths=depths)
    rows = deposits.newest_of_account(tx, account_id, limit=limit)
    has = [(row, confirmations(row["height"], height)) for row in rows]
    return [(row, depth, required(depths, below, depth, coinbase=row["coinbase"])) for row, depth in has]


def exposed_of(tx: Tx, account_id: int, *, depths: ConfirmationTiers) -> tuple[int, ...]:
    """Return the account's satoshis below the depth of each rule."""
    tip = stored_chain.tip(tx)
    height = tip["height"] if tip else 0
    rows = deposits.shallow_of(tx, account_id, above=height - depths[-1][1])
    return exposed(depths, [(row["amount"], confirmations(row["height"], height)) for row in rows])


def follow(tx: Tx, step: ChainStep, *, depths: ConfirmationTiers, now_us: int) -> None:
    """Apply one step of the chain in one go: record new outputs, credit or reverse deposits, move the cursor."""
    chain.lock(tx)
    deposits.unmine_above(tx, step.fork_height)
    stored_chain.forget_blocks_above(tx, step.fork_height)
    new: set[tuple[str, int]] = set()
    for block in step.blocks:
        stored_chain.add_block(tx, height=block.height, hash_=block.hash, keep=REORG_WINDOW)
        new |= note_outputs(tx, block.outputs, height=block.height, now_us=now_us)
    if step.mempool is not None:
        new |= note_outputs(tx, step.mempool.outputs, height=None, now_us=now_us)
    tip = stored_chain.tip(tx)
    if tip is not None:
        move_on(tx, tip["height"], step.mempool, new, depths=depths, now_us=now_us)
    tx.notify("deposits")


def reread(tx: Tx, block: Block, tip: tuple[int, str], *, depths: ConfirmationTiers, now_us: int) -> bool:
    """Record what a block below the cursor pays to us. Return False, and change nothing, if the cursor is no longer at
    `tip`."""
    chain.lock(tx)
    followed = stored_chain.tip(tx)
    if followed is None or (followed["height"], followed["hash"]) != tip or block.height > tip[0]:
        return False
    new = note_outputs(tx, block.outputs, height=block.height, now_us=now_us)
    move_on(tx, tip[0], None, new, depths=depths, now_us=now_us)
    chain.rescanned(tx, block.height + 1 if block.height < tip[0] else None)
    tx.notify("deposits")
    return True


def mempool_followed(tx: Tx, mempool: Mempool) -> bool:
    """Return True if every unconfirmed output that is ours is recorded."""
    owners = deposits.owners(tx, {output.script_pubkey for output in mempool.outputs})
    return all(
        output.script_pubkey not in owners or deposits.by_outpoint(tx, output.txid, output.vout) is not None
        for output in mempool.outputs
    )


def note_outputs(tx: Tx, outputs: Sequence[Output], *, height: int | None, now_us: int) -> set[tuple[str, int]]:
    """Record the current block of each output that is ours. A new output becomes a deposit; one that was gone and is
    back in the mempool becomes pending again. Return the outpoints of both."""
    new: set[tuple[str, int]] = set()
    owners = deposits.owners(tx, {output.script_pubkey for output in outputs})
    closed = account_erasure.closed_among(tx, {owner["account_id"] for owner in owners.values()})
    for output in outputs:
        owner = owners.get(output.script_pubkey)
        if owner is None or output.amount == 0:
            continue
        known = deposits.by_outpoint(tx, output.txid, output.vout)
        if known is None:
            if owner["account_id"] in closed:
                owner = {**owner, "account_id": SUSPENSE}
            note(tx, output, owner, height=height, now_us=now_us)
        elif height is not None:
            deposits.set_height(tx, known["id"], height)
            deposits.mark_used(tx, owner["id"], mined=True)
            continue
        elif known["status"] == "gone":
            deposits.mark_used(tx, owner["id"], mined=False)
            deposits.set_status(tx, known["id"], status="pending", alternations=known["alternations"])
        else:
            continue
        new.add((output.txid, output.vout))
    return new


def note(tx: Tx, output: Output, owner: Row, *, height: int | None, now_us: int) -> None:
    """Record an output, seen for the first time, as a deposit to its address and owner."""
    deposits.mark_used(tx, owner["id"], mined=height is not None)
    deposits.add(
        tx,
        txid=output.txid,
        vout=output.vout,
        owner=owner,
        amount=output.amount,
        height=height,
        coinbase=output.coinbase,
        now_us=now_us,
    )


def move_on(
    tx: Tx,
    tip_height: int,
    mempool: Mempool | None,
    new: set[tuple[str, int]],
    *,
    depths: ConfirmationTiers,
    now_us: int,
) -> None:
    """Credit, reverse or give up every deposit whose state has changed."""
    changes = []
    unsettled = deposits.unsettled(tx)
    below = _exposed(tx, unsettled, tip_height, depths=depths)
    for deposit in unsettled:
        depth = confirmations(deposit["height"], tip_height)
        status = status_of_deposit(
            deposit["status"],
            height=deposit["height"],
            in_mempool=None if mempool is None else mempool.has(deposit["txid"]),
            tip_height=tip_height,
            required=required(depths, below[deposit["account_id"]], depth, coinbase=deposit["coinbase"]),
        )
        first_seen = status == "pending" and (deposit["txid"], deposit["vout"]) in new
        if status != deposit["status"] or first_seen:
            changes.append((deposit, status))
    if not changes:
        return
    account_ids = {deposit["account_id"] for deposit, _ in changes}
    accounts.lock(tx, *account_ids)
    closed = account_erasure.closed_among(tx, account_ids)
    with open_ledger(tx, account_ids | ({SUSPENSE} if closed else set()), now_us=now_us) as ledger:
        for deposit, status in changes:
            account_id = deposit["account_id"]
            if status == "credited" and account_id in closed and ledger.accounts[account_id].debt < deposit["amount"]:
                deposits.move_deposit(tx, deposit["id"], SUSPENSE)
                deposit = {**deposit, "account_id": SUSPENSE}  # noqa: PLW2901 - the same deposit, in another account
            apply(tx, ledger, deposit, status, tip_height=tip_height)


def _exposed(tx: Tx, unsettled: list[Row], tip_height: int, *, depths: ConfirmationTiers) -> dict[int, tuple[int, ...]]:
    """Return the satoshis below the depth of each rule, for every account with an unsettled deposit."""
    paid: dict[int, list[tuple[int, int]]] = defaultdict(list)
    waiting = [row for row in unsettled if row["height"] is None and row["status"] == "pending"]
    for row in [*waiting, *deposits.mined_above(tx, tip_height - depths[-1][1])]:
        paid[row["account_id"]].append((row["amount"], confirmations(row["height"], tip_height)))
    return {row["account_id"]: exposed(depths, paid[row["account_id"]]) for row in unsettled}


def apply(tx: Tx, ledger: Ledger, deposit: Row, status: str, *, tip_height: int) -> None:
    """Change the status of a deposit, book it to its account, and append an event."""
    account_id, amount = deposit["account_id"], deposit["amount"]
    outpoint = f"{deposit['txid']}:{deposit['vout']}"
    alternations = deposit["alternations"]
    ref = f"{outpoint}:{alternations}"
    if status == "credited":
        alternations += 1
        ledger.deposit(account_id, amount, unique_ref=ref, reference=outpoint)
    elif status == "reversed":
        alternations += 1
        ledger.reverse_deposit(account_id, amount, unique_ref=ref, reference=outpoint)
    deposits.set_status(tx, deposit["id"], status=status, alternations=alternations)
    if status == "gone":
        deposits.mark_unused(tx, deposit["address_id"])
    kind = {"pending": "deposit.seen"}.get(status, f"deposit.{status}")
    data = {
        "txid": deposit["txid"],
        "vout": deposit["vout"],
        "address": deposit["address"],
        "amount": amount,
        "confirmations": confirmations(deposit["height"], tip_height),
    }
    ledger.add_event(Event(account_id, ledger.now_us(account_id), kind, data=data))
