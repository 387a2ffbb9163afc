"""docs/operations/one-machine.md, run as written in an empty Debian tree: `make test-deploy`, on Debian, as root."""

import json
import os
import re
import socket
import subprocess
from pathlib import Path
from textwrap import dedent

import pytest

from deploy.deployed import mirror_of, run
from support.markdown import Block, blocks
from support.paths import ROOT

PAGE = ROOT / "docs/operations/one-machine.md"
RUN_BY = "tests/deploy/one_machine.py"
COMMANDS_MAX = 15
UNITS = ("caddy", "dtmf", "dtmf-backup")
MINIMAL = "ca-certificates,openssl,python3,sudo"

# Around the commands of the page, in network and process namespaces of their own: what a booted machine has.
BOOTED = """
set -eu
mount -t proc proc {tree}/proc
mount --rbind /dev {tree}/dev
ip link set lo up
echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start
exec chroot {tree} bash -eu /root/page.sh
"""
RECEIVER = """
import http.server

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        with open("/root/alerts", "ab") as file:
            file.write(self.rfile.read(int(self.headers["content-length"])) + b"\\n")
        self.send_response(204)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", 9000), Receiver).serve_forever()
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty machine: Debian's smallest system with sudo, a checkout of deploy/, and the wheels that an index would have."""
    folder = tmp_path_factory.mktemp("machine")
    found, wheels = folder / "tree", folder / "tree/wheels"
    suite, mirror = mirror_of(Path("/etc/apt"))
    run("debootstrap", "--variant=minbase", f"--include={MINIMAL}", suite, found, mirror)
    python = ROOT / ".venv/bin/python"
    run(python, "-m", "pip", "download", "-q", "-d", wheels, "--require-hashes", "-r", ROOT / "requirements/run.txt")
    run(python, "-m", "pip", "download", "-q", "-d", wheels, "setuptools", "wheel")  # build those that have no wheel
    own = [ROOT / "packages" / name for name in ("dtmf-io", "dtmf-mcp", "dtmf-server")]
    run(python, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", wheels, *own)
    (found / "etc/pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n")
    (found / "etc/hosts").write_text(f"127.0.0.1 localhost sms.example.test {socket.gethostname()}\n")
    (found / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (found / "usr/sbin/policy-rc.d").chmod(0o755)
    (found / "usr/local/bin/systemctl").write_text((ROOT / "tests/deploy/systemctl.py").read_text())
    (found / "usr/local/bin/systemctl").chmod(0o755)
    (found / "root/receiver.py").write_text(RECEIVER)
    run("cp", "-r", ROOT / "deploy", found / "srv/deploy")
    return found


def commands(block: Block) -> list[str]:
    return [line.removeprefix("$ ") for line in block.code.splitlines() if line.startswith("$ ")]


def test_a_complete_service_in_fifteen_commands(tree: Path) -> None:
    page = [*blocks(PAGE)]
    consoles = [block for block in page if block.language == "console"]
    assert all(RUN_BY in block.run_by.values() for block in consoles)
    install, *rest = consoles
    assert sum(len(commands(block)) for block in consoles) == COMMANDS_MAX
    packages, *others = commands(install)
    environment = {"DEBIAN_FRONTEND": "noninteractive", "PATH": os.environ["PATH"]}
    run("chroot", tree, "apt-get", "update", "-q", **environment)
    run("chroot", tree, "sh", "-c", packages, **environment)
    for block in page:
        if named := re.match(r"# (/etc/\S+)\n", block.code):
            path = tree / named[1][1:]
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.code)
    script = [*others, *(command for block in rest for command in commands(block))]
    (tree / "root/page.sh").write_text(_script(script))
    (tree / "root/boot.sh").write_text(BOOTED.format(tree=tree))
    done = subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "sh", tree / "root/boot.sh"],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    logs = "\n".join(log.read_text()[-2000:] for unit in UNITS for log in (tree / "var/log").glob(f"{unit}.log"))
    assert done.returncode == 0, f"{done.stdout[-4000:]}{done.stderr[-4000:]}\n{logs}"
    assert "the test alert was delivered" in done.stdout
    assert done.stdout.rstrip().endswith("the ledger is consistent")
    (alert,) = (tree / "root/alerts").read_text().splitlines()
    assert json.loads(alert)["data"]["alert"] == "DTMFTest"


def _script(page: list[str]) -> str:
    """Return a script that runs the commands of the page, each of which must succeed. A booted machine has PostgreSQL
    running; the test waits for the first backup, as a reader would."""
    booted = """\
        cd /srv
        python3 /root/receiver.py &
        service postgresql start
        """
    lines = []
    for command in page:
        if "dtmf-backups/" in command:
            lines.append("until ls /var/lib/dtmf-backups/*.backup >/dev/null 2>&1; do sleep 0.2; done")
        lines += [f"echo; echo '$' {command.split(maxsplit=2)[0:2]!r} >&2", command]
    return dedent(booted) + "\n".join(lines) + "\n"
