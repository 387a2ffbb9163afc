"""AsyncDTMF over one engine: `engines.py NAME PORT`. Sketches for measuring only: no pool, no TLS, no limits."""

import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from sdk import TOKEN, closing, take_turns_async

from dtmf import AsyncDTMF
from dtmf.transport import Reply


def httpx2(port):
    import httpx2

    client = httpx2.AsyncClient()

    async def send(request):
        response = await client.request(
            request.method, request.url, headers=request.headers, content=request.body or None
        )
        return Reply(response.status_code, response.headers, response.content)

    return send


def httpx2_transport(port):
    import httpx2

    transport = httpx2.AsyncHTTPTransport()

    async def send(request):
        outgoing = httpx2.Request(request.method, request.url, headers=request.headers, content=request.body or None)
        response = await transport.handle_async_request(outgoing)
        return Reply(response.status_code, response.headers, await response.aread())

    return send


def pyreqwest(port):
    from pyreqwest.client import ClientBuilder

    client = ClientBuilder().build()

    async def send(request):
        response = await client.request(request.method, request.url).headers(dict(request.headers)).build().send()
        return Reply(response.status, dict(response.headers), bytes(await response.bytes()))

    return send


def aiohttp(port):
    import aiohttp

    session = aiohttp.ClientSession()
    closing.append(session.close)

    async def send(request):
        async with session.request(
            request.method, request.url, headers=request.headers, data=request.body or None
        ) as response:
            return Reply(response.status, response.headers, await response.read())

    return send


def _head(request):
    lines = [f"{request.method} {request.path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + request.body


def _parsed(head):
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines if line)
    return int(status.split(" ", 2)[1]), {name.lower(): value for name, value in headers.items()}


def streams(port):
    """asyncio streams, with hand-written HTTP/1.1."""
    connection = []

    async def send(request):
        if not connection:
            connection.extend(await asyncio.open_connection("127.0.0.1", port))
        reader, writer = connection
        writer.write(_head(request))
        status, headers = _parsed(await reader.readuntil(b"\r\n\r\n"))
        return Reply(status, headers, await reader.readexactly(int(headers["content-length"])))

    return send


class _Connection(asyncio.Protocol):
    def __init__(self):
        self.got, self.answer, self.head = b"", None, None

    def data_received(self, data):
        self.got += data
        if self.head is None and b"\r\n\r\n" in self.got:
            head, _, self.got = self.got.partition(b"\r\n\r\n")
            self.head = _parsed(head)
        if self.head is not None and len(self.got) >= int(self.head[1]["content-length"]):
            self.answer.set_result(Reply(*self.head, self.got))
            self.got, self.head = b"", None


def protocol(port):
    """asyncio protocols, with hand-written HTTP/1.1."""
    connection = []

    async def send(request):
        loop = asyncio.get_running_loop()
        if not connection:
            connection.extend(await loop.create_connection(_Connection, "127.0.0.1", port))
        transport, receiver = connection
        receiver.answer = loop.create_future()
        transport.write(_head(request))
        return await receiver.answer

    return send


class Engine:
    """A transport for AsyncDTMF."""

    def __init__(self, send):
        self.send = send


async def make(name, port):
    send = None if name == "ours" else globals()[name.replace("-", "_")](port)
    client = AsyncDTMF(TOKEN, base_url=f"http://127.0.0.1:{port}", transport=send and Engine(send))

    async def call():
        return (await client.account())["balance"]

    return call


if __name__ == "__main__":
    name, port = sys.argv[1], int(sys.argv[2])
    asyncio.run(take_turns_async(lambda _: make(name, port), port))
