"""`dtmf-server carriers add-phone` connects a phone once, checks what it writes, and never overwrites a file."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from dtmf_server import config
from dtmf_server.carriers.android.settings import AndroidSettings
from dtmf_server.carriers.registry import settings_class
from dtmf_server.cli.main import main
from harness import FakeWall
from support.android_carrier import NUMBERS, carrier_for
from support.providers.android import SimulatedPhone

URL = "https://numbers.example.org"
CALLBACK = f"{URL}/callbacks/carriers/pixel"
SIMS = ("--sim", "1=+12025550200", "--sim", "2=+12125550100")


@pytest.fixture
def phone(wall: FakeWall) -> Iterator[SimulatedPhone]:
    with SimulatedPhone(wall) as simulated:
        yield simulated


def add(phone: SimulatedPhone, *more: str, password: str = "phone-password") -> int:
    options = ("--name", "pixel", "--password", password, "--public-url", URL)
    return main(["carriers", "add-phone", phone.url, *options, *more])


def test_a_phone_is_connected_once_and_the_file_is_only_extended(phone: SimulatedPhone, tmp_path: Path) -> None:
    file = tmp_path / "dtmf.toml"
    before = '# mine\nmode = "sandbox"\n'
    file.write_text(before)
    assert add(phone, *SIMS, "--config", str(file), "--write") == 0
    assert file.read_text().startswith(before)
    (settings,) = config.load(file, {}, settings_of=settings_class).carrier
    assert isinstance(settings, AndroidSettings)
    assert (settings.sims, settings.url, settings.signing_key) == (NUMBERS, phone.url, phone.signing_key)
    assert {webhook["url"] for webhook in phone.webhooks.values()} == {CALLBACK}
    assert phone.settings["ping"] == {"interval_seconds": 180}
    registered = dict(phone.webhooks)
    assert add(phone, *SIMS, "--config", str(file), "--write") == 2, "the name is taken"
    assert add(phone, *SIMS, "--signing-key", "phone-key") == 0
    assert phone.webhooks == registered
    assert add(phone, *SIMS, "--public-url", "https://moved.example.org") == 0
    assert {webhook["url"] for webhook in phone.webhooks.values()} == {CALLBACK.replace("numbers", "moved")}


def test_the_numbers_are_those_that_android_knows(phone: SimulatedPhone, capsys: pytest.CaptureFixture[str]) -> None:
    assert add(phone) == 1
    assert "--sim 1=+44" in capsys.readouterr().out
    phone.sims = {1: "12025550200"}
    assert add(phone) == 0
    assert 'sims = { "1" = "+12025550200" }' in capsys.readouterr().out


def test_a_wrong_login_or_option_changes_nothing(
    phone: SimulatedPhone, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add(phone, *SIMS, password="wrong") == 1
    assert "the password is wrong" in capsys.readouterr().out
    assert add(phone, "--sim", "1=0202") == 2
    assert add(phone, *SIMS, "--public-url", "http://192.168.1.2:8000") == 2
    assert add(phone, *SIMS, "--write") == 2
    assert add(phone, *SIMS, "--device", "device-9") == 1
    assert phone.webhooks == {}


def test_check_names_what_is_wrong(phone: SimulatedPhone) -> None:
    def results(**changes: object) -> dict[str, bool | None]:
        found = asyncio.run(carrier_for(phone, url=CALLBACK, **changes).check())
        return {result.name: result.is_ok for result in found}

    assert add(phone, *SIMS) == 0
    assert results() == {"login": True, "device": True, "SIMs": True, "webhooks": True}
    phone.webhooks.popitem()
    phone.sims = {1: "+447700900001"}
    assert results() == {"login": True, "device": True, "SIMs": False, "webhooks": False}
    assert results(device_id="other")["device"] is False
    assert results(password="changed") == {"login": False}
