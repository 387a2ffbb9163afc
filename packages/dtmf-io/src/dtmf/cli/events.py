"""`dtmf events`: what happens in the account, as it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from . import connect, output
from .formatting import format_int, format_second
from .message_view import show_text
from .options import Json

if TYPE_CHECKING:
    from ..types import Event

_TOLD: tuple[Literal["status", "reason", "amount", "confirmations", "destination", "balance", "runs_out_at"], ...] = (
    *("status", "reason", "amount", "confirmations"),
    *("destination", "balance", "runs_out_at"),
)


def events(
    *,
    after: Annotated[int, Parameter(help="Everything after this id; 0 is the beginning.", metavar="ID")] = 0,
    json: Json = False,
) -> None:
    """What happens to your account, as it happens, until Ctrl-C. With --json one object a line."""
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
    found = [(name.replace("_", " "), event[name]) for name in _TOLD if name in event]
    return [f"{name} {format_int(value) if isinstance(value, int) else value}" for name, value in found]
