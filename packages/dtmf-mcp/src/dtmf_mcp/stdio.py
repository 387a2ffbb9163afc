"""The server of `dtmf mcp`: one client on standard input and output, one JSON message a line."""

import asyncio

from mcp.server.stdio import stdio_server

from dtmf import AsyncDTMF

from .server import build


def run(token: str, base_url: str) -> None:
    """Serve with this account's token until standard input closes."""
    asyncio.run(_serve(token, base_url))


async def _serve(token: str, base_url: str) -> None:
    async with AsyncDTMF(token, base_url=base_url) as dtmf, stdio_server() as (reader, writer):
        server = build(dtmf)
        await server.run(reader, writer, server.create_initialization_options())
