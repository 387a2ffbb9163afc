"""The commands in deploy/ are commands of the service, and its units read the secrets that `init` writes."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from dtmf_server.cli.main import _parser
from dtmf_server.cli.setup.config_file import SECRETS
from support.paths import ROOT

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_command_of_a_unit_is_valid(unit: Path) -> None:
    found = re.search(r"^ExecStart=(.*)$", unit.read_text(), re.M)
    assert found is not None
    program, *arguments = shlex.split(found[1])
    assert program == "/opt/dtmf/bin/dtmf-server"
    assert _parser().parse_args(arguments).config == Path("/etc/dtmf/dtmf.toml")


@pytest.mark.parametrize("name", [name for name, service in COMPOSE.items() if service.get("image") == "dtmf:latest"])
def test_the_command_of_a_container_is_valid(name: str) -> None:
    assert _parser().parse_args(COMPOSE[name]["command"]).data == Path("/data")


def test_the_containers_of_the_service_are_equally_restricted() -> None:
    restrictions = ("read_only", "tmpfs", "cap_drop", "security_opt")
    assert [COMPOSE["backup"][name] for name in restrictions] == [COMPOSE["dtmf"][name] for name in restrictions]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_passes_on_the_secrets_that_init_writes(unit: Path) -> None:
    lines = unit.read_text().splitlines()
    assert f"LoadCredential={SECRETS}:/etc/dtmf/{SECRETS}" in lines
    assert f"ConfigurationDirectory=dtmf dtmf/{SECRETS}" in lines, "the folder exists even if init wrote no secret"
