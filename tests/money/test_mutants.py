"""The money tests catch faults in the money code: a handful here, all of them in `make prove`."""

import ast
from pathlib import Path

import pytest

from money import mutation_runner
from money.fault import Fault
from money.mutations import FAULTS, HANDFUL

SIZE = {"steps": 1500, "examples": 30}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree that may be broken."""
    return mutation_runner.copy_tree(tmp_path_factory.mktemp("tree"))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.breaks)
def test_the_original_text_of_each_fault_still_exists(fault: Fault) -> None:
    text = (mutation_runner.ROOT / mutation_runner.SERVER / fault.file).read_text(encoding="utf-8")
    broken = mutation_runner.mutated(fault, text)
    assert ast.dump(ast.parse(broken)) != ast.dump(ast.parse(text)), "the fault has no effect"


def test_every_fault_is_listed_once() -> None:
    assert len({(fault.file, fault.original, fault.replacement) for fault in FAULTS}) == len(FAULTS) == 103


def test_the_tests_pass_on_the_unmodified_tree(tree: Path) -> None:
    assert mutation_runner.passes(tree, steps=50, examples=10)


@pytest.mark.parametrize("breaks", HANDFUL)
def test_a_fault_is_caught(tree: Path, breaks: str) -> None:
    (fault,) = [fault for fault in FAULTS if fault.breaks == breaks]
    assert mutation_runner.is_caught(fault, tree, **SIZE), "no test failed"


@pytest.mark.parametrize("original", ["a text that does not occur", "import"])
def test_a_fault_whose_original_text_is_missing_or_repeated_is_an_error(original: str) -> None:
    text = (mutation_runner.ROOT / mutation_runner.SERVER / "core/billing.py").read_text(encoding="utf-8")
    with pytest.raises(mutation_runner.Unusable):
        mutation_runner.mutated(Fault("core/billing.py", original, "", "nothing"), text)


def test_a_fault_that_prevents_the_tests_from_running_is_an_error(tree: Path) -> None:
    fault = Fault("core/billing.py", "from bisect", "syntax error from bisect", "the syntax")
    file = tree / mutation_runner.SERVER / fault.file
    before = file.read_text(encoding="utf-8")
    with pytest.raises(mutation_runner.Unusable):
        mutation_runner.is_caught(fault, tree, **SIZE)
    assert file.read_text(encoding="utf-8") == before
