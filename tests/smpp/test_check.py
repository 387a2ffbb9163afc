"""`dtmf-server carriers check` and the JSON of `carriers` and `doctor`, against an SMSC."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dtmf_server import config
from dtmf_server.carriers.registry import settings_class
from dtmf_server.carriers.smpp.carrier import SmppCarrier
from dtmf_server.carriers.smpp.carrier import Smsc as Settings
from dtmf_server.cli import carriers as commands
from dtmf_server.runtime.clock import wall_us
from smpp.conftest import Bound
from smpp.smsc import Smsc
from support.server_process import Service, command
from support.webhook_receiver import refused_port

Binding = Callable[..., Bound]
CONFIGURATION = """\
[[carrier]]
name = "london"
host = "127.0.0.1"
port = {port}
system_id = "dtmf"
password = "canary-password"
"""


def checked(port: int, **settings: Any) -> dict[str, tuple[bool | None, str]]:
    smsc = Settings("london", "127.0.0.1", port, "dtmf", "secret", **settings)
    carrier = SmppCarrier(smsc, new_id=lambda: 1, uniform=lambda: 0.5, wall_us=wall_us)
    return {result.name: (result.is_ok, result.detail) for result in asyncio.run(carrier.check())}


def links(at: tuple[str | Path, ...]) -> list[dict[str, Any]]:
    """Return the links that `dtmf-server carriers --json` shows."""
    found: list[dict[str, Any]] = json.loads(command("carriers", "--json", *at).out)["links"]
    return found


def test_a_check_binds_and_unbinds(smsc: Smsc) -> None:
    found = checked(smsc.port)
    assert found["connect"] == (True, f"connected to 127.0.0.1:{smsc.port} without TLS")
    assert found["bind"] == (True, "bound as transceiver, and unbound")
    smsc.wait("closed")
    assert [event["event"] for event in smsc.seen if event["event"] in ("bound", "closed")] == ["bound", "closed"]


@pytest.mark.parametrize(
    ("status", "is_ok", "said"), [(0x0E, False, "it refuses the password"), (0x05, None, "is bound already")]
)
def test_a_refused_bind_is_explained(smsc: Smsc, status: int, is_ok: bool | None, said: str) -> None:
    smsc.do("set", bind=status)
    outcome, detail = checked(smsc.port)["bind"]
    assert outcome is is_ok and said in detail


def test_a_host_that_cannot_be_reached_is_explained() -> None:
    outcome, detail = checked(refused_port())["connect"]
    assert outcome is False and "can't connect to 127.0.0.1:" in detail


def test_the_command_explains_each_result_and_leaves_running_links_alone(tmp_path: Path, smsc: Smsc) -> None:
    path = tmp_path / "dtmf.toml"
    path.write_text(CONFIGURATION.format(port=smsc.port))
    at = ("--config", path, "--data", tmp_path)
    with Service(tmp_path, "--config", path):
        smsc.wait("bound")
        while not [link for link in links(at) if link["is_up"]]:
            pass  # until the process has noted that it is bound
        said = command("carriers", "check", "london", *at, "--json")
        found = json.loads(said.out)
        assert (said.code, found["ok"], found["carrier"], found["kind"]) == (0, True, "london", "smpp")
        assert {result["name"] for result in found["results"]} == {"link", "numbers", "bind"}
    assert len([event for event in smsc.seen if event["event"] == "bound"]) == 1
    smsc.do("set", bind=0x0E)
    path.write_text(CONFIGURATION.format(port=smsc.port).replace("london", "paris"))
    said = command("carriers", *at, "check", "paris")
    assert said.code == 1 and "canary" not in said.out + said.err
    assert "FAILED  bind: " in said.out and "compare system_id, password" in said.out
    said = command("carriers", "check", "london", *at)
    assert said.code == 2 and "carrier london is not in the configuration; configured: paris" in said.err


def test_carriers_and_doctor_print_one_json_object_with_stable_keys(bind: Binding, tmp_path: Path) -> None:
    bound = bind()
    bound.eventually(lambda: bound.rows("SELECT 1 FROM carrier_links WHERE state = 'bound'"))
    path = tmp_path / "dtmf.toml"
    path.write_text(CONFIGURATION.format(port=bound.smsc.port))
    configuration = config.load(path, {}, settings_of=settings_class)
    code, found = commands.carriers_json(bound.db, configuration)
    assert (code, list(found)) == (0, ["links", "carriers", "answers", "canaries", "strays", "warnings"])
    assert found["carriers"] == [{"name": "london", "kind": "smpp", "caught_up_at": None}]
    (link,) = found["links"]
    assert (link["carrier"], link["state"], link["is_up"]) == ("london", "bound", True)
    code, found = commands.doctor_json(bound.db, configuration)
    assert list(found) == ["ok", "problems", "warnings", "address_gap"]
    assert (code, found["ok"]) == ((0, True) if not found["problems"] else (1, False))


def test_doctor_names_a_carrier_that_no_longer_catches_up(bind: Binding, tmp_path: Path) -> None:
    bound = bind()
    path = tmp_path / "dtmf.toml"
    path.write_text(CONFIGURATION.format(port=bound.smsc.port))
    configuration = config.load(path, {}, settings_of=settings_class)
    for minutes, is_named in ((20, True), (10, False)):
        at_us = wall_us() - minutes * 60_000_000
        bound.db.write_blocking(
            lambda tx, at_us=at_us: tx.run("UPDATE carriers SET caught_up_wall_us = :at_us", at_us=at_us)
        )
        said = "\n".join(commands.doctor(bound.db, configuration)[1])
        assert ("carrier london has not been asked for missed SMS for 20 minutes" in said) is is_named
