"""find_code: returns the code of every text in codes/, no other number, and no code of which a part is missing."""

from __future__ import annotations

import doctest
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dtmf.codes import find_code
from support.paths import ROOT

GAP = "[…]"


class Text(NamedTuple):
    """A message text and the code in it."""

    language: str
    text: str
    code: str | None


TEXTS = [
    Text(language, text, *(code or [None]))
    for file in sorted(Path(__file__).parent.glob("*.toml"))
    for language, table in tomllib.loads(file.read_text()).items()
    for text, *code in table["texts"]
]
LANGUAGES = sorted({text.language for text in TEXTS})
# Difficult input for a search: pieces that repeat, nest, nearly match, or grow long.
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


@pytest.mark.regression("codes-table")
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_code_of_a_text_is_found(language: str) -> None:
    texts = [text for text in TEXTS if text.language == language]
    assert [Text(language, text.text, find_code(text.text)) for text in texts] == texts


def test_the_table_has_400_texts_in_30_languages_and_many_without_a_code() -> None:
    assert len(TEXTS) >= 400
    assert len({language.split("-")[0] for language in LANGUAGES}) >= 30
    assert {"ru-Latn", "vi", "el-Latn", "hi-Latn", "ar-Latn"} <= set(LANGUAGES)
    assert sum(text.code is None for text in TEXTS) >= 100
    assert len({text.text for text in TEXTS}) == len(TEXTS)


def test_no_code_is_wrong_and_at_most_one_in_a_hundred_is_missed() -> None:
    """Print the figures of the table in one line for the proof. Also search every text cut off at its code."""
    found = [(text, find_code(text.text)) for text in TEXTS]
    wrong = sum(code not in (None, text.code) for text, code in found)
    missed = sum(code is None and text.code is not None for text, code in found)
    cuts = [(text, cut) for text in TEXTS if text.code for cut in cut_at_the_code(text)]
    fragments = sum(find_code(cut) not in (None, text.code) for text, cut in cuts)
    with_code = sum(text.code is not None for text in TEXTS)
    print(
        f"texts={len(TEXTS)} languages={len(LANGUAGES)} wrong_codes={wrong}"
        f" missed_codes_in_1000={-(-1000 * missed // with_code)} parts_missing={len(cuts)} fragments={fragments}"
    )
    assert (wrong, fragments) == (0, 0)
    assert missed * 100 <= with_code


def cut_at_the_code(text: Text) -> list[str]:
    """Return the text with its beginning or end missing, at each position in the code."""
    at = text.text.find(text.code or "")
    if at < 0:  # written in groups or in other digits
        return []
    places = range(at, at + len(text.code or "") + 1)
    return [text.text[:place] + GAP for place in places] + [GAP + text.text[place:] for place in places]


@pytest.mark.regression("code-at-gap")
@pytest.mark.parametrize(
    "text",
    [
        "Bank: your code 5520[…]",
        "Your code is 5520[…] and expires in 10 minutes",
        "[…]5520 is your code",
        "Your code: […]5520",
        "Your code is 55[…]20",
        "Your code is 5520[…]7712",
        "Your code is 5520 […]",
        "Your code is […] 5520",
        "Your code is 482-[…]",
        "Your code is 482 9[…]",
        "Your code is G-5520[…]",
        "Your code is AB12-[…]",
        "Your code is AB12-CD[…]",
        "Your code is 5520\u200b[…]",
        "Your code is 5520\u00a0[…]",
        "验证码5520[…]",
        "验证码[…]5520，请勿泄露",
        "رمز التحقق ٥٥٢٠[…]",
        "Ваш код: 5520[…]",
        "Your code is 5520[...]",
        "Your code is 5520…",
        "Your code is 5520...",
        "…5520 is your code",
        "Ref 7731. Your code is 5520[…]",
        "5520[…] is your code. 7731",
        "Card 4471, code: 55[…]",
        "Your code[…]\n\n@example.com #5520[…]",
        "5520[…]\n\nis your code",
    ],
)
def test_a_candidate_that_touches_a_gap_is_not_a_code(text: str) -> None:
    assert find_code(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Your code is 5520. Do not sha[…]",
        "[…]code is 5520. Never share it",
        "Your code: 5520\n[…]",
        "[…]\nYour code: 5520",
        "Your code: *5520*[…]",
        "5520 is your code[…]",
        "Your code is 5520 for order 77[…]",
        "Order 77[…] Your code is 5520.",
        "Your co[…]\n\n@example.com #5520",
        "Your code 55[…]\n\n@example.com #5520",
        "Your code is 5520... Don't share it",
        "Your code… 5520",
    ],
)
def test_a_complete_code_is_found_if_another_part_is_missing(text: str) -> None:
    assert find_code(text) == "5520"


@pytest.mark.regression("code-at-the-limit")
def test_a_code_across_the_length_limit_is_not_cut() -> None:
    for digits in range(1, 6):
        assert find_code("Hello! " * 570 + "x" * (10 - 6 - digits + 6) + "\nYour code: 482913") in (None, "482913")
    for length in range(3_980, 4_010):
        assert find_code("a\n" * (length // 2) + " " * (length % 2) + "code: 482913") in (None, "482913")


@pytest.mark.regression("code-examples")
@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Hier Ihr Sicherheitscode:\nNIEMALS AM TELEFON NENNEN!\n\n418207", "418207"),
        ("Ma OTP cua so 48210 la 9035127", "9035127"),
        ("Parol: 40917", "40917"),
        ("Your code is below.\nNEVER share it: PRIVATE\n\n418207", "418207"),
        ("Votre code :\nCONFIDENTIEL\n418207", "418207"),
        ("Your code: EXPIRED", None),
        ("Code: SECRET. Ask reception.", None),
        ("Your code was sent to 48210", None),
        ("Your PIN was changed to 4821", "4821"),
        ("Kod do konta to 482913", "482913"),
        ("Your code is **482913**", "482913"),
        ("Code №482913", "482913"),
        ("To account 622202****0045821. Password 118406", "118406"),
        ("Code for DE89 3704 0044 0532 0130 00 is 118406", "118406"),
        ("1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 is the code", None),
        ("Call 800 200-44-71 about your code", None),
        ("Call 0800 2274825 about your code", None),
        ("Your code: 482913\r\nThanks\r\n", "482913"),
        ("<#> Your code is 50213\nFA+9qCX9VSu", "50213"),
        ("<#> Confirm in the app\nFA+9qCX9VSu", None),
        ("Google code: G-730 264", "730264"),
    ],
)
def test_words_and_numbers_next_to_a_code_are_not_codes(text: str, code: str | None) -> None:
    assert find_code(text) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("@example.com #123456", "123456"),
        ("Your code is 999999.\n\n@www.example.com #AB-12 @frame.example", "AB-12"),
        ("Your code is 999999. Mail me@example.com #123456", "999999"),
        ("@example.com#123456", None),
        ("@example.com # 123456", None),
        ("Anything\r\n@example.com #123456\r\n", "123456"),
        ("\u200f@example.com #123456\u200e", "123456"),
        ("Code 999999\n@example.com #123456 %pay.example", "123456"),
        ("Code 999999\n@example.com #123456 @pay.example", "123456"),
        ("Big sale\n@example.com #blackfriday", None),
    ],
)
def test_the_webotp_line_counts_only_if_well_formed(text: str, code: str | None) -> None:
    assert find_code(text) == code


def test_the_examples_in_the_docs_are_correct() -> None:
    document = (ROOT / "docs" / "guides" / "receive-codes.md").read_text()
    (block,) = [block for block in document.split("```") if ">>> from dtmf.codes" in block]
    examples = doctest.DocTestParser().get_doctest(block.removeprefix("python\n"), {}, "receive-codes.md", None, 0)
    assert doctest.DocTestRunner().run(examples) == (0, 6)


@pytest.mark.parametrize("digits", ["٤٨٢٩", "४८२९", "৪৮২৯", "๔๘๒๙", "４８２９", "۴۸۲۹", "௪௮௨௯", "၄၈၂၉", "𝟒𝟖𝟐𝟗", "④⑧②⑨"])
def test_digits_of_every_script_are_returned_in_ascii(digits: str) -> None:
    assert find_code(f"Your code: {digits}") == "4829"


@pytest.mark.parametrize(
    "blank", [" ", "\u00a0", "\u2009", "\u202f", "-", "\u2010", "\u2011", "\u2013", "\u2014", "\u2212"]
)
def test_groups_are_joined_across_every_kind_of_space_and_hyphen(blank: str) -> None:
    assert find_code(f"Your code is 482{blank}913") == "482913"


@pytest.mark.parametrize("times", [1, 10, 100])
@pytest.mark.parametrize("text", PIECES)
def test_repeated_text_is_searched_in_bounded_time(text: str, times: int) -> None:
    find_code(f"code {text * 100 * times}")


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=10_000))
@example("\ud800" * 10_000)
def test_find_code_raises_for_no_text(text: str) -> None:
    code = find_code(text)
    assert code is None or is_a_code(code)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=400).map("".join))
def test_find_code_raises_for_no_mixture_of_patterns(text: str) -> None:
    code = find_code(text)
    assert code is None or is_a_code(code)


def is_a_code(code: str) -> bool:
    return code.isascii() and code.replace("-", "").isalnum() and 3 <= len(code) <= 32


@pytest.mark.parametrize("piece", ["1 ", "code 12 ", "x1", "1.1,", "@a.a", "$1 000 ", "+1-", "验证码12，", "\ud800"])
def test_only_the_beginning_of_a_long_text_is_searched(piece: str) -> None:
    accrued = (piece * 4_000)[:4_000]
    assert find_code(accrued + "\ncode: 482913") == find_code(accrued) != "482913"
    assert find_code("code: 482913\n" + piece * 100_000) == "482913"
