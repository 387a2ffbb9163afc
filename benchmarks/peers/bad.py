"""Receivers that behave badly, each on its own port. `GET /` on --port lists the ports by behaviour.

The dead ones accept connections and never answer. The others answer each POST as `BEHAVIOURS` describes."""

import argparse
import asyncio
import contextlib
import gzip
import json
import resource
import socket

PAUSE_S = 1.0  # between the bytes of a drip
OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
BOMB = gzip.compress(bytes(50_000_000))
BOMB_HEAD = b"HTTP/1.1 500 Oops\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BOMB)
# The first bytes sent, the bytes sent repeatedly after them, and the pause between.
BEHAVIOURS = {
    "drips its head": (b"HTTP/1.1 200 OK\r\nX-Drip: ", b"y", PAUSE_S),
    "drips its body": (b"HTTP/1.1 500 Oops\r\nContent-Length: 99999999999\r\n\r\n", b"d", PAUSE_S),
    "floods with interim answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, 0.0),
    "floods with headers": (b"HTTP/1.1 200 OK\r\n", b"X-Header: y\r\n" * 1000, 0.0),
    "floods with a body": (OK_HEAD.replace(b"200 OK", b"500 Oops"), bytes(65_536), 0.0),
    "floods with chunks": (b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 1000, 0.0),
    "sends a bomb": (BOMB_HEAD + BOMB, b"", PAUSE_S),
    "redirects inward": (
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"",
        PAUSE_S,
    ),
    "resets": (b"", b"", -1.0),
}


async def behave(start, again, pause_s, reader, writer):
    """Answer each request like this, until the client disconnects."""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        writer.write(start)
        while pause_s >= 0 and not reader.at_eof():
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(pause_s)
    writer.transport.abort()


async def serve(port, dead, each):
    """Serve all of them, until killed."""
    own = socket.create_server(("127.0.0.1", port))  # first, or one of the many listeners might get this port
    silent = [socket.create_server(("127.0.0.1", 0), backlog=8) for _ in range(dead)]
    ports = {"never answers": [listener.getsockname()[1] for listener in silent]}
    servers = []
    for name, behaviour in BEHAVIOURS.items():
        for _ in range(each):

            async def accepted(reader, writer, behaviour=behaviour):
                await behave(*behaviour, reader, writer)

            server = await asyncio.start_server(accepted, "127.0.0.1", 0)
            servers.append(server)
            ports.setdefault(name, []).append(server.sockets[0].getsockname()[1])
    said = json.dumps(ports).encode()

    async def say(reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(said) + said)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(say, sock=own) as server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--dead", type=int, required=True)
    parser.add_argument("--each", type=int, required=True)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(serve(options.port, options.dead, options.each))
