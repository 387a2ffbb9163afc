"""A fault that the money tests must catch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """A text in a file below the source of dtmf_server, its replacement, and what that breaks."""

    file: str
    original: str
    replacement: str
    breaks: str
