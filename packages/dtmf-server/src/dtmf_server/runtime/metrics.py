"""Metrics for Prometheus, on a listener of their own: only the operator should see them."""

import logging
import shutil
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from prometheus_client import CollectorRegistry, Counter, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from dtmf_server.core.units import SECOND_US
from dtmf_server.operations import carrier_speed, lightning_health
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import accounts, carriers, delivery_log, deposits, group_prices, instance, numbers, strays
from dtmf_server.storage import chain as stored_chain
from dtmf_server.storage.db import Row, Tx

log = logging.getLogger("dtmf.metrics")

REQUEST_S = 30.0  # how long a scraper may take to send a request, or to send the next one

ATTEMPTS = Counter("dtmf_delivery_attempts", "Delivery attempts, by kind and result", ["kind", "result"], registry=None)


CALLBACKS = Counter(
    "dtmf_carrier_callbacks", "Requests to a carrier's callback URL, by result", ["carrier", "result"], registry=None
)

RESPONSES = Counter("dtmf_http_responses", "HTTP responses, by class of status", ["status"], registry=None)
_RESPONSES = {hundred: RESPONSES.labels(status=f"{hundred}xx") for hundred in range(1, 6)}
FREE_MAX = 1000  # free numbers of a group are counted up to this


def count_response(status: int) -> None:
    """Count a response; 0 if the client disconnected before there was one."""
    if counter := _RESPONSES.get(status // 100):
        counter.inc()


@cache
def callbacks(carrier: str, result: str) -> Counter:
    """The counter of that carrier and result: "accepted", or why the request was refused."""
    return CALLBACKS.labels(carrier=carrier, result=result)


@cache
def attempts(kind: str, result: str) -> Counter:
    """Return the counter of that kind and result; the lookup is cached."""
    return ATTEMPTS.labels(kind=kind, result=result)


class QueueCollector(Collector):
    """The delivery queue and the state of the chain follower, read from the database at each scrape."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        # Each scrape runs in its own thread, and the database opens a connection per thread: use one thread for all.
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="metrics")

    def collect(self) -> Iterator[Any]:
        """Yield the current state of the queue."""

        def look(tx: Tx) -> Any:
            standing = delivery_log.standing(tx, now_us=self._runtime.clock.now_us(tx))
            stray = (strays.total(tx), len(strays.latest(tx)))
            chain = (stored_chain.load(tx), stored_chain.tip(tx))
            clock = self._runtime.clock
            lightning = lightning_health.health(tx, wall_us=clock.wall_us(), now_us=clock.now_us(tx))
            return standing, chain, stray, deposits.gap(tx), lightning

        standing, (chain, followed), (stray_sms, stray_numbers), gap, lightning = self._reader.submit(
            self._runtime.db.read_blocking, look
        ).result()
        waiting = GaugeMetricFamily("dtmf_deliveries_waiting", "Deliveries not finished yet")
        waiting.add_metric([], standing["waiting"])
        yield waiting
        parked = GaugeMetricFamily("dtmf_deliveries_parked", "Deliveries no longer retried, until replayed")
        parked.add_metric([], standing["parked"])
        yield parked
        in_doubt = GaugeMetricFamily("dtmf_deliveries_in_doubt", "SMS that a carrier may or may not have accepted")
        in_doubt.add_metric([], standing["in_doubt"])
        yield in_doubt
        oldest = GaugeMetricFamily("dtmf_deliveries_oldest_seconds", "Age of the oldest delivery not finished yet")
        oldest.add_metric([], (standing["oldest_age_us"] or 0) / SECOND_US)
        yield oldest
        stray = CounterMetricFamily("dtmf_stray_messages", "SMS for numbers that no account rents")
        stray.add_metric([], stray_sms)
        yield stray
        destinations = GaugeMetricFamily("dtmf_stray_destinations", "Their destinations in the last 30 days")
        destinations.add_metric([], stray_numbers)
        yield destinations
        yield from _addresses(gap)
        yield from _chain(chain, followed, wall_us=self._runtime.clock.wall_us())
        yield from _lightning(lightning)


class _Business(Collector):
    """Accounts, money and stock, the workers of this process, and the disk that the database is on."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="metrics")

    def collect(self) -> Iterator[Any]:
        """Yield the current figures."""
        runtime = self._runtime

        def look(tx: Tx) -> Any:
            terms = {"now_us": runtime.clock.now_us(tx), "cooldown_us": runtime.settings.cooldown_us}
            free = numbers.free_by_group(tx, **terms, at_most=FREE_MAX)
            rented, unprotected_us = numbers.rented_by_group(tx), instance.unprotected_since_us(tx)
            return accounts.totals(tx), free, rented, unprotected_us, group_prices.oldest_rate_wall_us(tx)

        totals, free, rented, unprotected_us, rated_us = self._reader.submit(runtime.db.read_blocking, look).result()
        troubles = dict(runtime.troubles)
        yield GaugeMetricFamily("dtmf_accounts", "Accounts that are not closed", value=totals["open"])
        yield GaugeMetricFamily(
            "dtmf_liability_satoshis", "The sum of all booked balances: owed to customers", value=totals["balance"]
        )
        yield GaugeMetricFamily("dtmf_debt_satoshis", "The sum of what customers owe", value=totals["debt"])
        yield _by_label("dtmf_numbers_free", f"Numbers that can be rented now, up to {FREE_MAX}", "group", free)
        yield _by_label("dtmf_numbers_rented", "Numbers that are rented", "group", rented)
        yield GaugeMetricFamily("dtmf_workers_failing", "Workers of this process that fail", value=len(troubles))
        yield _by_label("dtmf_worker_failing", "1 for each such worker", "worker", dict.fromkeys(troubles, 1))
        if unprotected_us is not None:
            age_s = (runtime.clock.wall_us() - unprotected_us) / SECOND_US
            text = "Age of the last backup by `dtmf-server backup`; without one, of the service"
            yield GaugeMetricFamily("dtmf_backup_age_seconds", text, value=age_s)
        if rated_us is not None:
            age_s = (runtime.clock.wall_us() - rated_us) / SECOND_US
            yield GaugeMetricFamily("dtmf_rate_age_seconds", "Age of the oldest rate of a pegged group", value=age_s)
        if self._runtime.folder is not None:
            disk = shutil.disk_usage(self._runtime.folder)
            yield GaugeMetricFamily("dtmf_disk_bytes", "Size of the disk that the database is on", value=disk.total)
            yield GaugeMetricFamily("dtmf_disk_free_bytes", "Free space on that disk", value=disk.free)


def _by_label(name: str, text: str, label: str, figures: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in sorted(figures.items()):
        family.add_metric([key], value)
    return family


def _addresses(gap: Row) -> Iterator[Any]:
    """Yield how far addresses have been issued, and how far of these have been paid."""
    figures = {
        "dtmf_address_index": ("Highest descriptor index issued", gap["last"]),
        "dtmf_address_gap": ("Indexes issued above the highest paid one", gap["last"] - gap["paid"]),
        "dtmf_addresses_unpaid": ("Addresses waiting for their first deposit", gap["unpaid"]),
    }
    for name, (text, value) in figures.items():
        gauge = GaugeMetricFamily(name, text)
        gauge.add_metric([], value)
        yield gauge


def _chain(state: Row | None, followed: Row | None, *, wall_us: int) -> Iterator[Any]:
    """Yield how far the real chain is followed, and how long ago its node was polled."""
    if state is None or state["network"] == "simulated":
        return
    figures = {
        "dtmf_chain_height": ("Last block followed", followed["height"] if followed else 0),
        "dtmf_chain_node_height": ("The node's last block", state["node_height"] or 0),
        "dtmf_chain_trouble": ("1 while the chain cannot be followed", int(state["last_error"] is not None)),
    }
    if state["polled_at_us"] is not None:  # else there is no age, and one since 1970 would raise an alarm
        age_s = (wall_us - state["polled_at_us"]) / SECOND_US
        figures["dtmf_chain_age_seconds"] = ("Time since the node was last polled", age_s)
    for name, (text, value) in figures.items():
        gauge = GaugeMetricFamily(name, text)
        gauge.add_metric([], value)
        yield gauge


def _lightning(found: lightning_health.LightningHealth | None) -> Iterator[Any]:
    """Yield the state of a real Lightning node."""
    if found is None:
        return
    figures = {
        "dtmf_lightning_up": ("1 if the last poll of the node succeeded", int(found.is_reachable)),
        "dtmf_lightning_invoices_open": ("Invoices that can be paid", found.open_invoices),
        "dtmf_lightning_lookups_overdue": ("Invoices waiting to be looked up", found.overdue_look_ups),
    }
    if found.age_us is not None:
        figures["dtmf_lightning_age_seconds"] = ("Time since the node was last polled", found.age_us // SECOND_US)
    if found.inbound_sats is not None:
        figures["dtmf_lightning_inbound_satoshis"] = ("Satoshis that the node can receive", found.inbound_sats)
    for name, (text, value) in figures.items():
        gauge = GaugeMetricFamily(name, text)
        gauge.add_metric([], value)
        yield gauge


class _Links(Collector):
    """The state of carrier links, as last written by the process that runs them."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="metrics")

    def collect(self) -> Iterator[Any]:
        """Yield a sample for each link."""
        yield from self._speeds()
        rows = self._reader.submit(self._runtime.db.read_blocking, carriers.links).result()
        for name, text, value in (
            ("dtmf_carrier_link_up", "Whether the link is bound", lambda row: int(row["state"] == "bound")),
            (
                "dtmf_carrier_heard_seconds",
                "When the link was last heard from, Unix time",
                lambda row: row["heard_wall_us"] / SECOND_US or None,
            ),
            ("dtmf_carrier_messages_in", "SMS and receipts that arrived", lambda row: row["arrived"]),
            ("dtmf_carrier_messages_out", "Segments accepted by the carrier", lambda row: row["submitted"]),
            ("dtmf_carrier_errors", "Refusals and faults", lambda row: row["errors"]),
            (
                "dtmf_carrier_answer_p95_seconds",
                "From arrival to acknowledgement",
                lambda row: row["p95_us"] / SECOND_US,
            ),
        ):
            family = GaugeMetricFamily(name, text, labels=["carrier", "link"])
            for row in rows:
                if (figure := value(row)) is not None:  # a link that was never heard from has no such time
                    family.add_metric([row["carrier"], row["link"]], figure)
            yield family

    def _speeds(self) -> Iterator[Any]:
        """Yield how fast each carrier answered in the last hour with enough answers."""
        wall_us = self._runtime.clock.wall_us()

        def look(tx: Tx) -> Any:
            slow = {each.carrier for each in carrier_speed.slow_now(tx, wall_us=wall_us)}
            return {
                each.carrier: (each.now_ms, each.carrier in slow) for each in carrier_speed.speeds(tx, wall_us=wall_us)
            }

        found = self._reader.submit(self._runtime.db.read_blocking, look).result()
        text = "Median time to answer a submit, of the last hour with 5 answers"
        medians = {carrier: ms / 1000 for carrier, (ms, _) in found.items()}
        yield _by_label("dtmf_carrier_submit_median_seconds", text, "carrier", medians)
        slow = {carrier: int(is_slow) for carrier, (_, is_slow) in found.items()}
        yield _by_label("dtmf_carrier_slow", "1 if the carrier answers slowly now", "carrier", slow)


def collectors(runtime: Runtime) -> list[Collector]:
    """Return every collector of `/metrics`."""
    return [ATTEMPTS, CALLBACKS, RESPONSES, QueueCollector(runtime), _Links(runtime), _Business(runtime)]


def listen(runtime: Runtime, *, host: str, port: int) -> Any:
    """Serve `/metrics` in a separate thread. Return the server."""
    registry = CollectorRegistry()
    for collector in collectors(runtime):
        registry.register(collector)
    server, _ = start_http_server(port, addr=host, registry=registry)
    server.RequestHandlerClass.timeout = REQUEST_S  # type: ignore[attr-defined]  # of StreamRequestHandler
    server.handle_error = _failed  # type: ignore[method-assign]  # socketserver's prints a traceback for every hang-up
    server.set_app(_guarded(server.get_app()))
    return server


def _failed(request: object, client_address: object) -> None:
    """Log why a scrape failed, unless the scraper has disconnected."""
    error = sys.exception()
    if not isinstance(error, OSError):
        log.error("a scrape failed", exc_info=error)


def _guarded(app: Any) -> Any:
    """Wrap the application so that its errors are logged; wsgiref would write them to stderr unmasked."""

    def call(environ: Any, start_response: Any) -> Any:
        try:
            return app(environ, start_response)
        except Exception as error:
            log.error("a scrape failed", exc_info=error)
            start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
            return [b"the metrics can't be read right now; see the log\n"]

    return call
