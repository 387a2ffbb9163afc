"""`dtmf mcp`: the tools for language models."""

from __future__ import annotations

from . import connect


def mcp() -> None:
    """Serve the tools for language models (MCP) on standard input and output, until it closes."""
    place = connect.find_place()
    from dtmf_mcp import stdio  # noqa: PLC0415  # takes longer to import than all other commands together

    stdio.run(place.token, place.url)
