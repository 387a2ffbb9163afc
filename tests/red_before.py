"""Show that each regression test fails, by its assertion, on the version before its fix.

    python tests/red_before.py REVISION [--tests REVISION] [pytest arguments]

Check REVISION out into a temporary worktree, replace its tests by those of another revision (default: HEAD), and run
those marked `@pytest.mark.regression("slug")` there. Each marked test must fail by an assertion in at least one of its
cases: a test that passes proves nothing, and one that stops at an import or a fixture does not test what it says. The
exit status is 1 if one of them does.

Tests import the layout that they were written for. For releases before packages/ existed, take the last tests of the old
layout: `tests/red_before.py 81d89e6 --tests 060ec69`. If those tests need other packages than this environment has, they
run in a temporary one with the packages that their revision locked.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parent.parent
TESTS = ("conftest.py", "tests", "packages/dtmf-io/tests", "packages/dtmf-server/tests")
LOCKED = Path("requirements", "dev.txt")
# The marks of all releases: the configuration in the worktree is that of the older one.
MARKERS = (
    "regression(slug): fails by its assertion before the fix\nquick: set by quick.py\npostgresql: set by conftest.py"
)
ASSERTED = ("AssertionError", "assert ", "Failed: DID NOT RAISE", "ExceptionGroup: multiple assertion failures")


def check_out(revision: str, folder: Path, *, tests: str) -> None:
    """A worktree of the revision with the tests of another one."""
    git("worktree", "add", "--quiet", "--detach", str(folder), revision)
    git("rm", "-r", "--quiet", "--ignore-unmatch", *TESTS, cwd=folder)
    listed = git("ls-tree", "--name-only", tests, *TESTS)
    git("restore", f"--source={tests}", "--", *listed.split(), cwd=folder)


def git(*arguments: str, cwd: Path = ROOT) -> str:
    """Run git, and return what it prints."""
    return subprocess.run(["git", *arguments], check=True, cwd=cwd, stdout=subprocess.PIPE, text=True).stdout


def interpreter(folder: Path, *, tests: str) -> str:
    """A Python with the packages that these tests need: this one if they are the same."""
    locked = git("show", f"{tests}:{LOCKED.as_posix()}")
    if locked == (ROOT / LOCKED).read_text("utf-8"):
        return sys.executable
    print(f"installing {LOCKED} of {tests} …", flush=True)
    requirements, python = folder / "requirements.txt", folder / "venv" / "bin" / "python"
    requirements.write_text(locked)
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", str(requirements)]
    subprocess.run(install, check=True)
    return str(python)


def run_marked(folder: Path, arguments: list[str], *, python: str) -> ElementTree.Element:
    """The results of the marked tests in that folder, as JUnit's XML."""
    report = folder / "report.xml"
    command = [python, "-m", "pytest", "--quiet", "--no-header", "--tb=short", "--continue-on-collection-errors"]
    command += ["-m", "regression", "-o", f"markers={MARKERS}"]
    command += ["-o", "junit_family=xunit2", f"--junitxml={report}", "--numprocesses=2", "--dist=worksteal", *arguments]
    sources = [str(source) for source in [folder / "src", *folder.glob("packages/*/src")] if source.is_dir()]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sources), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(command, check=False, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    return ElementTree.parse(report).getroot()


def verdicts(report: ElementTree.Element) -> dict[str, list[str]]:
    """Of each test, without the brackets of its parameters, what each of its cases did."""
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


def main(argv: list[str]) -> int:
    """The exit status: 0 if every marked test is red by its assertion."""
    parser = argparse.ArgumentParser(usage="python tests/red_before.py REVISION [--tests REVISION] [pytest arguments]")
    parser.add_argument("revision", help="the version before the fixes")
    parser.add_argument("--tests", default="HEAD", help="the revision whose tests are run (default: HEAD)")
    given, arguments = parser.parse_known_args(argv)
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "before"
        check_out(given.revision, folder, tests=given.tests)
        try:
            python = interpreter(Path(parent), tests=given.tests)
            found = verdicts(run_marked(folder, arguments, python=python))
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
    print(f"{sum(proofs.values())} of {len(proofs)} tests fail by their assertion on {given.revision}")
    return 0 if proofs and all(proofs.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
