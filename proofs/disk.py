"""Fill a disk under load: what was acknowledged stays, the rest is refused, and the service recovers once there is space."""

import contextlib
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path

from end_to_end.test_kill import new_load
from proofs.claim import Figure, Outcome, tried, zero
from proofs.mounting import small_disk
from support.inspect import ledger_sum, stored_in
from support.load import Load, tally
from support.server_process import Service, command, request

CAPACITY = 24 << 20
TIMES, TIMES_SMALL = 3, 1
OPERATIONS = 1500  # per round: more than it can do before the disk is full
FULL_FOR_S = 4.0
HEALS_WITHIN_S = 60.0
READS = ("/account", "/numbers", "/messages?limit=5", "/transactions?limit=5", "/addresses")
REFUSALS = {503, 507}


def full_disk(*, small: bool, bound_s: float) -> Outcome:
    """Fill the disk of one service repeatedly, without ever restarting it."""
    until_s = time.monotonic() + bound_s
    with tempfile.TemporaryDirectory(prefix="dtmf-disk-") as folder:
        data = Path(folder) / "data"
        with small_disk(data, capacity=CAPACITY) as kind, Service(data) as service:
            load = new_load(service.wait_ready(), random.Random(3))
            load.answers.clear()
            reads, healed_s = Counter[int](), []
            for _ in range(TIMES_SMALL if small else TIMES):
                if time.monotonic() < until_s:
                    healed_s.append(_fill_once(service, load, data, reads))
            same_process = service.process.poll() is None
            stopped = service.stop()
            url = f"sqlite:///{data / 'dtmf.db'}"
            found, total = tally(load, stored_in(url, load)), ledger_sum(url)
            verified = command("verify", "--data", data)
    odd = sum(count for status, count in load.answers.items() if status >= 300 and status not in REFUSALS)
    return Outcome(
        [
            tried(f"times full ({kind})", len(healed_s)),
            tried("acknowledged", len(load.acked)),
            Figure("refused with 503 or 507", refused := sum(load.answers[each] for each in REFUSALS), refused > 0),
            zero("other refusals", odd + len(load.refused)),
            tried("reads while full", sum(reads.values())),
            zero("reads that failed", sum(count for status, count in reads.items() if status != 200)),
            zero("acked lost", found.acked_lost),
            zero("effects without a request", found.effects_without_request),
            zero("double charges", found.double_charges),
            zero("ledger sum", total),
            zero("operations never taken", len(load.waiting)),
            Figure("restarts needed", 0 if same_process else 1, same_process and stopped == 0),
            Figure("books", "right" if verified.code == 0 else "wrong", verified.code == 0),
            Figure("seconds until all was taken", round(max(healed_s), 1), max(healed_s) < HEALS_WITHIN_S),
        ]
    )


def _fill_once(service: Service, load: Load, data: Path, reads: Counter[int]) -> float:
    """Apply load, fill the disk, read meanwhile, free space; return the seconds until all refused operations succeeded."""
    load.add(OPERATIONS)
    threads = load.run(service.url, until_done=True)
    time.sleep(0.3)
    with _ballast(data) as fill:
        full_until_s = time.monotonic() + FULL_FOR_S
        while time.monotonic() < full_until_s:
            fill()  # space that the service has freed in the meantime
            for path in READS:
                reads[_status(service, load.token, path)] += 1
    freed_s = time.monotonic()
    for thread in threads:
        thread.join(HEALS_WITHIN_S)
    return time.monotonic() - freed_s


def _status(service: Service, token: str, path: str) -> int:
    """Return the status of a read, 0 without an answer."""
    with contextlib.suppress(OSError, HTTPException):
        return request(service.url, token, "GET", path).status
    return 0


@contextlib.contextmanager
def _ballast(folder: Path) -> Iterator[Callable[[], None]]:
    """Yield a function that grows a file to fill all free space, including space freed since; delete the file at the
    end."""
    path = folder / "ballast"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def fill() -> None:
        for size in (1 << 20, 1 << 16, 4096, 1):
            with contextlib.suppress(OSError):
                while os.write(descriptor, bytes(size)) == size:
                    pass

    try:
        fill()
        yield fill
    finally:
        os.close(descriptor)
        path.unlink()
