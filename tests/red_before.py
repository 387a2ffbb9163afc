"""Verify that each regression test fails, by its assertion, on the version before its fix.

    python tests/red_before.py REVISION [pytest arguments]

Check REVISION out into a temporary worktree, put the tests of this tree into it, and run those marked
`@pytest.mark.regression("slug")` there. Each marked test must fail by an assertion in at least one of its cases: a test
that passes proves nothing, and one that fails at an import or in a fixture doesn't test its promise. The exit code is 1
if any test passes or fails otherwise.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parent.parent
MARKER = "markers=regression(slug): fails by its assertion before the fix\nquick: set by quick.py"
ASSERTED = ("AssertionError", "assert ", "Failed: DID NOT RAISE", "ExceptionGroup: multiple assertion failures")


def check_out(revision: str, folder: Path) -> None:
    """Create a worktree of the revision with the tests of this tree."""
    git("worktree", "add", "--quiet", "--detach", str(folder), revision)
    shutil.rmtree(folder / "tests")
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__", "node_modules"))


def git(*arguments: str) -> None:
    """Run git in this tree."""
    subprocess.run(["git", *arguments], check=True, cwd=ROOT)


def run_marked(folder: Path, arguments: list[str]) -> ElementTree.Element:
    """Run the marked tests in that folder and return their results as JUnit XML."""
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "--quiet", "--no-header", "--tb=short", "-m", "regression", "-o", MARKER]
    command += ["--continue-on-collection-errors"]
    command += ["-o", "junit_family=xunit2", f"--junitxml={report}", "--numprocesses=2", "--dist=worksteal", *arguments]
    sources = [str(source) for source in [folder / "src", *folder.glob("packages/*/src")] if source.is_dir()]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sources), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(command, check=False, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    return ElementTree.parse(report).getroot()


def verdicts(report: ElementTree.Element) -> dict[str, list[str]]:
    """Return the outcomes of the cases of each test, by its name without parameters."""
    found: dict[str, list[str]] = defaultdict(list)
    for case in report.iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name', '').partition('[')[0]}"
        failure, error = case.find("failure"), case.find("error")
        if error is not None:
            found[name].append(f"error: {error.get('message', '')[:120]}")
        elif failure is None:
            found[name].append("passed")
        else:
            message = failure.get("message", "")
            red = message.startswith(ASSERTED)
            found[name].append("red" if red else f"failed elsewhere: {message[:120]}")
    return found


def main(arguments: list[str]) -> int:
    """Return the exit code: 0 if every marked test fails by its assertion."""
    if not arguments:
        print(__doc__)
        return 2
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "before"
        check_out(arguments[0], folder)
        try:
            found = verdicts(run_marked(folder, arguments[1:]))
        finally:
            git("worktree", "remove", "--force", str(folder))
    proofs = {name: "red" in cases for name, cases in found.items()}
    for name, cases in sorted(found.items()):
        others = sorted(set(cases) - {"red"})
        print(
            f"{'red  ' if proofs[name] else 'NOT  '} {name} ({cases.count('red')} of {len(cases)})",
            *others,
            sep="\n      ",
        )
    print(f"{sum(proofs.values())} of {len(proofs)} tests fail by their assertion on {arguments[0]}")
    return 0 if proofs and all(proofs.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
