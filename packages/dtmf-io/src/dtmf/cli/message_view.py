"""Printing of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import output
from .formatting import format_second

if TYPE_CHECKING:
    from collections.abc import Iterable


def show_messages(found: Iterable[Any], *, nothing: str, number: str | None = None) -> None:
    """Print messages as a conversation: sender, recipient and time, with the text below. `number`: the rented number
    of messages that don't include it."""
    is_first = True
    for message in found:
        if not is_first:
            output.blank()
        is_first = False
        show_message(message, number)
    if is_first:
        output.line((nothing, "dim"))


def show_message(message: Any, number: str | None = None) -> None:
    """Print one message. Received messages are highlighted."""
    is_received = message.get("inbound", message["to"] == number)
    who = f"{message['from']} → {message['to']}"
    details = [format_second(message["timestamp"]), _fate(message), f"#{message['id']}" if "id" in message else ""]
    output.line((who, "bold" if is_received else ""), ("  " + "  ".join(filter(None, details)), "dim"))
    show_text(message["content"])
    if message.get("reason"):
        output.line(("  Reason: ", "dim"), message["reason"])


def show_text(content: str | None) -> None:
    """Print the text of a message, or that it is empty or erased."""
    output.paragraphs("(erased)" if content is None else content or "(empty)", indent=2)


def _fate(message: Any) -> str:
    if message.get("status") not in {None, "received"}:
        return str(message["status"])
    return {None: "in transit", False: "refused"}.get(message["success"], "")
