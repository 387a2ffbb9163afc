"""Random files: what a CSV writer writes is read unchanged, and any bytes are read or refused."""

import csv
import io
import math
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from dtmf_server.operations import catalog_file
from dtmf_server.operations.catalog_columns import Reading
from dtmf_server.operations.catalog_entries import ImportErrors

NUMBER = st.from_regex(r"\+(?:49[1-9][0-9]{8,10}|420[67][0-9]{8}|1[2-9][0-9]{9})", fullmatch=True)
CELL = st.text(st.characters(exclude_categories=["Cs", "Cc", "Co"]) | st.sampled_from('\n\r";,\t|'), max_size=12)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])


@settings(deadline=None, max_examples=100)
@given(
    rows=st.lists(st.tuples(NUMBER, CELL), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    ends=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=ENCODINGS,
)
def test_what_a_csv_writer_writes_is_read_unchanged(
    rows: list[tuple[str, str]], delimiter: str, ends: str, encoding: str
) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, lineterminator=ends, quoting=csv.QUOTE_ALL)
    writer.writerow(("Note", "Number", "Group"))
    for e164, note in rows:
        writer.writerow((note, e164, "de-mobile"))
    assert _numbers(stream.getvalue().encode(encoding)) == [(e164, "de-mobile") for e164, _ in rows]


@settings(deadline=None, max_examples=100)
@given(
    prices=st.dictionaries(st.integers(1, 10**6).map(str), st.decimals(0, 10**6, places=4), min_size=1, max_size=8),
    comma=st.booleans(),
    rate=st.integers(1, 10**6),
)
def test_prices_written_in_either_convention_are_the_same_satoshis(
    prices: dict[str, Decimal], comma: bool, rate: int
) -> None:
    lines = ["prefix;price", *(f"{prefix};{price:,.4f}" for prefix, price in prices.items())]
    text = "\n".join(lines)
    if comma:
        text = text.translate(str.maketrans(".,", ",."))
    found = _prices(text.encode(), Reading(rate=Decimal(rate)))
    assert found == {prefix: math.ceil(price * rate) for prefix, price in prices.items()}


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=200), st.sampled_from(["groups", "numbers", "prices", "networks"]))
def test_any_bytes_are_read_or_refused_with_the_file_named(content: bytes, kind: str) -> None:
    try:
        catalog_file.read(kind, content, name="f.csv")
    except ImportErrors as wrong:
        assert all(each.startswith(("f.csv", "and ")) for each in wrong.complaints)


def _numbers(content: bytes) -> list[tuple[str, str]]:
    file = catalog_file.read("numbers", content, name="n.csv")
    return [(each.values["e164"], each.values["group_id"]) for each in file.entries]


def _prices(content: bytes, reading: Reading) -> dict[str, int]:
    file = catalog_file.read("prices", content, name="p.csv", reading=reading)
    return {each.values["prefix"]: int(each.values["cost_per_segment"]) for each in file.entries}
