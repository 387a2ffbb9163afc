"""Amounts of a top-up as people type them, read as the command line reads them."""

from decimal import Decimal

import pytest

from dtmf.cli import formatting
from dtmf_server.core.deposit_amounts import InCurrency, in_bitcoins, in_currency, parse
from dtmf_server.core.money import SATS_MAX


@pytest.mark.parametrize(
    ("text", "sats"),
    [
        *(("1", 1), ("50000", 50_000), ("50,000", 50_000), ("50_000", 50_000), ("1,234,567", 1_234_567)),
        *(("50k", 50_000), ("1.5k", 1_500), ("0.001btc", 100_000), ("1 BTC", 10**8), ("0.00000001btc", 1)),
        *((" 7 sats ", 7), (str(SATS_MAX), SATS_MAX)),
    ],
)
def test_satoshis_are_read_as_the_command_line_reads_them(text: str, sats: int) -> None:
    assert parse(text) == formatting.sats(text) == sats


@pytest.mark.parametrize("text", ["50 000", "50\u202f000", "1\u00a0234\u00a0567 sat"])
def test_spaces_between_thousands_are_ignored(text: str) -> None:
    assert parse(text) in (50_000, 1_234_567)


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [
        *(("5eur", "5", "EUR"), ("5 EUR", "5", "EUR"), ("€5", "5", "EUR"), ("5 €", "5", "EUR")),
        *(("$5.50", "5.50", "USD"), ("5,5chf", "5.5", "CHF"), ("£0.01", "0.01", "GBP")),
    ],
)
def test_amounts_in_a_currency_are_read(text: str, amount: str, currency: str) -> None:
    assert parse(text) == InCurrency(Decimal(amount), currency)
    assert formatting.is_in_currency(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "0", "0k", "-5", "+5", "1e9", "5,00", "5.5", "1.2345k", "0.000000001btc", "0.0eur", "0eur", "eur"),
        *("5,000eur", "5.555eur", "€5eur", "5kr", "five", "nan", "inf", "\u0665", "5\x00", "9" * 30, str(SATS_MAX + 1)),
        *("21000001btc", "1" * 16 + "eur", "<script>", "5 5", "1,23,456"),
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse(text)


def test_satoshis_are_written_in_a_currency_and_in_bitcoins() -> None:
    assert in_currency(10_000, Decimal(50_000)) == Decimal("5.00")
    assert in_currency(SATS_MAX, Decimal("1e15")) == Decimal("2.1e22")
    assert [in_bitcoins(sats) for sats in (1, 50_000, 10**8, SATS_MAX)] == ["0.00000001", "0.0005", "1", "21000000"]
