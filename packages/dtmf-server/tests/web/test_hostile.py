"""Untrusted texts: shown completely and safely."""

import pytest

from dtmf.codes import find_code
from dtmf_server.storage.db import Database
from dtmf_server.web.kit import untrusted_text
from support.visitor import Visitor

from .conftest import ONE_ENGINE, receive


@ONE_ENGINE
def test_a_text_stays_text_on_every_page(renter: Visitor, db: Database, e164: str) -> None:
    texts = [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "{{ 7 * 191 }} {% include 'x' %} ${7*7}",
        "\u202ereversed\u202c and \u2066isolated",
        "</bdi></p><form action=https://evil.example>",
        "a\u200bb\ufeffc\x07d",
        "lone \ufffd and emoji \U0001f642\u200d\U0001f525",
        "x" * 10_000,
    ]
    for text in texts:
        receive(db, e164, text, sender="<b>\u202eevil</b>")
    for path in ("/messages", f"/numbers/{e164}", "/sandbox", "/transactions"):
        page = renter.open(path)
        assert page.status == 200
        assert "<script>alert" not in page.html and "<img src=x" not in page.html and "<b>\u202e" not in page.html
        assert not any(mark in page.html for mark in "\u202e\u2066\u202c\u200b\ufeff\x07"), path
        assert not [form for form in page.forms if "evil" in form.action]
    page = renter.open("/messages")
    assert "{{ 7 * 191 }}" in page.text and "1337" not in page.text
    assert "right-to-left override" in page.text and "zero width space" in page.text
    assert "\u200d" in page.html, "joiners make emoji, and stay"
    assert page.html.count("x" * 600) >= 1 and "9 400 more characters" in page.text
    assert "x" * 9400 in page.html, "the rest is there, one click away"


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("see https://example.org/a?b=c.", ["example.org"]),
        ("https://signal.org.evil.example/x", ["signal.org.evil.example"]),
        ("https://signal.org@evil.example/x", []),
        ("https://signal.org%40evil.example/x", []),
        ("https://signal.org\\@evil.example/x", []),
        ("https://\u0430pple.com/", ["xn--pple-43d.com"]),
        ("http://EXAMPLE.org:8080/", ["example.org:8080"]),
        ("javascript:alert(1) data:text/html,x www.example.org", []),
        ("https:// http:///x https://[::1", []),
        ("https://evil.example\u202e/moc.elpmaxe", ["evil.example"]),
        (" ".join(f"https://{n}.example" for n in range(20)), [f"{n}.example" for n in range(5)]),
    ],
)
def test_a_link_shows_its_real_host_or_is_not_a_link(text: str, hosts: list[str]) -> None:
    found = untrusted_text.links(text)
    assert [link.host for link in found] == hosts
    assert all(link.url.lower().startswith(("http://", "https://")) for link in found)


@ONE_ENGINE
def test_a_link_opens_in_a_new_tab_and_shows_its_host(renter: Visitor, db: Database, e164: str) -> None:
    receive(db, e164, 'go to https://signal.org.evil.example/x"onclick="alert(1)')
    page = renter.open("/messages")
    (link,) = [given for tag, given in page.tags if tag == "a" and "evil" in given.get("href", "")]
    assert "noopener" in link["rel"] and "noreferrer" in link["rel"] and "onclick" not in link
    assert "Open link to signal.org.evil.example" in page.text


@pytest.mark.parametrize("length", [0, 1, 600, 749, 750, 751, 5000])
def test_collapsing_a_long_text_loses_nothing(length: int) -> None:
    text = ("word " * length)[:length]
    found = untrusted_text.render_untrusted(text)
    assert "".join(part.text for part in [*found.parts, *found.rest]) == text
    assert found.rest_length == sum(len(part.text) for part in found.rest)


def test_every_neutralized_character_has_a_name() -> None:
    for character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u2060\ufeff\u00ad\x00\x1b\x7f\x85":
        (part,) = untrusted_text.fragments(character)
        assert part.mark and part.text.strip() and character not in part.text
    assert untrusted_text.fragments("a\n\tb \u200c\u200d \u05d0") == [
        untrusted_text.Fragment("a\n\tb \u200c\u200d \u05d0")
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Your GitHub authentication code: 604 118", "604118"),
        ("Your Signal code is 482-913. Do not share it", "482913"),
        ("Your verification PIN: 55190", "55190"),
        ("One-time code 729104 for your transfer of £40.00.", "729104"),
        ("Running ten minutes late, sorry!", None),
    ],
)
def test_a_code_is_found_in_its_text(text: str, code: str | None) -> None:
    assert find_code(text) == code
