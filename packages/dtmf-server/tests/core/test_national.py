"""National language tables have the right letters in the right places. The tables were compared septet by septet with
two other implementations; these tests follow from the standard and the order of the alphabets."""

import unicodedata

import pytest

from dtmf_server.core.national import LANGUAGES, LOCKING, SINGLE
from dtmf_server.core.sms_encoding import MARK, decode, gsm7_with
from dtmf_server.core.sms_segments import GSM7_ALPHABET

SCRIPTS = {
    4: "BENGALI",
    5: "GUJARATI",
    6: "DEVANAGARI",
    7: "KANNADA",
    8: "MALAYALAM",
    9: "ORIYA",
    10: "GURMUKHI",
    11: "TAMIL",
    12: "TELUGU",
}


def letters(characters: str) -> list[str]:
    return [character for character in characters if character > "\u00ff"]


@pytest.mark.parametrize("language", SCRIPTS)
def test_the_letters_of_an_indian_language_are_those_of_its_script_in_the_order_of_its_alphabet(language: int) -> None:
    found = letters(LOCKING[language])
    assert len(found) == len(set(found)) > 50
    assert {unicodedata.name(letter).split()[0] for letter in found} == {SCRIPTS[language]}
    assert found == sorted(found)


@pytest.mark.parametrize("language", SCRIPTS)
def test_the_digits_of_an_indian_language_are_in_its_single_shift_table(language: int) -> None:
    places = [0x19, 0x1A, *range(0x1C, 0x24)] if language == 4 else [*range(0x1C, 0x26)]
    digits = [SINGLE[language][chr(place)] for place in places]
    assert [unicodedata.digit(digit) for digit in digits] == list(range(10))
    assert {unicodedata.name(digit).split()[0] for digit in digits} == {SCRIPTS[language]}


@pytest.mark.parametrize("language", [*SCRIPTS, 13])
def test_an_indian_language_keeps_digits_small_letters_and_line_ends_and_shifts_to_capitals(language: int) -> None:
    coding = gsm7_with(locking=language, single=language)
    assert decode(b"code: 418207, ok?\r\n", coding) == "code: 418207, ok?\r\n"
    assert decode(b"\x1bC\x1bO\x1bD\x1bE \x1b\x40 \x1be \x1b\x28\x1b\x29 \x1b\x3c\x1b\x3e", coding) == "CODE | € {} []"
    assert decode(b"\x1b\x00\x1b\x01\x1b\x05\x1b\x08\x1b\x0b\x1b\x0c\x1b\x0e\x1b\x0f\x1b\x18", coding) == '@£"&*+-/*'
    assert decode(b"(", coding) == ")" and decode(b")", coding) == "("  # as in the published tables


@pytest.mark.parametrize(
    ("language", "octets", "text"),
    [
        (1, b"g\x0cvenlik: \x1d\x07k \x40\x0b\x1c\x60 \x04", "gğvenlik: şık İĞŞç €"),
        (1, b"\x1bs\x1bi\x1bg\x1bc\x1bS\x1bI\x1bG \x1be\x1b\x14", "şığçŞİĞ €^"),
        (2, b"\x1ba\x1bi\x1bo\x1bu\x1bA\x1bI\x1bO\x1bU\x1b\x09 \x7d", "áíóúÁÍÓÚç ñ"),
        (3, b"c\x1bdigo a\x09\x7b\x7c \x1a\x18\x16 \x5b\x5c\x5d \x1c\x1d", "cdigo açãõ |€^ ÃÕÚ Ââ"),
        (3, b"\x1b\x12\x1b\x13\x1b\x15\x1b\x16\x1b\x17\x1b\x18\x1b\x19 \x1b\x7f", "ΦΓΩΠΨΣΘ â"),
        (4, b"\x15\x16\x17 \x1b\x19\x1b\x1c", "কখগ ০২"),
        (5, b"\x15\x16\x17 \x1b\x1c\x1b\x1d", "કખગ ૦૧"),
        (6, b"\x15\x16\x17 \x1b\x19\x1b\x1c", "कखग ।०"),
        (7, b"\x15\x22\x23\x24 \x1b\x1d", "ಕಟಠಡ ೧"),
        (8, b"\x15\x16 \x1b\x2e\x1b\x30", "കഖ ൺൻ"),
        (9, b"\x15\x16 \x1b\x26\x1b\x27", "କଖ ଡ଼ଢ଼"),
        (10, b"\x15\x16 \x1b\x26\x1b\x2a", "ਕਖ ਖ਼ਜ਼"),
        (11, b"\x15\x1a\x1d \x1b\x24", "கசஜ ௮"),
        (12, b"\x15\x16 \x1b\x1c", "కఖ ౦"),
        (13, b"\x00\x01\x02\x05 \x1b\x1c\x1b\x26\x1b\x33", "اآبپ ۰،؟"),
    ],
)
def test_octets_of_each_language_and_the_text_they_are(language: int, octets: bytes, text: str) -> None:
    found = decode(octets, gsm7_with(locking=language, single=language))
    # A letter with a dot below may be typed here as two characters; normalisation composes them.
    assert unicodedata.normalize("NFC", found) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize("language", [*LANGUAGES, 0, 14, 255])
def test_every_septet_pair_has_a_text_in_every_language(language: int) -> None:
    for coding in (gsm7_with(locking=language, single=0), gsm7_with(locking=0, single=language)):
        for septet in range(128):
            shown = decode(b"a\x1b" + bytes((septet,)) + b"b", coding)
            assert shown[0] + shown[-1] == "ab" and MARK not in shown
            assert len(shown) == 3


def test_a_septet_missing_from_the_single_shift_table_falls_back_to_the_alphabet_in_use() -> None:
    assert decode(b"\x1b\x07", gsm7_with(locking=1, single=1)) == "ı"
    assert decode(b"\x1b\x07", gsm7_with(locking=0, single=1)) == "ì"
    assert decode(b"\x1b\x0d\x1b\x60", gsm7_with(locking=6, single=6)) == "\rॐ"


@pytest.mark.parametrize(("locking", "single"), [(0, 0), (2, 0), (14, 14), (255, 255)])
def test_a_number_without_a_table_means_the_default_one(locking: int, single: int) -> None:
    assert gsm7_with(locking=locking, single=single) == "gsm7"


def test_an_octet_above_seven_bits_is_marked_in_every_language() -> None:
    assert decode(b"caf\xe9", gsm7_with(locking=1, single=1)) == MARK + "café"


def test_the_default_alphabet_is_not_changed() -> None:
    assert LOCKING[0] == GSM7_ALPHABET
