"""Texts in any coding are displayed, joined before decoding, and never dropped."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtmf_server.core.sms_encoding import CODINGS, GAP, MARK, decode, encode_gsm7, join
from dtmf_server.core.sms_segments import GSM7_ALPHABET, GSM7_EXTENSION, cut, segments

GSM7_TEXT = st.text(st.sampled_from(GSM7_ALPHABET.replace("\x1b", "") + "".join(GSM7_EXTENSION)), max_size=700)
ANY_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=400)


@pytest.mark.parametrize(
    ("octets", "coding", "text"),
    [
        (b"", "gsm7", ""),
        (b"", "ucs2", ""),
        (b"Hello", "gsm7", "Hello"),
        (b"\x00\x01\x02\x11", "gsm7", "@£$_"),
        (b"\x1b\x65 5", "gsm7", "€ 5"),
        (b"\x1b\x3c\x1b\x3e\x1b\x28\x1b\x29", "gsm7", "[]{}"),
        (b"a\x1b", "gsm7", "a "),
        (b"a\x1b\x1bb", "gsm7", "a b"),
        (b"\x1b\x41", "gsm7", "A"),
        (b"caf\xe9", "gsm7", MARK + "café"),
        ("Žluťoučký".encode("utf-16-be"), "ucs2", "Žluťoučký"),
        ("😀".encode("utf-16-be"), "ucs2", "😀"),
        (b"\xff\xfeA\0B\0", "ucs2", "AB"),
        (b"\xfe\xff\0A\0B", "ucs2", "AB"),
        (b"\0A\xd8\x3d", "ucs2", "A" + MARK),
        (b"\0A\xde\x00\0B", "ucs2", "A" + MARK + "B"),
        (b"\0Ax", "ucs2", "A" + MARK + "x"),
        (b"\0\0", "ucs2", "\u2400"),
        (b"caf\xe9", "latin1", "café"),
        (b"a\0b", "latin1", "a\u2400b"),
        (b"caf\xe9", "ascii", MARK + "café"),
        (b"a\tb\r\n", "ascii", "a\tb\r\n"),
        (b"[$@]", "ascii", "[$@]"),
        (b"\x1b\x281\x1b\x29 \x00 home", "ascii", "{1} @ home"),  # GSM 7-bit mislabelled as ASCII
        (b"caf\x05", "ascii", "café"),
        (b"padded\0\0", "ascii", "padded"),  # a terminating NUL included in the carrier's length
        (b"padded\0", "latin1", "padded"),
        (b"padded\0", "utf8", "padded"),
        (b"padded\0", "binary", "padded"),
        (b"\0p\0\0", "ucs2", "p"),
        (b"padded\0", "gsm7", "padded@"),  # 0 is a letter in this alphabet
        (b"\0\0", "ascii", "\u2400\u2400"),
        (b"\xef\xbb\xbfcaf\xc3\xa9", "utf8", "café"),
        ("café".encode(), "utf8", "café"),
        (b"\xff", "utf8", MARK + "ÿ"),
        (b"\xbf\xe0\xd8", "cyrillic", "При"),
        (b"\xf9\xec", "hebrew", "של"),
        ("日本".encode("cp932"), "japanese", "日本"),
        ("日本".encode("iso2022_jp"), "japanese", "日本"),
        ("한국".encode("cp949"), "korean", "한국"),
        (b"code 123", "binary", "code 123"),
        (b"line one\r\nline\ttwo\n", "binary", "line one\r\nline\ttwo\n"),
        (b"\x01\x02\xff", "binary", "0102ff"),
        (b"\0\0", "binary", "0000"),
        (b"\x01\0", "binary", "0100"),
        (b"", "binary", ""),
    ],
)
def test_octets_decode_to_this_text(octets, coding, text):
    assert decode(octets, coding) == text


@pytest.mark.parametrize("coding", sorted(CODINGS))
@given(st.binary(max_size=300))
def test_every_octet_string_has_a_text_that_can_be_stored(coding, octets):
    text = decode(octets, coding)
    assert "\0" not in text
    assert text.encode().decode() == text
    is_mark = octets.rstrip(b"\0") in (b"\xfe\xff", b"\xff\xfe", b"\xef\xbb\xbf")
    assert bool(text) == bool(octets) or is_mark or (coding == "japanese" and not text)


@given(GSM7_TEXT)
def test_gsm_7_bit_text_survives_a_round_trip(text):
    assert decode(encode_gsm7(text), "gsm7") == text


@pytest.mark.parametrize("text", ["ж", "😀", "\x1b", "a\x1be"])
def test_a_character_outside_gsm_7_bit_is_refused(text):
    with pytest.raises(ValueError, match="alphabet"):
        encode_gsm7(text)


@given(GSM7_TEXT | ANY_TEXT)
def test_a_text_is_split_into_as_many_segments_as_are_counted(text):
    pieces = cut(text)
    assert len(pieces) == segments(text).count
    assert "".join(pieces) == text
    assert all(segments(piece).count == 1 for piece in pieces)


@given(GSM7_TEXT | ANY_TEXT)
def test_a_longer_header_leaves_room_for_152_septets_or_66_code_units(text):
    is_gsm7 = segments(text).encoding == "gsm7"
    pieces = cut(text, header_octets=7)
    assert "".join(pieces) == text
    if len(pieces) > 1:
        sizes = [len(encode_gsm7(p)) if is_gsm7 else len(p.encode("utf-16-be")) // 2 for p in pieces]
        assert max(sizes) <= (152 if is_gsm7 else 66)


EMOJI = "A😀B".encode("utf-16-be")


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_an_emoji_split_between_parts_is_whole_again_in_any_order(order):
    parts = [(1, EMOJI[:3], "ucs2"), (2, EMOJI[3:5], "ucs2"), (3, EMOJI[5:], "ucs2")]
    assert join([parts[at] for at in order], total=3) == "A😀B"


def test_an_escape_at_the_end_of_a_part_escapes_the_next_parts_first_septet():
    assert join([(2, b"\x65 5", "gsm7"), (1, b"cost \x1b", "gsm7")], total=2) == "cost € 5"


def test_parts_are_sorted_as_numbers():
    parts = [(number, b"%d," % number, "gsm7") for number in range(11, 0, -1)]
    assert join(parts, total=11) == "1,2,3,4,5,6,7,8,9,10,11,"


def test_parts_of_different_codings_are_decoded_each_in_its_own():
    assert join([(1, b"caf", "gsm7"), (2, "é…".encode("utf-16-be"), "ucs2"), (3, b"!", "gsm7")], total=3) == "café…!"


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [([1], "1[…]"), ([2], "[…]2[…]"), ([4], "[…]4"), ([1, 4], "1[…]4"), ([2, 3], "[…]23[…]"), ([1, 2, 3, 4], "1234")],
)
def test_a_gap_is_marked_where_parts_are_missing(numbers, shown):
    assert GAP == "[…]"
    assert join([(number, b"%d" % number, "gsm7") for number in numbers], total=4) == shown


UCS2 = "Ваш код: 418207 😀".encode("utf-16-be")
SWAPPED = "Ваш код: 418207 😀".encode("utf-16-le")


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        ([b"\xfe\xff" + UCS2[:10], b"\xfe\xff" + UCS2[10:]], "Ваш код: 418207 😀"),
        ([UCS2[:10], b"\xfe\xff" + UCS2[10:]], "Ваш код: 418207 😀"),
        ([b"\xff\xfe" + SWAPPED[:10], b"\xff\xfe" + SWAPPED[10:]], "Ваш код: 418207 😀"),
        ([b"\xff\xfe" + SWAPPED[:10], SWAPPED[10:]], "Ваш код: 418207 😀"),
        ([b"\xfe\xff" + UCS2[:-2], b"\xfe\xff" + UCS2[-2:]], "Ваш код: 418207 😀"),  # a pair with a mark inside
        ([b"\xff\xfe" + SWAPPED[:10], b"\xfe\xff" + UCS2[10:]], "Ваш код: 418207 😀"),
        ([UCS2[:10] + b"\0\0", UCS2[10:] + b"\0\0"], "Ваш код: 418207 😀"),
        ([b"\xfe\xff" + UCS2[:7], UCS2[7:]], "Ваш код: 418207 😀"),  # a code unit split between two parts
        ([b"\0A\x01", b"\xfe\xff\x00\0B"], "A\u01fe\uff00B"),  # within a code unit those octets are not a mark
    ],
)
def test_a_byte_order_mark_in_each_part_is_not_text(parts, shown):
    assert join([(number, part, "ucs2") for number, part in enumerate(parts, 1)], total=len(parts)) == shown


def test_a_byte_order_mark_holds_after_a_gap_too():
    parts = [(1, b"\xff\xfe" + "one".encode("utf-16-le"), "ucs2"), (3, "two".encode("utf-16-le"), "ucs2")]
    assert join(parts, total=3) == f"one{GAP}two"
