"""Break the money code in one place at a time, and check that the tests fail.

    PYTHONPATH=tests python -m money.mutation_runner --all

Each mutant in mutations.py is applied to a copy of the tree, where the quick money tests (`TESTS`) run against it with fixed
seeds. A mutant is caught if they fail. The unmodified copy must pass first.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from money.fault import Fault
from money.mutations import FAULTS

ROOT = Path(__file__).parent.parent.parent
SERVER = Path("packages/dtmf-server/src/dtmf_server")
TESTS = (
    "packages/dtmf-server/tests/operations/test_given_up.py",
    "packages/dtmf-server/tests/operations/test_adjust.py",
    "packages/dtmf-server/tests/operations/test_operator_refunds.py",
    "packages/dtmf-server/tests/operations/test_suspend.py",
    "packages/dtmf-server/tests/operations/test_token_limits.py",
    "tests/money/test_billing.py",
    "tests/money/test_limits.py",
    "tests/money/test_pegged.py",
    "tests/money/test_rental_refunds.py",
    "tests/money/test_machine.py",
)
OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin", "-k", "not postgresql")
TIMEOUT_S = 300
EXAMPLES = 200  # per property test of the meter
PASSED, FAILED = 0, 1  # pytest's exit codes; any other means that the tests did not run


class Unusable(Exception):
    """The mutant, or the copy it was applied to, can't be tested."""


def copy_tree(to: Path) -> Path:
    """Copy the files that the tests need."""
    for file in ("pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / file, to)
    for folder in ("packages", "tests"):
        shutil.copytree(ROOT / folder, to / folder, ignore=shutil.ignore_patterns("__pycache__", "*.db*"))
    return to


def mutated(fault: Fault, text: str) -> str:
    """Return the file's text with the fault applied. Raises Unusable if the original text is not found exactly once."""
    if (found := text.count(fault.original)) != 1:
        raise Unusable(f"{fault.file}: the text of '{fault.breaks}' was found {found} times instead of once")
    return text.replace(fault.original, fault.replacement)


def is_caught(fault: Fault, tree: Path, *, steps: int, examples: int) -> bool:
    """Return whether the tests fail with the fault applied. Restores the tree afterwards."""
    path = tree / SERVER / fault.file
    before = path.read_text(encoding="utf-8")
    try:
        _replace(path, mutated(fault, before))
        return not passes(tree, steps=steps, examples=examples)
    finally:
        _replace(path, before)


def passes(tree: Path, *, steps: int, examples: int) -> bool:
    """Return whether the quick money tests pass on this tree. Raises Unusable if they can't run."""
    command = [sys.executable, "-m", "pytest", *OPTIONS, *TESTS]
    environment = _environment(tree) | {"DTMF_MONEY_STEPS": str(steps), "DTMF_MONEY_EXAMPLES": str(examples)}
    try:
        done = subprocess.run(
            command, check=False, cwd=tree, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return False  # a meter that never terminates counts as caught
    if done.returncode not in (PASSED, FAILED):
        raise Unusable(f"the tests could not be run:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return done.returncode == PASSED


def _replace(path: Path, text: str) -> None:
    """Write a source file and delete its compiled form, whose timestamp alone may not show that it is stale."""
    path.write_text(text, encoding="utf-8")
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
        compiled.unlink()


def _environment(tree: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DTMF_", "PYTEST", "PYTHONPATH"))}
    return kept | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # plugins take longer to import than the tests to run
        "DTMF_MONEY_SOURCE": str((tree / SERVER).parent),
        "DTMF_MONEY_SEED": "0",
        "DTMF_MONEY_SHRINK": "0",
    }


def try_all(faults: Sequence[Fault], *, steps: int) -> list[Fault]:
    """Try each fault, print the outcome, and return the faults that no test caught."""
    alive = []
    with tempfile.TemporaryDirectory(prefix="dtmf-mutants-") as folder:
        tree = copy_tree(Path(folder))
        if not passes(tree, steps=steps, examples=EXAMPLES):
            raise Unusable("the tests fail on the unmodified source")
        for number, fault in enumerate(faults, start=1):
            caught = is_caught(fault, tree, steps=steps, examples=EXAMPLES)
            print(f"{number:3} {'caught' if caught else 'ALIVE '} {fault.file}: {fault.breaks}", flush=True)
            if not caught:
                alive.append(fault)
    return alive


def main() -> int:
    """Return 0 if every fault was caught."""
    parser = argparse.ArgumentParser(description="Break the money code in one place at a time.")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--all", action="store_true", help="try every fault")
    which.add_argument("--only", nargs="+", metavar="TEXT", help="try the faults with this text in file or description")
    parser.add_argument("--steps", type=int, default=6000, help="steps of the state machine (default 6000)")
    arguments = parser.parse_args()
    only = arguments.only or [""]
    faults = [fault for fault in FAULTS if any(text in f"{fault.file}: {fault.breaks}" for text in only)]
    alive = try_all(faults, steps=arguments.steps)
    print(f"mutants caught: {len(faults) - len(alive)}/{len(faults)}")
    return 1 if alive or not faults else 0


if __name__ == "__main__":
    sys.exit(main())
