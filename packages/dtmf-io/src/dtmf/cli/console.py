"""A rich console for output that may be piped, or whose reader may have gone."""

from __future__ import annotations

from rich.console import Console


class Terminal(Console):
    """A console that doesn't interpret markup, and lets main() handle a closed pipe."""

    def __init__(self, file: object, *, width: int | None) -> None:
        super().__init__(
            file=file,  # type: ignore[arg-type]  # a text stream, or None, which means stdout for rich
            width=width,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
        )

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError; rich's default is to exit with 1."""
        raise BrokenPipeError
