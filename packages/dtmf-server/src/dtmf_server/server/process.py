"""One process of the service: starts HTTP and workers on what `startup` opened, and stops them in order."""

import asyncio
import contextlib
import gc
import os
import resource
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import uvicorn

from dtmf_server.asgi.app import create_app
from dtmf_server.asgi.protocol import Protocol
from dtmf_server.carriers.base import SmsCarrier
from dtmf_server.carriers.simulator import SimulatedCarrier
from dtmf_server.config import Config
from dtmf_server.core.errors import CannotStart
from dtmf_server.event_loop import new_event_loop
from dtmf_server.operations import sandbox
from dtmf_server.payments.bitcoin.chain import Chain
from dtmf_server.payments.bitcoin.simulator import SimulatedChain
from dtmf_server.runtime import metrics, service_manager
from dtmf_server.runtime.context import Runtime
from dtmf_server.runtime.logging import limit_strangers
from dtmf_server.server.lightning import NodeInvoices
from dtmf_server.storage import numbers
from dtmf_server.web.kit import templating
from dtmf_server.webhooks.client import WebhookClient
from dtmf_server.webhooks.dispatcher import InProcessDispatcher
from dtmf_server.webhooks.subprocess_dispatcher import SubprocessDispatcher
from dtmf_server.workers.alerts import run_alerts
from dtmf_server.workers.carrier_links import run_carriers
from dtmf_server.workers.carrier_router import CarrierRouter
from dtmf_server.workers.chain_follower import own_scripts, run_chain
from dtmf_server.workers.clock_guard import ClockGuard
from dtmf_server.workers.delivery_worker import DeliveryWorker
from dtmf_server.workers.housekeeping import run_chores
from dtmf_server.workers.invoice_watcher import InvoiceWatcher
from dtmf_server.workers.meter import run_meter
from dtmf_server.workers.prices import run_prices
from dtmf_server.workers.request_log import run_request_log
from dtmf_server.workers.supervisor import Worker, singleton, supervise
from dtmf_server.workers.supply import run_supply
from dtmf_server.workers.traces import run_traces, running_beside_api
from dtmf_server.workers.waiting import wait_for

Diagnose = Callable[[], tuple[list[str], list[str]]]
PORTS_TRIED = 20
OPEN_FILES = 16_384
WARM_UP_AFTER_S = 1.0  # a sandbox started by a test is ready sooner without it
CHAIN_CATCH_UP_S = 600.0  # how long the meter waits for recent deposits to be found before it ends rentals


def bind(host: str, port: int, *, may_move: bool, setting: str = "--port") -> socket.socket:
    """Return a listening socket on this port, or on the next free one if `may_move`. Raises CannotStart. `setting`: what
    the port can be changed with."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    last = min(65536, port + (PORTS_TRIED if may_move and port else 1))
    for candidate in range(port, last):
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, candidate))
            listener.listen(1024)
        except OSError as error:
            listener.close()
            if candidate == last - 1:
                raise CannotStart(
                    f"can't listen on {host}:{port} ({error.strerror or error}): choose another with {setting}"
                ) from error
        else:
            return listener
    raise AssertionError("the loop returns or raises")


def simulated_chain(runtime: Runtime) -> Chain:
    """Return the sandbox's chain, which is read from the database."""
    db = runtime.db
    return SimulatedChain(
        read_tip=lambda: db.read(sandbox.chain_tip),
        read_block=lambda height: db.read(lambda tx: sandbox.chain_block(tx, height)),
        read_mempool=lambda: db.read(sandbox.chain_mempool),
    )


async def _follow_chain(runtime: Runtime, caught_up: asyncio.Event) -> None:
    """Follow the configured chain until cancelled."""
    settings = runtime.settings
    follow = partial(run_chain, runtime, poll_interval_s=settings.poll_interval_s, caught_up=caught_up)
    if settings.network == "simulated":
        await follow(simulated_chain(runtime))
        return
    from dtmf_server.payments.bitcoin.bitcoind import CoreChain  # noqa: PLC0415 - an eighth of a sandbox's start-up time
    from dtmf_server.payments.bitcoin.json_rpc import Rpc  # noqa: PLC0415 - the same

    assert settings.network is not None and settings.node is not None, "a real network is configured with its node"
    async with Rpc(settings.node, settings.node_cookie) as rpc:
        await follow(CoreChain(rpc, settings.network, partial(own_scripts, runtime)))


@asynccontextmanager
async def running_workers(runtime: Runtime, carriers: Sequence[SmsCarrier] = ()) -> AsyncIterator[None]:
    """Run every worker of the service until the block ends; a sandbox without carriers runs a simulated one."""
    async with _webhooks(runtime, carriers) as webhooks:
        supervisor = asyncio.create_task(supervise(_workers(runtime, webhooks, carriers), runtime.troubles))
        try:
            yield
        finally:
            supervisor.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await supervisor


@asynccontextmanager
async def _webhooks(
    runtime: Runtime, carriers: Sequence[SmsCarrier]
) -> AsyncIterator[InProcessDispatcher | SubprocessDispatcher]:
    """Choose the dispatcher: a separate process if carriers may bring thousands of SMS a second and there is a CPU for
    it."""
    sandbox = runtime.settings.sandbox
    if carriers and processors() > 1:
        async with SubprocessDispatcher(sandbox=sandbox) as elsewhere:
            yield elsewhere
    else:
        async with WebhookClient(sandbox=sandbox) as poster:
            yield InProcessDispatcher(poster, sandbox=sandbox)


def processors() -> int:
    """Return the number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _workers(
    runtime: Runtime, webhooks: InProcessDispatcher | SubprocessDispatcher, carriers: Sequence[SmsCarrier]
) -> dict[str, Worker]:
    """Return the workers. Deliveries run in every process; carrier links, chain and meter in one process at a time."""
    db = runtime.db
    guard = ClockGuard(runtime.clock.wall_us)  # created now, to detect clock jumps during the wait below too

    async def is_ours(e164: str) -> bool:
        return await db.read(lambda tx: numbers.exists(tx, e164))

    async def chain_and_meter() -> None:
        caught_up = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            if runtime.settings.network is None:
                caught_up.set()
            else:
                group.create_task(_follow_chain(runtime, caught_up))
            await wait_for(caught_up, timeout_s=CHAIN_CATCH_UP_S)
            group.create_task(run_meter(runtime, guard))

    if runtime.settings.sandbox and not carriers:
        carriers = [SimulatedCarrier(is_ours=is_ours)]
    routes, alerts, rates = CarrierRouter(carriers), runtime.settings.alerts, runtime.rates
    worker = DeliveryWorker(runtime, webhooks, routes)
    lightning: dict[str, Worker] = {}
    if isinstance(runtime.invoices, NodeInvoices):
        node = runtime.invoices
        watcher = InvoiceWatcher(runtime, node.node, network=node.network, poll_s=node.poll_s)
        lightning["lightning"] = singleton(db, "lightning", watcher.run)
    return lightning | {
        "outbox": worker.run,
        "carriers": singleton(db, "carriers", partial(run_carriers, runtime, routes)),
        "chain and meter": singleton(db, "chain and meter", chain_and_meter),
        "supply": singleton(
            db, "supply", lambda: run_supply(runtime, {carrier.name: carrier for carrier in carriers}, guard)
        ),
        "requests": partial(run_request_log, runtime),
        "chores": singleton(db, "chores", partial(run_chores, runtime)),
        **({"prices": singleton(db, "prices", partial(run_prices, runtime, rates, guard))} if rates else {}),
        **({"alerts": singleton(db, "alerts", partial(run_alerts, runtime, alerts))} if alerts else {}),
        **({"traces": partial(run_traces, runtime)} if runtime.traces else {}),
    }


class Server(uvicorn.Server):
    """uvicorn on an existing socket; the caller handles signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do not install signal handlers."""
        yield


def http_server(runtime: Runtime, carriers: Sequence[SmsCarrier] = ()) -> Server:
    """Return the HTTP server, not started. It serves the callbacks of those carriers that have any."""
    limit_strangers()
    return _server(create_app(runtime, carriers))


def console_server(runtime: Runtime, *, origin: str | None, diagnose: Diagnose) -> Server:
    """Return the HTTP server of the operator's console, not started. `origin`: the only one that it accepts; None: any of
    this machine. `diagnose`: returns problems and warnings, as `dtmf-server doctor` does; it may block."""
    from dtmf_server.asgi.console import create_console  # noqa: PLC0415 - only where there is a console
    from dtmf_server.payments.lightning import bolt11  # noqa: PLC0415 - the same

    limit_strangers()
    return _server(create_console(runtime, origin=origin, diagnose=diagnose, payment_hash=bolt11.payment_hash_of))


def _server(app: Any) -> Server:
    return Server(
        uvicorn.Config(
            app,
            loop="none",
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=3,
            h11_max_incomplete_event_size=64 * 1024,
        )
    )


def listen_for_metrics(runtime: Runtime, config: Config) -> None:
    """Serve `/metrics` if configured. Raises CannotStart."""
    if not config.metrics.port:
        return
    try:
        metrics.listen(runtime, host=config.metrics.host, port=config.metrics.port)
    except OSError as error:
        raise CannotStart(f"metrics.port: can't listen on {config.metrics.port} ({error.strerror})") from error


def allow_many_sockets() -> None:
    """Raise the limit on open files as far as allowed: each delivery in progress is a socket."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def stop_with_stdin() -> None:
    """Stop this process, as SIGTERM does, when stdin closes. A pipe closes when the process at its other end dies,
    however it dies."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="standard input", daemon=True).start()


def serve(
    runtime: Runtime,
    listener: socket.socket | None,
    *,
    workers: bool,
    carriers: Sequence[SmsCarrier],
    ready: Callable[[], None],
    console: tuple[Server, socket.socket] | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM, then finish what is in progress. `ready` is called once signals are handled."""
    running = running_workers(runtime, carriers) if workers else running_beside_api(runtime)
    gc.collect()
    gc.freeze()  # what is loaded lives as long as the process; scanning it again would delay requests
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        servers = [(http_server(runtime, carriers), listener)] if listener else []
        servers += [console] if console else []
        runner.run(_serve(runtime, servers, running, ready=ready))


@asynccontextmanager
async def _watchdog() -> AsyncIterator[None]:
    task = asyncio.create_task(service_manager.keep_watchdog_fed())
    try:
        yield
    finally:
        task.cancel()


async def _serve(
    runtime: Runtime,
    servers: Sequence[tuple[Server, socket.socket]],
    running: contextlib.AbstractAsyncContextManager[None],
    *,
    ready: Callable[[], None],
) -> None:
    stop = asyncio.Event()

    def stopping() -> None:
        service_manager.notify("STOPPING=1")
        stop.set()
        runtime.db.wakeups.stop()
        for server, _ in servers:
            server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping)
    ready()
    service_manager.notify("READY=1")
    async with running, _watchdog():
        if servers:
            loop = asyncio.get_running_loop()
            loop.call_later(WARM_UP_AFTER_S, loop.run_in_executor, None, templating.warm_up)
            async with asyncio.TaskGroup() as group:
                for server, listener in servers:
                    group.create_task(server.serve(sockets=[listener]))
        else:
            await stop.wait()
