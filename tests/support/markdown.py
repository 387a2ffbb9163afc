"""Markdown pages as data: their links, anchors and code blocks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from support.paths import ROOT

LINK = re.compile(r"(?<!\\)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^([ \t]*)(```+)(\w*)[^\n]*\n(.*?)^\1\2[ \t]*$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} (.+?) *#*$", re.MULTILINE)
ANCHOR = re.compile(r"<a (?:id|name)=\"([^\"]+)\"")
# `<!-- not run: REASON -->` above a block; or, for the commands that begin so, `<!-- not run: `BEGINNING`: REASON -->`.
# `<!-- run by: TEST -->`, and the same for some commands, names the test that runs them instead of the usual ones.
MARK = re.compile(r"<!-- (not run|run by): (?:`([^`]+)`: )?(\S.*?) -->")
MARKS = re.compile(r"(?:^[ \t]*<!-- (?:not run|run by): .*? -->[ \t]*\n)+\Z", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A code block. `not_run` has the reasons why its commands aren't run, by their beginnings; "" stands for all.
    `run_by` has the tests that run them instead."""

    page: Path
    line: int
    language: str
    code: str
    not_run: dict[str, str]
    run_by: dict[str, str]

    @property
    def marks(self) -> dict[str, str]:
        """Both, by the beginnings of the commands."""
        return self.not_run | self.run_by

    def reason(self, code: str) -> str | None:
        """Why the usual tests don't run this command or block; None if they do."""
        return next((why for begin, why in self.marks.items() if code.startswith(begin)), None)


def pages() -> list[Path]:
    """Every Markdown file of the project."""
    below = [path for folder in ("docs", "packages", "examples") for path in (ROOT / folder).rglob("*.md")]
    return sorted([*ROOT.glob("*.md"), *below])


def documents() -> list[Path]:
    """The pages of the documentation, without the decision notes."""
    return [page for page in pages() if page.is_relative_to(ROOT / "docs") and page.parent.name != "decisions"]


def prose(text: str) -> str:
    """The text without its code."""
    return re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))


def links(page: Path) -> list[str]:
    """The targets of its links and images."""
    return LINK.findall(prose(page.read_text("utf-8")))


def anchors(page: Path) -> set[str]:
    """GitHub's anchors of its headings, and its own."""
    text = FENCE.sub("", page.read_text("utf-8"))
    found, seen = set(ANCHOR.findall(text)), dict[str, int]()
    for heading in HEADING.findall(text):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).strip().replace(" ", "-")
        again = seen.get(slug, 0)
        seen[slug] = again + 1
        found.add(f"{slug}-{again}" if again else slug)
    return found


def blocks(page: Path) -> Iterator[Block]:
    """Return its code blocks, in order."""
    text = page.read_text("utf-8")
    for fence in FENCE.finditer(text):
        marks = MARKS.search(text, 0, fence.start())
        found = MARK.findall(marks[0]) if marks else []
        not_run, run_by = (
            {begin: what for kind, begin, what in found if kind == each} for each in ("not run", "run by")
        )
        yield Block(page, text.count("\n", 0, fence.start()) + 1, fence[3], dedent(fence[4]), not_run, run_by)
