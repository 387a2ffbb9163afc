"""Tests of the files in deploy/ with the software that reads them: `make test-deploy`."""

import http.client
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import yaml

from dtmf import DTMF
from dtmf_server.config import load
from support.paths import ROOT
from support.server_process import Service

DEPLOY = ROOT / "deploy"
START_S = 120


def run(*command: str | Path, **environment: str) -> str:
    """Run a command, which must succeed. Return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def test_every_alert_fires_and_none_on_a_healthy_service() -> None:
    assert "SUCCESS" in run("promtool", "check", "rules", DEPLOY / "monitoring/alerts.yaml")
    run("promtool", "test", "rules", ROOT / "tests/deploy/alerts_test.yaml")
    tested = (ROOT / "tests/deploy/alerts_test.yaml").read_text()
    alerts = re.findall(r"alert: (\w+)", (DEPLOY / "monitoring/alerts.yaml").read_text())
    assert len(alerts) > 10
    assert [alert for alert in alerts if f'alertname="{alert}"' not in tested] == []


@pytest.mark.parametrize("name", ["dtmf.service", "dtmf-backup.service"])
def test_the_systemd_units_are_valid_and_hardened(tmp_path: Path, name: str) -> None:
    unit = (DEPLOY / "systemd" / name).read_text()
    score = re.search(
        rf"exposure level for {name}: ([0-9.]+)",
        run("systemd-analyze", "security", "--offline=yes", DEPLOY / "systemd" / name),
    )
    assert score is not None and float(score[1]) <= 2.0
    if name == "dtmf.service":
        assert f"rates it {score[1]} " in unit
    here = tmp_path / name
    here.write_text(unit.replace("/opt/dtmf/bin/dtmf-server", "/bin/true"))
    assert f"{name}:" not in run("systemd-analyze", "verify", here)


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def caddy(folder: Path, upstream: str) -> Iterator[str]:
    """Run Caddy with our Caddyfile in front of a service, without TLS. Return its URL."""
    url = f"http://127.0.0.1:{free_port()}"
    variables = {
        "DTMF_HOST": url,
        "DTMF_UPSTREAM": upstream,
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    config = folder / "Caddyfile"
    config.write_text("{\n\tadmin off\n}\n" + (DEPLOY / "Caddyfile").read_text())
    command = ["caddy", "run", "--adapter", "caddyfile", "--config", str(config)]
    with (folder / "caddy.log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **variables}, stdout=log, stderr=log)
    try:
        wait_for(url)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def wait_for(url: str) -> None:
    """Wait until the service at this URL answers."""
    until_s = time.monotonic() + START_S
    while True:
        try:
            with closing(http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)) as connection:
                connection.request("GET", "/healthz")
                if connection.getresponse().status == 200:
                    return
        except (OSError, http.client.HTTPException):
            pass
        assert time.monotonic() < until_s, f"{url} does not answer"
        time.sleep(0.1)


def test_caddy_passes_requests_and_streams_on(tmp_path: Path) -> None:
    with Service(tmp_path / "data", DTMF_SERVER__TRUSTED_PROXIES="127.0.0.1") as service:
        service.wait_ready()
        upstream = re.sub(r"https?://|/api/v1$", "", service.url)
        with caddy(tmp_path, upstream) as url, DTMF(service.token, base_url=url) as dtmf:
            address = dtmf.new_address()["address"]
            dtmf.sandbox.deposit(address, 100_000)
            number = dtmf.start_rental("us-mobile")["e164"]
            dtmf.sandbox.receive(number, "BANK", "Your code is 428613")
            assert dtmf.wait_for_code(number, timeout=60) == "428613"


def test_compose_names_files_settings_and_networks_that_exist() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    services = compose["services"]
    assert {*services} == {"dtmf", "backup", "postgres", "caddy"}
    for service in services.values():
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            assert source in compose["volumes"] or source == "./dtmf.toml" or (DEPLOY / source).is_file(), source
        assert {*service.get("secrets", [])} <= {*compose["secrets"]}
        assert {*service["networks"]} <= {*compose["networks"]}
        assert {*service.get("depends_on", {})} <= {*services}
    dtmf = services["dtmf"]
    assert (DEPLOY / dtmf["build"]["context"] / dtmf["build"]["dockerfile"]).is_file()
    proxy = services["caddy"]["networks"]["inside"]["ipv4_address"]
    assert dtmf["environment"]["DTMF_SERVER__TRUSTED_PROXIES"] == proxy


def test_the_settings_of_compose_are_settings(tmp_path: Path) -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    (tmp_path / "url").write_text("postgresql://dtmf:secret@postgres/dtmf")
    environment: Mapping[str, str] = compose["services"]["dtmf"]["environment"]
    config = load(None, {**environment, "DTMF_DATABASE__URL_FILE": str(tmp_path / "url")})
    assert config.database.url == "postgresql://dtmf:secret@postgres/dtmf"
    assert config.server.trusted_proxies == ("172.30.0.2",)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Build the image with buildah on a small Debian, as its base image can't be pulled everywhere. Return its name."""
    folder = tmp_path_factory.mktemp("image")
    storage = ["--storage-driver", "vfs", "--root", str(folder / "root"), "--runroot", str(folder / "run")]
    suite, mirror = mirror_of(Path("/etc/apt"))
    system = folder / "system"
    packages = "python3,python3-venv,ca-certificates"
    run("debootstrap", "--variant=minbase", f"--include={packages}", suite, system, mirror)
    run("tar", "-C", system, "-cf", folder / "system.tar", ".")
    (folder / "Containerfile").write_text("FROM scratch\nADD system.tar /\n")
    build = ["buildah", *storage, "build", "--isolation", "chroot", "--layers=false"]
    run(*build, "-t", "base", "-f", folder / "Containerfile", folder)
    wheels = folder / "wheels"
    download = [ROOT / ".venv/bin/python", "-m", "pip", "download", "--quiet", "-d", wheels]
    run(*download, "--require-hashes", "-r", ROOT / "requirements/run.txt")
    run(*download, "setuptools", "wheel")  # build those that have no wheel
    offline = ["--build-arg=PIP_NO_INDEX=1", "--build-arg=PIP_FIND_LINKS=/wheels", f"--volume={wheels}:/wheels:ro"]
    where = ["-f", str(DEPLOY / "container/Containerfile"), str(ROOT)]
    run(*build, "--build-arg=BASE=localhost/base", *offline, "-t", "dtmf", *where)
    container = run("buildah", *storage, "from", "--pull-never", "dtmf").strip().splitlines()[-1]
    yield " ".join(["buildah", *storage, "run", "--isolation", "chroot", container, "--"])
    run("buildah", *storage, "rm", "--all")


def mirror_of(apt: Path) -> tuple[str, str]:
    """Return the release of this system and the mirror it is installed from."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)', Path("/etc/os-release").read_text(), re.M))
    texts = [path.read_text() for path in [*apt.glob("sources.list"), *apt.glob("sources.list.d/*")] if path.is_file()]
    found = re.search(r"^(?:URIs:|deb(?: \[.*?\])?) *(https?://\S+/debian)/?\s", "\n".join(texts), re.M)
    return release["VERSION_CODENAME"], found[1] if found else "http://deb.debian.org/debian"


def test_the_image_serves_as_an_ordinary_user(image: str, tmp_path: Path) -> None:
    command = image.split()
    assert run(*command, "id", "-u").strip() == "10001"
    written = subprocess.run([*command, "sh", "-c", "echo 1 >/opt/dtmf/x"], capture_output=True, check=False)
    assert written.returncode != 0
    port = free_port()
    with (tmp_path / "log").open("wb") as log:
        serve = ["dtmf-server", "run", "--data", "/data", "--port", str(port)]
        process = subprocess.Popen([*command, *serve], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}")
        assert "DTMF sandbox on" in (tmp_path / "log").read_text()
        assert "sandbox" in run(*command, "dtmf-server", "run", "--help")
    finally:
        process.terminate()
        process.wait(60)
