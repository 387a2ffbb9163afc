"""Every HTTP status and connection failure of the node is explained plainly, with the setting to change."""

import asyncio
import json
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bitcoin.conftest import LookAt, Node
from bitcoin.fake_bitcoind import ShapedNode
from bitcoin.hardware_wallet import HardwareWallet
from dtmf_server import config
from dtmf_server.config import ConfigError
from dtmf_server.payments.bitcoin import json_rpc
from dtmf_server.payments.bitcoin.chain import ChainUnavailable
from dtmf_server.payments.bitcoin.json_rpc import NodeUnavailable, Rpc
from dtmf_server.runtime.context import Runtime
from scale.cluster import free_port
from support.certificates import authority, dns, issue
from support.operator import write_configuration

Answer = Callable[[BaseHTTPRequestHandler], tuple[int, bytes]]
ONE_ENGINE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@contextmanager
def answering(answer: Answer, context: ssl.SSLContext | None = None, *, protocol: str = "HTTP/1.0") -> Iterator[str]:
    """Serve this answer over HTTP; yield the URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = protocol

        def do_POST(self) -> None:
            status, body = answer(self)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Log nothing."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_arguments: object) -> None:
            """Log nothing."""

    server = Quiet(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def always(status: int, body: bytes) -> Answer:
    """Always return the same answer."""

    def answer(handler: BaseHTTPRequestHandler) -> tuple[int, bytes]:
        handler.rfile.read(int(handler.headers["Content-Length"]))
        return status, body

    return answer


STATUSES = {
    401: ("rpcauth", "HTTP 401"),
    403: ("rpcallowip", "HTTP 403"),
    404: ("bitcoin.rpc", "HTTP 404"),
    405: ("bitcoin.rpc", "HTTP 405"),
    407: ("bitcoin.rpc", "HTTP 407"),
    413: ("proxy", "HTTP 413"),
    429: ("poll_seconds", "HTTP 429"),
    500: ("debug.log", "HTTP 500"),
    502: ("node is running", "HTTP 502"),
    503: ("rpcworkqueue", "HTTP 503"),
    504: ("proxy", "HTTP 504"),
    302: ("bitcoin.rpc", "HTTP 302"),
    418: ("bitcoin.rpc", "HTTP 418"),
}
BODIES = [b"", b"Work queue depth exceeded", b"<html><h1>nginx</h1></html>", b'"text"', b"\xff\xfe"]


@ONE_ENGINE
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.regression("node-errors")
async def test_each_http_status_is_reported_with_the_setting_to_change(
    following: Runtime, look_at: LookAt, status: int
):
    for body in BODIES:
        with answering(always(status, body)) as url:
            trouble = await look_at(url.replace("//", "//user:s3cret@")) or ""
        for words in STATUSES[status]:
            assert words in trouble, (body, trouble)
        assert "JSON" not in trouble
        assert "s3cret" not in trouble


@ONE_ENGINE
@pytest.mark.regression("node-errors")
async def test_an_rpc_error_with_status_500_is_reported_with_the_nodes_message(following: Runtime, look_at: LookAt):
    refused = {"result": None, "error": {"code": -32601, "message": "Method not found"}, "id": 0}
    with answering(always(500, json.dumps(refused).encode())) as url:
        assert "Method not found" in (await look_at(url) or "")
        trouble = await look_at(url) or ""
        assert "does not answer like Bitcoin Core" not in trouble
    refused["error"] = {"code": -28, "message": "Loading block index"}
    with answering(always(500, json.dumps(refused).encode())) as url:
        assert "the node is starting: Loading block index" in (await look_at(url) or "")


@pytest.mark.regression("node-errors")
async def test_a_busy_node_is_retried(following: Runtime, shaped: ShapedNode, look_at: LookAt):
    """Two of three calls find the work queue full."""
    count = 0

    def sometimes(handler: BaseHTTPRequestHandler) -> tuple[int, bytes]:
        nonlocal count
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        count += 1
        if count % 3:
            return 503, b"Work queue depth exceeded"
        asked = json.loads(body)
        return 200, json.dumps([shaped._server.answer(one) for one in asked]).encode()

    with answering(sometimes) as url:
        assert await look_at(url) is None


@ONE_ENGINE
@pytest.mark.regression("node-errors")
async def test_a_node_that_is_down_is_reported_as_refusing_the_connection(following: Runtime, look_at: LookAt):
    trouble = await look_at(f"http://user:s3cret@127.0.0.1:{free_port()}") or ""
    assert "connection refused" in trouble
    assert "ssl" not in trouble
    assert "bitcoin.rpc" in trouble
    assert "s3cret" not in trouble


@ONE_ENGINE
@pytest.mark.regression("node-errors")
async def test_a_host_name_that_does_not_resolve_is_reported(following: Runtime, look_at: LookAt):
    trouble = await look_at("http://node.invalid:8332") or ""
    assert "host name 'node.invalid' cannot be resolved" in trouble
    assert "bitcoin.rpc" in trouble


@ONE_ENGINE
@pytest.mark.regression("node-errors")
async def test_https_to_a_port_without_tls_is_reported(following: Runtime, look_at: LookAt):
    with answering(always(200, b"[]")) as url:
        trouble = await look_at(url.replace("http:", "https:")) or ""
    assert "TLS" in trouble
    assert "http://" in trouble
    assert "_ssl.c" not in trouble


@ONE_ENGINE
@pytest.mark.regression("node-errors")
async def test_http_to_a_port_with_tls_is_reported(following: Runtime, look_at: LookAt, tmp_path: Path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issue(tmp_path, authority("tests", key=5), names=[dns("localhost")]))
    with answering(always(200, b"[]"), context) as url:
        trouble = await look_at(url) or ""
    assert "https://" in trouble, trouble


async def test_calls_reuse_one_connection():
    connections: set[object] = set()

    def answer(handler: BaseHTTPRequestHandler) -> tuple[int, bytes]:
        connections.add(handler.client_address)
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        return 200, json.dumps([{"id": one["id"], "result": 7, "error": None} for one in json.loads(body)]).encode()

    with answering(answer, protocol="HTTP/1.1") as url:
        async with Rpc(url) as rpc:
            assert [await rpc.call("getblockcount") for _ in range(5)] == [7] * 5
    assert len(connections) == 1


async def test_an_oversized_answer_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(json_rpc, "ANSWER_MAX_BYTES", 1_000)
    with answering(always(200, b"[" + b" " * 2_000_000 + b"]")) as url:
        async with Rpc(url) as rpc:
            with pytest.raises(NodeUnavailable, match=r"larger than 1,000 bytes"):
                await rpc.call("getblockcount")


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n["])
async def test_a_node_that_stops_answering_times_out(begun: bytes):
    hung_up = asyncio.Event()

    async def fall_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(begun)
        await reader.read()
        writer.close()
        await writer.wait_closed()
        hung_up.set()

    async with await asyncio.start_server(fall_silent, "127.0.0.1", 0) as server:
        async with Rpc(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as rpc:
            with pytest.raises(NodeUnavailable, match=r"no answer within 0.2 s"):
                await rpc.call("getblockcount", timeout_s=0.2)
        async with asyncio.timeout(10):
            await hung_up.wait()


async def test_an_untrusted_certificate_is_reported(tmp_path: Path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issue(tmp_path, authority("tests", key=5), names=[dns("localhost")]))
    with answering(always(200, b"[]"), context) as url:
        async with Rpc(url.replace("http://127.0.0.1", "https://localhost")) as rpc:
            with pytest.raises(NodeUnavailable, match=r"certificate of localhost is not trusted"):
                await rpc.call("getblockcount")


@ONE_ENGINE
@pytest.mark.regression("node-errors")
@pytest.mark.parametrize(
    "sent",
    [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"\xf9\xbe\xb4\xd9version", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n["],
)
async def test_a_port_that_does_not_speak_rpc_is_reported(following: Runtime, look_at: LookAt, sent: bytes):
    def serve(listener: socket.socket) -> None:
        with listener:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(sent)

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve, args=(listener,), daemon=True)
    thread.start()
    trouble = await look_at(f"http://127.0.0.1:{listener.getsockname()[1]}") or ""
    thread.join(10)
    assert "does not answer: " in trouble
    assert "bitcoin.rpc" in trouble or "may have stopped" in trouble, trouble
    for jargon in ("Expected HTTP", "ContentLength", "ServerDisconnected", "Bad status"):
        if jargon in trouble:
            assert "is not HTTP" in trouble, trouble


@pytest.mark.regression("node-errors")
async def test_the_cookie_file_is_read_again_when_the_node_replaces_it(
    following: Runtime, node: Node, wallet: HardwareWallet, tmp_path: Path
):
    write_configuration(
        tmp_path / "dtmf.toml", node.url.replace("user:pass@", ""), wallet.descriptor, mode="production"
    )
    cookie = tmp_path / ".cookie"
    given = {"DTMF_BITCOIN__RPC_COOKIE": str(cookie)}
    try:
        read = config.load(tmp_path / "dtmf.toml", given)
    except ConfigError as error:
        read = None
        assert "RPC_COOKIE" not in str(error), "there is no setting for the cookie file"
    assert read is not None
    asked: list[str] = []
    allowed = ["__cookie__:first"]

    def answer(handler: BaseHTTPRequestHandler) -> tuple[int, bytes]:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        asked.append(handler.headers.get("Authorization", ""))
        if asked[-1] != "Basic " + b64encode(allowed[-1].encode()).decode():
            return 401, b""
        return 200, json.dumps([{"id": one["id"], "result": 7, "error": None} for one in json.loads(body)]).encode()

    with ExitStack() as stack:
        url = stack.enter_context(answering(answer))
        async with Rpc(url, cookie) as rpc:
            with pytest.raises(ChainUnavailable, match=r"cookie file .* cannot be read .*rpc_cookie"):
                await rpc.call("getblockcount")
            cookie.write_text("__cookie__:first\n")
            assert await rpc.call("getblockcount") == 7
            allowed.append("__cookie__:second")
            with pytest.raises(ChainUnavailable, match="HTTP 401"):
                await rpc.call("getblockcount")
            cookie.write_text("__cookie__:second")
            assert [await rpc.call("getblockcount") for _ in range(3)] == [7, 7, 7]
            assert len(asked) == 1 + 1 + 2 + 2, "read again only after a refusal"
    await asyncio.sleep(0)


def test_a_cookie_and_a_password_are_mutually_exclusive(wallet: HardwareWallet, tmp_path: Path):
    write_configuration(tmp_path / "dtmf.toml", "http://user:pass@127.0.0.1:8332", wallet.descriptor, mode="production")
    with pytest.raises(ConfigError, match=r"needs bitcoin\.rpc without user and password"):
        config.load(tmp_path / "dtmf.toml", {"DTMF_BITCOIN__RPC_COOKIE": "/var/lib/bitcoind/.cookie"})
