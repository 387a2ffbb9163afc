"""The columns of the operator's files: their names, the names that carriers and spreadsheets use, and their values."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from dtmf_server.core import amounts
from dtmf_server.core.calling_codes import CALLING_CODES, country_of
from dtmf_server.core.phone_numbers import SCIENTIFIC, is_scientific, to_e164, unmarked, whole
from dtmf_server.operations import group_terms, pegged_columns

PREFIXES_MAX = 20_000  # of one cell
NO_NETWORK = frozenset(("", "*", "-", "all", "any", "n/a", "na", "none", "other", "others"))
AMBIGUOUS_SPACE = (
    "a space can separate two prefixes or belong to one: write each prefix without spaces, and a comma between two"
)
AMBIGUOUS_COMMA = (
    "this could be one prefix with thousands separators: format the column as text, or write a space after each comma of"
    " a list"
)


def _no_rate(_: str) -> Decimal:
    raise ValueError("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How to read a file: the command's options. `networks`: the prefixes of each MCC and MNC; MNC "": the others."""

    code: str = ""  # the calling code that completes national numbers
    rate: Decimal | None = None  # satoshis per unit of the currency of the file's prices
    currency: str = ""  # of the file's prices, if the file does not name it
    current_rate: Callable[[str], Decimal] = _no_rate  # of a currency; raises ValueError
    decimal: str = ""  # "." or ","; empty: detect it
    group: str = ""  # for numbers of files without this column
    columns: Mapping[str, str] = field(default_factory=dict)  # our name of the file's columns
    networks: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)


Clean = Callable[[str, Reading], str]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: a description of its valid values, a function that returns the value in our form or raises ValueError
    (with the reason, if there is a special one), whether a value is required, and other names of it."""

    words: str
    clean: Clean
    needed: bool = True
    names: tuple[str, ...] = ()
    is_price: bool = False


def _matching(pattern: str, *, lower: bool = False, is_number: bool = False) -> Clean:
    matches = re.compile(rf"(?:{pattern})\Z").match

    def clean(text: str, _: Reading) -> str:
        value = re.sub(r"\A([0-9]+),([0-9]{1,2})\Z", r"\1.\2", whole(text)) if is_number else unmarked(text)
        if is_scientific(value):
            raise ValueError(SCIENTIFIC)
        value = value.lower() if lower else value
        if not matches(value):
            raise ValueError("")
        return value

    return clean


def _words(names: str) -> tuple[str, ...]:
    return tuple(names.split())


def _name(text: str, _: Reading) -> str:
    if not (text.isprintable() and len(text) <= 80):
        raise ValueError("")
    return text


def _number(text: str, reading: Reading) -> str:
    return to_e164(text, code=reading.code)


def _price(text: str, _: Reading) -> str:
    """Check the form; the whole column decides how to read it."""
    amounts.split(text)
    return text


def _prefixes(text: str, _: Reading) -> str:
    """Return the prefixes of a cell like `4915, 4916-4918`, separated by spaces."""
    if re.fullmatch("[1-9][0-9]{0,2}(?:,[0-9]{3})+", unmarked(text)):
        raise ValueError(AMBIGUOUS_COMMA)
    return _listed(text, _spaced)


def _listed(text: str, words_of: Callable[[str], list[str]]) -> str:
    """Return the prefixes of a cell. `words_of` splits a part of the list that may have spaces."""
    text = whole(text)
    if is_scientific(text):
        raise ValueError(SCIENTIFIC)
    found: list[str] = []
    for part in re.split(r"\s*[,;/\r\n]\s*", re.sub(r"\s*[\u2010-\u2015-]\s*", "-", text)):
        for word in words_of(part):
            found += _range(word)
        if len(found) > PREFIXES_MAX:
            raise ValueError(f"these are more than {PREFIXES_MAX} prefixes")
    if not found:
        raise ValueError("")
    return " ".join(found)


def _spaced(part: str) -> list[str]:
    """Return the prefixes of `4915 4916`, of one country, or of `+44 7`, which is one prefix. Raises ValueError if neither
    is clear: 44 7 could be British mobiles, or Great Britain and Russia."""
    words = part.split()
    marked = [word.startswith(("+", "00")) for word in words]
    if len(words) < 2 or all(marked):
        return words
    code = _unmarked_prefix(words[0])
    if marked == [True, False] and code in _CODES:
        return [f"{code}{words[1]}"]
    countries = {country_of(f"+{word}") for word in words}
    if any(marked) or len(countries) > 1 or "" in countries or {*words} & _CODES:
        raise ValueError(AMBIGUOUS_SPACE)
    return words


_CODES = frozenset(CALLING_CODES.values())


def _unmarked_prefix(text: str) -> str:
    return re.sub(r"\A(?:\+|00)", "", text)


def _range(text: str) -> list[str]:
    first, dash, last = map(_unmarked_prefix, text.partition("-"))
    if not dash:
        return [_prefix(first)] if first else []
    if first in _CODES and len(first) < len(last):  # 1-684: the hyphen follows the calling code
        return [_prefix(f"{first}{last}")]
    if len(first) != len(last) or _prefix(first) > _prefix(last):
        raise ValueError(f"the range {text} must have two prefixes of the same length, the lower one first")
    if int(last) - int(first) >= PREFIXES_MAX:
        raise ValueError(f"these are more than {PREFIXES_MAX} prefixes")
    return [str(prefix) for prefix in range(int(first), int(last) + 1)]


def _prefix(digits: str) -> str:
    if not re.fullmatch("[1-9][0-9]{0,14}", digits):
        raise ValueError("")
    return digits


def _area(text: str, _: Reading) -> str:
    return _listed(text, str.split)


def _mnc(text: str, _: Reading) -> str:
    value = whole(text).lower()
    if value in NO_NETWORK:
        return ""
    if not re.fullmatch("[0-9]{1,3}", value):
        raise ValueError("")
    return str(int(value))  # spreadsheets remove the zero of 01


def _mcc_mnc(text: str, _: Reading) -> str:
    found = re.fullmatch(r"([2-7][0-9]{2})[-/ ]?([0-9]{1,3})?", whole(text))
    if not found:
        raise ValueError("")
    return f"{found[1]} {int(found[2])}" if found[2] else f"{found[1]} "


SATS = "whole satoshis"
ID = Column("1 to 40 of a-z, 0-9 and -", _matching("[a-z0-9-]{1,40}"))


def _sats(*names: str, needed: bool = True, words: str = SATS) -> Column:
    return Column(words, _price, needed, names, is_price=True)


GROUP = {
    "id": Column(ID.words, ID.clean, names=("group", "group_id")),
    "type": Column("mobile or local", _matching("mobile|local", lower=True), names=("number_type", "kind")),
    "name": Column("a name of up to 80 characters", _name, names=("country_name", "title", "description")),
    "country_code": Column(
        "two letters like cz", _matching("[a-z]{2}", lower=True), names=("country", "iso", "iso2", "country_iso")
    ),
    "setup_cost": _sats("setup", "setup_fee", "setup_price", "activation", "activation_fee", "nrc", needed=False),
    "rental_cost_per_minute": _sats(
        "cost_per_minute", "price_per_minute", "per_minute", "minute", "rental_cost", needed=False
    ),
    "cost_per_inbound_message": _sats(
        "inbound_sms",
        "inbound_message",
        "cost_per_message",
        "cost_per_sms",
        "price_per_sms",
        "per_sms",
        needed=False,
        words="whole satoshis, or empty if the group has no SMS",
    ),
    "carriers": Column(
        "carrier names separated by spaces, or empty for any",
        _matching("[a-z0-9_-]{1,40}(?: [a-z0-9_-]{1,40})*"),
        needed=False,
        names=("carrier", "via"),
    ),
    **{
        name: Column(words, _matching(pattern, is_number=True), needed=False)
        for name, (words, pattern) in (group_terms.COLUMNS | pegged_columns.COLUMNS).items()
    },
    "monthly_cap": _sats(needed=False, words="whole satoshis, or empty for no cap"),  # at the rate of the other prices
}
NUMBER = {
    "e164": Column(
        "a number like +4207000000",
        _number,
        names=_words(
            "number phone phone_number msisdn did did_number tn telephone tel e_164 mobile_number"
            " telephone_number phonenumber numbers rufnummer numero"
        ),
    ),
    "group_id": Column(ID.words, ID.clean, names=("group",)),
}
_PREFIX_WORDS = "digits, a list like 4915,4916-4918, or empty for every destination"
PRICE = {
    "prefix": Column(
        _PREFIX_WORDS,
        _prefixes,
        needed=False,
        names=_words(
            "prefixes code codes dial_code dial_codes dialcode dialing_code destination_code"
            " destination_codes destination_prefix breakout breakouts number_prefix vorwahl"
        ),
    ),
    "country_prefix": Column(
        "the digits of a calling code like 49",
        _prefixes,
        needed=False,
        names=("country_code", "cc", "country_dial_code", "calling_code", "country_calling_code"),
    ),
    "area": Column(
        "area codes like 15,160-163",
        _area,
        needed=False,
        names=("area_code", "area_codes", "areacode", "city_code", "city_codes", "ndc"),
    ),
    "mcc": Column(
        "a mobile country code of three digits",
        _matching("[2-7][0-9]{2}", is_number=True),
        False,
        ("mobile_country_code",),
    ),
    "mnc": Column("a mobile network code, or empty for the others", _mnc, False, ("mobile_network_code",)),
    "mcc_mnc": Column(
        "a network like 26201", _mcc_mnc, False, ("mccmnc", "plmn", "network_code", "imsi_prefix", "mcc_and_mnc")
    ),
    "cost_per_segment": _sats(
        *_words(
            "price rate cost price_per_segment price_per_sms cost_per_sms rate_per_sms sms_price sms_rate unit_price"
            " price_per_unit price_per_message new_rate current_rate preis"
        )
    ),
    "currency": Column(
        "a currency like EUR", lambda text, _: amounts.currency_of(text), needed=False, names=("curr", "ccy")
    ),
}
NETWORK = {
    "mcc": Column(PRICE["mcc"].words, PRICE["mcc"].clean, names=PRICE["mcc"].names),
    "mnc": PRICE["mnc"],
    "prefix": Column("digits, or a list like 4915,4916-4918", _prefixes, names=PRICE["prefix"].names),
}
COLUMNS = {"group": GROUP, "number": NUMBER, "price": PRICE, "network": NETWORK}
KINDS = {"groups": "group", "numbers": "number", "prices": "price", "networks": "network"}


@dataclass(frozen=True, slots=True)
class Heading:
    """The meaning of a header line: the position of each of our columns, the currency that a name contains, and the names
    that are ignored."""

    positions: Mapping[str, int]
    names: Sequence[str]
    currency: str
    ignored: Sequence[str]


def plain(name: str) -> str:
    """Return a column's name in our spelling: small letters and underscores. One without letters stays as it is."""
    return re.sub(r"[\W_]+", "_", unmarked(name).lower()).strip("_") or unmarked(name)


def heading(cells: Sequence[str], kind: str, columns: Mapping[str, str]) -> Heading:
    """Recognize the columns of a header line. `columns`: our name by that of the file, or by a position like #2, for those
    that the operator named. Raises ValueError if two columns have the same meaning."""
    known = COLUMNS[kind]
    mapped = {plain(name): ours for name, ours in columns.items()}
    found: dict[str, tuple[int, int]] = {}  # how sure the match is, and the position
    currency = ""
    for at, cell in enumerate(cells):
        ours, is_sure, unit = _meaning(cell, known, mapped, columns.get(f"#{at + 1}"))
        if ours is None:
            continue
        if ours in found and found[ours][0] == is_sure:
            first = cells[found[ours][1]]
            shown = f"'#{at + 1}'" if plain(first) == plain(cell) else repr(cell)  # by its position
            raise ValueError(
                f"the columns {first!r} and {cell!r} may both be {ours}: choose one with --map {shown}={ours}"
            )
        if ours not in found or is_sure > found[ours][0]:
            found[ours] = (is_sure, at)
            currency = unit or currency
    positions = {ours: at for ours, (_, at) in found.items()}
    ignored = [cell for at, cell in enumerate(cells) if cell and at not in positions.values()]
    return Heading(positions, cells, currency, ignored)


def _meaning(
    cell: str, known: Mapping[str, Column], mapped: Mapping[str, str], positioned: str | None
) -> tuple[str | None, int, str]:
    """Return our name of a column, how sure that is (3 and 4: named by the operator), and a currency in its name."""
    name = plain(cell)
    if ours := positioned or mapped.get(name):
        return ours, 4 if positioned else 3, _without_unit(cell)[1] if ours in known and known[ours].is_price else ""
    if name in known:
        return name, 2, ""
    for candidate, unit in ((name, ""), _without_unit(cell)):
        for ours, column in known.items():
            if candidate == ours or candidate in column.names:
                is_price = column.is_price or not unit
                return (ours, 1, unit) if is_price else (None, 0, "")
    return None, 0, ""


def _without_unit(cell: str) -> tuple[str, str]:
    """Return a name like `Rate (EUR)` without its currency, and the currency."""
    words = [word for word in re.split(r"[\s_()\[\]/.,:-]+", unmarked(cell)) if word]
    for word in words:
        try:
            unit = amounts.currency_of(word)
        except ValueError:
            continue
        rest = [other for other in words if other != word and other.lower() != "in"]
        return plain(" ".join(rest)), unit
    return "", ""


def unknown(columns: Mapping[str, str], cells: Sequence[str]) -> list[str]:
    """Return the names in `columns` that no column of a header line has."""
    present = {plain(cell) for cell in cells} | {f"#{at}" for at in range(1, len(cells) + 1)}
    return [name for name in columns if name not in present and plain(name) not in present]
