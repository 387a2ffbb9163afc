"""A carrier's words are one bounded line without characters that have an effect where they are shown."""

import pytest

from dtmf_server.carriers.base import CarrierRefused
from dtmf_server.core.carrier_words import WORDS_MAX, bounded


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("", ""),
        ("Unknown destination (30005)", "Unknown destination (30005)"),
        ("  two\r\n\tlines \n", "two lines"),
        ("\x1b[2J\x07 nul\0 \u202eevil\u2066 \u200b\ud83d", "\ufffd[2J\ufffd nul\ufffd \ufffdevil\ufffd \ufffd\ufffd"),
        ("<b>Ünreachable</b> 電話", "<b>Ünreachable</b> 電話"),
    ],
)
def test_words_are_one_printable_line(words: str, shown: str) -> None:
    assert bounded(words) == shown
    assert bounded(shown) == shown


@pytest.mark.parametrize("length", [WORDS_MAX - 1, WORDS_MAX, WORDS_MAX + 1, 100_000])
def test_words_are_bounded(length: int) -> None:
    found = bounded("x" * length)
    assert len(found) == min(length, WORDS_MAX)
    assert found.endswith("…") == (length > WORDS_MAX)


def test_a_refusal_has_bounded_words() -> None:
    refused = CarrierRefused("no\0" + "x" * 1000, permanent=True)
    assert len(refused.reason) == WORDS_MAX and "\0" not in str(refused)
