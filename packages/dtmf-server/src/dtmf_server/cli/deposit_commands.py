"""The operator's commands about deposits; they query the database and the node."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from dtmf_server.core.errors import CannotStart
from dtmf_server.core.money import SUSPENSE
from dtmf_server.core.timestamps import iso
from dtmf_server.operations import audit, suspense
from dtmf_server.operations.audit import By
from dtmf_server.payments.bitcoin.bitcoind import CoreChain
from dtmf_server.payments.bitcoin.chain import ChainUnavailable
from dtmf_server.payments.bitcoin.json_rpc import Rpc
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import accounts, deposits, invoices, sign_ups
from dtmf_server.storage import chain as stored_chain
from dtmf_server.storage.db import Tx
from dtmf_server.workers.chain_follower import own_scripts, poll

PAGE = 500


def list_deposits(runtime: Runtime, *, suspense_only: bool) -> None:
    """Print every deposit, oldest first, or only those in suspense."""
    after, account_id = 0, SUSPENSE if suspense_only else None
    while rows := runtime.db.read_blocking(
        partial(deposits.all_deposits, after=after, limit=PAGE, account_id=account_id)
    ):
        for row in rows:
            where = f"block {row['height']}" if row["height"] is not None else "no block"
            whose = "in suspense" if row["account_id"] == SUSPENSE else f"account {row['account_id']}"
            print(f"{row['txid']}:{row['vout']}  {row['status']:8}  {row['amount']:>12} sat  {where}")
            print(f"    {whose}, {row['address']}")
        after = rows[-1]["id"]
    if not suspense_only:
        _list_payments(runtime)
    state, tip, held, skipped = runtime.db.read_blocking(
        lambda tx: (stored_chain.load(tx), stored_chain.tip(tx), accounts.load(tx, SUSPENSE), deposits.skipped(tx))
    )
    print(f"followed to block {tip['height']}" if tip else "no block followed yet")
    for row in skipped:
        print(
            f"blocks {row['from_height']} to {row['to_height']} were never read because the node had pruned them: {row['found']}"
            f" deposits of {row['found_sats']} satoshis were found in them; deposits spent since are not known"
        )
    if held.balance:
        print(f"{held.balance} satoshis in suspense: `dtmf-server deposits assign` assigns them to an account")
    unclaimed = runtime.db.read_blocking(sign_ups.unclaimed)
    if unclaimed["n"]:
        print(f"{unclaimed['n']} paid sign-ups with {unclaimed['sats']} satoshis were never claimed")
    if state is not None and state["last_error"]:
        print(f"nothing is credited: {state['last_error']}")


def _list_payments(runtime: Runtime) -> None:
    """Print every Lightning payment, oldest first."""
    after = 0
    while rows := runtime.db.read_blocking(partial(invoices.all_paid, after=after, limit=PAGE)):
        for row in rows:
            print(
                f"{row['payment_hash']}  credited  {row['credited_sats']:>12} sat  Lightning, {iso(row['settled_at_us'])}"
            )
            print(f"    account {row['account_id']}, invoice {row['id']}, fee {row['fee_msat']} msat")
        after = rows[-1]["id"]


def assign(runtime: Runtime, address: str, to: str, *, by: By) -> None:
    """Assign an address in suspense to the account of the other address. Raises Refusal."""
    moved = runtime.db.write_blocking(
        lambda tx: suspense.assign(
            tx,
            address,
            to_account_of=to,
            now_us=runtime.clock.now_us(tx),
            by=by,
        )
    )
    refunds = f", and {moved.refunds} satoshis of refunds" if moved.refunds else ""
    print(f"{address} assigned, with {moved.deposits} deposits: {moved.sats} satoshis credited{refunds}")


def ask_rescan(runtime: Runtime, height: int, *, by: By) -> None:
    """Make the running service read the blocks from `height` on again. Raises CannotStart."""
    tip = runtime.db.read_blocking(stored_chain.tip)
    if tip is None or runtime.settings.network == "simulated":
        raise CannotStart("no real chain has been followed yet: there is nothing to rescan")
    if height > tip["height"]:
        raise CannotStart(
            f"--from {height}: the chain has only been followed to block {tip['height']}. To go above it, use"
            " `deposits skip --to HEIGHT`, which only works where the node has pruned the next blocks"
        )

    def ask(tx: Tx) -> None:
        stored_chain.ask_rescan(tx, height)
        audit.record(tx, by, "deposits rescan", f"blocks from {height}")

    runtime.db.write_blocking(ask)
    print(
        f"blocks {height} to {tip['height']} will be read again as soon as the service runs; nothing is credited twice"
    )


def restore(runtime: Runtime, *, descriptor: str, gap: int, index: int, from_height: int | None) -> None:
    """Fill an empty database with the descriptor's addresses and the coins on them. Raises CannotStart."""
    try:
        asyncio.run(_restore(runtime, descriptor.partition("#")[0], gap, index, from_height))
    except ChainUnavailable as error:
        raise CannotStart(f"{error}; what was found so far is saved: run the same command again to continue") from error
    last, used, rows = runtime.db.read_blocking(
        lambda tx: (deposits.last_index(tx), deposits.last_used_index(tx), deposits.deposits_of(tx, SUSPENSE))
    )
    credited = sum(row["amount"] for row in rows if row["status"] == "credited")
    print(f"addresses 1 to {last} are watched; {len(rows)} deposits found, {credited} satoshis credited, in suspense")
    print(
        f"stopped at the gap limit: {last - used} addresses in a row, {used + 1} to {last}, are unused. Addresses"
        f" above {last} were not scanned: if more were issued, run this again with --index N, the highest index that"
        " `dtmf-server backup` printed, or with a larger --gap"
    )


async def _restore(runtime: Runtime, descriptor: str, gap: int, index: int, from_height: int | None) -> None:
    """Watch addresses, and follow everything ever paid to them, until a gap of unused addresses is found."""
    db, now_us = runtime.db, runtime.clock.wall_us()
    await db.read(suspense.require_empty)
    await _extend(runtime, gap, index)
    while True:  # at least once: this may continue a restore that was interrupted
        last = await db.read(deposits.last_index)
        print(
            f"scanning addresses 1 to {last} for coins: on the main chain, this takes the node several minutes",
            flush=True,
        )
        async with open_chain(runtime) as chain:  # a new one each time: it reads no mempool transaction twice
            unspent = await chain.unspent(descriptor, last)
            await db.write(lambda tx, unspent=unspent: suspense.note(tx, unspent, now_us=now_us))  # type: ignore[misc]  # a lambda's default has no type
            if from_height is not None:
                await db.write(lambda tx: stored_chain.ask_rescan(tx, from_height))
            if trouble := await poll(runtime, chain):
                raise ChainUnavailable(trouble)
        if not await _extend(runtime, gap, index):
            return


async def _extend(runtime: Runtime, gap: int, at_least: int) -> bool:
    """Watch addresses up to `gap` past the last used index, and at least up to `at_least`. Return False if all are
    already watched."""
    derive, now_us = runtime.derive, runtime.clock.wall_us()
    assert derive is not None, "there is a descriptor"
    return await runtime.db.write(
        lambda tx: suspense.watch(tx, gap=gap, at_least=at_least, derive=derive, now_us=now_us)
    )


@asynccontextmanager
async def open_chain(runtime: Runtime) -> AsyncIterator[CoreChain]:
    """Open a connection to the configured node for this command."""
    settings = runtime.settings
    if settings.node is None or settings.network is None:
        raise ChainUnavailable("no node is configured: set bitcoin.rpc")
    async with Rpc(settings.node, settings.node_cookie) as rpc:
        yield CoreChain(rpc, settings.network, partial(own_scripts, replace(runtime)))
