"""Lightning payments with the simulated node, one after the other; a poll of the node with 10 and with 10,000 open invoices.

*A payment* is `sandbox.pay` on a service in a process of its own: from the request of the payer until the response, which
comes once the payment is credited. With Electrum, it is a payment between two real wallets with a channel: from the return
of the payer's command until a client that waits for the deposit has it; only `make bench-lightning` measures it. *A poll*
reads one new payment after the cursor and credits it, in one process."""

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

import httpcore2

from benchmarks import databases, processes
from benchmarks.databases import Engine
from benchmarks.interleave import Finding, Line, at_most, ratio, rounds
from benchmarks.size import Size
from dtmf import DTMF
from dtmf_server.config import Config
from dtmf_server.core.lightning import NodeInvoice, SettledPayment
from dtmf_server.operations import account
from dtmf_server.runtime.context import Runtime
from dtmf_server.server import process, startup
from dtmf_server.server.lightning import NodeInvoices
from dtmf_server.storage import simulated_lightning
from dtmf_server.storage.db import Tx
from dtmf_server.workers.invoice_watcher import InvoiceWatcher
from lightning_nodes.electrum_pair import LOGIN, ElectrumPair, from_environment

FEW, MANY = 10, 10_000
HOUR_US = 3_600_000_000
SATS = 100
CONFIGURATION = """\
[bitcoin]
network = "regtest"

[lightning]
kind = "electrum"
url = "{url}"
user = "{user}"
password = "{password}"
allow_hot_wallet = true
"""
WARM_UP_S = process.WARM_UP_AFTER_S + 1.5  # the service loads the website's templates a second after its start


def run(size: Size) -> Iterator[Finding]:
    """Measure on both engines."""
    count, many, times = size.of((200, MANY, 40), (50, 2_000, 15), (3, 100, 2))
    for place in (databases.sqlite, databases.postgresql):
        with place() as engine:
            yield _payments(engine, count)
            yield _polls(engine, many, times)
    if "DTMF_TEST_ELECTRUM" in os.environ:
        with from_environment() as pair:
            for place in (databases.sqlite, databases.postgresql):
                with place() as engine:
                    yield _payments_by_electrum(engine, pair, size.of(200, 30, 3))


def _payments(engine: Engine, count: int) -> Finding:
    url = engine.empty()
    taken_ms = []
    with processes.service(url) as service:
        address = f"http://127.0.0.1:{service.port}"
        with httpcore2.ConnectionPool() as pool:
            opened = pool.request("POST", f"{address}/api/v1/accounts")
        with DTMF(opened.content.decode().split('"')[3], base_url=address) as dtmf:
            time.sleep(WARM_UP_S)
            for _ in range(count):
                invoice = dtmf.new_invoice(1)
                started_s = perf_counter()
                dtmf.sandbox.pay(invoice)
                taken_ms.append((perf_counter() - started_s) * 1000)
            assert dtmf.account()["balance"] == count, "every payment is credited"
    engine.drop(url)
    p99_ms = quantiles(taken_ms, n=100)[98] if count > 1 else taken_ms[0]
    name = f"{count} payments one after the other: p99 until credited, {engine.name}"
    return Line(name, p99_ms, at_most(50), f"median {median(taken_ms):.1f} ms", unit="ms")


def _payments_by_electrum(engine: Engine, pair: ElectrumPair, count: int) -> Finding:
    url, taken_ms = engine.empty(), []
    user, _, password = LOGIN.partition(":")
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "dtmf.toml"
        config.write_text(CONFIGURATION.format(url=pair.receiver.url, user=user, password=password))
        with processes.service(url, "--config", str(config)) as service:
            address = f"http://127.0.0.1:{service.port}"
            with httpcore2.ConnectionPool() as pool:
                opened = pool.request("POST", f"{address}/api/v1/accounts")
            with DTMF(opened.content.decode().split('"')[3], base_url=address, max_retries=10) as dtmf:
                time.sleep(WARM_UP_S)
                for _ in range(count):
                    invoice = dtmf.new_invoice(SATS)
                    pair.payer.pay(invoice["invoice"])
                    started_s = perf_counter()
                    dtmf.wait_for_deposit(invoice, timeout=60)
                    taken_ms.append((perf_counter() - started_s) * 1000)
                assert dtmf.account()["balance"] == count * SATS, "every payment is credited"
    engine.drop(url)
    p99_ms = quantiles(taken_ms, n=100)[98]
    name = f"{count} payments between two Electrum wallets: p99 from the payer's proof until credited, {engine.name}"
    return Line(name, p99_ms, at_most(500), f"median {median(taken_ms):.1f} ms", unit="ms")


def _polls(engine: Engine, many: int, times: int) -> Finding:
    with contextlib.ExitStack() as opened:
        few = opened.enter_context(_service(engine, FEW))
        lots = opened.enter_context(_service(engine, many))
        contenders = {f"{many:,} open": partial(_poll_ms, lots), f"{FEW} open": partial(_poll_ms, few)}
        for measure in contenders.values():
            measure()
        measured = rounds(contenders, times)
    return ratio(
        measured,
        f"{many:,} open",
        f"{FEW} open",
        name=f"a poll with {many:,} open invoices against one with {FEW}, {engine.name}",
        bound=at_most(2),
        raw="{} ms",
    )


@contextlib.contextmanager
def _service(engine: Engine, invoices: int) -> Iterator[tuple[Runtime, InvoiceWatcher, asyncio.Runner, Iterator[str]]]:
    """Open a sandbox with this many open invoices, besides one for each poll."""
    url = engine.empty()
    runtime = startup.open_runtime(Config(), url)
    now_us = time.time_ns() // 1000
    hashes = [f"{n:064x}" for n in range(invoices + 500)]

    def fill(tx: Tx) -> None:
        account_id = account.open_account(tx, token_sha256=bytes(32), now_us=now_us)
        node = tx.one("SELECT id FROM lightning_nodes")
        assert node is not None
        for hash_ in hashes:
            simulated_lightning.add(tx, hash_, NodeInvoice(hash_, hash_, now_us + HOUR_US), amount_msat=1000)
        tx.run(
            "INSERT INTO lightning_invoices (account_id, external_id, payment_hash, bolt11, amount_msat, description,"
            " created_at_us, created_wall_us, expires_at_us, state, is_newcomer, look_up_at_us, node_id)"
            " SELECT :account_id, external_id, payment_hash, bolt11, amount_msat, '', :now_us, :now_us, :expires_us,"
            " 'open', false, :expires_us, :node_id FROM simulated_invoices",
            account_id=account_id,
            now_us=now_us,
            expires_us=now_us + HOUR_US,
            node_id=node["id"],
        )

    runtime.db.write_blocking(fill)
    made = runtime.invoices
    assert isinstance(made, NodeInvoices)
    watcher = InvoiceWatcher(runtime, made.node, network=None, poll_s=made.poll_s)
    with asyncio.Runner() as runner, contextlib.closing(runtime.db):
        yield runtime, watcher, runner, iter(hashes)
    engine.drop(url)


def _poll_ms(of: tuple[Runtime, InvoiceWatcher, asyncio.Runner, Iterator[str]]) -> float:
    runtime, watcher, runner, unpaid = of
    payment = SettledPayment(next(unpaid), 1000, 0, 0)
    runtime.db.write_blocking(lambda tx: simulated_lightning.pay(tx, payment))

    async def poll() -> float:
        started_s = perf_counter()
        assert await watcher.poll() is None
        return (perf_counter() - started_s) * 1000

    return runner.run(poll())
