"""`carriers check` and `doctor` about the callbacks of real kinds, with and without `public_url`."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dtmf_server import config
from dtmf_server.carriers.registry import settings_class
from dtmf_server.cli.main import main
from dtmf_server.runtime.clock import wall_us
from dtmf_server.server.startup import CarrierDatabase, build_carriers
from dtmf_server.storage import migrate
from dtmf_server.storage.open import open_database
from harness import initialise, runtime_over, serving
from support.android_carrier import connect
from support.providers.android import SimulatedPhone

CARRIER = """
[[carrier]]
name = "pixel"
kind = "android"
url = "{url}"
password = "phone-password"
signing_key = "phone-signing-key"
sims = {{ 1 = "+12025550200", 2 = "+12125550100" }}
"""
TWILIO = """
[[carrier]]
name = "cloud"
kind = "twilio"
account_sid = "AC11111111111111111111111111111111"
auth_token = "secret"
base_url = "http://127.0.0.1:9"
"""


@pytest.fixture
def phone() -> Iterator[SimulatedPhone]:
    with SimulatedPhone(wall_us) as simulated:
        yield simulated


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any]]:
    """Run a command with `--json`, and return its exit status and output."""

    def run_one(*arguments: str) -> tuple[int, Any]:
        code = main([*arguments, "--json", "--config", str(tmp_path / "dtmf.toml"), "--data", str(tmp_path)])
        said = capsys.readouterr()
        return code, json.loads(said.out) if said.out else said.err

    url = f"sqlite:///{tmp_path / 'dtmf.db'}"
    migrate.upgrade(url)
    db = open_database(url)
    initialise(db)
    db.close()
    return run_one


def configure(folder: Path, carrier: str, public_url: str | None) -> None:
    server = f'[server]\npublic_url = "{public_url}"\n' if public_url else ""
    (folder / "dtmf.toml").write_text(f'mode = "sandbox"\n{server}{carrier}')


def results(found: dict[str, Any]) -> dict[str, bool | None]:
    return {result["name"]: result["ok"] for result in found["results"]}


def test_without_public_url_both_say_what_to_set(
    run: Callable[..., tuple[int, Any]], phone: SimulatedPhone, tmp_path: Path
) -> None:
    configure(tmp_path, CARRIER.format(url=phone.url), None)
    code, found = run("carriers", "check", "pixel")
    assert (code, found["ok"]) == (1, False)
    assert results(found) == {
        "numbers": True, "public_url": False, "login": True, "device": True, "SIMs": True, "webhooks": False,
    }  # fmt: skip
    (public_url,) = (result for result in found["results"] if result["name"] == "public_url")
    assert "set public_url of [server]" in public_url["fix"]
    code, found = run("doctor")
    assert "carrier pixel receives SMS by callbacks, but public_url of [server] is not set" in found["problems"]
    assert code == 1


def test_twilio_does_not_even_start_without_public_url(run: Callable[..., tuple[int, Any]], tmp_path: Path) -> None:
    configure(tmp_path, TWILIO, None)
    code, said = run("carriers", "check", "cloud")
    assert code == 2 and "carrier cloud: set server.public_url" in said


def test_an_unencrypted_public_url_is_a_problem(run: Callable[..., tuple[int, Any]], tmp_path: Path) -> None:
    configure(tmp_path, TWILIO, "http://numbers.example.org")
    _, found = run("doctor")
    assert any("http://numbers.example.org" in problem and "use https" in problem for problem in found["problems"])


def test_with_public_url_the_callback_is_really_requested(
    run: Callable[..., tuple[int, Any]], phone: SimulatedPhone, tmp_path: Path
) -> None:
    configure(tmp_path, CARRIER.format(url=phone.url), "http://127.0.0.1:9")
    connect(phone, "http://127.0.0.1:9")
    code, found = run("carriers", "check", "pixel")
    assert (code, results(found)["public_url"], results(found)["callback"]) == (1, True, False)
    carrier_database = CarrierDatabase()
    configuration = config.load(tmp_path / "dtmf.toml", {}, settings_of=settings_class)
    carriers = build_carriers(configuration, carrier_database)
    db = carrier_database.db = open_database(f"sqlite:///{tmp_path / 'dtmf.db'}")
    with serving(runtime_over(db), carriers=carriers) as url:
        configure(tmp_path, CARRIER.format(url=phone.url), url)
        connect(phone, url)
        _, found = run("carriers", "check", "pixel")
        shown = results(found)
        assert (shown["public_url"], shown["callback"], shown["clock"]) == (True, True, True)
        _, found = run("doctor")
        assert not any("public_url" in problem for problem in found["problems"])
    db.close()
