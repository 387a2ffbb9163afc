"""Rates in texts, and amounts of the operator's currency in satoshis."""

from decimal import Decimal

import pytest

from dtmf_server.core.money import SATS_MAX
from dtmf_server.core.rates import SOURCE_MAX_BYTES, parse_rate, sats_for


@pytest.mark.parametrize(
    ("amount", "rate", "sats"),
    [
        ("5", "100000", 5000),
        ("5", "99999.99", 5001),  # 5000.0005, rounded up, so that the balance covers the amount
        ("0.01", "65432.1", 16),
        ("1", "0.001", 100_000_000_000),
        ("21000000", "1", SATS_MAX),
        ("3", "0.3", 1_000_000_000),
    ],
)
def test_amounts_are_rounded_up_to_whole_satoshis(amount: str, rate: str, sats: int) -> None:
    assert sats_for(Decimal(amount), Decimal(rate)) == sats


@pytest.mark.parametrize("amount", ["0", "-5", "NaN", "-NaN", "sNaN", "Infinity", "-Infinity", "21000001", "1e999999"])
def test_impossible_amounts_are_refused(amount: str) -> None:
    with pytest.raises(ValueError, match=r"must be a positive amount|is more than all bitcoins cost"):
        sats_for(Decimal(amount), Decimal(1))


@pytest.mark.parametrize(
    ("text", "pointer", "rate"),
    [
        (b"65000", None, "65000"),
        (b" 65000.125\r\n", None, "65000.125"),
        (b"6.5e4", None, "6.5e4"),
        (b"65000", "", "65000"),
        (b'{"eur": {"last": 65000.10}}', "/eur/last", "65000.10"),
        (b'{"eur": {"last": "65000.10"}}', "/eur/last", "65000.10"),
        (b'{"pairs": [{"a/b": {"~x": 7}}]}', "/pairs/0/a~1b/~0x", "7"),
        (b'{"": 3}', "/", "3"),
    ],
)
def test_a_rate_is_read_exactly(text: bytes, pointer: str | None, rate: str) -> None:
    assert parse_rate(text, pointer) == Decimal(rate)


@pytest.mark.parametrize(
    ("text", "pointer", "cause"),
    [
        (b"", None, "is not a positive number"),
        (b"-65000", None, "is not a positive number"),
        (b"NaN", None, "is not a positive number"),
        (b"Infinity", None, "is not a positive number"),
        (b"1e999999999", None, "is not a positive number"),
        (b"65,000.00", None, "is not a positive number"),
        (b"9" * 30, None, "is not a positive number"),
        ("٦٥".encode(), None, "is not a positive number"),
        (b"<html><body>65000</body></html>", None, "is an HTML page"),
        (b"<html>", "/eur", "is an HTML page"),
        (b"\xff\xfe", None, "is not text"),
        (b"1" * (SOURCE_MAX_BYTES + 1), None, "is larger than 1048576 bytes"),
        (b"{", "/eur", "is not JSON"),
        (b"[" * 100_000, "/eur", "is not JSON"),
        (b'{"eur": NaN}', "/eur", "is not a positive number at /eur"),
        (b'{"eur": -1}', "/eur", "is not a positive number at /eur"),
        (b'{"eur": true}', "/eur", "is not a positive number at /eur"),
        (b'{"eur": null}', "/eur", "is not a positive number at /eur"),
        (b'{"eur": {"last": 1}}', "/eur", "is not a positive number at /eur"),
        (b'{"eur": 65000}', "/usd", "has nothing at /usd"),
        (b'{"eur": 65000}', "/eur/last", "has nothing at /eur/last"),
        (b'{"a": [1]}', "/a/1", "has nothing at /a/1"),
        (b'{"a": [1]}', "/a/-", "has nothing at /a/-"),
        (b'{"a": [1]}', "/a/00", "has nothing at /a/00"),
        (b'{"a": [1]}', "/a/-1", "has nothing at /a/-1"),
    ],
)
def test_a_text_without_a_usable_rate_is_refused(text: bytes, pointer: str | None, cause: str) -> None:
    with pytest.raises(ValueError, match=f"^{cause}$"):
        parse_rate(text, pointer)
