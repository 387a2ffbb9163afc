"""Read the figures of proofs from a test run's report, instead of running the tests again.

`make test` runs every test that proves a promise at its smallest size, and saves its output. That also checks, for
free, that each proof still finds its tests and its figures.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from proofs.claim import Outcome, Proof, Row, Together
from proofs.pytest_claims import Tests


@dataclass(frozen=True, slots=True)
class Case:
    """A test that was run: its id in pytest's spelling, without folders (`tests.money.test_races.test_x[sqlite]`)."""

    id: str
    passed: bool
    output: str


def read(report: Path) -> list[Case]:
    """Return every test in a JUnit report."""
    return [
        Case(
            f"{case.get('classname')}.{case.get('name')}",
            case.find("failure") is None and case.find("error") is None,
            "".join(case.itertext()),
        )
        for case in ElementTree.parse(report).getroot().iter("testcase")
    ]


def outcomes(row: Row, cases: list[Case]) -> Iterator[Outcome]:
    """Yield the reported outcome of each of the row's proofs that consists of tests; other proofs must be run."""
    for tests in _tests(row.proofs):
        chosen = [case for case in cases if _selects(tests.of, case.id)]
        if not chosen:
            yield Outcome(trouble=f"no test of {' '.join(tests.of)} was run")
            continue
        output = "\n".join(case.output for case in chosen)
        failed = sum(not case.passed for case in chosen)
        yield tests.outcome(output, passed=len(chosen) - failed, failed=failed)


def is_tests(proof: Proof) -> bool:
    """Return whether the proof consists only of tests."""
    return isinstance(proof, Tests) or (isinstance(proof, Together) and all(map(is_tests, proof.proofs)))


def _tests(proofs: tuple[Proof, ...]) -> Iterator[Tests]:
    for proof in proofs:
        if isinstance(proof, Tests):
            yield proof
        elif isinstance(proof, Together):
            yield from _tests(proof.proofs)


def _selects(arguments: Sequence[str], case_id: str) -> bool:
    """Return whether pytest would select the test with these arguments: paths, ids, and `-k` with and, or, not."""
    places, expression = list(arguments), ""
    if "-k" in places:
        at = places.index("-k")
        expression = places[at + 1]
        del places[at : at + 2]
    dotted = [place.replace(".py::", "/").replace("::", "/").removesuffix(".py").replace("/", ".") for place in places]
    if not any(case_id == place or case_id.startswith((f"{place}.", f"{place}[")) for place in dotted):
        return False
    return _matches(expression, case_id)


def _matches(expression: str, name: str) -> bool:
    """Evaluate a `-k` expression of the form used by the rows: words joined by `and`, each optionally after `not`."""
    wanted = [term.strip() for term in re.split(r"\band\b", expression) if term.strip()]
    return all((term.removeprefix("not ").strip() in name) != term.startswith("not ") for term in wanted)
