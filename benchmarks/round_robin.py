"""Processes that take turns: each makes some calls over its keep-alive connection, then the next one does."""

import contextlib
import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial

from benchmarks.interleave import Measured, rounds

CALLS_A_TURN = 200


def take_turns(commands: Mapping[str, Sequence[str]], turns: int) -> Measured:
    """Return the microseconds per call, by program and turn. A program reads how many calls to make, and prints seconds."""
    with contextlib.ExitStack() as stack:
        contenders = {}
        for name, command in commands.items():
            process = stack.enter_context(
                subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=bare_environment()
                )
            )
            assert process.stdin is not None
            stack.callback(process.stdin.close)
            contenders[name] = partial(_turn, process)
        rounds(contenders, 2)  # connect and warm up
        return rounds(contenders, turns)


def bare_environment() -> dict[str, str]:
    """Return the environment without the caller's PYTHONPATH and proxies."""
    return {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "LC_ALL")}


def _turn(process: "subprocess.Popen[str]") -> float:
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(f"{CALLS_A_TURN}\n")
    process.stdin.flush()
    return float(process.stdout.readline()) / CALLS_A_TURN * 1e6
