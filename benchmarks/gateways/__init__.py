"""SMS in over SMPP, and out to a webhook: our service, Jasmin, and Kannel with its spool.

One Node.js process is both the SMSC (npm `smpp`) and the receiver of the webhooks. It delivers SMS of 58 characters to
1,000 numbers over one bind, 50 of them unacknowledged, until each was acknowledged and has reached the receiver. Our
service stores, charges, signs and posts each, on SQLite with synchronous=FULL; each number is rented by a separate
account. Kannel's bearerbox writes a spool file for each and smsbox requests a URL; Jasmin's jasmind publishes each to
RabbitMQ and deliversmd posts it. All three stay up and take turns; only ours signs, and all log only errors.

SMS per second: from the first deliver_sm to the last webhook. Processor time: of all processes of a gateway, per SMS; it
depends less on the machine's other load. The SMSC's own processor time shows how much of one processor it needed: near
1, the SMSC is the bottleneck. Latencies: from deliver_sm to its response, and to its webhook; medians of the rounds'
percentiles.

Where the time goes (our service's threads, over three saturated runs): an SMS takes 160 to 210 µs of processor time in
the database's writer, 90 to 105 in the event loop and as much in the process that posts. The writer and the loop share
the interpreter, so they take turns; the posting process and the SMSC run beside them, and each woken thread waits for a
processor: the writer for 70 to 80 µs per SMS.

Next: indexes. Of the 70 pages that 24 SMS and their deliveries write to the log, 50 are index pages."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from statistics import median

from benchmarks.gateways import dtmf, jasmin, kannel, smsc
from benchmarks.gateways.process_env import Pids, processor_s
from benchmarks.gateways.smsc import Delivered, Smsc
from benchmarks.interleave import Bound, Finding, Line, Measured, at_least, at_most, ratio, rounds
from benchmarks.size import Size

NUMBERS = 1000
PER_SECOND = 100
GATEWAYS = {"ours": "dtmf", "Jasmin": "jasmin", "Kannel": "kannel"}  # with the system_id of each


@dataclass(frozen=True, slots=True)
class Taken:
    """A run, and the gateway's processor time per SMS."""

    delivered: Delivered
    processor_us: float


def run(size: Size) -> Iterator[Finding]:
    """Measure saturated, then at 100 a second."""
    counts = {"ours": 10_000, "Jasmin": 2_000, "Kannel": 10_000}
    counts = {name: count // size.of(1, 5, 100) for name, count in counts.items()}
    times = size.of(5, 2, 1)
    with ExitStack() as stack:
        carrier = stack.enter_context(smsc.running())
        service = stack.enter_context(dtmf.running(carrier, numbers=NUMBERS))
        pids = {
            "ours": service.pids,
            "Jasmin": stack.enter_context(jasmin.running(carrier)),
            "Kannel": stack.enter_context(kannel.running(carrier)),
        }
        for system_id in GATEWAYS.values():
            carrier.deliver(system_id, NUMBERS, numbers=NUMBERS)  # warm-up
        taken: dict[str, list[Taken]] = {name: [] for name in GATEWAYS}
        saturate = {
            name: partial(_saturate, carrier, GATEWAYS[name], pids[name], counts[name], taken[name])
            for name in GATEWAYS
        }
        measured = rounds(saturate, times)
        kept = [webhook for each in taken["ours"] for webhook in each.delivered.kept]
        service.check(kept, count=NUMBERS + times * counts["ours"])
        yield from _throughput(measured, taken)
        yield from _unloaded(carrier, seconds=size.of(30, 5, 1))


def _saturate(carrier: Smsc, system_id: str, pids: Pids, count: int, taken: list[Taken]) -> float:
    before_s = processor_s(pids)
    delivered = carrier.deliver(system_id, count, numbers=NUMBERS)
    assert system_id != "dtmf" or not delivered.lost, f"ours lost {delivered.lost}"
    taken.append(Taken(delivered, (processor_s(pids) - before_s) / count * 1e6))
    return delivered.per_second


def _throughput(measured: Measured, taken: Mapping[str, list[Taken]]) -> Iterator[Line]:
    for other, bound in (("Jasmin", at_least(4)), ("Kannel", at_least(1))):
        name = f"SMS a second to the webhook, by {other}"
        yield ratio(measured, "ours", other, name=name, bound=bound, raw="{} SMS/s")
    used = {name: [each.processor_us for each in runs] for name, runs in taken.items()}
    for other in ("Jasmin", "Kannel"):
        yield ratio(used, "ours", other, name=f"processor time of an SMS, by {other}", bound=None, raw="{} µs")
    for name, runs in taken.items():
        most = at_most(50) if name == "ours" else None
        yield _latency(f"acknowledgement p99, saturated, {name}", [each.delivered for each in runs], most)
    for name, runs in taken.items():
        busy = [each.delivered.busy for each in runs]
        yield Line(f"the SMSC's part of a processor, {name}", median(busy), None, "", (min(busy), max(busy)))


def _latency(name: str, runs: list[Delivered], bound: Bound | None) -> Line:
    p99s = [each.acknowledged_ms["p99"] for each in runs]
    p50, hook = (
        median(each["p50"] for each in times)
        for times in ([each.acknowledged_ms for each in runs], [each.hooked_ms for each in runs])
    )
    raw = f"p50 {p50:.1f} ms · webhook p50 {hook:.1f} ms"
    return Line(name, median(p99s), bound, raw, (min(p99s), max(p99s)), "ms")


def _unloaded(carrier: Smsc, *, seconds: int) -> Iterator[Line]:
    for name, system_id in GATEWAYS.items():
        taken = carrier.deliver(system_id, seconds * PER_SECOND, numbers=NUMBERS, per_second=PER_SECOND)
        hooked, p50_ms = taken.hooked_ms, taken.acknowledged_ms["p50"]
        raw = f"p50 {hooked['p50']:.1f} ms · greatest {hooked['greatest']:.1f} ms · acknowledgement p50 {p50_ms:.1f} ms"
        if taken.lost:
            raw += f" · {taken.lost} of {seconds * PER_SECOND} lost"
        bound = at_most(10) if name == "ours" else None
        assert bound is None or not taken.lost, f"ours lost {taken.lost}"
        yield Line(f"{PER_SECOND} a second, webhook p99, {name}", hooked["p99"], bound, raw, unit="ms")
