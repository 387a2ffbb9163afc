"""`/mcp` as HTTP: authentication, Origin and Host, sizes, disconnects, and the number of requests at once."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from dtmf import DTMF
from dtmf_mcp.http import BODY_MAX_BYTES
from dtmf_server.asgi import mcp
from harness import new_token

from .conftest import over_http

HEADERS = {
    "Authorization": f"Bearer {new_token()}",
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2025-06-18",
}
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


@pytest.fixture
def http(address: str) -> Iterator[httpx2.Client]:
    """A client with the account's token and the headers of the protocol."""
    with httpx2.Client(base_url=address, headers=HEADERS, timeout=60) as client:
        yield client


def calling(name: str, **arguments: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name, "arguments": arguments}}


def test_a_request_without_a_valid_token_is_refused_with_401(http: httpx2.Client) -> None:
    for value in ("", "Basic abc", "Bearer nonsense", f"Bearer {new_token(9)}"):
        found = http.post("/mcp", json=PING, headers={"Authorization": value})
        assert (found.status_code, found.headers["www-authenticate"]) == (401, "Bearer")
        assert found.json()["code"] == "unauthenticated"
        assert found.json()["request_id"] == found.headers["x-request-id"]
    assert http.post("/mcp", json=PING).json() == {"jsonrpc": "2.0", "id": 1, "result": {}}


@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
def test_a_foreign_origin_or_host_is_refused(version: str, http: httpx2.Client) -> None:
    http.headers["MCP-Protocol-Version"] = version
    for name, value, status in (
        ("Origin", "https://evil.example", 403),
        ("Origin", "null", 403),
        ("Host", "evil.example", 421),
        ("Host", "127.0.0.1.evil.example:8000", 421),
    ):
        assert http.post("/mcp", json=PING, headers={name: value}).status_code == status


def test_the_origin_of_the_public_url_is_allowed() -> None:
    hosts, origins = mcp._allowed("https://numbers.example.org/dtmf")
    assert "numbers.example.org" in hosts
    assert "https://numbers.example.org" in origins


def test_only_post_is_allowed(http: httpx2.Client) -> None:
    for method in ("GET", "DELETE", "PUT", "HEAD"):
        found = http.request(method, "/mcp")
        assert (found.status_code, found.headers["allow"]) == (405, "POST")


def test_a_large_or_malformed_message_is_refused(http: httpx2.Client) -> None:
    large = json.dumps(calling("send", text="x" * BODY_MAX_BYTES))
    assert http.post("/mcp", content=large, headers={"Content-Type": "application/json"}).status_code == 413

    def parts() -> Iterator[bytes]:
        yield large.encode()

    assert http.post("/mcp", content=parts(), headers={"Content-Type": "application/json"}).status_code == 413
    for body in (b"{", b"[]", b"\xff", b'{"jsonrpc": "2.0"}', b"[" * 5_000):
        assert http.post("/mcp", content=body, headers={"Content-Type": "application/json"}).status_code == 400
    assert http.post("/mcp", content=json.dumps(PING), headers={"Content-Type": "text/plain"}).status_code == 400
    assert http.post("/mcp", json=PING).status_code == 200


async def test_a_client_that_disconnects_ends_its_call(
    address: str, renter: DTMF, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp, "AT_ONCE_MAX", 1)
    number = renter.start_rental("us-mobile")["e164"]
    async with httpx2.AsyncClient(base_url=address, headers=HEADERS, timeout=60) as http:
        for _ in range(3):
            wait = asyncio.create_task(http.post("/mcp", json=calling("wait_for_code", number=number, timeout_s=50)))
            await answered(http, busy=True)
            wait.cancel()
            await answered(http, busy=False)


async def answered(http: httpx2.AsyncClient, *, busy: bool) -> None:
    """Return once the only place is taken or free, as the status shows."""
    found = await http.post("/mcp", json=PING)
    while (found.status_code == 429) is not busy:
        found = await http.post("/mcp", json=PING)
    if busy:
        assert (found.json()["code"], found.headers["retry-after"]) == ("rate_limited", "1")


async def test_many_clients_at_once_get_their_own_codes(address: str, renter: DTMF) -> None:
    number = renter.start_rental("us-mobile")["e164"]

    async def client(index: int) -> str:
        async with over_http(address, new_token()) as connected:
            found = await connected.call_tool("wait_for_code", {"number": number})
            return str(found.structured_content["code"])

    waits = asyncio.gather(*(client(index) for index in range(20)))
    await asyncio.to_thread(renter.sandbox.receive, number, "BANK", "Your code is 428613")
    assert await waits == ["428613"] * 20


def test_the_service_does_not_import_the_package_before_the_first_request() -> None:
    import subprocess
    import sys

    program = "import sys; from dtmf_server.asgi import app; print('mcp' in sys.modules, 'dtmf_mcp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
