"""A POST goes to a vetted address or nowhere, and over TLS that proves the name."""

import asyncio
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dtmf_server.core.webhook_url import Destination, parse
from dtmf_server.webhooks.client import Bounds, WebhookClient, _verifying_context
from support.certificates import Authority, address, authority, dns, issue
from support.webhook_receiver import OK, OK_AND_CLOSE, receiving_raw, refused_port
from support.webhook_urls import NOT_EVEN_IN_SANDBOX, REFUSED_AT_ADDRESS, SANDBOX_ONLY

NAME = "hooks.example.org"
BARE = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts no certificates: for posts that never reach TLS
LOOPBACK = address(bytes([127, 0, 0, 1]))


class Names:
    """A name server: returns each answer in turn, then repeats the last one; records its queries."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, name: str) -> list[str]:
        self.asked.append(name)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture(scope="module")
def known() -> Authority:
    return authority("Known authority", key=0xCA)


@pytest.fixture(scope="module")
def unknown() -> Authority:
    return authority("Unknown authority", key=0xBAD)


@pytest.fixture
def trusting(known):
    """A client's context that trusts only the known authority."""
    return ssl.create_default_context(cadata=known.pem)


def serving(certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def named(port: int, name: str = NAME) -> Destination:
    return parse(f"https://{name}:{port}/hook", sandbox=True)


def unparsed(url: str, host: str, port: int) -> Destination:
    """A destination that no parser has vetted."""
    return Destination(url, url.partition(":")[0], host, port, "/", None)


async def test_the_vetted_address_is_dialled_with_the_name_in_sni_and_host(tmp_path, known, trusting):
    names, tls = Names(["127.0.0.1"]), serving(issue(tmp_path, known, names=[dns(NAME)]))
    async with (
        receiving_raw(OK, tls=tls) as receiver,
        WebhookClient(sandbox=True, ssl_context=trusting, lookup=names) as poster,
    ):
        outcome = await poster.post(named(receiver.port), b"{}", {})
    assert (outcome.status, outcome.reply) == (200, "ok")
    assert receiver.server_names == [NAME]
    assert receiver.requests[0].headers["host"] == f"{NAME}:{receiver.port}"
    assert names.asked == [NAME]


async def test_an_address_in_the_url_is_verified_against_the_certificate(tmp_path, known, trusting):
    tls = serving(issue(tmp_path, known, names=[LOOPBACK]))
    async with receiving_raw(OK, tls=tls) as receiver, WebhookClient(sandbox=True, ssl_context=trusting) as poster:
        outcome = await poster.post(named(receiver.port, "127.0.0.1"), b"{}", {})
    assert outcome.status == 200
    assert receiver.server_names == [None]  # RFC 6066 §3: IP addresses are not sent in SNI


@pytest.mark.parametrize(
    ("host", "names", "days", "signer", "reason"),
    [
        (NAME, [dns("other.example.org")], 30, "known", f"the certificate is not for {NAME}"),
        (NAME, [LOOPBACK], 30, "known", f"the certificate is not for {NAME}"),
        ("127.0.0.1", [dns("127.0.0.1")], 30, "known", "the certificate is not for 127.0.0.1"),
        (NAME, [dns(NAME)], -1, "known", "the certificate has expired"),
        (NAME, [dns(NAME)], 30, "unknown", "the certificate is not signed by a known authority"),
    ],
)
async def test_a_bad_certificate_is_refused_and_named(
    *, tmp_path, known, unknown, trusting, host, names, days, signer, reason
):
    by = {"known": known, "unknown": unknown}[signer]
    tls = serving(issue(tmp_path, by, names=names, days=days))
    async with (
        receiving_raw(OK, tls=tls) as receiver,
        WebhookClient(sandbox=True, ssl_context=trusting, lookup=Names(["127.0.0.1"])) as poster,
    ):
        outcome = await poster.post(named(receiver.port, host), b"{}", {})
    assert (outcome.status, outcome.reason, receiver.requests) == (None, reason, [])


async def test_without_an_own_context_only_public_authorities_are_trusted(tmp_path, known):
    tls = serving(issue(tmp_path, known, names=[LOOPBACK]))
    async with receiving_raw(OK, tls=tls) as receiver, WebhookClient(sandbox=True) as poster:
        outcome = await poster.post(named(receiver.port, "127.0.0.1"), b"{}", {})
    assert (outcome.status, receiver.requests) == (None, [])
    assert outcome.reason == "the certificate is not signed by a known authority"


@pytest.mark.parametrize(
    ("least", "status", "reason"),
    [
        (None, None, "the TLS handshake with 127.0.0.1:{port} failed"),
        (ssl.TLSVersion.TLSv1_1, 200, "the receiver answered 200"),  # else the receiver would prove nothing
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_tls_before_1_2_is_refused(tmp_path, known, least, status, reason):
    tls = serving(issue(tmp_path, known, names=[dns(NAME)]))
    tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1
    ours = _verifying_context(ssl.get_default_verify_paths())
    ours.load_verify_locations(cadata=known.pem)
    for context in (tls, ours):
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # the version alone decides
    if least is not None:
        ours.minimum_version = least
    async with (
        receiving_raw(OK, tls=tls) as receiver,
        WebhookClient(sandbox=True, ssl_context=ours, lookup=Names(["127.0.0.1"])) as poster,
    ):
        outcome = await poster.post(named(receiver.port), b"{}", {})
    assert (outcome.status, outcome.reason) == (status, reason.format(port=receiver.port))
    assert len(receiver.requests) == (status is not None)


async def test_a_receiver_without_tls_gets_nothing(trusting):
    received = b""

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal received
        received += await reader.read(2000)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(accepted, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, WebhookClient(sandbox=True, ssl_context=trusting) as poster:
        outcome = await poster.post(named(port, "127.0.0.1"), b'"a secret"', {})
    assert (outcome.status, outcome.reason) == (None, f"the TLS handshake with 127.0.0.1:{port} failed")
    assert received.startswith(b"\x16\x03")
    assert b"secret" not in received


@pytest.mark.parametrize("bad", REFUSED_AT_ADDRESS[::2])
async def test_one_bad_address_among_good_ones_refuses_them_all(bad):
    if bad.startswith("127.") or bad == "::1":
        bad = "10.9.8.7"  # loopback is fit for the sandbox
    async with receiving_raw(OK) as canary:
        for addresses in (["127.0.0.1", bad], [bad, "127.0.0.1"], ["127.0.0.1", "8.8.8.8", bad]):
            async with WebhookClient(sandbox=True, ssl_context=BARE, lookup=Names(addresses)) as poster:
                outcome = await poster.post(named(canary.port), b"{}", {})
            assert outcome.status is None
            assert outcome.reason == f"{NAME} resolves to {bad}, which is not a public address"
    assert canary.connections == 0


async def test_an_address_of_our_own_is_refused():
    async with (
        receiving_raw(OK) as canary,
        WebhookClient(
            sandbox=True, lookup=Names(["127.0.0.1"]), is_own=lambda address: address == "127.0.0.1"
        ) as poster,
    ):
        by_name = await poster.post(named(canary.port), b"{}", {})
        by_address = await poster.post(named(canary.port, "127.0.0.1"), b"{}", {})
    assert by_name.reason == f"{NAME} resolves to 127.0.0.1, which is an address of this service itself"
    assert by_address.reason == "127.0.0.1 is an address of this service itself"
    assert canary.connections == 0


async def test_a_name_that_flips_between_lookups_is_dialled_only_where_it_was_vetted(tmp_path, known, trusting):
    names = Names(*[["127.0.0.1"], ["169.254.169.254"]] * 20)
    tls = serving(issue(tmp_path, known, names=[dns(NAME)]))
    async with (
        receiving_raw(OK_AND_CLOSE, tls=tls) as receiver,
        WebhookClient(sandbox=True, ssl_context=trusting, lookup=names) as poster,
    ):
        outcomes = [await poster.post(named(receiver.port), b"{}", {}) for _ in range(40)]
    assert [outcome.status for outcome in outcomes] == [200, None] * 20
    assert {outcome.reason for outcome in outcomes[1::2]} == {
        f"{NAME} resolves to 169.254.169.254, which is not a public address"
    }
    assert (receiver.connections, len(names.asked)) == (20, 40)


async def test_every_vetted_address_may_be_tried(tmp_path, known, trusting):
    tls = serving(issue(tmp_path, known, names=[dns(NAME)]))
    names = Names(["::1", "127.0.0.1"])  # the receiver listens on the last one only
    async with (
        receiving_raw(OK, tls=tls) as receiver,
        WebhookClient(sandbox=True, ssl_context=trusting, lookup=names) as poster,
    ):
        outcome = await poster.post(named(receiver.port), b"{}", {})
    assert (outcome.status, names.asked) == (200, [NAME])


async def test_localhost_is_loopback_and_never_looked_up():
    names = Names(["10.0.0.1"])
    async with receiving_raw(OK) as receiver, WebhookClient(sandbox=True, ssl_context=BARE, lookup=names) as poster:
        destination = parse(f"http://localhost:{receiver.port}/", sandbox=True)
        outcome = await poster.post(destination, b"{}", {})
    assert (outcome.status, names.asked) == (200, [])


@pytest.mark.parametrize("url", [*SANDBOX_ONLY, *NOT_EVEN_IN_SANDBOX, "https://10.0.0.1/", "https://[fe80::1]/"])
async def test_what_no_parser_has_vetted_is_vetted_before_it_is_dialled(url):
    names = Names(["127.0.0.1"])
    async with WebhookClient(sandbox=False, ssl_context=BARE, lookup=names) as poster:
        outcome = await poster.post(unparsed(url, "example.org", 443), b"{}", {})
    assert outcome.status is None
    assert names.asked == []
    assert not outcome.reason.startswith(("no answer", "no connection", "connection refused"))


@pytest.mark.parametrize("name", ["127.0.0.1.nip.io", "localtest.me"])
async def test_outside_the_sandbox_no_name_leads_to_loopback(name):
    async with (
        receiving_raw(OK) as canary,
        WebhookClient(sandbox=False, ssl_context=BARE, lookup=Names(["127.0.0.1"])) as poster,
    ):
        outcome = await poster.post(named(canary.port, name), b"{}", {})
    assert outcome.reason == f"{name} resolves to 127.0.0.1, which is not a public address"
    assert canary.connections == 0


async def test_a_refused_name_says_which_address_refused():
    port = refused_port()
    async with WebhookClient(sandbox=True, ssl_context=BARE, lookup=Names(["127.0.0.1"] * 2)) as poster:
        outcome = await poster.post(named(port), b"{}", {})
    assert (outcome.status, outcome.reason) == (None, f"connection refused by 127.0.0.1:{port}")


async def test_the_deadline_holds_while_a_lookup_hangs():
    done = threading.Event()

    def hang(name: str) -> list[str]:
        done.wait()
        return ["127.0.0.1"]

    async with WebhookClient(sandbox=True, ssl_context=BARE, lookup=hang, bounds=Bounds(deadline_s=0.1)) as poster:
        outcome = await poster.post(named(8443), b"{}", {})
    done.set()
    assert (outcome.status, outcome.reason) == (None, "no answer within 0.1 s")


async def test_the_default_executor_is_never_used(tmp_path, known, trusting):
    executor = ThreadPoolExecutor()
    executor.shutdown()  # submitting to it now raises an exception
    asyncio.get_running_loop().set_default_executor(executor)
    tls = serving(issue(tmp_path, known, names=[dns(NAME)]))
    async with (
        receiving_raw(OK, tls=tls) as receiver,
        WebhookClient(sandbox=True, ssl_context=trusting, lookup=Names(["127.0.0.1"])) as poster,
    ):
        assert (await poster.post(named(receiver.port), b"{}", {})).status == 200
