"""Import groups, numbers and prices from files: every line is checked, errors name the line, all or nothing."""

import pytest

from dtmf_server.cli.import_text import warning_text
from dtmf_server.core.errors import DestinationNotServed
from dtmf_server.operations import catalog_file, import_catalog, rent, send
from dtmf_server.operations.catalog_entries import ImportErrors
from dtmf_server.operations.catalog_file import CatalogFile
from dtmf_server.storage import numbers, supply_numbers
from dtmf_server.storage.db import Database, Tx
from harness import START_US, US_NUMBERS, give_coins, open_account

GROUPS_CSV = """\
id,type,name,country_code,setup_cost,rental_cost_per_minute,cost_per_inbound_message,carriers
cz-mobile,mobile,Czech Republic,cz,32093,269,601,london paris
fr-local,local,"France, geographic",fr,2900,5,,
"""
GROUPS_TOML = """\
# our catalog
[[group]]
id = "cz-mobile"
type = "mobile"
name = "Czech Republic"
country_code = "cz"
setup_cost = 32093
rental_cost_per_minute = 269
cost_per_inbound_message = 601
carriers = ["london", "paris"]

[[group]]  # without SMS
id = "fr-local"
type = "local"
name = "France, geographic"
country_code = "fr"
setup_cost = 2900
rental_cost_per_minute = 5
"""


def opened(kind: str, text: str, name: str) -> CatalogFile:
    return catalog_file.read(kind, text.encode(), name=name)


def imported(db: Database, kind: str, text: str, name: str = "file.csv") -> import_catalog.Difference:
    return db.write_blocking(lambda tx: import_catalog.apply(tx, opened(kind, text, name)))


def refused(db: Database, kind: str, text: str, name: str) -> list[str]:
    before = counts(db)
    with pytest.raises(ImportErrors) as wrong:
        imported(db, kind, text, name)
    assert counts(db) == before, "all or nothing"
    return wrong.value.complaints


def counts(db: Database) -> tuple[int, ...]:
    tables = ("groups", "numbers", "destinations")
    return db.read_blocking(lambda tx: tuple(tx.all(f"SELECT count(*) AS n FROM {table}")[0]["n"] for table in tables))


@pytest.mark.parametrize(
    ("text", "name"), [(GROUPS_CSV, "g.csv"), (GROUPS_TOML, "g.toml"), ("\ufeff" + GROUPS_CSV, "g")]
)
def test_groups_are_imported_from_csv_and_toml(db: Database, text: str, name: str) -> None:
    assert imported(db, "groups", text, name).count == 2
    (group,) = db.read_blocking(lambda tx: tx.all("SELECT * FROM groups WHERE id = 'cz-mobile'"))
    assert (group["type"], group["name"], group["country_code"]) == ("mobile", "Czech Republic", "cz")
    assert (group["setup_cost"], group["rental_cost_per_minute"], group["cost_per_inbound_message"]) == (
        32093,
        269,
        601,
    )
    assert (bool(group["sms_support"]), group["carriers"]) == (True, "london paris")
    (group,) = db.read_blocking(lambda tx: tx.all("SELECT * FROM groups WHERE id = 'fr-local'"))
    assert (bool(group["sms_support"]), group["cost_per_inbound_message"], group["carriers"]) == (False, None, "")


def test_a_group_imported_again_is_updated_and_keeps_its_position(db: Database) -> None:
    imported(db, "groups", GROUPS_CSV)
    places = "SELECT id, position FROM groups ORDER BY position"
    before = [tuple(row.values()) for row in map(dict, db.read_blocking(lambda tx: tx.all(places)))]
    imported(db, "groups", GROUPS_CSV.replace("269", "300"))
    assert [tuple(row.values()) for row in map(dict, db.read_blocking(lambda tx: tx.all(places)))] == before
    group = db.read_blocking(lambda tx: numbers.group(tx, "cz-mobile"))
    assert group is not None and group["rental_cost_per_minute"] == 300


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("cz-mobile", "cz mobile", "g.csv:2: id must be 1 to 40 of a-z, 0-9 and -, not 'cz mobile'"),
        ("cz-mobile", "fr-local", "g.csv:3: 'fr-local' is already at g.csv:2"),
        (",mobile", ",fax", "g.csv:2: type must be mobile or local, not 'fax'"),
        (",cz,", ",cze,", "g.csv:2: country_code must be two letters like cz, not 'cze'"),
        (",cz,", ",,", "g.csv:2: country_code is missing: two letters like cz"),
        ("32093", "-1", "g.csv:2: setup_cost must be whole satoshis, not '-1'"),
        ("32093", "1.5", "g.csv:2: setup_cost must be whole satoshis, not '1.5'"),
        ("32093", "٣", "g.csv:2: setup_cost must be whole satoshis, not '٣'"),
        ("32093", "9999999999999999", "g.csv:2: setup_cost must be whole satoshis"),
        ("london paris", "London", "g.csv:2: carriers must be carrier names separated by spaces"),
        (
            "setup_cost",
            "set_up_cost",
            "g.csv:1: there is no column setup_cost (whole satoshis); this line has 'id', 'type'",
        ),
        (",london paris", "", "g.csv:2: this line has 7 columns, and the column names on line 1 are 8"),
        ("fr-local,", "fr-local,one more,", "g.csv:3: this line has 9 columns, and the column names on line 1 are 8"),
        ('"France, geographic"', '"France', "g.csv:3: not valid CSV: a quoted text that begins here does not end"),
    ],
)
def test_an_invalid_group_is_refused_naming_its_line(db: Database, old: str, new: str, complaint: str) -> None:
    complaints = refused(db, "groups", GROUPS_CSV.replace(old, new, 1), "g.csv")
    assert any(complaint in found for found in complaints), complaints


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (GROUPS_TOML.replace("2900", "true"), "g.toml:12: setup_cost must be whole satoshis, not 'True'"),
        (GROUPS_TOML.replace("2900", "-1"), "g.toml:12: setup_cost must be"),
        (GROUPS_TOML.replace("[[group]]", "[[grupo]]"), "g.toml: it must consist of [[group]] tables"),
        ("group = 1", "g.toml: it must consist of [[group]] tables"),
        ("[group", "g.toml: not valid TOML"),
        ("", "g.toml: the file contains no group"),
    ],
)
def test_invalid_toml_is_refused_naming_its_line(db: Database, text: str, complaint: str) -> None:
    assert any(complaint in found for found in refused(db, "groups", text, "g.toml"))


def test_numbers_are_imported_once(db: Database) -> None:
    text = "e164,group_id\n+12025550300,us-mobile\n+12025550301,us-mobile\n"
    assert [len(imported(db, "numbers", text).added) for _ in range(2)] == [2, 0]
    assert db.read_blocking(lambda tx: numbers.exists(tx, "+12025550301"))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("12025550300,us-mobile", "n.csv:3: e164 must be a number like +4207000000, not '12025550300'"),
        ("+1202555030x,us-mobile", "n.csv:3: e164 must be"),
        ("+12025550300,mars-mobile", "n.csv:3: group 'mars-mobile' does not exist: import it first"),
        ("+12025550100,tiny", "n.csv:3: +12025550100 is already in the group 'us-mobile'"),
        ("+12025550999,us-mobile", "n.csv:3: '+12025550999' is already at n.csv:2"),
    ],
)
def test_an_invalid_number_is_refused_naming_its_line(db: Database, line: str, complaint: str) -> None:
    text = f"e164,group_id\n+12025550999,us-mobile\n{line}\n"
    assert any(complaint in found for found in refused(db, "numbers", text, "n.csv"))


def test_a_number_that_is_being_given_back_to_its_carrier_is_not_put_in_stock_again(db: Database) -> None:
    """It would be rented out after somebody else has it."""

    def give_back(tx: Tx) -> None:
        supply_numbers.want(tx, group_id="us-mobile", carrier="twilio", account_id=None, now_us=START_US)
        tx.run(
            "UPDATE supply_numbers SET state = 'releasing', e164 = :e164, reserved_at_us = 1, bought_at_us = 1,"
            " renews_at_us = 2",
            e164=US_NUMBERS[0],
        )
        tx.run("UPDATE numbers SET retired_at_us = 1 WHERE e164 = :e164", e164=US_NUMBERS[0])

    db.write_blocking(give_back)
    text = f"e164,group_id\n{US_NUMBERS[0]},us-mobile\n"
    assert "is being given back to its carrier" in refused(db, "numbers", text, "n.csv")[0]
    db.write_blocking(lambda tx: tx.run("UPDATE supply_numbers SET state = 'gone', gone_at_us = 3"))
    assert imported(db, "numbers", text).added == [US_NUMBERS[0]]


def test_the_number_of_reported_errors_is_limited(db: Database) -> None:
    complaints = refused(db, "numbers", "e164,group_id\n" + "x,us-mobile\n" * 50, "n.csv")
    assert len(complaints) == 21 and complaints[-1] == "and 30 more"


def test_the_longest_prefix_prices_a_destination_and_one_without_price_is_refused_free_of_charge(db: Database) -> None:
    prices = "prefix,cost_per_segment\n+44,20\n447,70\n"
    db.write_blocking(lambda tx: tx.run("DELETE FROM destinations"))
    assert imported(db, "prices", prices).count == 2
    costs = [
        db.read_blocking(lambda tx, to=to: numbers.cost_per_segment(tx, to))
        for to in ("+442071838750", "+447700900001", "+1")
    ]
    assert costs == [20, 70, None]
    account_id = open_account(db)
    give_coins(db, account_id, 1000)
    rental = db.write_blocking(lambda tx: rent.start(tx, account_id, "free", now_us=START_US, cooldown_us=0))
    with pytest.raises(DestinationNotServed):
        db.write_blocking(
            lambda tx: send.send(
                tx,
                account_id,
                sender=rental["e164"],
                to="+13105550123",
                content="x",
                now_us=START_US,
                daily_limit=None,
            )
        )
    assert db.read_blocking(lambda tx: tx.all("SELECT id FROM messages")) == []


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (
            "44x,1",
            "p.csv:3: prefix must be digits, a list like 4915,4916-4918, or empty for every destination, not '44x'",
        ),
        ("44,", "p.csv:3: cost_per_segment is missing: whole satoshis"),
        ("+420,1", "p.csv:3: prefix '420' is already at p.csv:2"),
    ],
)
def test_an_invalid_price_is_refused_naming_its_line(db: Database, line: str, complaint: str) -> None:
    text = f"prefix,cost_per_segment\n420,5\n{line}\n"
    assert any(complaint in found for found in refused(db, "prices", text, "p.csv"))


def test_prices_of_0_are_values_and_need_to_be_allowed(db: Database) -> None:
    free = GROUPS_CSV.replace("269", "0")
    with pytest.raises(import_catalog.FreePrices) as refusal:
        imported(db, "groups", free)
    (price,) = refusal.value.prices
    assert (price.key, price.column, price.sats) == ("cz-mobile", "rental_cost_per_minute", 0)
    file = opened("groups", free, "file.csv")
    assert db.write_blocking(lambda tx: import_catalog.apply(tx, file, allow_free=True)).count == 2
    assert import_catalog.warnings(file) == [price]


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("groups", GROUPS_CSV, []),
        (
            "prices",
            "prefix,cost_per_segment\n420,0\n44,25000000\n",
            [
                "p.csv:2: prefix '420' costs 0 satoshis a segment: accounts without a balance can send there",
                "p.csv:3: cost_per_segment is 25000000 satoshis, 0.25 bitcoin: is that intended?",
            ],
        ),
        ("numbers", "e164,group_id\n+12025550300,us-mobile\n", []),
    ],
)
def test_the_operator_is_warned_of_prices_that_look_wrong(kind: str, text: str, said: list[str]) -> None:
    assert [warning_text(warning) for warning in import_catalog.warnings(opened(kind, text, "p.csv"))] == said
