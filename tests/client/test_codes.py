"""The code in a text: of every text in codes.toml, and of no text an accident."""

from __future__ import annotations

import doctest
import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dtmf.codes import find_code

TEXTS = {
    language: [(text, *code, None)[:2] for text, *code in table["texts"]]
    for language, table in tomllib.loads(Path(__file__).with_name("codes.toml").read_text()).items()
}
# What a finder trips over: pieces that repeat, nest, nearly match, or grow long.
PIECES = [
    "1",
    "12",
    "1234",
    "123456",
    "a",
    "x",
    "A1",
    "code",
    "code:",
    "验证码",
    "promo",
    "$",
    "EUR",
    "%",
    " ",
    "-",
    ".",
    ",",
]
PIECES += [
    "\n",
    "*",
    "+",
    "(",
    "@",
    "#",
    "/",
    ":",
    "https://",
    "a.com/",
    "١٢",
    "é",
    "İ",
    "ﬃ",
    "\u200d",
    "\ud800",
    "\0",
    "ﷺ",
]


@pytest.mark.parametrize("language", TEXTS)
def test_the_code_of_a_text_is_found_and_nothing_else(language: str) -> None:
    found = [(text, find_code(text)) for text, _ in TEXTS[language]]
    assert found == TEXTS[language]


def test_the_table_is_large_and_has_texts_without_a_code() -> None:
    codes = [code for texts in TEXTS.values() for _, code in texts]
    assert len(codes) >= 300
    assert len(TEXTS) >= 40
    assert codes.count(None) >= 80
    assert len({text for texts in TEXTS.values() for text, _ in texts}) == len(codes)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("@example.com #123456", "123456"),
        ("Your code is 999999.\n\n@www.example.com #AB-12 @frame.example", "AB-12"),
        ("Your code is 999999. Mail me@example.com #123456", "999999"),
        ("@example.com#123456", None),
        ("@example.com # 123456", None),
    ],
)
def test_the_line_for_browsers_counts_only_in_its_form(text: str, code: str | None) -> None:
    assert find_code(text) == code


def test_the_examples_in_the_documents_are_true() -> None:
    document = (Path(__file__).parents[2] / "docs" / "waiting.md").read_text()
    (block,) = [block for block in document.split("```") if ">>> from dtmf.codes" in block]
    examples = doctest.DocTestParser().get_doctest(block.removeprefix("python\n"), {}, "waiting.md", None, 0)
    assert doctest.DocTestRunner().run(examples) == (0, 6)


@pytest.mark.parametrize("digits", ["٤٨٢٩", "४८२९", "৪৮২৯", "๔๘๒๙", "４８２９", "۴۸۲۹", "௪௮௨௯", "၄၈၂၉", "𝟒𝟖𝟐𝟗", "④⑧②⑨"])
def test_digits_of_every_script_are_given_in_ascii(digits: str) -> None:
    assert find_code(f"Your code: {digits}") == "4829"


@pytest.mark.parametrize(
    "blank", [" ", "\u00a0", "\u2009", "\u202f", "-", "\u2010", "\u2011", "\u2013", "\u2014", "\u2212"]
)
def test_groups_are_joined_over_every_kind_of_blank_and_hyphen(blank: str) -> None:
    assert find_code(f"Your code is 482{blank}913") == "482913"


@pytest.mark.parametrize("times", [1, 10, 100])
@pytest.mark.parametrize("text", PIECES)
def test_a_text_of_one_piece_over_and_over_has_a_bounded_price(text: str, times: int) -> None:
    find_code(f"code {text * 100 * times}")


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=10_000))
@example("\ud800" * 10_000)
def test_no_text_makes_it_raise(text: str) -> None:
    code = find_code(text)
    assert code is None or is_a_code(code)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=400).map("".join))
def test_no_mixture_of_what_it_looks_for_makes_it_raise(text: str) -> None:
    code = find_code(text)
    assert code is None or is_a_code(code)


def is_a_code(code: str) -> bool:
    return code.isascii() and code.replace("-", "").isalnum() and 3 <= len(code) <= 32


@pytest.mark.parametrize("piece", ["1 ", "code 12 ", "x1", "1.1,", "@a.a", "$1 000 ", "+1-", "验证码12，", "\ud800"])
def test_of_a_text_of_any_length_only_the_beginning_is_looked_at(piece: str) -> None:
    begun = (piece * 4_000)[:4_000]
    assert find_code(begun + "\ncode: 482913") == find_code(begun) != "482913"
    assert find_code("code: 482913\n" + piece * 100_000) == "482913"
