"""A service on SQLite with one account, and the official MCP client connected to it over stdio or over HTTP."""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

import dtmf
import dtmf_mcp
from dtmf import DTMF
from dtmf_server.storage.open import open_database
from harness import give_coins, initialise, new_token, open_account, runtime_over, serving

SOURCES = [str(Path(package.__file__ or "").parents[1]) for package in (dtmf, dtmf_mcp)]


@pytest.fixture
def address(tmp_path: Path, migrated_sqlite: Path) -> Iterator[str]:
    """The URL of a sandbox with an account of 100,000 sats."""
    path = tmp_path / "dtmf.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    with closing(open_database(f"sqlite:///{path}")) as db:
        initialise(db)
        give_coins(db, open_account(db), 100_000)
        with serving(runtime_over(db)) as url:
            yield url


@pytest.fixture
def renter(address: str) -> Iterator[DTMF]:
    """The account's own client."""
    with DTMF(new_token(), base_url=address) as client:
        yield client


def over_stdio(address: str, token: str, **options: Any) -> Client:
    """Connect to `dtmf mcp`."""
    env = {**os.environ, "DTMF_TOKEN": token, "DTMF_URL": address, "PYTHONPATH": os.pathsep.join(SOURCES)}
    return Client(StdioServerParameters(command=sys.executable, args=["-m", "dtmf", "mcp"], env=env), **options)


@asynccontextmanager
async def over_http(address: str, token: str, **options: Any) -> AsyncIterator[Client]:
    """Connect to `/mcp`."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(f"{address}/mcp", http_client=http), **options) as client,
    ):
        yield client


def connected(how: str, address: str, token: str) -> AbstractAsyncContextManager[Client]:
    """Connect over `how`: stdio, http, or http of the protocol versions with a handshake."""
    if how == "stdio":
        return over_stdio(address, token)
    return over_http(address, token, mode="legacy" if how == "http-handshake" else "auto")
