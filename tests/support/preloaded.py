"""Python programs that begin with the service already imported: importing it takes longer than most tests.

    process = Preloaded([sys.executable, "-c", "from dtmf_server.cli.main import main; …"], stdout=subprocess.PIPE)

is a Popen whose process is a fork of one that has imported the service and done nothing else, one for each process of the
tests. With `start_new_session`, a terminal as stdin becomes its controlling terminal. `is_possible` says whether a program
can be run so: a fresh interpreter with this environment must behave the same.
"""

import array
import atexit
import contextlib
import fcntl
import importlib
import io
import json
import os
import runpy
import select
import selectors
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from support.paths import PYTHONPATH

# An interpreter reads these variables only when it starts. PYTHONPATH is set again in the fork.
READ_AT_START = ("PYTHON", "LC_", "LANG", "MALLOC_", "LD_")
IMPORTED = [
    "alembic.command", "dtmf_server.cli.main", "dtmf_server.cli.run", "dtmf_server.server.process",
    "dtmf_server.storage.backup", "dtmf_server.storage.migrate", "dtmf_server.storage.postgresql.engine", "psycopg_pool",
    "uvicorn.loops.asyncio", "uvicorn.protocols.http.h11_impl",
]  # fmt: skip


def popen(command: Sequence[str], *, env: Mapping[str, str], **options: Any) -> "subprocess.Popen[str]":
    """Start a program, preloaded if that is possible, with its output in pipes unless the options of Popen differ."""
    kind = Preloaded if is_possible(command, env) else subprocess.Popen[str]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return kind(command, env=env, **(pipes | options))  # type: ignore[call-overload, no-any-return]  # the caller's options


def run(command: Sequence[str], *, env: Mapping[str, str], timeout_s: float, **options: Any) -> tuple[int, str, str]:
    """Run a program to its end, preloaded if that is possible. Returns its exit code, stdout and stderr."""
    with popen(command, env=env, **({"stdin": subprocess.DEVNULL} | options)) as process:
        try:
            out, err = process.communicate(timeout=timeout_s)
        except BaseException:
            process.kill()
            raise
    return process.returncode, out, err


def is_possible(command: Sequence[str], env: Mapping[str, str]) -> bool:
    """Return whether this is a Python program, and its environment is like ours where an interpreter reads it."""
    kind = command[2] if command[1] == "-P" else command[1]
    if sys.platform != "linux" or command[0] != sys.executable or (kind.startswith("-") and kind not in ("-c", "-m")):
        return False
    return _read_at_start(env) == _read_at_start(os.environ)


def _read_at_start(env: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in env.items() if name.startswith(READ_AT_START)}
    return {name: value for name, value in kept.items() if name not in ("PYTHONPATH", "PYTHONUNBUFFERED")}


class Preloaded(subprocess.Popen[str]):
    """A Popen of `[sys.executable, "-c", code, …]` or `-m module` or of a file. Its parent is not this process."""

    def _execute_child(self, args: Any, _executable: Any, *more: Any) -> None:  # type: ignore[override]  # the positions are those of 3.11 to 3.14
        _preexec, _close_fds, _pass_fds, cwd, env, _info, _flags, _shell, *pipes = more[:14]
        stdin, _, _, stdout, _, stderr = pipes
        new_session = bool(more[19])
        streams = [own if given == -1 else given for given, own in zip((stdin, stdout, stderr), range(3), strict=True)]
        environ = dict(os.environ if env is None else env)
        request = {"argv": args[1:], "env": environ, "cwd": str(cwd or Path.cwd()), "new_session": new_session}
        self._status = _parent().start(request, streams)
        self._status_lock = threading.Lock()
        self.pid = int(self._status.readline())
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]  # of Popen

    def _internal_poll(self, _deadstate: Any = None, **_: Any) -> int | None:
        with self._status_lock:
            if self.returncode is None and select.select([self._status], [], [], 0)[0]:
                self.returncode = int(self._status.readline() or -signal.SIGKILL)
                self._status.close()
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        until_s = None if timeout is None else time.monotonic() + timeout
        while (code := self._internal_poll()) is None:
            left_s = 1.0 if until_s is None else min(1.0, until_s - time.monotonic())
            if left_s <= 0:
                assert timeout is not None
                raise subprocess.TimeoutExpired(self.args, timeout)
            try:
                select.select([self._status], [], [], left_s)
            except ValueError:
                continue  # another thread read the code and closed it
        return code


class _Parent:
    """The process that has imported the service."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DTMF_")}
        path = os.pathsep.join([str(Path(__file__).parents[1]), PYTHONPATH])
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from support.preloaded import serve; serve({theirs.fileno()})"],
            pass_fds=[theirs.fileno()],
            env=kept | {"PYTHONPATH": path},
            start_new_session=True,  # a Ctrl-C for the tests is not for it
        )
        theirs.close()
        self._socket, self._lock = ours, threading.Lock()

    def start(self, request: dict[str, Any], streams: Sequence[int]) -> io.TextIOWrapper:
        """Start a program. Returns a stream with its process ID and, at its end, its exit code."""
        reading, writing = os.pipe()
        content = json.dumps(request).encode()
        with self._lock:
            fds = array.array("i", [*streams, writing])
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)]
            self._socket.sendmsg([len(content).to_bytes(4, "big")], ancillary)
            self._socket.sendall(content)
        os.close(writing)
        return io.TextIOWrapper(io.FileIO(reading))  # type: ignore[type-var]  # a raw stream

    def stop(self) -> None:
        """Stop it. It kills its children."""
        self._socket.close()
        self._process.wait()


_the_parent: _Parent | None = None
_making = threading.Lock()


def _parent() -> _Parent:
    global _the_parent  # noqa: PLW0603 - one for this process
    with _making:
        if _the_parent is None:
            _the_parent = _Parent()
            atexit.register(_the_parent.stop)
    return _the_parent


# --- in the other process -----------------------------------------------------------------------------------------


def serve(fileno: int) -> None:
    """Import the service, and run each program that is asked for in a fork."""
    import gc

    for name in IMPORTED:
        importlib.import_module(name)
    from dtmf_server.asgi import app
    from dtmf_server.storage import migrate

    migrate.head()  # loads Alembic's late imports
    for is_sandbox in (True, False):
        app._routes(is_sandbox=is_sandbox)  # builds them
    gc.collect()
    gc.freeze()
    sys.path.remove("")  # each program has its own folder
    assert threading.active_count() == 1, "a fork has only one of its parent's threads"
    sys.modules["__main__"].__dict__.clear()
    _Server(socket.socket(fileno=fileno)).run()


class _Server:
    def __init__(self, asked: socket.socket) -> None:
        self._asked = asked
        self._statuses: dict[int, int] = {}  # process ID → pipe for its exit code
        self._ended, writing = os.pipe()
        os.set_blocking(writing, False)
        os.set_blocking(self._ended, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def run(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._asked, selectors.EVENT_READ)
        selector.register(self._ended, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == self._ended:
                    os.read(self._ended, 4096)
                    self._reap()
                elif (request := self._request()) is None:  # the tests' process has ended, perhaps killed
                    for child in self._statuses:
                        os.kill(child, signal.SIGKILL)
                    return
                else:
                    self._fork(*request)

    def _request(self) -> tuple[dict[str, Any], list[int]] | None:
        head, fds, _, _ = socket.recv_fds(self._asked, 4, 4)
        if not head:
            return None
        content = self._asked.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)
        return json.loads(content), fds

    def _fork(self, request: dict[str, Any], fds: list[int]) -> None:
        *streams, status = fds
        child = os.fork()
        if child == 0:
            _begin(request, streams)
        for stream in streams:
            os.close(stream)
        self._statuses[child] = status
        os.write(status, f"{child}\n".encode())

    def _reap(self) -> None:
        while self._statuses:
            child, ended = os.waitpid(-1, os.WNOHANG)
            if child == 0:
                return
            status = self._statuses.pop(child)
            with contextlib.suppress(BrokenPipeError):  # the tests' process is gone
                os.write(status, f"{os.waitstatus_to_exitcode(ended)}\n".encode())
            os.close(status)


def _begin(request: dict[str, Any], streams: Sequence[int]) -> NoReturn:
    """Become the program, as far as it can see."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for at, stream in enumerate(streams):
        os.dup2(stream, at)
    os.closerange(3, 4096)
    if request["new_session"]:
        os.setsid()
        if os.isatty(0):
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    sys.stdin = _stream(sys.stdin, 0, "r")
    sys.stdout = _stream(sys.stdout, 1, "w")
    sys.stderr = _stream(sys.stderr, 2, "w")
    sys.path[:] = [*filter(None, request["env"].get("PYTHONPATH", "").split(os.pathsep)), *sys.path]
    raise SystemExit(_run(request["argv"]))


def _stream(inherited: Any, fileno: int, mode: str) -> Any:
    """Return a standard stream, buffered as in a fresh interpreter."""
    raw: Any = io.FileIO(fileno, mode, closefd=False)
    encoded = (inherited.encoding, inherited.errors)
    if mode == "r":
        return io.TextIOWrapper(io.BufferedReader(raw), *encoded)
    if os.environ.get("PYTHONUNBUFFERED"):
        return io.TextIOWrapper(raw, *encoded, write_through=True)
    return io.TextIOWrapper(io.BufferedWriter(raw), *encoded, line_buffering=fileno == 2 or raw.isatty())


def _run(argv: list[str]) -> None:
    is_safe = argv[0] == "-P"
    kind = argv.pop(int(is_safe))
    argv = argv[int(is_safe) :]
    if not is_safe:
        sys.path.insert(0, "" if kind == "-c" else str(Path.cwd()) if kind == "-m" else str(Path(kind).parent))
    if kind == "-c":
        code, sys.argv = argv[0], ["-c", *argv[1:]]
        exec(compile(code, "<string>", "exec"), sys.modules["__main__"].__dict__ | {"__name__": "__main__"})
    elif kind == "-m":
        sys.argv = argv
        runpy.run_module(argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [kind, *argv]
        runpy.run_path(kind, run_name="__main__")
