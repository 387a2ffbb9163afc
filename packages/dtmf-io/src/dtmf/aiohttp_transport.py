"""HTTP/1.1 requests with aiohttp, for AsyncDTMF where aiohttp is installed (the extra `aiohttp`): half the time of a call."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from .errors import DTMFError
from .http_transport import CONNECTIONS_MAX, KEEPALIVE_S, Failures, check_size, translated
from .transport import Reply

if TYPE_CHECKING:
    import ssl

    from .proxies import Route
    from .transport import Request

_FAILURES = Failures(
    timeout=asyncio.TimeoutError,
    never_sent=(aiohttp.ClientConnectorError, aiohttp.InvalidURL),
    transient=(aiohttp.ClientError, OSError),
)
_AUTOMATIC = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")  # headers that aiohttp would add


class AiohttpTransport:
    """AsyncHttpTransport over aiohttp, without support for proxies. Create it in a running event loop."""

    def __init__(self, route: Route | None, tls: ssl.SSLContext | None) -> None:
        self._route = route
        self.via = route.via if route else ""
        connector = _Connector(ssl=tls or True, limit=CONNECTIONS_MAX, keepalive_timeout=KEEPALIVE_S)
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_AUTOMATIC,
            timeout=aiohttp.ClientTimeout(),
            auto_decompress=False,
        )
        # One attempt per send(), as a transport promises: the caller counts and spaces them. aiohttp has no public option.
        self._session._retry_connection = False

    async def send(self, request: Request) -> Reply:
        """Send the request and return the complete reply. Raises ConnectionFailedError, or ServerError if the body
        is too long."""
        url = URL(request.url, encoded=True)
        data = None if request.method == "GET" else request.body
        try:
            async with self._session.request(
                request.method, url, headers=request.headers, data=data, allow_redirects=False
            ) as response:
                body = bytearray()
                while part := await response.content.readany():
                    body += part
                    check_size(body)
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Reply(response.status, headers, bytes(body))
        except DTMFError:
            raise
        except Exception as failure:  # translates every error of aiohttp, ssl and the resolver
            raise translated(failure, request, self._route, _FAILURES) from failure

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    def __del__(self) -> None:
        self._session.detach()  # so that the session does not warn; the connector closes the connections


class _Connector(aiohttp.TCPConnector):
    """Closes its connections when it is collected, without aiohttp's warning: a client need not be closed."""

    def __del__(self, _warnings: object = None) -> None:
        with suppress(RuntimeError):  # the event loop is closed
            self._close()
