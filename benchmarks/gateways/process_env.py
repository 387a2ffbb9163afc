"""Support for the gateways' processes: free ports, folders on disk, waiting for start-up, and stopping."""

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.environments import CACHE

Pids = Sequence[int]

START_S = 90.0
STOP_S = 30.0


def free_ports(count: int) -> list[int]:
    """Return unused loopback ports."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder on the same disk as our own database."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gateway-", dir=CACHE, ignore_cleanup_errors=True) as made:
        yield Path(made)


@contextlib.contextmanager
def program(
    command: Sequence[str], *, log: Path, listens_on: int | None = None, environ: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run a program until the block ends; yield its pid once it listens."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "LC_ALL")}
    with log.open("ab") as said:
        process = subprocess.Popen(
            command, env={**kept, **(environ or {})}, cwd=log.parent, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
    try:
        if listens_on is not None:
            wait_until(lambda: _alive(process, log) and listens(listens_on), what=f"{command[0]} listens")
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def processor_s(pids: Pids) -> float:
    """Return the processor time used by these processes and their descendants."""
    stats = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended in the meantime
            fields = path.read_text().rpartition(")")[2].split()  # proc(5), from the third field on
            stats[int(path.parent.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    ours, more = set(pids), True
    while more:
        below = {pid for pid, (parent, _) in stats.items() if parent in ours} - ours
        ours, more = ours | below, bool(below)
    return sum(stats[pid][1] for pid in ours if pid in stats) / os.sysconf("SC_CLK_TCK")


def listens(port: int) -> bool:
    """Return whether a process listens on this loopback port."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def wait_until(is_so: Callable[[], bool], *, what: str) -> None:
    """Poll until it is true. Raises RuntimeError after the timeout."""
    deadline_s = time.monotonic() + START_S
    while not is_so():
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"{what}: timed out after {START_S:g} s")
        time.sleep(0.05)


def _alive(process: "subprocess.Popen[bytes]", log: Path) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}:\n{log.read_text()[-2000:]}")
    return True
