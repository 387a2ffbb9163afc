"""Pick a hundred sentences from the repository before it was rewritten, and find their counterparts now.

    python docs/decisions/0019-sample.py

Prints the rows of the table in 0019-plain-english.md: the place, the sentence before, the sentence now, and the verdict. The
seed is fixed, and each kind of prose has as large a share as in the repository, so every run picks the same sentences. The
counterpart is the most similar sentence of the same docstring, or else of the same file; FOUND has the others.
"""

import ast
import difflib
import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import PurePosixPath

BEFORE, AFTER = "c9e7b9c", "HEAD"
SEED, COUNT = 19, 100
KINDS = ("documentation", "docstring", "text", "website")
PROSE = re.compile(r"(?:docs|packages/[^/]+/src|examples|proofs|tools|benchmarks)/|README\.md$|CONTRIBUTING\.md$")
# Generated pages repeat docstrings, and tables of figures are not sentences.
SKIPPED = re.compile(r"docs/reference/|docs/decisions/0019|(?:benchmarks|benchmarks-peers|proofs|TARGET)\.md$|/site/")
FENCE = re.compile(r"^[ \t]*(```+|~~~+).*?^[ \t]*\1", re.MULTILINE | re.DOTALL)
TRANSLATED = re.compile(r"""_\(\s*'((?:[^'\\]|\\.)*)'""")
SENTENCE = re.compile(r"(?<=[.!?])[\s\"')*]+(?=[A-Z`+*\"])")
WORDS_MIN = 5

# Counterparts that the comparison did not find, by number, and the verdicts of the editor that are not "pass".
FOUND = {
    4: "Each process counts separately.",
    18: "An unknown key is an error that shows the file, the line and the closest known key.",
    28: "Hundreds of attempts may fail at the same moment, when a host with many webhooks goes silent. That must not delay"
    " incoming SMS or other deliveries.",
    31: "Databases full of accounts and live rentals, written in bulk. Their ledgers pass `dtmf-server verify`.",
    48: "Return the signed bytes.",
    74: "Record that the carrier accepted a message: `refs` are its references for the segments, in order. Receipts that"
    " arrived before are applied now.",
    99: "There’s no need to refresh.",
}
FIXED, DATA = (6, 17, 23, 31, 33, 49), (82,)

Place = tuple[str, str]  # file, qualified name or ""


def git(*arguments: str) -> str:
    """Return the output of a git command."""
    command = ["git", *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout  # noqa: S603  # our own arguments


def files(revision: str) -> dict[str, str]:
    """Return the text of each file of a revision that has prose for readers."""
    names = git("ls-tree", "-r", "--name-only", revision).splitlines()
    named = [name for name in names if PROSE.match(name) and not SKIPPED.search(name) and "/tests/" not in name]
    wanted = [name for name in named if PurePosixPath(name).suffix in (".py", ".md", ".html")]
    return {name: git("show", f"{revision}:{name}") for name in wanted}


def sentences(text: str) -> list[str]:
    """Split prose into sentences of at least WORDS_MIN words."""
    paragraphs = re.split(r"\n\s*\n|\n(?=\s*(?:[-*|>#]|\d+\.) )", text)
    found = [re.sub(r"\s+", " ", each).strip(" -*|>#") for p in paragraphs for each in SENTENCE.split(p)]
    return [each for each in found if len(re.findall(r"[A-Za-z]{2,}", each)) >= WORDS_MIN]


def pieces(name: str, text: str) -> Iterator[tuple[str, Place, str]]:
    """Yield each sentence of a file with its kind and place."""
    if name.endswith(".md"):
        for each in sentences(FENCE.sub("", re.sub(r"^\|.*$", "", text, flags=re.MULTILINE))):
            yield "documentation", (name, ""), each
    elif name.endswith(".html"):
        for found in TRANSLATED.finditer(text):
            for each in sentences(found[1]):
                yield "website", (name, ""), each
    else:
        yield from in_python(name, ast.parse(text), "")


def in_python(name: str, node: ast.AST, path: str) -> Iterator[tuple[str, Place, str]]:
    """Yield the sentences of docstrings, and those of the other strings: errors, help and log lines."""
    documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    docstring = ast.get_docstring(node) if documented else None
    for each in sentences(docstring or ""):
        yield "docstring", (name, path), each
    children = list(ast.iter_child_nodes(node))
    for child in children:
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue  # the docstring
        if (
            isinstance(child, ast.Constant)
            and isinstance(child.value, str)
            and not re.search(r"[A-Z]{4}|=", child.value)
        ):
            for each in sentences(child.value):
                yield "text", (name, path), each
        inner = f"{path}.{child.name}" if hasattr(child, "name") and child.name else path
        yield from in_python(name, child, inner)


def renamed() -> dict[str, str]:
    """Return the new name of each file that was moved."""
    lines = git("diff", "-M40%", "--name-status", "--diff-filter=R", BEFORE, AFTER).splitlines()
    return {old: new for _, old, new in (line.split("\t") for line in lines)}


def sample(before: list[tuple[str, Place, str]]) -> list[tuple[str, Place, str]]:
    """Return COUNT sentences, each kind in proportion."""
    chance, picked = random.Random(SEED), []  # noqa: S311  # a sample, not a secret
    for kind in KINDS:
        of_kind = [each for each in before if each[0] == kind]
        picked += chance.sample(of_kind, round(COUNT * len(of_kind) / len(before)))
    return picked


def counterpart(place: Place, sentence: str, after: dict[Place, list[str]], by_name: dict[str, list[Place]]) -> str:
    """Return the most similar sentence of the same docstring, or else of the same file, or else anywhere."""
    path = place[1].rpartition(".")[2]
    same_file = [each for (name, _), each in after.items() if name == place[0]]
    options = after.get(place) or (path and [one for p in by_name.get(path, []) for one in after[p]])
    options = options or [one for each in same_file for one in each] or [one for each in after.values() for one in each]
    return max(options, key=lambda one: difflib.SequenceMatcher(None, sentence, one, autojunk=False).ratio())


def cell(sentence: str) -> str:
    """Escape a sentence for a table of Markdown. Half a code span or emphasis, cut off by the split, is removed."""
    if sentence.count("`") % 2:
        sentence = sentence.replace("`", "")
    parts = re.split(r"(`[^`]*`)", sentence.replace("**", ""))
    return "".join(part if part.startswith("`") else re.sub(r"([*_<|\[])", r"\\\1", part) for part in parts)


def main() -> None:
    """Print the rows."""
    before = [piece for name, text in sorted(files(BEFORE).items()) for piece in pieces(name, text)]
    after: dict[Place, list[str]] = {}
    for name, text in sorted(files(AFTER).items()):
        for _, place, sentence in pieces(name, text):
            after.setdefault(place, []).append(sentence)
    by_name: dict[str, list[Place]] = {}
    for place in after:
        by_name.setdefault(place[1].rpartition(".")[2], []).append(place)
    moved = renamed()
    for number, (_kind, (name, path), sentence) in enumerate(sample(before), 1):
        now = FOUND.get(number) or counterpart((moved.get(name, name), path), sentence, after, by_name)
        where = f"`{PurePosixPath(name).name}`" + (f" `{path[1:]}`" if path else "")
        verdict = "pass, after a fix" if number in FIXED else "data, not prose" if number in DATA else "pass"
        print(f"| {number} | {where} | {cell(sentence)} | {cell(now)} | {verdict} |")


if __name__ == "__main__":
    main()
