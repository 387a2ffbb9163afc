"""The questions of `dtmf-server init`. Every answer can be given by an option instead."""

import getpass
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dtmf_server.cli.output import print_line
from dtmf_server.core.errors import CannotStart

ATTEMPTS_MAX = 5
SECRET_MAX = 10_000
Check = Callable[[str], str]  # returns what is wrong with an answer; empty if nothing is


@dataclass(frozen=True, slots=True)
class Question:
    """A question. `option`: the one that answers it; `setting`: the key of the carrier's table, if it is one."""

    option: str
    text: str
    setting: str = ""
    default: str = ""
    is_secret: bool = False

    @property
    def destination(self) -> str:
        """Return the attribute of the option in the parsed arguments."""
        return self.option.removeprefix("--").replace("-", "_")


def accept(_: str) -> str:
    """Accept every answer."""
    return ""


class Prompts:
    """Asks on the terminal; without one, every answer must come from an option or a default."""

    def __init__(self) -> None:
        self.is_terminal = sys.stdin is not None and sys.stdin.isatty()

    def answer(self, question: Question, given: str | None, check: Check = accept) -> str:
        """Return the answer: the option's, or else what the operator types. Raises CannotStart."""
        if given is not None:
            answer = read_secret(given) if question.is_secret else given.strip()
            if wrong := check(answer):
                raise CannotStart(f"{question.option}: {wrong}")
            return answer
        if not self.is_terminal:
            if question.default:
                return question.default
            raise CannotStart(f"there is no terminal to ask on: add {question.option} ({question.text})")
        for _ in range(ATTEMPTS_MAX):
            answer = _typed(question)
            if not (wrong := check(answer)):
                return answer
            print_line(f"  {wrong}")
        raise CannotStart(f"no valid answer after {ATTEMPTS_MAX} attempts: {question.text}")

    def choice(self, question: Question, given: str | None, choices: Sequence[tuple[str, str]]) -> str:
        """Return one of the choices, by its name or its number in the list."""
        names = [name for name, _ in choices]
        numbered = {str(at): name for at, name in enumerate(names, 1)}
        if given is None and self.is_terminal:
            for at, (name, text) in enumerate(choices, 1):
                print_line(f"  {at}  {name:8} {text}")
        wrong = f"choose one of {', '.join(names)}"
        answer = self.answer(question, given, lambda text: "" if text in names or text in numbered else wrong)
        return numbered.get(answer, answer)


def _typed(question: Question) -> str:
    shown = f"{question.text} [{question.default}]: " if question.default else f"{question.text}: ".replace("?:", "?")
    try:
        answer = getpass.getpass(shown) if question.is_secret else input(shown)
    except EOFError:
        raise CannotStart("the input ended before the last question: nothing was written") from None
    return answer.strip() or question.default


def read_secret(source: str) -> str:
    """Return the first line of a file, or of stdin for "-". Raises CannotStart."""
    if source == "-":
        return sys.stdin.readline(SECRET_MAX).strip()
    try:
        with Path(source).open(encoding="utf-8") as file:
            return file.readline(SECRET_MAX).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise CannotStart(f"can't read {source}: {reason}") from None
