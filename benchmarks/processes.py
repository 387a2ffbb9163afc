"""Programs to measure, each in its own process on loopback, and their memory."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import SOURCES

START_TIMEOUT_S = 60.0
PEERS = Path(__file__).parent / "peers"


@dataclass(frozen=True, slots=True)
class Process:
    """A running program that listens."""

    pid: int
    port: int

    def memory_kib(self, of: str = "VmRSS") -> int:
        """Return the resident memory now, or its peak so far: `VmHWM`."""
        return memory_kib(self.pid, of)

    def forget_highest(self) -> None:
        """Reset `VmHWM` to the current value."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")


def memory_kib(pid: int | str, of: str) -> int:
    """Return a line of /proc/PID/status, in KiB."""
    found = re.search(rf"^{of}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None, f"no {of} in /proc/{pid}/status"
    return int(found[1])


@contextlib.contextmanager
def service(url: str, *options: str) -> Iterator[Process]:
    """Run the service on this database."""
    with tempfile.TemporaryDirectory(prefix="dtmf-bench-") as folder:
        code = "import sys; from dtmf_server.cli.main import main; sys.exit(main())"
        command = [sys.executable, "-c", code, "run", "--data", folder, "--database", url, *options]
        environment = {"PYTHONPATH": os.pathsep.join(map(str, SOURCES))}
        with _running(command, "--port", environment) as process:
            yield process


@contextlib.contextmanager
def peer(python: Path | str, script: str, *arguments: str) -> Iterator[Process]:
    """Run one of the servers in peers/*.py, in this interpreter's environment."""
    with _running([str(python), str(PEERS / script), *arguments], "--port", {}) as process:
        yield process


@contextlib.contextmanager
def _running(command: Sequence[str], port_option: str, environment: dict[str, str]) -> Iterator[Process]:
    port = _free_port()
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "LC_ALL")}
    process = subprocess.Popen(
        [*command, port_option, str(port)], env={**kept, **environment}, stdout=subprocess.DEVNULL
    )
    try:
        _wait_for(process, port)
        yield Process(process.pid, port)
    finally:
        process.terminate()
        process.wait(30)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _wait_for(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} does not listen on {port}")
