"""Segments are counted as in 3GPP TS 23.038 and 23.040, and no character is ever split."""

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtmf_server.core.sms_segments import ESCAPE, GSM7_ALPHABET, GSM7_EXTENSION, Segments, segments

GSM_CHARACTERS = GSM7_ALPHABET.replace(ESCAPE, "") + "".join(GSM7_EXTENSION)


def test_the_alphabet_has_128_places_and_no_character_twice():
    assert len(GSM7_ALPHABET) == len(set(GSM7_ALPHABET)) == 128
    assert not set(GSM7_ALPHABET) & set(GSM7_EXTENSION)
    assert len(set(GSM7_EXTENSION.values())) == len(GSM7_EXTENSION) == 10


@pytest.mark.parametrize(
    ("septet", "character"),
    [
        *((0x00, "@"), (0x02, "$"), (0x09, "Ç"), (0x0A, "\n"), (0x0D, "\r"), (0x10, "Δ"), (0x11, "_")),
        *((0x12, "Φ"), (0x1A, "Ξ"), (0x1B, ESCAPE), (0x1C, "Æ"), (0x1F, "É"), (0x20, " "), (0x24, "¤")),
        *((0x30, "0"), (0x40, "¡"), (0x41, "A"), (0x5A, "Z"), (0x5B, "Ä"), (0x5F, "§"), (0x60, "¿")),
        *((0x61, "a"), (0x7A, "z"), (0x7B, "ä"), (0x7E, "ü"), (0x7F, "à")),
    ],
)
def test_selected_characters_have_the_septets_of_23_038(septet, character):
    assert GSM7_ALPHABET[septet] == character


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Segments("gsm7", 0, 1)),
        ("Your code is 123456", Segments("gsm7", 19, 1)),
        ("a" * 160, Segments("gsm7", 160, 1)),
        ("a" * 161, Segments("gsm7", 161, 2)),
        ("a" * 306, Segments("gsm7", 306, 2)),
        ("a" * 307, Segments("gsm7", 307, 3)),
        ("€" * 80, Segments("gsm7", 160, 1)),
        ("€" * 81, Segments("gsm7", 162, 2)),
        # 152 septets, then a euro that must not be split: the first segment is one septet short.
        ("a" * 152 + "€" + "a" * 152, Segments("gsm7", 306, 3)),
        ("a" * 152 + "€" + "a" * 151, Segments("gsm7", 305, 2)),
        ("a" * 153 + "€" + "a" * 151, Segments("gsm7", 306, 2)),
        # 76 euros fill 152 septets of each segment, never 153.
        ("€" * 152, Segments("gsm7", 304, 2)),
        ("€" * 153, Segments("gsm7", 306, 3)),
        ("a" * 159 + "€", Segments("gsm7", 161, 2)),
        ("ж" * 70, Segments("ucs2", 70, 1)),
        ("ж" * 71, Segments("ucs2", 71, 2)),
        ("ж" * 134, Segments("ucs2", 134, 2)),
        ("ж" * 135, Segments("ucs2", 135, 3)),
        ("😀" * 35, Segments("ucs2", 70, 1)),
        ("😀" * 36, Segments("ucs2", 72, 2)),
        ("ж" * 66 + "😀" + "ж" * 66, Segments("ucs2", 134, 3)),
        ("ж" * 67 + "😀" + "ж" * 65, Segments("ucs2", 134, 2)),
        # 33 emoji fill 66 code units of each segment, never 67.
        ("😀" * 66, Segments("ucs2", 132, 2)),
        ("😀" * 67, Segments("ucs2", 134, 3)),
        ("€ is GSM, ` is not", Segments("ucs2", 18, 1)),
        ("ç", Segments("ucs2", 1, 1)),  # the alphabet has only the capital
        ("\x1b", Segments("ucs2", 1, 1)),  # a bare ESC can't be encoded in GSM 7-bit
        ("\x00", Segments("ucs2", 1, 1)),
        ("a\n", Segments("gsm7", 2, 1)),
        ("٣", Segments("ucs2", 1, 1)),
        ("\ud800", Segments("ucs2", 1, 1)),  # a lone surrogate is one unit, not an exception
    ],
)
def test_segments_of_known_texts(text, expected):
    assert segments(text) == expected


@pytest.mark.parametrize("character", GSM7_EXTENSION)
def test_every_extension_character_costs_two_septets(character):
    assert segments(character) == Segments("gsm7", 2, 1)


@pytest.mark.parametrize("character", GSM7_ALPHABET.replace(ESCAPE, ""))
def test_every_other_gsm_character_costs_one_septet(character):
    assert segments(character) == Segments("gsm7", 1, 1)


def test_exactly_the_gsm_characters_are_gsm():
    gsm = {chr(point) for point in range(0x11000) if segments(chr(point)).encoding == "gsm7"}
    assert gsm == set(GSM_CHARACTERS)


def written_out(text: str) -> tuple[str, list[str]]:
    """Split the text for real, as an oracle: the encoding and the pieces, each character written as its units."""
    if set(text) <= set(GSM_CHARACTERS):
        encoding, single, part = "gsm7", 160, 153
        units = [ESCAPE + c if c in GSM7_EXTENSION else c for c in text]
    else:
        encoding, single, part = "ucs2", 70, 67
        units = [c.encode("utf-16-be", "surrogatepass").decode("latin-1")[::2] for c in text]
    if sum(map(len, units)) <= single:
        return encoding, ["".join(units)]
    pieces = [""]
    for unit in units:
        if len(pieces[-1]) + len(unit) > part:
            pieces.append("")
        pieces[-1] += unit
    return encoding, pieces


texts = st.one_of(
    st.text(alphabet=GSM_CHARACTERS, max_size=700),
    st.text(alphabet="a€", min_size=140, max_size=320),
    st.text(alphabet="ж😀", min_size=60, max_size=300),
    st.text(max_size=300),
)


@given(texts)
def test_segments_agree_with_actually_splitting_the_text(text):
    encoding, pieces = written_out(text)
    assert segments(text) == Segments(encoding, sum(map(len, pieces)), len(pieces))


@given(texts, st.characters())
def test_one_more_character_never_takes_fewer_segments_of_the_same_encoding(text, character):
    before, after = segments(text), segments(text + character)
    if before.encoding == after.encoding:
        assert before.count <= after.count <= before.count + 1
    else:
        assert (before.encoding, after.encoding) == ("gsm7", "ucs2")


def test_segments_are_frozen_because_answers_are_shared():
    with pytest.raises(FrozenInstanceError):
        segments("shared").units = 1
