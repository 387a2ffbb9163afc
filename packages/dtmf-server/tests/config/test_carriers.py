"""Carrier settings: which values are valid, and which must agree."""

from functools import partial

import pytest

from dtmf_server import config
from dtmf_server.carriers.registry import settings_class
from dtmf_server.config import ConfigError
from dtmf_server.server.startup import settings_of
from harness import HOUR_US

load = partial(config.load, settings_of=settings_class)

LONDON = """\
[[carrier]]
name = "london"
kind = "smpp"
host = "127.0.0.1"
system_id = "dtmf"
password = "hunter2"
"""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (LONDON.replace("london", "simulator"), "dtmf.toml:2: carrier[0].name is 'simulator', which is reserved for"),
        (LONDON.replace("127.0.0.1", "10.1.2.3"), "dtmf.toml:4: carrier[0].host is not this machine: a sandbox"),
        (
            LONDON.replace("hunter2", "canary789" * 8),
            "dtmf.toml:6: carrier[0].password must be the ASCII password that the",
        ),
        (
            LONDON.replace('"dtmf"', f'"{"d" * 65}"'),
            "dtmf.toml:5: carrier[0].system_id must be the ASCII name that the",
        ),
        (LONDON.replace('"dtmf"', '"d\\u0000"'), "dtmf.toml:5: carrier[0].system_id must be the ASCII name that the"),
        (LONDON + f"system_type = '{'s' * 65}'", "dtmf.toml:7: carrier[0].system_type must be the ASCII system_type"),
        (
            LONDON + f"address_range = '{'1' * 41}'",
            "dtmf.toml:7: carrier[0].address_range must be the ASCII address_range",
        ),
        (LONDON + "address_range = 'é'", "dtmf.toml:7: carrier[0].address_range must be the ASCII address_range that"),
        (
            LONDON + "service_type = 'ABCDEF'",
            "dtmf.toml:7: carrier[0].service_type must be the ASCII service_type that",
        ),
        (LONDON + 'service_type = "A\\u0000"', "dtmf.toml:7: carrier[0].service_type must be the ASCII service_type"),
        (LONDON + "validity_period_h = 169", "carrier[0].validity_period_h must be whole hours from 1 to 168, not 169"),
        (LONDON + "validity_period_h = 0", "carrier[0].validity_period_h must be whole hours from 1 to 168, not 0"),
        (LONDON + "tls_ca = 'ca.pem'", "dtmf.toml:7: carrier[0].tls_ca needs tls = true"),
        (LONDON + "country_code = '044'", "dtmf.toml:7: carrier[0].country_code must be the digits of a country code"),
        (LONDON + "alphabet = 'ebcdic'", "dtmf.toml:7: carrier[0].alphabet must be 'gsm7', 'latin1', 'ascii' or"),
        (LONDON + "segmentation = 'none'", "dtmf.toml:7: carrier[0].segmentation must be 'udh8', 'udh16', 'sar' or"),
        (LONDON + "links = 17", "dtmf.toml:7: carrier[0].links must be how many of these binds, from 1 to 16, not 17"),
        (LONDON + "source_ton = 7", "dtmf.toml:7: carrier[0].source_ton must be a type of number, from 0 to 6, not 7"),
        ("[messages]\nparts_wait_s = 1", "dtmf.toml:2: messages.parts_wait_s must be whole seconds from 5 to 86400"),
    ],
)
def test_a_carrier_that_cannot_work_is_refused_with_line_key_and_reason(tmp_path, text, complaint):
    path = tmp_path / "dtmf.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        load(path, {})
    assert complaint in str(refused.value)
    assert "canary" not in str(refused.value)


def test_everything_about_a_carrier_can_be_set(tmp_path):
    path = tmp_path / "dtmf.toml"
    path.write_text(
        LONDON
        + "port = 3550\nbind = 'transmitter+receiver'\nlinks = 2\nwindow = 10\nsystem_type = 'VMA'\ntls = true\n"
        + "tls_ca = 'ca.pem'\nalphabet = 'latin1'\nsegmentation = 'sar'\ncountry_code = '44'\nsource_ton = 5\n"
        + "source_npi = 0\ndest_ton = 2\ndest_npi = 8\nreceipts = false\nenquire_s = 15\nresponse_s = 5\n"
        + "[messages]\nparts_wait_s = 60\n"
    )
    config = load(path, {})
    (carrier,) = config.carrier
    assert (carrier.bind, carrier.links, carrier.tls, carrier.tls_ca) == ("transmitter+receiver", 2, True, "ca.pem")
    assert (carrier.alphabet, carrier.segmentation, carrier.country_code) == ("latin1", "sar", "44")
    assert (carrier.source_ton, carrier.source_npi, carrier.dest_ton, carrier.dest_npi) == (5, 0, 2, 8)
    assert (carrier.receipts, carrier.enquire_s, carrier.response_s) == (False, 15, 5)
    assert config.messages.parts_wait_s == 60


def test_bind_and_submit_fields_may_be_as_long_as_smpp_allows(tmp_path):
    path = tmp_path / "dtmf.toml"
    path.write_text(LONDON + f"address_range = '{'1' * 40}'\nservice_type = 'CMT12'\nvalidity_period_h = 168\n")
    configuration = load(path, {})
    (carrier,) = configuration.carrier
    assert (len(carrier.address_range), carrier.service_type, carrier.validity_period_h) == (40, "CMT12", 168)
    assert settings_of(configuration).doubt_us == 168 * HOUR_US


@pytest.mark.parametrize("hours", [1, 72])
def test_an_sms_in_doubt_is_awaited_for_at_least_72_hours(tmp_path, hours):
    path = tmp_path / "dtmf.toml"
    path.write_text(LONDON + f"validity_period_h = {hours}\n")
    assert settings_of(load(path, {})).doubt_us == 72 * HOUR_US


def test_a_production_service_may_have_carriers_anywhere(tmp_path):
    path = tmp_path / "dtmf.toml"
    path.write_text("mode = 'production'\n" + LONDON.replace("127.0.0.1", "smsc.example.org"))
    assert load(path, {}).carrier[0].host == "smsc.example.org"


def test_carriers_can_come_from_the_environment_alone():
    london = {"NAME": "london", "KIND": "smpp", "HOST": "127.0.0.1", "SYSTEM_ID": "s", "PASSWORD": "p"}
    environ = {f"DTMF_CARRIER__{n}__{key}": value for n in range(11) for key, value in london.items()}
    environ |= {f"DTMF_CARRIER__{n}__NAME": f"c{n}" for n in range(11)}
    assert [carrier.name for carrier in load(None, environ).carrier] == [f"c{n}" for n in range(11)]


LONG = (
    LONDON.replace("dtmf", "a-provider-s-own-name").replace("hunter2", "canary-of-24-characters!")
    + "system_type = 'VMA'"
)


@pytest.mark.regression("long-names-of-carriers")
def test_names_longer_than_the_specification_allows_are_accepted_with_a_warning(tmp_path):
    path = tmp_path / "dtmf.toml"
    path.write_text(LONG)
    try:
        configuration = load(path, {})
    except ConfigError as error:
        raise AssertionError(f"refused: {error}") from error
    found = config.warnings(configuration)
    assert [warning.partition(",")[0] for warning in found] == [
        "carrier london: system_id has 21 characters",
        "carrier london: password has 24 characters",
    ]
    assert "canary" not in " ".join(found)


def test_names_that_fit_cause_no_warning(tmp_path):
    path = tmp_path / "dtmf.toml"
    path.write_text(LONDON.replace("dtmf", "d" * 15).replace("hunter2", "p" * 8) + f"system_type = '{'s' * 12}'")
    assert config.warnings(load(path, {})) == []


@pytest.mark.regression("response-up-to-120-s")
def test_a_carrier_may_take_two_minutes_to_answer(tmp_path):
    path = tmp_path / "dtmf.toml"
    path.write_text(LONDON + "response_s = 120\n")
    try:
        seconds = load(path, {}).carrier[0].response_s
    except ConfigError as error:
        seconds = str(error)
    assert seconds == 120


def test_a_carrier_may_have_a_table_of_retries(tmp_path):
    path = tmp_path / "dtmf.toml"
    path.write_text(LONDON + 'retry = { 0x45 = "temporary", 88 = "final", 0X4Ff = "link" }\n')
    carrier = load(path, {}).carrier[0]
    from dtmf_server.core.submission import retries

    assert retries(carrier.retry) == {0x45: "temporary", 0x58: "final", 0x4FF: "link"}


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ('{ 0x45 = "later" }', "carrier.0.retry maps 0x45 to 'later': use 'temporary', 'link' or 'final'"),
        ("{ 0x45 = 1 }", "carrier.0.retry maps 0x45 to 1: use 'temporary', 'link' or 'final'"),
        ('{ ESME = "final" }', "carrier.0.retry has the key 'ESME': use a command_status from 0x1 to 0xffffffff"),
        ('{ 0x0 = "final" }', "carrier.0.retry has the key '0x0'"),
        ('{ 0x123456789 = "final" }', "carrier.0.retry has the key '0x123456789'"),
        ('{ 0x45 = "final", 69 = "link" }', "carrier.0.retry lists the status 0x45 twice"),
        ("5", "carrier.0.retry must be a table like"),
    ],
)
def test_an_invalid_retry_table_is_refused_naming_the_entry(tmp_path, table, complaint):
    path = tmp_path / "dtmf.toml"
    path.write_text(LONDON + f"retry = {table}\n")
    with pytest.raises(ConfigError) as refused:
        load(path, {})
    assert complaint in str(refused.value).replace("carrier[0]", "carrier.0")


SIMULATED = '[[carrier]]\nname = "fake"\nkind = "simulator"\n'


def test_each_carrier_has_the_settings_of_its_kind_and_errors_name_them(tmp_path):
    path = tmp_path / "dtmf.toml"
    path.write_text(LONDON + SIMULATED)
    assert [type(carrier).__name__ for carrier in load(path, {}).carrier] == ["SmppSettings", "SimulatorSettings"]
    path.write_text(LONDON + SIMULATED + 'host = "127.0.0.1"\n')
    with pytest.raises(ConfigError, match=r"dtmf.toml:10: carrier\[1\].host is not a setting"):
        load(path, {})
    path.write_text(LONDON + SIMULATED + LONDON.replace("london", "paris").replace("password", "passwort"))
    with pytest.raises(
        ConfigError, match=r":15: carrier\[2\].passwort is not a setting; the nearest is carrier.password"
    ):
        load(path, {})


def test_a_carrier_without_a_kind_is_an_smsc(tmp_path):
    path = tmp_path / "dtmf.toml"
    path.write_text(LONDON.replace('kind = "smpp"\n', ""))
    (carrier,) = load(path, {}).carrier
    assert (carrier.kind, carrier.port) == ("smpp", 2775)


def test_the_environment_can_set_the_kind(tmp_path):
    path = tmp_path / "dtmf.toml"
    path.write_text(LONDON)
    with pytest.raises(ConfigError, match=r"DTMF_CARRIER__0__KIND: carrier\[0\].kind is 'pigeon', and no such kind"):
        load(path, {"DTMF_CARRIER__0__KIND": "pigeon"})
    path.write_text("")
    environ = {"DTMF_CARRIER__0__NAME": "fake", "DTMF_CARRIER__0__KIND": "simulator"}
    assert load(path, environ).carrier[0].kind == "simulator"


def test_only_a_sandbox_may_simulate_a_carrier(tmp_path):
    path = tmp_path / "dtmf.toml"
    path.write_text("mode = 'production'\n" + SIMULATED)
    with pytest.raises(ConfigError, match=r"dtmf.toml:4: carrier\[0\].kind is 'simulator', which delivers nothing"):
        load(path, {})
