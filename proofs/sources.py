"""Hash the code that a proof exercises: a figure belongs to the version it was measured on.

Comments, docstrings and formatting are ignored, so correcting a sentence does not invalidate a proof.
"""

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path

from benchmarks import ROOT

DIGITS = 12


def digest(places: Iterable[str], root: Path = ROOT) -> str:
    """Return the hash of every Python and SQL file below these places: files or folders relative to the root.

    Raises FileNotFoundError for a place without source files.
    """
    total = hashlib.sha256()
    for place in sorted(places):
        files = _files(root / place)
        if not files:
            raise FileNotFoundError(f"{place} has no source files, but a row in proofs/claims.py names it")
        for file in files:
            total.update(str(file.relative_to(root)).encode() + b"\0" + _meaning(file) + b"\0")
    return total.hexdigest()[:DIGITS]


def _files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    return sorted(file for file in place.rglob("*") if file.suffix in (".py", ".sql"))


def _meaning(file: Path) -> bytes:
    """Return what the file does, without its prose."""
    if file.suffix != ".py":
        return file.read_bytes()
    tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (
            ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:]
    return ast.dump(tree).encode()
