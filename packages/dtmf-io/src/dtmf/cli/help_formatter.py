"""The format of `dtmf COMMAND --help`: the same plain columns as `dtmf --help`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import output

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions


class PlainHelpFormatter:
    """Formats help for cyclopts: bold headings, names on the left, descriptions on the right, no boxes."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Print a panel: the arguments or the subcommands."""
        entries = [(_names(entry), _sentence(entry)) for entry in panel.entries]
        if not entries:
            return
        output.line((str(panel.title), "bold"))
        width = max(len(names) for names, _ in entries) + 3
        for names, sentence in entries:
            output.definition(f"  {names:<{width}}", sentence)
        output.blank()

    def render_usage(self, _console: Console, _options: ConsoleOptions, usage: Any) -> None:
        """Print the usage line."""
        if usage:
            output.line(f"  {str(usage).removeprefix('Usage: ').strip()}")
            output.blank()

    def render_description(self, _console: Console, _options: ConsoleOptions, description: Any) -> None:
        """Print the description of the command."""
        text = _plain(description)
        if text:
            output.paragraphs(text, indent=0)
            output.blank()


def _names(entry: HelpEntry) -> str:
    return " ".join(entry.display_labels_with_metavar or entry.display_labels)


def _sentence(entry: HelpEntry) -> str:
    return " ".join(filter(None, [_plain(entry.description), ", ".join(map(str, entry.choices or []))]))


def _plain(renderable: Any) -> str:
    """Return the text of a description, which is a str or a rich renderable."""
    if renderable is None or isinstance(renderable, str):
        return (renderable or "").strip()
    wide = output.console().options.update(width=10_000)
    return "".join(segment.text for segment in output.console().render(renderable, wide)).strip()
