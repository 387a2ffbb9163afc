"""A private PostgreSQL server that can be stopped and restarted on the same port and data."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import postgres
from scale.cluster import free_port


class Server:
    """The server; `start` and `stop` may be called repeatedly; port and data stay the same."""

    def __init__(self, folder: Path) -> None:
        self._user = postgres.unprivileged(folder)
        self._programs = postgres.programs_for(self._user)
        postgres._initdb(self._programs, self._user)
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"postgresql://postgres@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = {"fsync": "off", "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
        command = [str(self._programs / "postgres"), "-D", str(self._user.folder / "data"), "-p", str(self._port)]
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._user.folder / "log").open("ab") as log:
            self._process = self._user.popen(command, stdout=log, stderr=subprocess.STDOUT)
        assert postgres._is_ready(self._process, self._port), (self._user.folder / "log").read_text()[-2000:]

    def stop(self) -> None:
        """Stop it, closing every connection."""
        if self._process is not None:
            postgres._stop(self._process)


@contextlib.contextmanager
def restartable_server() -> Iterator[Server]:
    """Yield a running server; delete it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="dtmf-postgres-"))
    try:
        server = Server(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
