"""rich's console, made for output that may be read, piped, or no longer wanted."""

from __future__ import annotations

from rich.console import Console


class Terminal(Console):
    """A console that takes no text for markup, and leaves a closed pipe to main()."""

    def __init__(self, file: object, *, width: int | None) -> None:
        super().__init__(
            file=file,  # type: ignore[arg-type]  # a text stream, or None, which rich takes for stdout
            width=width,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
        )

    def on_broken_pipe(self) -> None:
        """rich would exit by itself, with 1."""
        raise BrokenPipeError
