"""With any environment, a call works or raises a DTMFError that names the variable at fault."""

from __future__ import annotations

import random
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dtmf import DTMF, AsyncDTMF, AuthenticationError, ConnectionFailedError, DTMFError
from param_ids import shown
from support.paths import LOOPBACK_CERTIFICATE

from .conftest import TOKEN, FakeTime
from .stub import Stub, cut, raw, reply

ELSEWHERE = "http://numbers.invalid"
VARIABLES = (
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "REQUEST_METHOD", "DTMF_URL", "DTMF_TOKEN"),
)
NOT_A_PROXY = (
    *("ftp://x", "socks4://x:1080", "http://h:notaport", "h:notaport", "http://h:99999", "http://h:0", "http://h:"),
    *("http://", "http://:3128", "://", "://h", ":3128", "http://[::1", "http://[fe80::1%25eth0", "http://::1:3128"),
    *("http://a b:1", "http://h\n:1", "http://h:1\x7f", "http://ex\u2100mple:1", "http://пр:1"),
    *("http://" + "a" * 64 + ":1", "http://a..b:1", "http://[v1.x]:1", "http://%00:1", "http://\udcff:1", "\udcff"),
    *("http://us er:p@h:1", "http://[::1]x:1", "x://y@z", "http://[fe80::1%25]:notaport"),
)

PIECES = (
    *(
        "http",
        "https",
        "socks5",
        "ftp",
        ":",
        "//",
        "://",
        "@",
        "[",
        "]",
        "%",
        "%25",
        "%00",
        " ",
        "\t",
        "\n",
        "é",
        "\udcff",
    ),
    *("/", "?", "#", ",", "*", ".", "a" * 64, "::1", "x", "0", "99999", "-1", "\\", "²", "\x01"),
)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port that is bound but doesn't listen, so that every connection is refused."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield closed.getsockname()[1]


def outcome(connect: Any, **named: Any) -> Any:
    """Return the result or the exception of a new client's first call."""
    try:
        return connect(**named).account()
    except Exception as error:
        return error


def is_named(error: Any, variable: str) -> bool:
    """Return whether the result is a DTMFError that names the variable."""
    return isinstance(error, DTMFError) and f"environment variable {variable}" in str(error)


@pytest.mark.regression("environment-is-named")
@pytest.mark.parametrize(
    ("variable", "base_url"),
    [
        ("http_proxy", ELSEWHERE),
        ("HTTP_PROXY", ELSEWHERE),
        ("https_proxy", "https://numbers.invalid"),
        ("HTTPS_PROXY", "https://numbers.invalid"),
        ("ALL_PROXY", ELSEWHERE),
    ],
)
def test_the_error_for_an_invalid_proxy_names_its_variable(
    *, connect: Any, monkeypatch: pytest.MonkeyPatch, fake_time: FakeTime, variable: str, base_url: str
) -> None:
    for value in NOT_A_PROXY:
        monkeypatch.setenv(variable, value)
        error = outcome(connect, base_url=base_url)
        assert is_named(error, variable), (value, error)
        assert not isinstance(error, ValueError)
        assert error.permanent, (value, error)
        assert error.__cause__ is not None
    assert fake_time.pauses_s == []


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_a_socks_proxy_without_its_package_says_what_to_install(
    connect: Any, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"{scheme}://me:secret@proxy.invalid:1080")
    error = outcome(connect, base_url=ELSEWHERE)
    assert is_named(error, "HTTP_PROXY")
    assert "pip install socksio" in str(error)
    assert "secret" not in str(error)


def test_proxy_credentials_appear_in_no_message(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("http://me:secret@h:x", "http://me:secret@[::1", "me:secret@:1", "ftp://me:s/ecret@h", "me:secret@"):
        monkeypatch.setenv("HTTP_PROXY", value)
        error = outcome(connect, base_url=ELSEWHERE)
        assert is_named(error, "HTTP_PROXY")
        assert "ecret" not in str(error)


@pytest.mark.parametrize(
    ("credentials", "sent"),
    [
        ("me:p%40ss", "Basic bWU6cEBzcw=="),
        ("m\u00e9:p", "Basic bcOpOnA="),  # UTF-8
        ("me:\udcff", "Basic bWU6/w=="),  # a byte that isn't UTF-8, as represented in the environment
        ("me", "Basic bWU6"),
    ],
)
def test_proxy_credentials_may_be_any_bytes(
    *, connect: Any, stub: Stub, monkeypatch: pytest.MonkeyPatch, credentials: str, sent: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", stub.url.replace("//", f"//{credentials}@"))
    stub.answers({"balance": 1})
    assert outcome(connect, base_url=ELSEWHERE) == {"balance": 1}
    assert stub.received[0].headers["proxy-authorization"] == sent


@pytest.mark.regression("environment-is-named")
def test_the_error_for_an_unreachable_proxy_names_it(
    connect: Any, unused_port: int, monkeypatch: pytest.MonkeyPatch, fake_time: FakeTime
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{unused_port}")
    error = outcome(connect, base_url="https://numbers.invalid")
    assert is_named(error, "HTTPS_PROXY"), error
    assert "refused" in str(error)


@pytest.mark.regression("environment-is-named")
@pytest.mark.parametrize(
    ("answer", "permanent"),
    [
        (reply(407), True),
        (reply(403, b"<html>", Content_Type="text/html"), True),
        (reply(502), False),
        (reply(504), False),
        (cut, False),
        (raw(b"SSH-2.0-OpenSSH\r\n"), False),
    ],
    ids=["407", "403", "502", "504", "hang-up", "ssh"],
)
@pytest.mark.parametrize("base_url", [ELSEWHERE, "https://numbers.invalid"], ids=["forward", "tunnel"])
def test_the_error_for_a_broken_proxy_names_it(
    *, connect: Any, stub: Stub, monkeypatch: pytest.MonkeyPatch, base_url: str, answer: Any, permanent: bool
) -> None:
    monkeypatch.setenv("ALL_PROXY", stub.url)
    stub.then(answer)
    error = outcome(connect, base_url=base_url, max_retries=0)
    assert is_named(error, "ALL_PROXY"), error
    assert isinstance(error, ConnectionFailedError)
    assert error.permanent == permanent


def test_an_error_page_of_a_proxy_is_not_the_services_response(
    connect: Any, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", stub.url)
    stub.then(reply(200, b"<html>sign in to the hotel</html>", Content_Type="text/html"))
    assert is_named(outcome(connect, base_url=ELSEWHERE, max_retries=0), "HTTP_PROXY")


def test_an_error_response_through_a_proxy_is_the_services(
    connect: Any, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", stub.url)
    stub.then(reply(401, b'{"code": "unauthenticated"}', Content_Type="application/problem+json"))
    assert isinstance(outcome(connect, base_url=ELSEWHERE), AuthenticationError)


def test_the_error_for_an_unresponsive_proxy_names_it(
    connect: Any, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", stub.url)
    stub.then(stub.hang)
    assert is_named(outcome(connect, base_url=ELSEWHERE, timeout=0.2), "HTTP_PROXY")


def test_the_error_for_a_host_in_no_proxy_names_the_variable(
    connect: Any, monkeypatch: pytest.MonkeyPatch, fake_time: FakeTime
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:3128")
    monkeypatch.setenv("NO_PROXY", "numbers.invalid")
    assert is_named(outcome(connect, base_url=ELSEWHERE), "NO_PROXY")


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """A folder with files that contain no certificate."""
    (tmp_path / "empty.pem").touch()
    (tmp_path / "garbage.pem").write_bytes(bytes(range(256)) * 9)
    (tmp_path / "cut.pem").write_text("-----BEGIN CERTIFICATE-----\nMIIB", "ascii")
    return tmp_path


@pytest.mark.regression("environment-is-named")
@pytest.mark.parametrize("name", ["missing.pem", "empty.pem", "garbage.pem", "cut.pem", ".", "x" * 5_000, "\udcff"])
def test_the_error_for_a_file_without_certificates_names_the_variable(
    *, connect: Any, certificates: Path, monkeypatch: pytest.MonkeyPatch, fake_time: FakeTime, name: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificates}/{name}")
    error = outcome(connect, base_url="https://numbers.invalid")
    assert is_named(error, "SSL_CERT_FILE"), error
    assert not isinstance(error, ValueError)
    assert fake_time.pauses_s == []


@pytest.mark.regression("environment-is-named")
def test_a_tls_proxy_needs_certificates_too(
    connect: Any, certificates: Path, monkeypatch: pytest.MonkeyPatch, fake_time: FakeTime
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificates}/missing.pem")
    monkeypatch.setenv("HTTP_PROXY", "https://127.0.0.1:1")
    assert is_named(outcome(connect, base_url=ELSEWHERE), "SSL_CERT_FILE")


def test_certificates_are_ignored_without_tls(connect: Any, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent.pem")
    stub.answers({"balance": 1})
    assert outcome(connect) == {"balance": 1}


@pytest.mark.parametrize("folder", ["missing", "empty.pem", "missing:also-missing"])
def test_the_error_for_a_folder_without_certificates_names_the_variable(
    connect: Any, certificates: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", str(certificates / folder))
    assert is_named(outcome(connect, base_url="https://numbers.invalid"), "SSL_CERT_DIR")


def test_the_error_for_an_unwritable_key_log_names_the_variable(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(LOOPBACK_CERTIFICATE))
    monkeypatch.setenv("SSLKEYLOGFILE", "/nonexistent/keys")
    assert is_named(outcome(connect, base_url="https://numbers.invalid"), "SSLKEYLOGFILE")


@pytest.mark.regression("environment-is-named")
def test_the_error_for_an_untrusted_certificate_names_the_trust_variable(
    connect: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(LOOPBACK_CERTIFICATE)
    server = Stub(tls=context)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    try:
        error = outcome(connect, base_url=server.url)
    finally:
        server.close()
    assert is_named(error, "SSL_CERT_DIR"), error
    assert error.permanent


@pytest.mark.regression("environment-is-named")
@pytest.mark.parametrize("kind", [DTMF, AsyncDTMF])
@pytest.mark.parametrize(
    ("variable", "value"),
    [("DTMF_URL", "localhost:8000"), ("DTMF_URL", "http://" + "a" * 64 + ".com"), ("DTMF_TOKEN", f"{TOKEN}\n")],
    ids=shown,
)
def test_an_invalid_environment_variable_is_rejected_before_any_call(
    kind: Any, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv("DTMF_TOKEN", "t")
    monkeypatch.setenv(variable, value)
    try:
        error: Any = kind()
    except ValueError as raised:
        error = raised
    assert is_named(error, variable), error
    assert TOKEN not in str(error)


@pytest.mark.regression("environment-is-named")
def test_the_error_for_a_rejected_token_names_its_variable(
    connect: Any, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DTMF_TOKEN", TOKEN)
    stub.then(reply(401, b'{"code": "unauthenticated", "detail": "the token is unknown"}'))
    assert is_named(outcome(connect, token=None), "DTMF_TOKEN")
    assert "DTMF_TOKEN" not in str(outcome(connect))


@pytest.mark.parametrize("kind", [DTMF, AsyncDTMF])
def test_a_host_that_cannot_be_resolved_is_an_invalid_argument(kind: Any) -> None:
    with pytest.raises(ValueError, match=r"^base_url must .*'http://aaa"):
        kind("t", base_url="http://" + "a" * 64 + ".example")


@pytest.mark.regression("environment-is-named")
def test_nothing_in_the_environment_raises_anything_but_a_dtmf_error(
    connect: Any, unused_port: int, certificates: Path, monkeypatch: pytest.MonkeyPatch, fake_time: FakeTime
) -> None:
    monkeypatch.chdir(certificates)  # SSLKEYLOGFILE creates the file that it names
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    uniform = random.Random(seed)
    here = f"127.0.0.1:{unused_port}"
    pieces = [*PIECES, here]
    whole = [
        f"http://{here}",
        here,
        f"https://u:p@{here}",
        str(LOOPBACK_CERTIFICATE),
        str(certificates),
        "/nonexistent",
        "",
    ]
    whole += [str(file) for file in sorted(certificates.iterdir())]
    for _ in range(150):
        values = {
            name: uniform.choice(whole)
            if uniform.random() < 0.5
            else "".join(uniform.choices(pieces, k=uniform.randint(1, 6)))
            for name in VARIABLES
            if uniform.random() < 0.4 and not name.startswith("DTMF_")
        }
        with monkeypatch.context() as environment:
            for name, value in values.items():
                environment.setenv(name, value)
            scheme = uniform.choice(["http", "https"])
            error = outcome(connect, base_url=f"{scheme}://192.0.2.1.invalid", timeout=1, max_retries=0)
        assert isinstance(error, DTMFError), (values, error)
