"""A preloaded program behaves as one in a fresh interpreter."""

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.preloaded import Preloaded, is_possible, popen
from support.server_process import COMMAND, environment

SHOWS = (
    "import os, sys; print(__name__, sys.argv, sys.path[0], os.getcwd(), os.environ.get('GIVEN'), sys.stdin.read());"
    " print(sorted(int(fd) for fd in os.listdir('/proc/self/fd'))[:3], file=sys.stderr); raise SystemExit(7)"
)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A file that shows what a program can see of its process."""
    (tmp_path / "shows.py").write_text(SHOWS)
    return tmp_path / "shows.py"


@pytest.mark.parametrize("start", ["-c", "-P -c", "-m", "file", "-P file"])
def test_a_program_sees_what_a_fresh_interpreter_shows_it(program: Path, start: str) -> None:
    words = {"-c": ["-c", SHOWS], "-m": ["-m", "shows"], "file": [str(program)]}
    *options, kind = start.split(" ")
    command = [sys.executable, *options, *words[kind], "one", "two words"]
    seen = []
    for one in (subprocess.Popen[str], Preloaded):
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        env = environment(GIVEN="this")
        with one(command, text=True, env=env, cwd=program.parent, **streams) as process:  # type: ignore[call-overload]  # the streams
            seen.append((*process.communicate("read this"), process.returncode))
    assert seen[0][2] == 7
    assert seen[1] == seen[0]


def test_a_preloaded_process_can_be_signalled_killed_and_waited_for() -> None:
    waits = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(3)); print('ready'); signal.pause()"
    for number, code in {signal.SIGTERM: 3, signal.SIGKILL: -9, signal.SIGINT: -signal.SIGINT}.items():
        with popen([sys.executable, "-c", waits], env=environment()) as process:
            assert isinstance(process, Preloaded)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            assert process.poll() is None
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.01)
            process.send_signal(number)
            assert process.wait(30) == code
            assert process.poll() == code


def test_processes_do_not_share_what_they_draw() -> None:
    draws = "import random, secrets, uuid; print(random.random(), secrets.token_hex(), uuid.uuid4())"
    drawn = set()
    for _ in range(3):
        with popen([sys.executable, "-c", draws], env=environment()) as process:
            drawn |= set(process.communicate(timeout=30)[0].split())
    assert len(drawn) == 9


def test_no_process_outlives_the_process_of_the_tests() -> None:
    starts = (
        "import os, sys; from support.preloaded import popen; from support.server_process import environment;"
        " process = popen([sys.executable, '-c', 'input()'], env=environment(), stdin=0);"
        " print(process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    path = os.pathsep.join([str(Path(__file__).parent), environment()["PYTHONPATH"]])
    env, pipe = environment(PYTHONPATH=path), subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", starts], env=env, stdin=pipe, stdout=pipe, text=True) as killed:
        assert killed.stdout is not None
        pid = int(killed.stdout.readline())
        with contextlib.suppress(ProcessLookupError):  # it has already ended
            pidfd = os.pidfd_open(pid)
            assert select.select([pidfd], [], [], 30)[0], "it still runs"
            os.close(pidfd)


def test_other_programs_and_environments_get_a_fresh_process() -> None:
    assert not is_possible(["/bin/true", "-c"], os.environ)
    assert not is_possible([sys.executable, "-X", "dev"], os.environ)
    assert not is_possible(COMMAND, environment(PYTHONWARNINGS="error"))
    assert not is_possible(COMMAND, environment(LC_ALL="tr_TR.ISO-8859-9"))
