"""Sphinx settings of the documentation: `make docs`.

The pages are plain Markdown that reads well on a code host too. Two things are added when the site is built: the table
of contents, from the list of links in each `index.md`, and GitHub's heading anchors. A link to a file outside `docs/`
becomes its label, because the site doesn't contain the file.
"""

import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "packages" / "dtmf-io" / "src"))

import dtmf  # noqa: E402  # from this tree, for its version

project = "DTMF"
version = release = dtmf.__version__
html_title = f"DTMF {version}"

extensions = ["myst_parser"]
myst_enable_extensions = ["smartquotes"]
myst_heading_anchors = 6
smartquotes = False
exclude_patterns = ["screenshots", "_site"]
suppress_warnings = ["misc.highlighting_failure", "myst.header"]  # sample output isn't always valid Python

html_theme = "furo"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": False, "top_of_page_buttons": []}
pygments_style, pygments_dark_style = "a11y-light", "a11y-dark"

LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s#]+)(#[^)\s]*)?\)")
ANCHOR = re.compile(r"^<a id=\"([\w-]+)\"></a>", re.MULTILINE)
ENTRY = re.compile(r"^- \[[^\]]+\]\(([\w/-]+)\.md\)", re.MULTILINE)


def outside(docname: str, target: str) -> bool:
    """True if a relative link points out of `docs/`, or to a folder or a program, which the site doesn't contain."""
    if "://" in target or target.startswith("mailto:"):
        return False
    path = (HERE / docname).parent.joinpath(target).resolve()
    return not path.is_relative_to(HERE) or path.suffix == ".py" or path.is_dir()


def read_source(_app: Any, docname: str, source: list[str]) -> None:
    """Add the table of contents to an index page, and take out the links to what the site doesn't contain."""
    text = source[0]
    entries = ENTRY.findall(text) if docname.rpartition("/")[2] == "index" else []
    text = LINK.sub(lambda link: link[1] if outside(docname, link[2]) else link[0], text)
    text = ANCHOR.sub(r"(\1)=\n", text)
    if entries:
        text += "\n```{toctree}\n:hidden:\n\n" + "\n".join(entries) + "\n```\n"
    source[0] = text


def add_anchors(_app: Any, document: nodes.document) -> None:
    """Add GitHub's anchor of each section to Sphinx's own."""
    for section in document.findall(nodes.section):
        slug = section.get("slug")
        if slug and slug not in section["ids"]:
            section["ids"].append(slug)


def setup(app: Any) -> dict[str, bool]:
    """Connect both."""
    app.connect("source-read", read_source)
    app.connect("doctree-read", add_anchors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
