"""A promise as a row: what it says, what proves it, and the figures that come out."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol


class NotRun(Exception):
    """This machine lacks something that the proof needs; the message says what."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a proof. Without a target it only says how much was tried."""

    what: str
    value: int | float | str
    is_kept: bool = True

    def __str__(self) -> str:
        shown = f"{self.value:,}" if isinstance(self.value, int | float) else self.value
        return f"{self.what} {shown}" + ("" if self.is_kept else " ✗")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a proof, and its output where something is wrong."""

    figures: list[Figure] = field(default_factory=list)
    trouble: str = ""  # why it could not be brought to its end
    output: str = ""

    @property
    def is_kept(self) -> bool:
        """Whether the promise was kept."""
        return bool(self.figures) and not self.trouble and all(figure.is_kept for figure in self.figures)


class Proof(Protocol):
    """Something that can be run at full size or small, and says what came of it."""

    def __call__(self, *, small: bool, bound_s: float) -> Outcome:
        """Runs it, at most so long. Raises NotRun."""


@dataclass(frozen=True, slots=True)
class Row:
    """A promise."""

    number: int
    promise: str
    how: str  # in a few words, at full size
    proofs: tuple[Proof, ...]
    sources: tuple[str, ...] = ("packages/dtmf-io/src", "packages/dtmf-server/src")  # the code that the proofs exercise
    bound_minutes: float = 240  # so that a proof that hangs comes to an end: what a proof does is bounded by counts

    def run(self, *, small: bool) -> Outcome:
        """All its proofs, one after the other; a broken one does not keep the next from running."""
        return _joined(proof(small=small, bound_s=self.bound_minutes * 60) for proof in self.proofs)


@dataclass(frozen=True, slots=True)
class Together:
    """Proofs that are run at the same time, each a process of its own: a proof like any other."""

    proofs: tuple[Proof, ...]

    def __call__(self, *, small: bool, bound_s: float) -> Outcome:
        """Runs them; their figures in their order."""
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
    """A figure that has to be 0."""
    return Figure(what, value, value == 0)


def tried(what: str, value: int | float | str) -> Figure:
    """How much was tried."""
    return Figure(what, value)


Check = Callable[[int], bool]
