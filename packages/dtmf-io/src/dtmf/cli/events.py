"""`dtmf events`: stream the events of the account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from . import connect, output
from .formatting import format_int, format_second
from .message_view import show_text
from .options import Json

if TYPE_CHECKING:
    from ..types import Event

_DETAILS = ("status", "reason", "amount", "confirmations", "destination", "balance", "runs_out_at")


def events(
    *,
    after: Annotated[int, Parameter(help="Start after this id (default: 0, the beginning).", metavar="ID")] = 0,
    json: Json = False,
) -> None:
    """Stream the events of your account until Ctrl-C. With --json one object per line."""
    with connect.client() as dtmf:
        found = dtmf.events(after)
        if json:
            output.json_lines(found)
        for event in found:
            _show(event)


def _show(event: Event) -> None:
    output.line(
        (f"{format_second(event['timestamp'])}  ", "dim"),
        (event["kind"], "bold"),
        "".join(f"  {each}" for each in [event["e164"], *_about(event)] if each),
        (f"  #{event['id']}", "dim"),
    )
    if "message" in event:
        show_text(event["message"]["content"])


def _about(event: Event) -> list[str]:
    fields: dict[str, object] = {**event}
    found = [(name.replace("_", " "), fields[name]) for name in _DETAILS if name in fields]
    return [f"{name} {format_int(value) if isinstance(value, int) else value}" for name, value in found]
