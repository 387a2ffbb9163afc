"""Formatting and parsing of numbers, amounts and times."""

import pytest

from dtmf.cli import formatting


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0"), (999, "999"), (1_000, "1,000"), (21 * 10**14, "2,100,000,000,000,000"), (None, "–")]
)
def test_numbers_have_thousands_separators(number: int | None, shown: str) -> None:
    assert formatting.format_int(number) == shown


@pytest.mark.parametrize(("number", "shown"), [(5_000, "+5,000"), (-705, "−705"), (0, "+0")])
def test_amounts_have_a_sign(number: int, shown: str) -> None:
    assert formatting.signed(number) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (3_600, "1 h"),
        (3_660, "1 h 1 min"),
        (86_400, "1 d"),
        (205_200, "2 d 9 h"),
        (86_400 * 150 + 3_600, "150 d"),
        (86_400 * 12_345, "12,345 d"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, shown: str) -> None:
    assert formatting.format_duration(seconds) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(179.2, "2:59"), (0, "0:00"), (-3, "0:00"), (3_600, "1:00:00")])
def test_the_time_left_is_shown_like_a_clock(seconds: float, shown: str) -> None:
    assert formatting.countdown(seconds) == shown


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("1.5h", 5_400), ("15m", 900), ("15 min", 900), ("2h", 7_200), ("30d", 2_592_000)],
)
def test_a_duration_is_parsed(text: str, seconds: float) -> None:
    assert formatting.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "-1", "1y", "1h30m", "1e3", "٣", "nan", "inf", "1..5", "9" * 20, "1\n2"])
def test_a_malformed_duration_is_rejected_and_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration: ") as caught:
        formatting.seconds(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["5eur", "5 EUR", "€5", "$5", "5.50usd", "1 000 eur"])
def test_an_amount_in_a_currency_is_left_to_the_service(text: str) -> None:
    assert formatting.is_in_currency(text)
    with pytest.raises(ValueError, match="not an amount"):
        formatting.sats(text)


@pytest.mark.parametrize("text", ["5", "50k", "0.001btc", "1 sats", "eur", "", "5eurx", "5s"])
def test_other_amounts_are_not_in_a_currency(text: str) -> None:
    assert not formatting.is_in_currency(text)


@pytest.mark.parametrize(
    ("text", "sats"),
    [
        ("1", 1),
        ("50000", 50_000),
        ("50,000", 50_000),
        ("1_000_000", 1_000_000),
        ("7 sats", 7),
        ("1sat", 1),
        ("50 000", 50_000),
        ("1 000 000 sats", 1_000_000),
        ("50\u202f000", 50_000),
        ("50k", 50_000),
        ("0.5K", 500),
        ("0.001btc", 100_000),
        ("1 BTC", 100_000_000),
        ("0.00000001btc", 1),
    ],
)
def test_an_amount_is_parsed(text: str, sats: int) -> None:
    assert formatting.sats(text) == sats


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "-5",
        "+5",
        "1.5",
        "5,0",
        "1,50,000",
        "1,000_000",
        "٣٠",
        "1e5",
        "9" * 20,
        "0,000",
        "0k",
        "0.0001k",
        "0btc",
        "0.000000001btc",
        "1.5.5btc",
        "k",
    ],
)
def test_a_malformed_amount_is_rejected_and_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="not an amount: ") as caught:
        formatting.sats(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("sats", "shown"), [(1, "0.00000001"), (50_000, "0.0005"), (10**8, "1"), (123_456_789, "1.23456789"), (10**9, "10")]
)
def test_bitcoins_are_exact(sats: int, shown: str) -> None:
    assert formatting.bitcoin(sats) == shown
