"""The tests of the money notice when the money code is broken: a handful here, all of them in `make prove`."""

import ast
from pathlib import Path

import pytest

from money import mutation_runner
from money.mutations import FAULTS, HANDFUL, Fault

SIZE = {"steps": 1500, "examples": 30}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree, to be broken."""
    return mutation_runner.copy_tree(tmp_path_factory.mktemp("tree"))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.breaks)
def test_the_place_of_each_fault_is_still_there(fault: Fault) -> None:
    text = (mutation_runner.ROOT / mutation_runner.SERVER / fault.file).read_text(encoding="utf-8")
    broken = mutation_runner.mutated(fault, text)
    assert ast.dump(ast.parse(broken)) != ast.dump(ast.parse(text)), "the fault changes nothing"


def test_thirty_different_faults_are_ready_for_prove() -> None:
    assert len({(fault.file, fault.original, fault.replacement) for fault in FAULTS}) == len(FAULTS) == 45


def test_without_a_fault_the_tests_pass(tree: Path) -> None:
    assert mutation_runner.passes(tree, steps=50, examples=10)


@pytest.mark.parametrize("breaks", HANDFUL)
def test_a_fault_is_caught(tree: Path, breaks: str) -> None:
    (fault,) = [fault for fault in FAULTS if fault.breaks == breaks]
    assert mutation_runner.is_caught(fault, tree, **SIZE), "nobody noticed"


@pytest.mark.parametrize("original", ["a text that is nowhere", "import"])
def test_a_fault_without_its_place_or_with_two_is_an_error(original: str) -> None:
    text = (mutation_runner.ROOT / mutation_runner.SERVER / "core/billing.py").read_text(encoding="utf-8")
    with pytest.raises(mutation_runner.Unusable):
        mutation_runner.mutated(Fault("core/billing.py", original, "", "nothing"), text)


def test_a_fault_that_keeps_the_tests_from_running_is_an_error_and_not_caught(tree: Path) -> None:
    fault = Fault("core/billing.py", '"""The meter', 'syntax error"""The meter', "the syntax")
    with pytest.raises(mutation_runner.Unusable):
        mutation_runner.is_caught(fault, tree, **SIZE)
    assert (tree / mutation_runner.SERVER / "core/billing.py").read_text(encoding="utf-8").startswith('"""The meter')
