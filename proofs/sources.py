"""A hash of the code that a proof exercises: a figure belongs to the version that it was measured on.

Comments, docstrings and layout do not count, so that a corrected sentence leaves a proof as it was.
"""

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path

from benchmarks import ROOT

DIGITS = 12


def digest(places: Iterable[str], root: Path = ROOT) -> str:
    """The hash of every Python and SQL file below these places, which are files or folders relative to the root.

    Raises FileNotFoundError for a place without any.
    """
    total = hashlib.sha256()
    for place in sorted(places):
        files = _files(root / place)
        if not files:
            raise FileNotFoundError(f"{place} has no source: a row of proofs/claims.py names it")
        for file in files:
            total.update(str(file.relative_to(root)).encode() + b"\0" + _meaning(file) + b"\0")
    return total.hexdigest()[:DIGITS]


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    return sorted(file for file in place.rglob("*") if file.suffix in (".py", ".sql"))


def _meaning(file: Path) -> bytes:
    """What the file does, without its prose."""
    if file.suffix != ".py":
        return file.read_bytes()
    tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
            ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:]
    return ast.dump(tree).encode()
