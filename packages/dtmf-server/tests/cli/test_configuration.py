"""`dtmf-server config` checks, shows and explains every setting."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from dtmf_server.carriers import registry as carriers
from dtmf_server.cli.main import main
from dtmf_server.config import Config, load
from dtmf_server.config.carrier import CarrierSettings
from dtmf_server.config.lightning import LightningSettings
from dtmf_server.config.meanings import MEANINGS
from dtmf_server.config.section import fields, known
from dtmf_server.payments.lightning import registry as lightning

Run = Callable[..., tuple[int, str, str]]
SECRET = "hunter2"
FILE = f"""\
mode = "production"
[server]
port = 9000
[bitcoin]
network = "main"
[[carrier]]
name = "london"
host = "127.0.0.1"
system_id = "dtmf"
password = "{SECRET}"
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `dtmf-server config …` without variables of this machine; return exit status, stdout and stderr."""
    monkeypatch.setattr("os.environ", {})

    def running(*arguments: str, **environ: str) -> tuple[int, str, str]:
        monkeypatch.setattr("os.environ", environ)
        status = main(["config", *arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return running


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "dtmf.toml"
    path.write_text(FILE)
    path.chmod(0o600)
    return path


def test_check_accepts_a_valid_file(run: Run, file: Path) -> None:
    assert run("check", "--config", str(file)) == (
        0,
        f"{file}: the configuration is valid, for production\n",
        "",
    )
    assert run("check")[:2] == (0, "the environment: the configuration is valid, for a sandbox\n")


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("port = 9000", "prot = 9000", ":3: server.prot is not a setting; the nearest is server.port"),
        ("port = 9000", "port = 99999", ":3: server.port must be a port from 1 to 65535, not 99999"),
        ('"production"', '"sandbox"', ":5: bitcoin.network is 'main': a sandbox never takes real coins"),
        ("[bitcoin]", "[bitcoin", ":4: not valid TOML"),
        ('name = "london"', "", ":6: carrier[0] needs name"),
    ],
)
def test_check_names_the_line_and_the_fix(run: Run, file: Path, before: str, after: str, complaint: str) -> None:
    file.write_text(FILE.replace(before, after))
    status, out, _ = run("check", "--config", str(file))
    assert status == 1 and out.startswith(f"{file}{complaint}") and out.count("\n") == 1
    status, out, _ = run("check", "--config", str(file), "--json")
    found = json.loads(out)
    assert status == 1 and not found["valid"] and found["error"].startswith(f"{file}{complaint}")
    assert SECRET not in out


def test_check_refuses_an_unknown_variable_and_a_file_that_does_not_exist(run: Run, tmp_path: Path) -> None:
    status, out, _ = run("check", DTMF_SERVER__PROT="1")
    assert status == 1 and "'DTMF_SERVER__PROT' is not a setting; the nearest is DTMF_SERVER__PORT" in out
    status, out, _ = run("check", "--config", str(tmp_path / "none.toml"))
    assert status == 1 and "can't read this configuration file" in out


def test_check_warns_about_secrets_that_other_users_can_read(run: Run, file: Path) -> None:
    file.chmod(0o644)
    status, out, _ = run("check", "--config", str(file))
    assert status == 0 and f"warning: {file}: other users can read carrier[0].password: chmod 600 {file}\n" in out
    file.write_text(FILE.replace(f'password = "{SECRET}"', 'password_file = "secret"'))
    (file.parent / "secret").write_text(SECRET)
    assert "warning" not in run("check", "--config", str(file), "--json")[1].replace('"warnings": []', "")


def test_show_says_where_each_value_comes_from_and_hides_secrets(run: Run, file: Path) -> None:
    environ = {"DTMF_SERVER__HOST": "127.0.0.2", "DTMF_DATABASE__URL": f"postgresql://dtmf:{SECRET}@db/dtmf"}
    status, out, _ = run("show", "--config", str(file), "--json", **environ)
    assert status == 0 and SECRET not in out
    settings = {each["key"]: each for each in json.loads(out)["settings"]}
    assert (settings["server.port"]["value"], settings["server.port"]["source"]) == (9000, f"{file}:3")
    assert settings["server.host"]["source"] == "DTMF_SERVER__HOST"
    assert settings["signup.mode"]["source"] == "default"
    for key, source in (("database.url", "DTMF_DATABASE__URL"), ("carrier[0].password", f"{file}:10")):
        assert settings[key] | {"meaning": ""} == {
            "key": key, "value": None, "is_set": True, "is_secret": True, "source": source, "meaning": "",
        }  # fmt: skip
    assert settings["carrier[0].password"]["meaning"] == MEANINGS["carrier.smpp.password"]
    assert all(each["meaning"] for each in settings.values())
    status, out, _ = run("show", "--config", str(file), "--set", **environ)
    assert status == 0 and SECRET not in out and "signup" not in out
    assert re.search(r"^carrier\[0\]\.password = \(secret\) +# .*:10$", out, re.MULTILINE)


def test_show_finds_a_secret_in_a_file_of_its_own(run: Run, file: Path) -> None:
    (file.parent / "secret").write_text(SECRET)
    file.write_text(FILE.replace(f'password = "{SECRET}"', 'password_file = "secret"'))
    out = run("show", "--config", str(file), "--set")[1]
    assert re.search(r"^carrier\[0\]\.password = \(secret\) +# .*:10$", out, re.MULTILINE)


def test_the_example_is_a_sandbox_and_so_it_is_with_every_default_uncommented(run: Run, tmp_path: Path) -> None:
    status, out, _ = run("example")
    assert status == 0 and max(map(len, out.splitlines())) <= 120
    path = tmp_path / "example.toml"
    path.write_text(out)
    assert load(path, {}) == Config()
    general = out.partition("\n#[[carrier]]")[0]
    before, _, nodes = general.partition('\n#kind = "cln"')
    general = f"{before}\n[prices]{nodes.partition('[prices]')[2]}"
    uncommented = re.sub(r'^#(\w+ = (?!""|…|"\w+"$).*)', r"\1", general, flags=re.MULTILINE)
    uncommented = re.sub(r"^#(mode = .*)", r"\1", uncommented, count=1, flags=re.MULTILINE)
    assert "\nport = 8000\n" in uncommented and "\nmode = " in uncommented
    path.write_text(uncommented)
    assert load(path, {}) == Config()


def test_the_example_and_the_meanings_have_every_setting_and_no_other(run: Run) -> None:
    keys = {".".join(key for key in path if isinstance(key, str)) for path in known(Config, ())}
    kinds = {("carrier", point.name): carriers.settings_class(point.name) for point in carriers.BUILT_IN}
    nodes = {("lightning", name): lightning.settings_class(name) for name in lightning.names()}
    for (table, kind), section in {**kinds, **nodes}.items():
        common = fields(CarrierSettings if table == "carrier" else LightningSettings)
        keys |= {f"{table}.{kind}.{name}" for name in fields(section) if name not in common}
    assert set(MEANINGS) == keys
    out = " ".join(run("example")[1].replace("\n# ", " ").split())
    assert [key for key in keys if f"#{key.rpartition('.')[2]} = " not in out] == []
