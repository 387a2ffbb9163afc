"""Every code block of every page is run by a test, is checked as data, or says why not.

tests/peers/test_snippets.py, tests/end_to_end/test_docs.py and, for docs/carriers/, test_carrier_pages.py run them: the
first needs jq. A block that needs other software names the test that runs it."""

import configparser
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from support.markdown import MARK, Block, blocks, pages
from support.paths import ROOT

# `text` isn't code: a diagram, a sample of output, or generated from the code.
RUN, DATA, SHOWN = (
    {"console", "python", "sh"},
    {
        "json": json.loads,
        "toml": tomllib.loads,
        "yaml": yaml.safe_load,
        "ini": configparser.ConfigParser().read_string,
    },
    {"text"},
)
PAGES = [page for page in pages() if page.parent.name != "decisions" and page.name != "CHANGELOG.md"]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_block_is_run_or_checked_or_says_why_not(page: Path) -> None:
    for block in blocks(page):
        where = f"{named(page)}:{block.line}"
        assert block.language in {*RUN, *DATA, *SHOWN} or block.marks, f"{where}: {block.language or 'no language'}"
        if block.language in DATA and not block.marks:
            DATA[block.language](block.code)


def beginnings(block: Block) -> list[str]:
    """The text that a mark can name the beginning of: the commands of a console block, or the whole block."""
    lines = [line.removeprefix("$ ") for line in block.code.splitlines() if line.startswith("$ ")]
    return lines if block.language == "console" else [block.code]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_mark_belongs_to_a_command_and_has_a_reason(page: Path) -> None:
    found = [(block, begin, why) for block in blocks(page) for begin, why in block.marks.items()]
    assert len(found) == len(MARK.findall(page.read_text("utf-8"))), f"{named(page)}: a mark is above no block"
    for block, begin, why in found:
        assert any(each.startswith(begin) for each in beginnings(block)), f"{named(page)}:{block.line}: {begin}"
        assert len(why) > 10 or begin in block.run_by


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_test_that_a_mark_names_runs_that_page(page: Path) -> None:
    """Such a test runs every block of its page that names it: see `run_by` there."""
    for block in blocks(page):
        for begin, test in block.run_by.items():
            text = (ROOT / test).read_text("utf-8")
            where = f"{named(page)}:{block.line}: {test} does not run it"
            if test == ".ci/run":
                commands = [line for line in beginnings(block) if line.startswith(begin)]
                assert all(
                    re.search(rf"^step \d+ {line.partition('#')[0].strip()}$", text, re.M) for line in commands
                ), where
            else:
                assert named(page) in text and "run_by" in text, where
