"""A promise as a row: what it says, what proves it, and the resulting figures."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol


class NotRun(Exception):
    """This machine lacks something that the proof needs; the message says what."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a proof. A figure without a target only shows how much was tried."""

    what: str
    value: int | float | str
    is_kept: bool = True

    def __str__(self) -> str:
        shown = f"{self.value:,}" if isinstance(self.value, int | float) else self.value
        return f"{self.what} {shown}" + ("" if self.is_kept else " ✗")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a proof, with its output if something went wrong."""

    figures: list[Figure] = field(default_factory=list)
    trouble: str = ""  # why it could not be completed
    output: str = ""

    @property
    def is_kept(self) -> bool:
        """Return whether the promise holds."""
        return bool(self.figures) and not self.trouble and all(figure.is_kept for figure in self.figures)


class Proof(Protocol):
    """Something that can run at full size or small, and returns an outcome."""

    def __call__(self, *, small: bool, bound_s: float) -> Outcome:
        """Run it, for at most this long. Raises NotRun."""


@dataclass(frozen=True, slots=True)
class Row:
    """A promise."""

    number: int
    promise: str
    how: str  # a short description of the full-size run
    proofs: tuple[Proof, ...]
    sources: tuple[str, ...] = ("packages/dtmf-io/src", "packages/dtmf-server/src")  # the code that the proofs exercise
    bound_minutes: float = 240  # ends a proof that hangs; otherwise a proof is bounded by counts

    def run(self, *, small: bool) -> Outcome:
        """Run all its proofs, one after the other; a broken one does not prevent the next."""
        return _joined(proof(small=small, bound_s=self.bound_minutes * 60) for proof in self.proofs)


@dataclass(frozen=True, slots=True)
class Together:
    """Proofs that run at the same time, each in its own process; usable like any other proof."""

    proofs: tuple[Proof, ...]

    def __call__(self, *, small: bool, bound_s: float) -> Outcome:
        """Run them; return their figures in order."""
        with ThreadPoolExecutor(len(self.proofs)) as threads:
            return _joined(threads.map(lambda proof: proof(small=small, bound_s=bound_s), self.proofs))


def _joined(outcomes: Iterable[Outcome]) -> Outcome:
    every = list(outcomes)
    return Outcome(
        [figure for outcome in every for figure in outcome.figures],
        "; ".join(outcome.trouble for outcome in every if outcome.trouble),
        "\n".join(outcome.output for outcome in every if outcome.output),
    )


def zero(what: str, value: int) -> Figure:
    """Return a figure whose target is 0."""
    return Figure(what, value, value == 0)


def tried(what: str, value: int | float | str) -> Figure:
    """Return a figure that shows how much was tried."""
    return Figure(what, value)


Check = Callable[[int], bool]
