"""Every link of every Markdown page leads somewhere, and each page of the documentation begins with its reader and use."""

import re
from pathlib import Path

import pytest

from support.markdown import anchors, documents, links, pages
from support.paths import ROOT

HEAD = re.compile(r"# [^\n]+\n\n\*\*For:\*\* [^\n]+\.\\\n\*\*Afterwards you can:\*\* [^\n]+\.\n")


def broken(page: Path) -> list[str]:
    """Its links that lead nowhere in the tree. Those to other hosts aren't tried."""
    found = []
    for target in links(page):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or not file.is_relative_to(ROOT):
            found.append(f"{target}: no such file")
        elif anchor and (file.suffix != ".md" or anchor not in anchors(file)):
            found.append(f"{target}: no such heading")
    return found


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_and_anchor_of_a_markdown_file_exists(page: Path) -> None:
    assert broken(page) == []


@pytest.mark.parametrize("page", documents(), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_begins_with_its_reader_and_what_they_can_do_afterwards(page: Path) -> None:
    assert HEAD.match(page.read_text("utf-8")), "begin with '# Title', '**For:** ….\\', '**Afterwards you can:** ….'"


def test_every_page_is_listed_in_an_index_and_every_decision_too() -> None:
    indexes = [page for page in pages() if page.name == "index.md"]
    listed = {(page.parent / target).resolve() for page in indexes for target in links(page) if "#" not in target}
    wanted = {page for page in pages() if page.is_relative_to(ROOT / "docs")} - {ROOT / "docs" / "index.md"}
    assert wanted - listed == set()


def test_a_broken_link_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text(
        "# A `b` title\n\n[1](page.md#a-b-title) [2](#none) [3](none.md) [4](https://example.org) `[5](x)`\n"
    )
    assert broken(page) == ["#none: no such heading", "none.md: no such file"]
