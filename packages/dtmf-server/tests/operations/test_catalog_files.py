"""Files as spreadsheets and carriers write them: every readable one is read, every other one names the line and the fix."""

from decimal import Decimal

import pytest

from dtmf_server.operations import catalog_file, group_terms, pegged_columns
from dtmf_server.operations.catalog_columns import Reading
from dtmf_server.operations.catalog_entries import ImportErrors

NUMBERS = [("+4915123456789", "de-mobile"), ("+4915123456790", "de-mobile")]
GERMAN = Reading(code="49")
IN_DE = Reading(group="de-mobile")
IN_DE_49 = Reading(code="49", group="de-mobile")
EUR = Reading(rate=Decimal(1500))
NETWORKS = {("262", "1"): ["4915", "4916"], ("262", ""): ["4917"], ("230", ""): ["420"]}


def numbers_in(content: bytes, reading: Reading | None = None) -> list[tuple[str, str]]:
    file = catalog_file.read("numbers", content, name="n.csv", reading=reading)
    return [(each.values["e164"], each.values["group_id"]) for each in file.entries]


def prices_in(content: bytes, reading: Reading | None = None) -> dict[str, int]:
    file = catalog_file.read("prices", content, name="p.csv", reading=reading)
    return {each.values["prefix"]: int(each.values["cost_per_segment"]) for each in file.entries}


def complaints(kind: str, content: bytes, reading: Reading | None = None, name: str = "f.csv") -> list[str]:
    with pytest.raises(ImportErrors) as wrong:
        catalog_file.read(kind, content, name=name, reading=reading)
    return wrong.value.complaints


PLAIN = "e164,group_id\n+4915123456789,de-mobile\n+4915123456790,de-mobile\n"
TWO = "number;group\n{};de-mobile\n{};de-mobile\n"


@pytest.mark.parametrize(
    ("content", "reading"),
    [
        pytest.param(PLAIN.encode(), None, id="our own form"),
        pytest.param(PLAIN.replace(",", ";").encode(), None, id="semicolons"),
        pytest.param(PLAIN.replace(",", "\t").encode(), None, id="tabs"),
        pytest.param(PLAIN.replace(",", "|").encode(), None, id="pipes"),
        pytest.param(PLAIN.replace("\n", "\r\n").encode(), None, id="CRLF"),
        pytest.param(PLAIN.replace("\n", "\r").encode(), None, id="CR of old Macs"),
        pytest.param(PLAIN.encode("utf-8-sig"), None, id="UTF-8 with BOM"),
        pytest.param(b"\xff\xfe" + PLAIN.replace(",", "\t").encode("utf-16-le"), None, id="Excel's Unicode text"),
        pytest.param(b"\xfe\xff" + PLAIN.encode("utf-16-be"), None, id="UTF-16 big endian"),
        pytest.param(PLAIN.encode("utf-16-le"), None, id="UTF-16 without BOM"),
        pytest.param(PLAIN.encode("utf-16-be"), None, id="UTF-16 big endian without BOM"),
        pytest.param(("sep=;\r\n" + PLAIN.replace(",", ";")).encode(), None, id="Excel's sep line"),
        pytest.param(PLAIN.replace("e164,group_id", "E164 , Group ID").encode(), None, id="capitals and spaces"),
        pytest.param(PLAIN.replace("e164,group_id", "Phone Number,Group-Id").encode(), None, id="synonyms"),
        pytest.param(PLAIN.replace("e164", "MSISDN").encode(), None, id="MSISDN"),
        pytest.param(
            b"Status;DID;Group;Note\nok;+49 151 23456789;de-mobile;a\nok;+49-151-23456790;de-mobile;b;c"[:-2],
            None,
            id="extra columns, spaces and hyphens",
        ),
        pytest.param(TWO.format("+49 (0) 151 / 234 567 89", "+49 (151) 23456790").encode(), None, id="brackets"),
        pytest.param(TWO.format("004915123456789", "0049 151 23456790").encode(), None, id="00"),
        pytest.param(TWO.format("0151 23456789", "0151-234567-90").encode(), GERMAN, id="national"),
        pytest.param(TWO.format("4915123456789", "4915123456790").encode(), GERMAN, id="without +"),
        pytest.param(TWO.format("15123456789", "15123456790").encode(), GERMAN, id="without the leading zero"),
        pytest.param(TWO.format("4915123456789.0", "4915123456790.0").encode(), GERMAN, id="as a float"),
        pytest.param(TWO.format("+4915123456789.00", "4915123456790,0").encode(), GERMAN, id="with decimals"),
        pytest.param(
            TWO.format("4,915,123,456,789", "4'915'123'456'790").encode(), GERMAN, id="with thousands separators"
        ),
        pytest.param(
            TWO.format("49 (0) 151 23456789", "49(0)15123456790").encode(), GERMAN, id="(0) after 49 without +"
        ),
        pytest.param(TWO.format("'+4915123456789", '"=""+4915123456790"""').encode(), None, id="marked as text"),
        pytest.param(
            TWO.format("\u202a+49\u00a0151\u00a023456789\u202c", "+49\u2011151\u201123456790").encode(),
            None,
            id="direction marks, no-break spaces and hyphens",
        ),
        pytest.param(TWO.format("tel:+4915123456789", "tel:+49-151-23456790").encode(), None, id="tel: URLs"),
        pytest.param(b"+4915123456789\n+4915123456790\n", IN_DE, id="only numbers, without a header"),
        pytest.param(b"0151 23456789\r\n0151 23456790\r\n", IN_DE_49, id="only national numbers"),
        pytest.param(b"did\n+4915123456789\n+4915123456790\n", IN_DE, id="without a group column"),
        pytest.param(b"+4915123456789;;\n+4915123456790;;\n", IN_DE, id="only numbers, and empty columns"),
        pytest.param(
            b"number,number,group\n12,+4915123456789,de-mobile\n34,+4915123456790,de-mobile\n",
            Reading(columns={"#2": "e164"}),
            id="two columns of one name, mapped by position",
        ),
        pytest.param(
            b"number,group,note,other\n+4915123456789,de-mobile,x\n+4915123456790,de-mobile\n",
            None,
            id="ignored empty cells at the end left out",
        ),
        pytest.param(
            ("number;group;note\n+4915123456789;de-mobile;" + "\u5e83" * 99 + "\n+4915123456790;de-mobile;x\n").encode(
                "utf-16-le"
            ),
            None,
            id="UTF-16 without BOM, most of it Chinese",
        ),
        pytest.param(
            b"Order 4711;;\n\nAcme GmbH;;\nNumber;Type;Group\n+4915123456789;m;de-mobile\n;;\n+4915123456790;m;de-mobile\n",
            None,
            id="titles above, empty lines between",
        ),
        pytest.param(
            b"a;b\n+4915123456789;de-mobile\n+4915123456790;de-mobile\n",
            Reading(columns={"A": "e164", "B": "group_id"}),
            id="mapped columns",
        ),
        pytest.param(
            "Nummer;Gruppe;Ort\n+4915123456789;de-mobile;K\xf6ln\n+4915123456790;de-mobile;M\xfcnchen\n".encode(
                "cp1252"
            ),
            Reading(columns={"nummer": "e164", "Gruppe": "group_id"}),
            id="Windows-1252",
        ),
        pytest.param(
            b'e164,group_id,note\n+4915123456789,de-mobile,"two\nlines, ""quoted"""\n+4915123456790,de-mobile,x\n',
            None,
            id="quoted line ends and delimiters",
        ),
        pytest.param(b"e164,group_id\n+4915123456789,de-mobile,\n+4915123456790,de-mobile,\n", None, id="final commas"),
    ],
)
def test_numbers_are_read_however_the_file_was_saved(content: bytes, reading: Reading | None) -> None:
    assert numbers_in(content, reading) == NUMBERS


@pytest.mark.parametrize(
    ("content", "reading", "prices"),
    [
        pytest.param(b"Prefix;Price\n49;12\n+44;20\n0043;7\n", None, {"49": 12, "44": 20, "43": 7}, id="satoshis"),
        pytest.param(
            b'Destination,Dial Codes,Rate (EUR)\nGermany Mobile,"4915,4916-4917",0.0075\nAustria,43,0.01\n',
            EUR,
            {"4915": 12, "4916": 12, "4917": 12, "43": 15},
            id="A-Z list with lists and ranges",
        ),
        pytest.param(b"code;price\n49;0,0075\n44;1,5\n", EUR, {"49": 12, "44": 2250}, id="decimal comma"),
        pytest.param(b"code;price\n49;1.234,50\n44;0,5\n", EUR, {"49": 1851750, "44": 750}, id="thousands with points"),
        pytest.param(b"code;price\n49;1,234.50\n44;0.5\n", EUR, {"49": 1851750, "44": 750}, id="thousands with commas"),
        pytest.param(b"code;price\n49;1 234\n44;1'500\n43;12\n", None, {"49": 1234, "44": 1500, "43": 12}, id="spaces"),
        pytest.param(b"code;price\n49;1,234\n", Reading(decimal="."), {"49": 1234}, id="stated decimal mark"),
        pytest.param(b"code;price\n49;1,234,567\n44;1,234\n", None, {"49": 1234567, "44": 1234}, id="clear elsewhere"),
        pytest.param(
            "code;price\n49;\u20ac0,0075\n44;0,01 EUR\n".encode(), EUR, {"49": 12, "44": 15}, id="currency in the cells"
        ),
        pytest.param(
            b"Code|Price|Currency\n49|0.0075|EUR\n44|0.01|EUR\n", EUR, {"49": 12, "44": 15}, id="currency column"
        ),
        pytest.param(b"code,price_sats\n49,12\n", None, {"49": 12}, id="satoshis named in the column"),
        pytest.param(
            b"Country Code;Area Codes;Rate\n49;15,160-161;3\n43;1,664;4\n44;;9\n",
            None,
            {"4915": 3, "49160": 3, "49161": 3, "431": 4, "43664": 4, "44": 9},
            id="country and area codes",
        ),
        pytest.param(
            b"Country,MCC,MNC,Price EUR\nGermany,262,01,0.07\nGermany,262,03,0.09\nCzechia,230,,0.05\n",
            Reading(rate=Decimal(1000), networks=NETWORKS),
            {"4915": 70, "4916": 70, "4917": 90, "420": 50},
            id="MCC and MNC",
        ),
        pytest.param(
            b"mccmnc;cost\n262-01;70\n26203;90\n26207;95\n",
            Reading(networks=NETWORKS),
            {"4915": 70, "4916": 70, "4917": 95},
            id="one column of networks; the dearest of those that share a prefix",
        ),
        pytest.param(
            b"Code,MCC,MNC,Rate\n49,262,01,7\n49,262,02,9\n420,230.0,1.0,5\n",
            Reading(networks=NETWORKS | {("230", "1"): ["4206"]}),
            {"4915": 7, "4916": 7, "4917": 9, "4206": 5},
            id="networks, decimals, and a prefix that is not needed",
        ),
        pytest.param(
            b"Country Code,MCC,MNC,Rate\n49,262,01,7\n49,262,n/a,9\n44,234,-,5\n",
            None,
            {"49": 9, "44": 5},
            id="networks that share the prefix in the row, without a networks file",
        ),
        pytest.param(
            b"prefix;price\n+44 7;1\n0043 6;2\n1-684;3\n+1-242;4\n4915 4916;5\n+33, +32;6\n36.0;7\n44-1534;8\n",
            None,
            {"447": 1, "436": 2, "1684": 3, "1242": 4, "4915": 5, "4916": 5, "33": 6, "32": 6, "36": 7, "441534": 8},
            id="prefixes with spaces and hyphens",
        ),
        pytest.param(
            b"prefix;Wholesale EUR\n49;0,5\n",
            Reading(rate=Decimal(1500), columns={"Wholesale EUR": "cost_per_segment"}),
            {"49": 750},
            id="a currency in the name of a mapped column",
        ),
        pytest.param(
            b"prefix;price;currency\n221;5;XOF\n49;0.5;\n",
            Reading(rate=Decimal(2)),
            {"221": 10, "49": 1},
            id="any currency",
        ),
        pytest.param(b"prefix,cost_per_segment\n,5\n", None, {"": 5}, id="every destination"),
    ],
)
def test_price_lists_are_read_as_carriers_send_them(
    content: bytes, reading: Reading | None, prices: dict[str, int]
) -> None:
    assert prices_in(content, reading) == prices


GROUP = "id,type,name,country_code,setup_cost,rental_cost_per_minute,cost_per_inbound_message,carriers\n"


def test_groups_are_read_with_other_headers_and_prices_in_a_currency() -> None:
    head = "Group;Type;Name;Country;Setup (EUR);Per Minute (EUR);Per SMS (EUR);Via\n"
    text = f"{head}de-mobile;Mobile;K\xf6ln;DE;1,50;0,01;0,10;phone\n"
    (entry,) = catalog_file.read("groups", text.encode(), name="g.csv", reading=EUR).entries
    assert entry.values == {
        "id": "de-mobile",
        "type": "mobile",
        "name": "K\xf6ln",
        "country_code": "de",
        "setup_cost": "2250",
        "rental_cost_per_minute": "15",
        "cost_per_inbound_message": "150",
        "carriers": "phone",
        **dict.fromkeys(group_terms.COLUMNS | pegged_columns.COLUMNS, ""),
    }


def test_the_terms_of_a_group_are_read_as_a_spreadsheet_writes_them() -> None:
    head = (
        "Group;Type;Name;Country;Setup;Per Minute;Via;Monthly Cap (EUR);Reclaim Days;Supply;Stock Max;Month Price Max\n"
    )
    text = f"{head}de-mobile;mobile;K;DE;1,50;0,01;;5,00;7.0;twilio;10,0;1,5\n"
    (entry,) = catalog_file.read("groups", text.encode(), name="g.csv", reading=EUR).entries
    found = {name: entry.values[name] for name in ("monthly_cap", "reclaim_days", "stock_max", "month_price_max")}
    assert found == {"monthly_cap": "7500", "reclaim_days": "7", "stock_max": "10", "month_price_max": "1.5"}


@pytest.mark.parametrize(
    ("kind", "content", "reading", "complaint"),
    [
        ("numbers", b"PK\x03\x04abc", None, "f.csv: the file is a spreadsheet (xlsx or ods) or an archive"),
        ("numbers", b"PK\x03\x04abc", None, "save it as CSV"),
        ("numbers", b"\xd0\xcf\x11\xe0\xa1\xb1", None, "f.csv: the file is a spreadsheet (xls)"),
        ("prices", b"%PDF-1.7", None, "f.csv: the file is a PDF"),
        ("prices", b"\x1f\x8b\x08", None, "f.csv: the file is compressed"),
        ("numbers", b"\n<html><table>", None, "f.csv: the file is a web page or XML, not a CSV file: open it"),
        ("numbers", b"e164\0\1\2\3,x", None, "f.csv: the file is not a text file"),
        ("numbers", b"\xef\xbb\xbfe164,group_id\nx,\xff\n", None, "f.csv:2: the file is not valid UTF-8"),
        ("numbers", b"\xff\xfea", None, "f.csv:1: the file is not valid UTF-16-LE"),
        ("numbers", b"", None, "f.csv: the file contains no number"),
        ("numbers", b"\n\n;;\n", None, "f.csv: the file contains no number"),
        ("numbers", b"e164,group_id\n", None, "f.csv: the file contains no number"),
        ("numbers", b"+4915123456789\n", None, "f.csv:1: there is no column e164"),
        ("numbers", b"number\n+4915123456789\n", None, "add --group GROUP, or --map COLUMN=group_id"),
        ("numbers", b"\n\nfoo;bar\n1;2\n", None,
         "f.csv:3: there is no column e164 (a number like +4207000000); this line has 'foo', 'bar'"),
        ("numbers", b'"a\nb";Grupe\n1;2\n', None, "f.csv:1: there is no column e164"),
        ("numbers", b"phone,number,group\n1,2,x\n", None,
         "f.csv:1: the columns 'phone' and 'number' may both be e164: choose one with --map"),
        ("numbers", b"number,group\n4.91512E+11,x\n", GERMAN,
         "f.csv:2: e164 (column 'number') must be a number like +4207000000, not '4.91512E+11': the spreadsheet turned it"),
        ("numbers", b"number,group\n4.91512E+11,x\n", GERMAN, "into scientific notation and removed digits"),
        ("numbers", b"number;group\n4,91512E+11;x\n", GERMAN, "format the column as text"),
        ("numbers", b"number,group\n4915123456789,x\n", None,
         "not '4915123456789': its country is not clear without a +: add --country"),
        ("numbers", b"number,group\n0151 23456789,x\n", None, "it is a national number: add --country"),
        ("numbers", b"number,group\n+1 202 555 010,x\n", None, "a North American number has 10 digits"),
        ("numbers", b"number,group\n202 555 01000,x\n", Reading(code="1"), "a North American number has 10 digits"),
        ("numbers", b"number,group\n+49,x\n", None, "a number has 7 to 15"),
        ("numbers", b"number,group\n+4915123456789012,x\n", None, "it has 16 digits"),
        ("numbers", b"number,group\n+49 151 CALL,x\n", None,
         "f.csv:2: e164 (column 'number') must be a number like +4207000000, not '+49 151 CALL'"),
        ("numbers", b"number,group\n+4930123456 x12,x\n", None, "not '+4930123456 x12'"),
        ("numbers", b"number,group\n,x\n", None, "f.csv:2: e164 (column 'number') is missing"),
        ("numbers", b'number,note,group\n+4915123456789,"a\nb\nc",x\n12,y,x\n', None, "f.csv:5: e164"),
        ("numbers", b'number,group\n+4915123456789,"x\n', None,
         "f.csv:2: not valid CSV: a quoted text that begins here does not end"),
        ("numbers", b"number,group\n+4915123456789;x\n", None,
         "f.csv:2: this line has 1 columns, and the column names on line 1 are 2"),
        ("numbers", b"number,number,group\n1,2,x\n", None,
         "f.csv:1: the columns 'number' and 'number' may both be e164: choose one with --map '#2'=e164"),
        ("numbers", b"number,group\n+4915123456789,x\n", Reading(columns={"Nummer": "e164"}),
         "f.csv:1: --map names 'Nummer', and this line has 'number', 'group'"),
        ("numbers", b"number,group\n+4915123456789,x\n", Reading(columns={"#3": "e164"}), "--map names '#3'"),
        ("numbers", b"note,number,group\nx,+4915123456789\n", None,
         "f.csv:2: this line has 2 columns, and the column names on line 1 are 3"),
        ("prices", b"prefix;price\n1 684;5\n", None, "f.csv:2: prefix must be digits"),
        ("prices", b"prefix;price\n44 7;5\n", None, "not '44 7': a space can separate two prefixes or belong to one"),
        ("prices", b"prefix;price\n+49 15 16;5\n", None, "a space can separate two prefixes or belong to one"),
        ("prices", b"prefix;price\n49 43;5\n", None, "a space can separate two prefixes or belong to one"),
        ("prices", b'prefix,price\n"1,684",5\n', None,
         "not '1,684': this could be one prefix with thousands separators"),
        ("prices", b"prefix;Wholesale EUR\n49;5\n", Reading(columns={"Wholesale EUR": "cost_per_segment"}),
         "f.csv:2: the prices are in EUR: add --rate"),
        ("prices", b"price\n5\n", None, "f.csv:1: there is no column prefix"),
        ("prices", b"prefix\n49\n", None, "f.csv:1: there is no column cost_per_segment"),
        ("prices", b"prefix;price\n49;0.0075\n", None, "if it is a price in a currency, add --rate SATS_PER_UNIT"),
        ("prices", b"prefix;price\n49;5.00\n", None, "if it is a price in a currency, add --rate"),
        ("prices", b"prefix;price EUR\n49;5\n", None,
         "f.csv:2: the prices are in EUR: add --rate SATS_PER_UNIT, how many satoshis one EUR is"),
        ("prices", b"prefix;price;currency\n49;0.5;EUR\n44;0.5;USD\n", EUR,
         "f.csv:3: the prices are in EUR and USD: split the file"),
        ("prices", b"prefix;price_sats\n49;5\n", EUR, "the prices are in satoshis: leave out --rate"),
        ("prices", b"prefix;price\n49;1,234\n", EUR, "that could be a thousand or a decimal: add --decimal"),
        ("prices", b"prefix;price\n49;0,5\n44;0.5\n", EUR,
         "f.csv:3: cost_per_segment: '0,5' and '0.5' in one column have different decimal marks: add --decimal"),
        ("prices", b"prefix;price\n49;7.5E-03\n", EUR,
         "the spreadsheet turned it into scientific notation, and may have rounded it"),
        ("prices", b"prefix;price\n4.9E+01;5\n", None, "f.csv:2: prefix must be digits"),
        ("prices", b"prefix;price\n49;-5\n", None,
         "f.csv:2: cost_per_segment (column 'price') must be whole satoshis, not '-5'"),
        ("prices", b"prefix;price\n49;n/a\n", None, "not 'n/a'"),
        ("prices", b"prefix;price\n49;12 34\n", None, "not '12 34'"),
        ("prices", b"prefix;price\n4916-491;5\n", None, "the range 4916-491 must have two prefixes of the same length"),
        ("prices", b"prefix;price\n4917-4916;5\n", None,
         "the range 4917-4916 must have two prefixes of the same length, the lower one first"),
        ("prices", b"prefix;price\n1000000-9999999;5\n", None, "these are more than 20000 prefixes"),
        ("prices", b"prefix;price\n4915,4916;5\n4916;6\n", None, "f.csv:3: prefix '4916' is already at f.csv:2"),
        ("prices", b"prefix;price\n,;5\n", None, "f.csv:2: prefix must be digits"),
        ("prices", b"area code;price\n15;5\n", None, "f.csv:2: the row has area codes and no single country code"),
        ("prices", b"mcc;mnc;price\n262;01;5\n", None,
         "f.csv:2: the row has MCC 262, MNC 1 and no prefix: add --networks FILE"),
        ("prices", b"mcc;mnc;price\n310;;5\n", Reading(networks=NETWORKS),
         "the networks file has no prefixes of MCC 310"),
        ("groups", GROUP.encode() + b"a,mobile,A,de,5,1,1,x\nb,fax,B,de,x,1,1,x\n", None,
         "f.csv:3: type must be mobile or local, not 'fax'"),
        ("numbers", b"number,group\n+4915123456789,x\n", Reading(columns={"number": "phone"}),
         "'phone' is none of e164, group_id"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_the_place_and_the_fix(
    kind: str, content: bytes, reading: Reading | None, complaint: str
) -> None:
    found = complaints(kind, content, reading)
    assert any(complaint in each for each in found), found


def test_how_a_file_was_read_is_noted_once() -> None:
    text = "Acme\nNumber;Stadt;Group;Status\n+4915123456789;K\xf6ln;x;a\n+4915123456790;Bonn;x;b\n"
    assert catalog_file.read("numbers", text.encode("cp1252"), name="n.csv").notes == [
        "n.csv is not UTF-8: read as Windows-1252; if letters look wrong, save it as UTF-8",
        "n.csv: skipped 1 lines above the column names, which are on line 2",
        "n.csv: ignored columns: Stadt, Status",
    ]
    assert catalog_file.read("prices", b"prefix,price\n,5\n", name="p.csv").notes == [
        "p.csv:2: without a prefix, the price is that of every other destination"
    ]


def test_several_errors_are_reported_at_once_as_data() -> None:
    with pytest.raises(ImportErrors) as wrong:
        catalog_file.read("numbers", b"Nr,number,group\n1,12,x\n2,+4915123456789,X Y\n", name="n.csv")
    assert [(each.line, each.column, each.value) for each in wrong.value.found] == [
        (2, "e164", "12"),
        (3, "group_id", "X Y"),
    ]
