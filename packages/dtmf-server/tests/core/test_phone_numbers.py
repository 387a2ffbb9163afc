"""National numbers are completed by the rules of their country."""

import pytest

from dtmf_server.core import calling_codes
from dtmf_server.core.phone_numbers import to_e164


@pytest.mark.parametrize(
    ("country", "written", "e164"),
    [
        ("US", "(202) 555-0100", "+12025550100"),
        ("US", "1-202-555-0100", "+12025550100"),
        ("US", "011 44 7700 900001", "+447700900001"),
        ("GB", "07700 900001", "+447700900001"),
        ("UK", "7700 900001", "+447700900001"),
        ("IT", "06 1234 5678", "+390612345678"),
        ("HU", "06 20 123 4567", "+36201234567"),
        ("RU", "8 912 345-67-89", "+79123456789"),
        ("ES", "612 345 678", "+34612345678"),
        ("420", "601 123 456", "+420601123456"),
        ("+33", "06 39 98 00 01", "+33639980001"),
    ],
)
def test_national_numbers_are_completed_by_their_countrys_rules(country: str, written: str, e164: str) -> None:
    assert to_e164(written, code=calling_codes.calling_code(country)) == e164


@pytest.mark.parametrize("country", ["", "XX", "Germany", "0", "999"])
def test_an_unknown_country_is_refused(country: str) -> None:
    with pytest.raises(ValueError, match="is not a country"):
        calling_codes.calling_code(country)
