"""Read the figures of proofs out of a test run's report, instead of running their tests once more.

`make test` runs every test that proves a promise, at its smallest size, and keeps what it printed. So it also shows,
at no cost, that each proof still finds its tests and its figures.
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
    """A test that was run: its id as pytest spells it without folders (`tests.money.test_races.test_x[sqlite]`)."""

    id: str
    passed: bool
    output: str


def read(report: Path) -> list[Case]:
    """Every test of a JUnit report."""
    return [
        Case(
            f"{case.get('classname')}.{case.get('name')}",
            case.find("failure") is None and case.find("error") is None,
            "".join(case.itertext()),
        )
        for case in ElementTree.parse(report).getroot().iter("testcase")
    ]


def outcomes(row: Row, cases: list[Case]) -> Iterator[Outcome]:
    """What the report says of each of the row's proofs that are tests; other proofs have to be run."""
    for tests in _tests(row.proofs):
        chosen = [case for case in cases if _selects(tests.of, case.id)]
        if not chosen:
            yield Outcome(trouble=f"no test of {' '.join(tests.of)} was run")
            continue
        output = "\n".join(case.output for case in chosen)
        failed = sum(not case.passed for case in chosen)
        yield tests.outcome(output, passed=len(chosen) - failed, failed=failed)


def is_tests(proof: Proof) -> bool:
    """Whether the proof is made of tests alone."""
    return isinstance(proof, Tests) or (isinstance(proof, Together) and all(map(is_tests, proof.proofs)))


def _tests(proofs: tuple[Proof, ...]) -> Iterator[Tests]:
    for proof in proofs:
        if isinstance(proof, Tests):
            yield proof
        elif isinstance(proof, Together):
            yield from _tests(proof.proofs)


def _selects(arguments: Sequence[str], case_id: str) -> bool:
    """Whether pytest, given these arguments, would run the test: paths, ids and `-k` of names with and, or, not."""
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
    """Of the form that the rows use: words joined by `and`, each perhaps with `not` before it."""
    wanted = [term.strip() for term in re.split(r"\band\b", expression) if term.strip()]
    return all((term.removeprefix("not ").strip() in name) != term.startswith("not ") for term in wanted)
