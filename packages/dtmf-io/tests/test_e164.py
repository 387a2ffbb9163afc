"""dtmf.e164: a value is accepted unchanged or rejected."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtmf.e164 import is_e164, parse
from param_ids import shown
from support.invalid_arguments import NOT_E164


@pytest.mark.parametrize("number", ["+12", "+447700900123", "+123456789012345", "+900000000000000"])
def test_parse_returns_the_number_unchanged(number: str) -> None:
    assert parse(number) is number
    assert is_e164(number)


@pytest.mark.parametrize("value", NOT_E164, ids=shown)
def test_parse_rejects_and_quotes_values_that_are_not_e164(value: object) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(value)[:60])):
        parse(value)
    assert not is_e164(value)


@given(st.text(alphabet="+0123456789 \n٣-", max_size=20) | st.from_regex(r"\+[1-9][0-9]{1,14}", fullmatch=True))
def test_is_e164_agrees_with_the_pattern_of_the_contract(text: str) -> None:
    assert is_e164(text) is (re.fullmatch(r"\+[1-9][0-9]{1,14}", text) is not None)


def test_the_error_for_a_huge_value_is_short() -> None:
    with pytest.raises(ValueError, match="10,000,002 characters") as caught:
        parse("1" * 10_000_000)
    assert len(str(caught.value)) < 300


def test_a_value_without_a_repr_is_rejected_too() -> None:
    class Shy:
        def __repr__(self) -> str:
            raise RuntimeError

    with pytest.raises(ValueError, match="Shy"):
        parse(Shy())
