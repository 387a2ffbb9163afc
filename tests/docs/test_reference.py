"""The generated pages of docs/reference/ are what the code is."""

import runpy
from typing import Any

import pytest

from support.paths import ROOT


@pytest.fixture(scope="module")
def reference() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "tools" / "reference.py"))


def test_the_generated_pages_are_those_of_the_code(reference: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    made = reference["pages"]()
    folder = ROOT / "docs" / "reference"
    different = [name for name, text in made.items() if text != (folder / name).read_text("utf-8")]
    assert different == [], "run `make reference`"


def test_no_setting_is_described_that_does_not_exist(reference: dict[str, Any]) -> None:
    shown = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    assert [key for key, meaning in reference["MEANINGS"].items() if f"| {meaning} |" not in shown] == []


def test_every_method_setting_and_event_has_a_description(reference: dict[str, Any]) -> None:
    for name in ("client.md", "settings.md", "events.md", "endpoints.md", "commands.md"):
        text = (ROOT / "docs" / "reference" / name).read_text("utf-8")
        assert "None |" not in text.replace("int | None |", "")
        assert "|  |\n" not in text or name in ("endpoints.md", "commands.md"), name
