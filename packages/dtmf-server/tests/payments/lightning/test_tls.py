"""A node's own certificate: only the one that is configured is accepted, under any name."""

import ssl
from pathlib import Path

import pytest

from dtmf_server.core.errors import CannotStart
from dtmf_server.payments.lightning.base import NodeUnavailable
from dtmf_server.payments.lightning.node_api import NodeApi
from dtmf_server.payments.lightning.node_settings import read_certificate
from support.certificates import authority, dns, issue
from support.lightning.http_server import Answer, HttpServer


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """A server with a certificate for another name than the one that is used, as nodes often have."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(issue(tmp_path, authority("node", key=7), names=[dns("elsewhere.example")]))
    return context


def node_of(server: HttpServer, certificate: str | None) -> NodeApi:
    """Return a client with this certificate."""
    return NodeApi(server.url, headers={"Grpc-Metadata-macaroon": "ab"}, certificate=certificate)


async def test_the_configured_certificate_is_accepted(tls: ssl.SSLContext) -> None:
    with HttpServer(lambda _received: Answer.json({}), tls=tls) as server:
        api = node_of(server, authority("node", key=7).pem)
        assert (await api.get("/v1/getinfo")).json() == {}
        await api.aclose()


@pytest.mark.parametrize("certificate", [authority("node", key=8).pem, None])
async def test_another_certificate_is_refused_before_the_macaroon_is_sent(
    tls: ssl.SSLContext, certificate: str | None
) -> None:
    with HttpServer(lambda _received: Answer.json({}), tls=tls) as server:
        api = node_of(server, certificate)
        with pytest.raises(NodeUnavailable, match=r"certificate verify failed.*check lightning\.url"):
            await api.get("/v1/getinfo")
        await api.aclose()
    assert server.received == []


def test_a_certificate_is_read_from_its_path(tmp_path: Path) -> None:
    pem = authority("node", key=7).pem
    (tmp_path / "tls.cert").write_text(pem)
    assert read_certificate(str(tmp_path / "tls.cert")) == pem
    assert read_certificate(None) is None


@pytest.mark.parametrize(("content", "cause"), [(None, "No such file"), (b"\xff\x00", "not PEM"), (b"x", "not a PEM")])
def test_a_certificate_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None, cause: str) -> None:
    path = tmp_path / "tls.cert"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CannotStart, match=f"lightning.certificate .*{cause}"):
        read_certificate(str(path))
