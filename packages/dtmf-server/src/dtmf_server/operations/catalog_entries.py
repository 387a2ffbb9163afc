"""The entries of the operator's files, and what is wrong with them."""

from collections.abc import Sequence
from dataclasses import dataclass

COMPLAINTS_MAX = 20


@dataclass(frozen=True, slots=True)
class Complaint:
    """A problem in a file. `column` is our name of the column; `heading` is the file's."""

    file: str
    line: int | None
    message: str
    column: str | None = None
    value: str | None = None

    def __str__(self) -> str:
        return f"{place(self.file, self.line)}: {self.message}"


class ImportErrors(Exception):
    """Nothing of the file was imported; one line per problem, at most COMPLAINTS_MAX."""

    def __init__(self, found: Sequence[Complaint]) -> None:
        self.found = found[:COMPLAINTS_MAX]
        self.count = len(found)
        more = [f"and {len(found) - COMPLAINTS_MAX} more"] if len(found) > COMPLAINTS_MAX else []
        self.complaints = [*map(str, self.found), *more]
        super().__init__("\n".join(self.complaints))


@dataclass(frozen=True, slots=True)
class Entry:
    """An item of a file: the line on which it starts, and its values in our form, by our names of the columns."""

    line: int | None
    values: dict[str, str]


def place(name: str, line: int | None) -> str:
    """Return a file and a line as errors name them."""
    return name if line is None else f"{name}:{line}"
