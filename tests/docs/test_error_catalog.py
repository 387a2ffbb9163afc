"""The error catalog has every code that the service can answer with, and no other."""

import ast
import runpy
from collections.abc import Iterator

import pytest

from dtmf_server.api import problems
from dtmf_server.api.error_catalog import ERRORS, example, problem_type
from support.paths import ROOT, SERVER


@pytest.fixture(scope="module")
def refusals() -> list[type]:
    return list(runpy.run_path(str(ROOT / "tools" / "reference.py"))["refusals"]())


def codes_in_source() -> Iterator[tuple[str, int | None]]:
    """The codes that calls of `problem` and the like name, with their status where it is written beside them."""
    for path in SERVER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", getattr(node.func, "attr", "")) not in (
                "problem",
                "_refuse",
            ):
                continue
            statuses = [each.value for each in node.args if isinstance(each, ast.Constant)]
            for keyword in node.keywords:
                if keyword.arg == "code" and isinstance(keyword.value, ast.Constant):
                    yield str(keyword.value.value), int(statuses[0]) if statuses else None  # type: ignore[arg-type]  # an int


def test_the_catalog_has_every_code_of_the_service_and_no_other(refusals: list[type]) -> None:
    titled = {code: status for status, (code, _) in problems._TITLES.items()}
    written = dict(codes_in_source())
    assert {"bad_request", "head_too_large", "internal_error", "request_timeout"} <= set(written)
    assert {kind.code for kind in refusals} | set(titled) | set(written) == set(ERRORS)  # type: ignore[attr-defined]  # of Refusal
    for code, status in [*titled.items(), *written.items()]:
        assert status in (None, ERRORS[code].status), code


def test_the_catalog_agrees_with_the_exceptions(refusals: list[type]) -> None:
    found = {kind.code: (kind.status, kind.title) for kind in refusals}  # type: ignore[attr-defined]  # of Refusal
    assert found == {code: (ERRORS[code].status, ERRORS[code].title) for code in found}


@pytest.mark.parametrize("code", ERRORS)
def test_an_entry_says_what_it_means_and_how_to_fix_it(code: str) -> None:
    entry = ERRORS[code]
    assert entry.meaning.endswith((".", ").", "`)."))
    assert entry.fix.endswith(".")
    assert example(code, detail="…")["type"] == problem_type(code) == f"/docs/reference/errors#{code}"
