"""Scanning blocks for deposits, with 1,000 watched addresses and with 1,000,000; the next address.

A block of 1.6 MWU: P2WPKH transactions of two inputs and two outputs, 20 of which pay watched addresses; the next round
has the same block with another header and other payments. *Followed*: from the hex text returned by the node until
deposits, events and the cursor are committed, in one process, on one database after the other. *Parsing and matching* is
the part before the transaction that books; embit alone parses the same bytes into its transactions. *The next address*
is `new_address` inside its transaction, with 1,000,000 addresses given out, and 19 unused ones of the account."""

import asyncio
import contextlib
import random
import time
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from statistics import median
from typing import Any

from embit import compact, hashes
from embit.script import Script, Witness
from embit.transaction import Transaction, TransactionInput, TransactionOutput

from benchmarks import databases, fill
from benchmarks.databases import Engine
from benchmarks.interleave import Finding, Line, at_most, ratio, rounds
from benchmarks.size import Size
from dtmf_server.core import money
from dtmf_server.core.deposit_rules import ChainStep
from dtmf_server.operations import deposit
from dtmf_server.payments.bitcoin.bitcoind import CoreChain
from dtmf_server.payments.bitcoin.descriptor import SANDBOX_DESCRIPTOR, deriver, prefetching
from dtmf_server.storage import chain as stored_chain
from dtmf_server.storage import deposits, schema
from dtmf_server.storage.db import Database, Tx
from dtmf_server.storage.open import open_database

WEIGHT = 1_600_000
OURS = 20  # outputs of a block that pay watched addresses
ACCOUNTS = 100
FEW, MANY = 1_000, 1_000_000
PAGE = 20_000
ADDRESSES_A_ROUND = 50
DAY_US = 86_400_000_000
START_US = 1_700_000_000_000_000


class Blocks:
    """Generates a node's next block, again and again, as its RPC returns it."""

    def __init__(self, weight: int) -> None:
        self._random = random.Random(7)
        self._height, self._hash = 0, "00" * 32
        self._body, self._count = self._filled(weight)
        self.raw = b""

    def mine(self) -> None:
        """Generate the next block."""
        paying = b"".join(self._transaction(script_of(n)).serialize() for n in range(OURS))
        header = self._random.randbytes(4) + bytes.fromhex(self._hash)[::-1] + self._random.randbytes(44)
        self.raw = header + compact.to_bytes(self._count + OURS) + self._body + paying
        self._height, self._hash = self._height + 1, hashes.double_sha256(header)[::-1].hex()

    @property
    def height(self) -> int:
        """Return the height of the latest block."""
        return self._height

    async def call(self, method: str, *_parameters: object) -> Any:
        """Return the node's answer."""
        return self._hash if method == "getblockhash" else self.raw.hex()

    def _filled(self, weight: int) -> tuple[bytes, int]:
        body, count, weighs = [], 0, 0
        while weighs < weight:
            transaction = self._transaction(self._random.randbytes(22))
            whole = transaction.serialize()
            for one in transaction.vin:
                one.witness = Witness([])
            weighs += 3 * len(transaction.serialize()) + len(whole)
            body.append(whole)
            count += 1
        return b"".join(body), count

    def _transaction(self, script_pubkey: bytes) -> Transaction:
        bytes_of = self._random.randbytes
        inputs = [
            TransactionInput(bytes_of(32), 1, Script(b""), 0xFFFFFFFD, Witness([bytes_of(72), bytes_of(33)]))
            for _ in range(2)
        ]
        outputs = [TransactionOutput(10_000, Script(script)) for script in (script_pubkey, bytes_of(22))]
        return Transaction(2, inputs, outputs, 0)


def script_of(index: int) -> bytes:
    """Return the scriptPubKey of a watched address; scripts are effectively random."""
    return b"\x00\x14" + hashes.hash160(index.to_bytes(8, "big"))


def run(size: Size) -> Iterator[Finding]:
    """Measure both engines."""
    many, times = size.of((MANY, 15), (50_000, 5), (2_000, 1))
    with databases.sqlite() as files:
        yield from _measure(files, many, times)
    with databases.postgresql() as server:
        yield from _measure(server, many, times)


def _measure(engine: Engine, many: int, times: int) -> Iterator[Finding]:
    urls = [_watching(engine, count) for count in (FEW, many)]
    with contextlib.ExitStack() as stack:
        few, lots = (stack.enter_context(contextlib.closing(open_database(url))) for url in urls)
        runner = stack.enter_context(asyncio.Runner())
        blocks = Blocks(WEIGHT)
        contenders = {
            "few": partial(_followed, runner, few, blocks, mine=True),
            "many": partial(_followed, runner, lots, blocks, mine=False),
            "matching": partial(_matched, runner, lots, blocks),
            "embit": partial(_parsed, blocks),
        }
        rounds(contenders, 2)
        measured = rounds(contenders, times)
        at = f"{many:,} addresses, {engine.name}"
        name = f"a block followed with {at}, by {FEW:,}"
        yield ratio(measured, "many", "few", name=name, bound=at_most(1.2), raw="{} ms")
        name = f"parsing and matching, {at}"
        yield ratio(measured, "matching", "embit", name=name, bound=at_most(2), raw="{} ms")
        yield _next_address(lots, many, times, at)
    for url in urls:
        engine.drop(url)


def _watching(engine: Engine, count: int) -> str:
    """Create a database that has given out this many addresses to a hundred accounts, nearly all of them used."""
    url = engine.empty()
    fill.populate(url, fill.Population(START_US, ACCOUNTS, tokens=1))
    with contextlib.closing(open_database(url)) as db:
        for first in range(0, count, PAGE):
            db.write_blocking(partial(_add_addresses, indexes=range(first, min(first + PAGE, count))))
        db.write_blocking(lambda tx: tx.resync_sequences([schema.addresses]))
        db.write_blocking(partial(stored_chain.fix, network="regtest", descriptor="bench"))
    return url


def _add_addresses(tx: Tx, *, indexes: range) -> None:
    columns = ("id", "account_id", "descriptor_index", "address", "script_pubkey", "created_at_us", "used")
    first = money.FIRST_CUSTOMER
    rows = [(n + 1, first + n % ACCOUNTS, n + 1, f"{n}", script_of(n), START_US, True) for n in indexes]
    tx.insert(schema.addresses, columns, rows)


def _followed(runner: asyncio.Runner, db: Database, blocks: Blocks, *, mine: bool) -> float:
    """Return the milliseconds from the node's answer to the commit."""
    if mine:
        blocks.mine()
    return runner.run(_follow(db, blocks))


async def _follow(db: Database, blocks: Blocks) -> float:
    chain = _chain(db, blocks)
    started_s = time.perf_counter()
    block = await chain.block(blocks.height)
    assert block is not None
    step = ChainStep(blocks.height - 1, [block], None)
    await db.write(lambda tx: deposit.follow(tx, step, depths=((0, 2),), now_us=START_US))
    took_ms = (time.perf_counter() - started_s) * 1e3
    assert len(block.outputs) == OURS
    return took_ms


def _matched(runner: asyncio.Runner, db: Database, blocks: Blocks) -> float:
    """Return the milliseconds from the node's answer to the outputs that are ours."""

    async def match() -> float:
        chain = _chain(db, blocks)
        started_s = time.perf_counter()
        await chain.block(blocks.height)
        return (time.perf_counter() - started_s) * 1e3

    return runner.run(match())


def _chain(db: Database, blocks: Blocks) -> CoreChain:
    async def ours(script_pubkeys: Any) -> set[bytes]:
        return set(await db.read(lambda tx: deposits.owners(tx, script_pubkeys)))

    return CoreChain(blocks, "regtest", ours)  # type: ignore[arg-type]  # the node is not what is measured


def _parsed(blocks: Blocks) -> float:
    """Return the milliseconds that embit takes to parse the block's transactions."""
    stream = BytesIO(blocks.raw)
    stream.seek(80)
    started_s = time.perf_counter()
    transactions = [Transaction.read_from(stream) for _ in range(compact.read_from(stream))]
    took_ms = (time.perf_counter() - started_s) * 1e3
    assert len(transactions) > OURS
    return took_ms


def _use_newest(tx: Tx, *, account_id: int) -> None:
    """Mark the account's newest address as paid."""
    tx.run(
        "UPDATE addresses SET used = :used WHERE id = (SELECT max(id) FROM addresses WHERE account_id = :id)",
        used=True,
        id=account_id,
    )


def _next_address(db: Database, many: int, times: int, at: str) -> Line:
    """Measure in milliseconds; the account has used one of its last twenty addresses."""
    account_id = money.FIRST_CUSTOMER + 1
    derive = prefetching(deriver(SANDBOX_DESCRIPTOR, "regtest"))
    inside_ms: list[float] = []
    whole_ms: list[float] = []

    def give(tx: Tx) -> None:
        started_s = time.perf_counter()
        deposit.new_address(tx, account_id, derive=derive, now_us=START_US)
        inside_ms.append((time.perf_counter() - started_s) * 1e3)

    for number in range(times * ADDRESSES_A_ROUND):
        started_s = time.perf_counter()
        db.write_blocking(give)
        whole_ms.append((time.perf_counter() - started_s) * 1e3)
        if number >= deposit.UNPAID_MAX - 1:
            db.write_blocking(partial(_use_newest, account_id=account_id))
    raw = f"worst {max(inside_ms):.2f} ms, {median(whole_ms):.2f} ms with its commit"
    return Line(f"the next address, {at}", median(inside_ms), at_most(1), raw, unit="ms")
