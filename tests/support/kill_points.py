"""`dtmf-server` commands that are killed with -9 before a certain step, or after a while.

    with Dying() as dying:
        steps = dying.command("backup", "--data", folder, file).steps      # runs to its end, and counts its steps
        dying.command("backup", "--data", folder, file, at=steps // 2)     # dies before that step

A step is a statement given to the database, a commit, or a call that writes, syncs or renames a file. The commands
run in children of one process that has imported everything, each a fork that shares nothing with the next.

And `dtmf-server` that kills itself at one step of the first deliver_sm whose text is DIE:

    Service(data, program=[*SERVER, step])

with the step arrived (nothing done), storing (in the transaction), stored (committed, not answered), answered (the
answer is out, and the database does not know) or noted (the database knows).
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.paths import PYTHONPATH

TESTS = str(Path(__file__).parents[1])
COMMAND_STEPS = {"execute", "executemany", "commit", "write", "fsync", "replace", "link", "close", "mkdir", "open"}
COMMAND_STEPS |= {"flock"}
DELIVER_STEPS = ["arrived", "storing", "stored", "answered", "noted"]
SERVER = [
    sys.executable,
    "-c",
    f"import sys; sys.path.insert(0, {TESTS!r}); from support import kill_points; kill_points.run_server()",
]


@dataclass(frozen=True)
class Ended:
    """The result of a command: its exit code (-9: killed), the number of its steps, and its output."""

    code: int
    steps: int
    said: str


class Dying:
    """A context manager: the process whose children run the commands."""

    def __enter__(self) -> "Dying":
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DTMF_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.kill_points"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=kept | {"PYTHONPATH": os.pathsep.join([TESTS, PYTHONPATH])},
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)

    def command(self, *arguments: object, at: int | None = None, after_s: float | None = None) -> Ended:
        """Run the command to its end, until its step `at`, or for a limited time."""
        assert self._process.stdin is not None and self._process.stdout is not None
        asked = {"arguments": list(map(str, arguments)), "at": at, "after_s": after_s}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return Ended(**json.loads(self._process.stdout.readline()))


# --- in the other process -----------------------------------------------------------------------------------------


def _serve() -> None:
    import psycopg_pool  # noqa: F401 - imported before the forks, like the following

    from dtmf_server.cli.main import main
    from dtmf_server.operations import verify  # noqa: F401 - the same
    from dtmf_server.server import startup  # noqa: F401 - the same
    from dtmf_server.storage import backup, migrate  # noqa: F401 - the same
    from dtmf_server.storage.postgresql import engine  # noqa: F401 - the same

    migrate.head()  # loads Alembic's late imports
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(_ended(main, **asked)), flush=True)


def _ended(main: Any, *, arguments: list[str], at: int | None, after_s: float | None) -> dict[str, Any]:
    """Fork a child for the command, and report its result."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        _run(main, arguments, at=at)
    os.close(writing)
    if after_s is not None:
        _kill_after(child, after_s)
    with os.fdopen(reading, "r", errors="replace") as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    said, _, steps = said.rpartition("\nsteps ")
    return {"code": os.waitstatus_to_exitcode(status), "steps": int(steps) if steps.isdigit() else 0, "said": said}


def _kill_after(child: int, after_s: float) -> None:
    import threading

    def kill() -> None:
        os.kill(child, signal.SIGKILL)  # not reaped yet, so its pid can't have been reused

    killer = threading.Timer(after_s, kill)
    killer.start()
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    killer.cancel()
    killer.join()


def _run(main: Any, arguments: list[str], *, at: int | None) -> None:
    """In the child: run the command, count its steps, and die before step `at`."""
    import itertools
    import threading

    count = itertools.count(1)
    made = 0

    def look(frame: Any, event: str, called: Any) -> None:
        nonlocal made
        name = called.__name__ if event == "c_call" else frame.f_code.co_name if event == "call" else ""
        if name in COMMAND_STEPS:
            made = next(count)
            if made == at:
                os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(look)
    sys.setprofile(look)
    code = 70
    try:
        code = main(arguments)
    finally:
        sys.setprofile(None)
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(1, f"\nsteps {made}".encode())
        os._exit(code)


# --- a server that dies at a step of a deliver_sm -----------------------------------------------------------------


def run_server() -> None:
    """Run `dtmf-server` with the arguments after the first one, which is the step at which it dies."""
    from dtmf_server.cli.main import main

    _patch(sys.argv.pop(1))
    raise SystemExit(main())


def _die() -> None:
    """Wait briefly for data written to the socket, then end the process."""
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGKILL)


def _is_it(batch: Any) -> bool:
    """Return whether the message is in this batch."""
    return any(b"DIE" in arrived.frame for arrived in batch)


def _patch(step: str) -> None:
    """Make the process die at the given step."""
    from dtmf_server.carriers.smpp import link
    from dtmf_server.operations import ingest
    from dtmf_server.workers import carrier_links

    stored: Callable[..., Any] = link._Connection._stored
    receive_many: Callable[..., Any] = ingest.receive_many
    answered: Callable[..., Any] = carrier_links._InboundStore.answered
    write_answers: Callable[..., Any] = carrier_links._InboundStore._write_answers
    seen = []

    async def dying_stored(self: Any, batch: Any) -> Any:
        seen.extend(batch)
        if _is_it(batch) and step == "arrived":
            _die()
        result = await stored(self, batch)
        if _is_it(batch) and step == "stored":
            _die()
        return result

    def dying_receive(*arguments: Any, **named: Any) -> Any:
        result = receive_many(*arguments, **named)
        if _is_it(seen) and step == "storing":
            _die()
        return result

    def dying_answered(self: Any, notes: Any) -> None:
        answered(self, notes)
        if _is_it(seen) and step == "answered":
            _die()

    async def dying_write(self: Any) -> None:
        await write_answers(self)
        if _is_it(seen) and step == "noted":
            _die()

    link._Connection._stored = dying_stored
    ingest.receive_many = dying_receive
    carrier_links._InboundStore.answered = dying_answered
    carrier_links._InboundStore._write_answers = dying_write


if __name__ == "__main__":
    _serve()
