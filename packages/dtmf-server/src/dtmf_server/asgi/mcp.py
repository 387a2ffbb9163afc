"""`/mcp`: the tools for language models, if the package dtmf-mcp is installed.

The package is imported at the first request, because importing it takes longer than starting the service
(docs/decisions/0021). The number of requests at a time is limited: a tool may wait for 50 s."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import msgspec

from dtmf_server.api import scopes, transactions
from dtmf_server.api.error_catalog import problem_type
from dtmf_server.core.errors import RateLimited, Refusal
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.runtime.context import Settings
from dtmf_server.runtime.logging import request_id

PATH = "/mcp"
AT_ONCE_MAX = 256  # requests per process
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class McpRoute:
    """Serves `/mcp`, and passes everything else to the application."""

    def __init__(self, app: Any, settings: Settings) -> None:
        self._app = app
        self._is_installed = find_spec("dtmf_mcp") is not None
        self._hosts, self._origins = _allowed(settings.public_url)
        self._running = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request."""
        if scope["type"] != "http" or scope["path"] != PATH or not self._is_installed:
            await self._app(scope, receive, send)
            return
        if scope["method"] != "POST":  # without sessions there is no stream to GET and no session to DELETE
            await _refuse(
                send, 405, "method_not_allowed", "Method not allowed", f"{PATH} only allows POST", {"allow": "POST"}
            )
            return
        if self._running >= AT_ONCE_MAX:
            await _refuse(
                send, 429, RateLimited.code, RateLimited.title, "too many MCP requests at once", {"retry-after": "1"}
            )
            return
        self._running += 1
        try:
            await self._serve(scope, receive, send)
        finally:
            self._running -= 1

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        from dtmf_mcp import http  # noqa: PLC0415  # see the module's docstring

        # Litestar caches what it parses in the state, which the requests of the tools must not share.
        copy: Any = {**scope, "state": dict(scope["state"])}
        request: Request = Request(copy)
        try:
            given = transactions.bearer(request, needs=scopes.ANY)  # each tool's own requests need more
            await transactions.read_autocommit_as(runtime_of(request), given, lambda _tx, _caller: None)
        except Refusal as error:
            headers = {"www-authenticate": "Bearer"}
            await _refuse(send, error.status, error.code, error.title, error.detail, headers)
            return
        scope["state"][transactions.CALLER] = True
        token = request.headers["authorization"].partition(" ")[2].strip()
        await http.serve(self._app, scope, receive, send, token=token, hosts=self._hosts, origins=self._origins)


def _allowed(public_url: str | None) -> tuple[Sequence[str], Sequence[str]]:
    """Return the hosts and the origins that requests may name: those of this machine and of the public URL. A page of another
    origin must not reach the tools through a browser, also not by rebinding its name."""
    hosts = [host + port for host in _LOOPBACK for port in ("", ":*")]
    origins = [f"http://{host}" for host in hosts]
    if public_url:
        parts = urlsplit(public_url)
        hosts.append(parts.netloc.lower())
        origins.append(f"{parts.scheme}://{parts.netloc.lower()}")
    return hosts, origins


async def _refuse(send: Any, status: int, code: str, title: str, detail: str, headers: Mapping[str, str]) -> None:
    body = msgspec.json.encode(
        {
            "type": problem_type(code),
            "title": title,
            "status": status,
            "detail": detail,
            "code": code,
            "request_id": request_id.get(),
        }
    )
    named = {"content-type": "application/problem+json", "content-length": str(len(body)), **headers}
    encoded = [(name.encode(), value.encode()) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
