"""A short run of the fuzzer over the readers of HTTP carriers, phones and smsd; `make prove` runs the long one."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dtmf_server.carriers.api_client import ApiReply, NoReply
from dtmf_server.carriers.smpp import vendor

from . import fuzz_callbacks

EXAMPLES = 100  # for each reader


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of regular expressions that will have another meaning
@pytest.mark.parametrize("reader", fuzz_callbacks.READERS, ids=lambda reader: reader.__name__)
def test_no_reader_raises_an_undeclared_exception(reader: fuzz_callbacks.Reader) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, database=None)
    @example(b"")
    @example(b"[" * 50_000)
    @example(b"\xff" * 300)
    @example(b"x\0" * 100)
    @given(st.binary(max_size=400) | st.text(max_size=100).map(lambda text: text.encode(errors="replace")))
    def check(data: bytes) -> None:
        reader(data)

    check()


def test_the_fuzzer_detects_an_undeclared_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: bytes) -> None:
        raise KeyError

    monkeypatch.setattr(fuzz_callbacks, "READERS", (broken,))
    with pytest.raises(KeyError):
        fuzz_callbacks.check(b"\0data")


def test_a_reply_that_is_nested_too_deeply_is_not_json() -> None:
    with pytest.raises(NoReply):
        ApiReply(200, {}, b"[" * 100_000).json()


@pytest.mark.parametrize("text", ["(?P<id>x){99999999999}(?P<stat>y)", "(" * 5000, "[", "(?P<id>x)"])
def test_every_invalid_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.compile("regular expression|no group")):
        vendor.receipt_pattern(text)
