"""A webhook URL that passes leads where it says, and nowhere inside."""

import re
from dataclasses import FrozenInstanceError
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from dtmf_server.core.webhook_url import Destination, address_allowed, parse
from support.webhook_urls import (
    ALLOWED,
    NOT_EVEN_IN_SANDBOX,
    REFUSED_AT_ADDRESS,
    REFUSED_AT_FORM,
    SANDBOX_ONLY,
)


def pairs(block: list[str]) -> list[tuple[str, str]]:
    return list(zip(block[::2], block[1::2], strict=True))


def test_the_corpus_is_large_and_has_nothing_twice():
    urls = [*REFUSED_AT_FORM, *SANDBOX_ONLY, *NOT_EVEN_IN_SANDBOX, *REFUSED_AT_ADDRESS[1::2], *ALLOWED[1::2]]
    assert len(urls) >= 300
    assert sorted(a for a, b in pairwise(sorted(urls)) if a == b) == []


# These tests check whole tables: a test for each of 1,300 URLs would take longer to collect than to run.
def refusal(url: str, *, sandbox: bool) -> str | None:
    """Return why a URL is refused, or None if it isn't."""
    try:
        parse(url, sandbox=sandbox)
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize("sandbox", [False, True])
def test_parse_refuses_a_bad_form_in_a_sentence(sandbox):
    found = {url: refusal(url, sandbox=sandbox) for url in [*REFUSED_AT_FORM, *NOT_EVEN_IN_SANDBOX]}
    assert not {url: why for url, why in found.items() if not why or not re.fullmatch(r"[^\x00-\x1f]+\.", why)}


def test_only_the_sandbox_takes_loopback():
    found = {url: refusal(url, sandbox=False) for url in SANDBOX_ONLY}
    assert not {url: why for url, why in found.items() if not why or not why.endswith(".")}
    for url in SANDBOX_ONLY:
        destination = parse(url, sandbox=True)
        assert destination.host == "localhost" or ip_address(destination.host).is_loopback


def test_a_name_that_resolves_inside_is_refused_at_its_address():
    for address, url in pairs(REFUSED_AT_ADDRESS):
        assert refusal(url, sandbox=False) is None
        assert not address_allowed(address, sandbox=False)


def test_the_sandbox_adds_loopback_addresses_and_no_others():
    for address, _ in pairs(REFUSED_AT_ADDRESS):
        loopback = address == "::1" or (address.startswith("127.") and address.count(".") == 3)
        assert (address, address_allowed(address, sandbox=True)) == (address, loopback)


@pytest.mark.parametrize("sandbox", [False, True])
def test_public_receivers_are_welcome(sandbox):
    for address, url in pairs(ALLOWED):
        assert (url, refusal(url, sandbox=sandbox)) == (url, None)
        destination = parse(url, sandbox=sandbox)
        assert destination.scheme == "https"
        assert destination.address in (None, ip_address(address))
        assert address_allowed(address, sandbox=sandbox)
        assert address_allowed(ip_address(address), sandbox=sandbox)


def test_the_client_library_reads_the_same_url():
    for url in [*SANDBOX_ONLY, *REFUSED_AT_ADDRESS[1::2], *ALLOWED[1::2]]:
        destination = parse(url, sandbox=True)
        dialled = URL(destination.url, encoded=True)
        assert (dialled.scheme, dialled.raw_host) == (destination.scheme, destination.host)
        assert (dialled.port, dialled.raw_path_qs.rstrip("?")) == (destination.port, destination.path.rstrip("?"))
        assert (dialled.user, dialled.password, dialled.fragment) == (None, None, "")


def test_parsing_the_result_again_changes_nothing():
    for url in [*SANDBOX_ONLY, *ALLOWED[1::2]]:
        destination = parse(url, sandbox=True)
        assert parse(destination.url, sandbox=True) == destination


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "https://example.org/webhook",
            Destination("https://example.org/webhook", "https", "example.org", 443, "/webhook", None),
        ),
        (
            "HTTPS://Example.ORG:443?Q=%41",
            Destination("https://example.org/?Q=%41", "https", "example.org", 443, "/?Q=%41", None),
        ),
        (
            "https://[2606:4700:0::1111]:8443/a/../b",
            Destination(
                *("https://[2606:4700::1111]:8443/a/../b", "https", "2606:4700::1111", 8443, "/a/../b"),
                IPv6Address("2606:4700::1111"),
            ),
        ),
        (
            "http://127.0.0.1:8000",
            Destination(*("http://127.0.0.1:8000/", "http", "127.0.0.1", 8000, "/"), IPv4Address("127.0.0.1")),
        ),
        ("http://localhost", Destination("http://localhost/", "http", "localhost", 80, "/", None)),
    ],
)
def test_parse_gives_the_parts_it_vetted(url, expected):
    assert parse(url, sandbox=True) == expected


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.org/", "must start with https://"),
        ("ftp://example.org/", "not ftp://"),
        ("https://user:secret@example.org/", "user name or password"),
        ("https://example.org\\x", "backslash"),
        ("https://example.org:22/", "not to 22"),
        ("https://10.0.0.1/", "10.0.0.1 is not a public address"),
        ("https://0x7f.1/", "'0x7f.1' is neither a name nor an address"),
        ("https://printer.local/", "local networks"),
        ("https://redis/", "no domain"),
        ("https://example.org/#x", "fragment"),
        (f"https://example.org/{'a' * 3000}", "3020 characters"),
    ],
)
def test_a_refusal_says_what_is_wrong(url, said):
    with pytest.raises(ValueError) as refused:
        parse(url, sandbox=False)
    assert said in str(refused.value)
    assert "secret" not in str(refused.value)


@given(st.text(max_size=60))
def test_parse_raises_nothing_but_value_error(text):
    for url in (
        text,
        f"https://{text}",
        f"https://{text}.org/",
        f"https://[{text}]/",
        f"https://a.org:{text}",
    ):
        try:
            destination = parse(url, sandbox=False)
        except ValueError:
            continue
        assert URL(destination.url, encoded=True).raw_host == destination.host


@given(st.from_regex(r"xn--[a-z0-9-]{0,20}", fullmatch=True))
def test_any_xn_label_passes_or_is_refused(label):
    try:
        destination = parse(f"https://{label}.org/", sandbox=False)
    except ValueError:
        return
    assert not destination.host.removesuffix(".org")[4:].encode().decode("punycode").isascii()


@given(st.integers(min_value=0, max_value=2**32 - 1))
def test_nothing_the_standard_library_knows_as_special_v4_is_allowed(number):
    address = IPv4Address(number)
    if not address.is_global or address.is_multicast:
        assert not address_allowed(address, sandbox=False)


@given(st.one_of(st.integers(min_value=0, max_value=2**128 - 1), st.integers(min_value=0, max_value=2**64)))
def test_nothing_the_standard_library_knows_as_special_v6_is_allowed(number):
    address = IPv6Address(number)
    if not address.is_global or address.is_multicast or address.ipv4_mapped or address.sixtofour:
        assert not address_allowed(address, sandbox=False)


@pytest.mark.parametrize("text", ["", " ", "8.8.8.8 ", "8.8.8.8\n", "example.org", "8.8.8.8/32", "[::1]", "٨.8.8.8"])
@pytest.mark.parametrize("sandbox", [False, True])
def test_invalid_addresses_are_not_allowed(text, sandbox):
    assert not address_allowed(text, sandbox=sandbox)


def test_a_destination_is_frozen():
    with pytest.raises(FrozenInstanceError):
        parse("https://example.org/", sandbox=False).host = "10.0.0.1"
