"""Run several processes of the service on one PostgreSQL database."""

import contextlib
import re
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from support.server_process import Service

SINGLETONS = ("carriers", "chain and meter", "chores", "lightning", "supply")
GENEROUS_S = 60.0


@dataclass
class Cluster:
    """The processes, in the order they were started; `url` is the database's."""

    folder: Path
    url: str
    apis: list[Service] = field(default_factory=list)
    workers: list[Service] = field(default_factory=list)
    metrics_ports: dict[int, int] = field(default_factory=dict)  # of workers, by process id
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def start_api(self) -> Service:
        """Start an API process, without waiting until it is ready."""
        number = len(self.apis)
        service = Service(self.folder / f"api-{number}", "--database", self.url, command="api")
        self.apis.append(self._stack.enter_context(service))
        return service

    def start_worker(self) -> Service:
        """Start a worker that logs which singletons it runs, without waiting until it is ready."""
        port, config = free_port(), self.folder / f"worker-{len(self.workers)}.toml"
        config.write_text(f"[metrics]\nport = {port}\n")
        options = ("--database", self.url, "--config", config, "--log-level", "info")
        service = Service(self.folder / "workers", *options, command="worker")
        self.workers.append(self._stack.enter_context(service))
        self.metrics_ports[service.process.pid] = port
        return service

    def wait_ready(self) -> "Cluster":
        """Wait until every process is ready."""
        for service in (*self.apis, *self.workers):
            if service.process.poll() is None:
                service.wait_ready()
        return self

    def delivered_by(self, worker: Service) -> int:
        """Return how many deliveries the worker has made."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_ports[worker.process.pid]}/metrics") as answer:
            text = answer.read().decode()
        found = re.findall(r'^dtmf_delivery_attempts_total\{.*result="delivered".*\} ([\d.e+]+)$', text, re.MULTILINE)
        return round(sum(map(float, found)))

    def holders(self, name: str) -> list[Service]:
        """Return the living workers that have logged that they run this singleton."""
        said = f"this process runs the {name}"
        return [each for each in self.workers if each.process.poll() is None and any(said in line for line in each.err)]

    def all_alive(self) -> bool:
        """Return whether every process is still running."""
        return all(each.process.poll() is None for each in (*self.apis, *self.workers))


@contextlib.contextmanager
def cluster(folder: Path, url: str, *, apis: int = 2, workers: int = 2) -> Iterator[Cluster]:
    """Start this many processes on the database, all at once; stop them at the end of the block."""
    made = Cluster(folder, url)
    with made._stack:
        for _ in range(apis):
            made.start_api()
        for _ in range(workers):
            made.start_worker()
        yield made.wait_ready()


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
    return port


def locks_held(url: str) -> int:
    """Return how many advisory locks are held in this database: one for each running singleton."""
    statement = (
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with psycopg.connect(url) as connection:
        row = connection.execute(statement).fetchone()
    return int(row[0]) if row else 0
