"""Compare the tree with a move map: old paths are gone, new paths exist.

    python tools/check_layout.py MAP.md

The map is a document with tables of `old path` | `new path`. Tables of splits have `old path` | `names` | `new path`.
Paths that start with src/dtmf/ or src/dtmf_server/ are searched for in packages/. Prints the deviations. The exit code
is 1 if a deviation has no decision note (docs/decisions/) that names its path.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = {"src/dtmf/": "packages/dtmf-io/src/dtmf/", "src/dtmf_server/": "packages/dtmf-server/src/dtmf_server/"}
MOVE = re.compile(r"^\| `(src/\S+)` \| `(src/\S+)` \|", re.MULTILINE)
SPLIT = re.compile(r"^\| `(src/\S+)` \| (`[^|]+`) \| `(src/\S+)` \|", re.MULTILINE)


def placed(path: str) -> Path:
    """Return the location of a path of the map in this tree."""
    for old, new in PACKAGES.items():
        if path.startswith(old):
            return ROOT / new / path.removeprefix(old)
    return ROOT / path


def deviations(text: str) -> Iterator[tuple[str, str]]:
    """Iterate over the paths that deviate from the map, with the deviation."""
    moves, splits = MOVE.findall(text), SPLIT.findall(text)
    made = {new for _, new in moves} | {new for _, _, new in splits}
    for old, new in moves:
        if old not in made and placed(old).exists():
            yield old, "still exists"
        if not placed(new).exists():
            yield new, "does not exist"
    for _, names, new in splits:
        if not placed(new).exists():
            yield new, "does not exist"
            continue
        defined = {node.name for node in ast.walk(ast.parse(placed(new).read_text())) if hasattr(node, "name")}
        if not defined & set(re.findall(r"`(\w+)`", names)) and not defined:
            yield new, "defines nothing"


def main(path: str) -> int:
    """Return 0 if the tree matches the map, or if a decision note names each deviation."""
    text = Path(path).read_text("utf-8")
    notes = "\n".join(note.read_text("utf-8") for note in (ROOT / "docs" / "decisions").glob("*.md"))
    found = list(deviations(text))
    unexplained = 0
    for place, wrong in found:
        explained = str(placed(place).relative_to(ROOT)) in notes
        unexplained += not explained
        print(f"{place} {wrong}{'' if explained else ': no decision note mentions it'}")
    print(f"{len(MOVE.findall(text))} moves, {len(SPLIT.findall(text))} splits, {len(found)} deviations")
    return 1 if unexplained else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
