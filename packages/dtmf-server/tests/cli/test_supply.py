"""The operator imports supplies, and sees, stops and starts them."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from dtmf_server.cli.main import main
from dtmf_server.core.number_supply import SupplyRules
from dtmf_server.core.units import DAY_US
from dtmf_server.runtime.clock import wall_us
from dtmf_server.storage import numbers, supplies
from dtmf_server.storage.db import Database
from dtmf_server.workers.supply import Supplier, compare, work
from support.providers.number_market import Market
from support.providers.twilio import Twilio
from support.selling import Seller

HEAD = "id,type,name,country_code,setup_cost,rental_cost_per_minute,cost_per_inbound_message"
TERMS = "monthly_cap,reclaim_days,line_type,supply,stock_min,stock_max,setup_price_max,month_price_max,price_currency"
GROUP = "new,mobile,New,us,100,10,5"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(db: Database, database_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command; return exit status, stdout and stderr."""
    monkeypatch.setattr("dtmf_server.runtime.logging.setup", lambda *_a, **_o: None)

    def running(*arguments: str) -> tuple[int, str, str]:
        status = main([*arguments, "--database", database_url])
        said = capsys.readouterr()
        return status, said.out, said.err

    return running


@pytest.fixture
def imported(run: Run, tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """Import one group with these optional columns."""

    def importing(terms: str, *more: str) -> tuple[int, str, str]:
        (tmp_path / "groups.csv").write_text("\n".join([f"{HEAD},{TERMS}", f"{GROUP},{terms}", *more]))
        config = tmp_path / "dtmf.toml"
        return run("groups", "import", str(tmp_path / "groups.csv"), *(["--config", str(config)] * config.exists()))

    return importing


def test_the_terms_of_refunds_are_stored_or_refused(db: Database, run: Run, tmp_path: Path) -> None:
    def importing(within: str, share: str) -> tuple[int, str, str]:
        columns = f"{HEAD},refund_within_minutes,refund_share"
        (tmp_path / "groups.csv").write_text(f"{columns}\n{GROUP},{within},{share}")
        return run("groups", "import", str(tmp_path / "groups.csv"))

    for share, percent in (("0.5", 50), ("0.05", 5), ("0.9", 90), ("", None)):
        status, _, said = importing("20" if share else "", share)
        assert status == 0, said
        group = db.read_blocking(lambda tx: numbers.group(tx, "new"))
        assert group is not None
        assert (group["refund_within_minutes"], group["refund_percent"]) == (20 if percent else None, percent)
    for wrong in (
        ("20", ""),
        ("", "0.5"),
        ("0", "0.5"),
        ("1441", "0.5"),
        ("20", "0.91"),
        ("20", "1"),
        ("20", "0"),
        ("x", "y"),
    ):
        status, out, said = importing(*wrong)
        assert status != 0 and "refund_" in out + said, wrong


def test_the_optional_columns_are_stored_and_an_empty_one_resets_its_setting(
    db: Database, imported: Callable[..., tuple[int, str, str]]
) -> None:
    assert imported("5000,14,voip,simulator,2,50,0.50,1.50,USD")[0] == 0
    group = db.read_blocking(lambda tx: numbers.group(tx, "new"))
    assert group is not None
    assert (group["monthly_cap"], group["reclaim_days"], group["line_type"]) == (5000, 14, "voip")
    supply = db.read_blocking(lambda tx: supplies.of_group(tx, "new"))
    assert supply is not None
    assert (supply["stock_min"], supply["stock_max"], supply["month_price_max"]) == (2, 50, 1_500_000)
    assert imported(",,,,,,,,")[0] == 0
    assert db.read_blocking(lambda tx: supplies.of_group(tx, "new")) is None


@pytest.mark.parametrize(
    ("terms", "complaint"),
    [
        ("9,,,,,,,,", "monthly_cap is 9, less than the price of one minute"),
        (",366,,,,,,,", "reclaim_days must be"),
        (",,fax,,,,,,", "line_type must be"),
        (",,,,1,,,,", "stock_min is set without supply"),
        (",,,simulator,1,,,1,", "stock_max is missing"),
        (",,,simulator,3,2,,1,", "stock_max must be at least 1, and at least stock_min"),
        (",,,simulator,1,5,,,", "month_price_max is missing"),
        (",,,simulator,1,5,,cheap,", "month_price_max must be"),
        (",,,simulator,1,5,,1,dollars", "price_currency must be"),
    ],
)
def test_terms_that_contradict_each_other_are_refused(
    imported: Callable[..., tuple[int, str, str]], terms: str, complaint: str
) -> None:
    status, out, _ = imported(terms)
    assert status == 1 and complaint in out and "nothing was imported" in out


def test_two_supplies_for_one_group_are_refused(imported: Callable[..., tuple[int, str, str]]) -> None:
    terms = ",,,simulator,1,5,,1,"
    status, out, _ = imported(terms, f"{GROUP},,,,other,1,5,,1,")
    assert status == 1 and "'new' is already at" in out


def test_a_group_that_earns_less_than_its_numbers_cost_is_warned_about(
    imported: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setenv("DTMF_SUPPLY__SATS_PER_UNIT", "1000")
    status, out, _ = imported(",,,simulator,1,5,,1.50,")
    warning = "group new earns 110 satoshis from the shortest rental, and a month of a number may cost 1500"
    assert status == 0 and f"warning: {warning}" in out
    assert warning in run("doctor")[1]


@pytest.fixture
def twilio(tmp_path: Path) -> Iterator[Twilio]:
    """A configured carrier that sells numbers, and one that does not."""
    with Twilio() as provider:
        provider.market = Market(wall_us, [f"+1305555{n:04d}" for n in range(9)])
        smpp = 'name = "smsc"\nkind = "smpp"\nhost = "127.0.0.1"\nport = 2775\nsystem_id = "a"\npassword = "b"\n'
        keys = f'account_sid = "{provider.account_sid}"\nauth_token = "{provider.token}"\nbase_url = "{provider.url}"\n'
        (tmp_path / "dtmf.toml").write_text(
            f'[server]\npublic_url = "https://sms.example"\n[[carrier]]\nname = "twilio"\nkind = "twilio"\n{keys}'
            f"[[carrier]]\n{smpp}"
        )
        yield provider


def test_a_country_that_needs_an_address_is_refused_before_anything_is_imported(
    db: Database, imported: Callable[..., tuple[int, str, str]], twilio: Twilio
) -> None:
    assert twilio.market is not None
    twilio.market.needs_address = True
    status, out, _ = imported(",,,twilio,1,5,,1.50,")
    assert status == 1 and "groups.csv:2: this country needs an address or documents" in out
    assert "buy them in the carrier's portal" in out and "nothing was imported" in out
    assert db.read_blocking(lambda tx: numbers.group(tx, "new")) is None
    twilio.market.needs_address = False
    assert imported(",,,twilio,1,5,,1.50,")[0] == 0
    assert not twilio.market.purchases


def test_a_carrier_that_sells_no_numbers_is_refused_as_a_supply(
    imported: Callable[..., tuple[int, str, str]], twilio: Twilio
) -> None:
    status, out, _ = imported(",,,smsc,1,5,,1.50,")
    assert status == 1 and "groups.csv:2: carrier smsc does not sell numbers" in out


def test_a_supply_that_cannot_be_asked_is_imported_with_a_warning(
    imported: Callable[..., tuple[int, str, str]], twilio: Twilio
) -> None:
    status, out, _ = imported(",,,telnyx,1,5,,1.50,")
    assert status == 0 and "warning: groups.csv:2: carrier telnyx is not in the configuration" in out
    twilio.read_faults.extend(["500"] * 9)
    status, out, _ = imported(",,,twilio,1,5,,1.50,")
    assert status == 0 and "warning: groups.csv:2: carrier twilio can't be asked for numbers at present: " in out


def test_the_state_is_shown_and_doctor_names_what_only_one_side_knows(
    db: Database, imported: Callable[..., tuple[int, str, str]], run: Run
) -> None:
    imported(",,,simulator,2,5,,1.50,")
    market = Market(wall_us, [f"+1305555{n:04d}" for n in range(9)])
    seller = Seller(market, chance=Random(1))
    supplier = Supplier(db, lambda _: wall_us(), {"simulator": seller}, SupplyRules(), DAY_US)
    asyncio.run(work(supplier))
    status, out, _ = run("supply", "status")
    assert status == 0
    assert "numbers are bought\n" in out and "new: 2 free; from simulator" in out
    assert "cost 2.30 USD, earned 0 satoshis" in out and "in the last day 2.30 USD" in out
    market.buy("+13055550008", "by hand")
    del market.owned["+13055550000"]
    asyncio.run(compare(supplier))
    found = run("doctor")[1]
    assert "+13055550008 at simulator is unknown to this service and costs money" in found
    assert "+13055550000 was bought from simulator, which does not have it as ours any more" in found
    assert run("supply", "stop")[1] == "no more numbers are bought\n"
    found = json.loads(run("supply", "status", "--json")[1])
    assert found["is_buying"] is False and found["groups"][0]["cost"] == "2.30"
    assert run("supply", "start", "--reason", "prices are right")[1] == "numbers are bought again\n"
    actions = json.loads(run("audit", "list", "--json")[1])["actions"]
    assert [(each["action"], each["reason"]) for each in actions] == [
        ("supply start", "prices are right"),
        ("supply stop", ""),
        ("groups import", ""),
    ]


def test_doctor_names_a_supply_that_cannot_sell(imported: Callable[..., tuple[int, str, str]], run: Run) -> None:
    imported(",,,london,1,5,,1,")
    assert "group new has the supply london, which is not a configured carrier that sells numbers" in run("doctor")[1]
