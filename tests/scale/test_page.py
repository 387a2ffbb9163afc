"""The commands of docs/operations/scaling.md run unchanged in bash. Only the databases and the ports are filled in."""

import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from postgres import drop_database, fresh_database
from scale.cluster import free_port
from scale.conftest import live
from support import markdown
from support.operator import until
from support.paths import PYTHONPATH, ROOT
from support.shell import Shell, commands

PAGE = ROOT / "docs/operations/scaling.md"
BACKGROUND = "> /dev/null 2>&1 & echo started"


def test_the_move_to_postgresql_works_as_documented(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "dtmf-server"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P -m dtmf_server "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    (tmp_path / "data").mkdir()
    live(f"sqlite:///{tmp_path}/data/dtmf.db")
    port, metrics_port, url = free_port(), free_port(), fresh_database(postgres_url)
    endless = {"api": f"--port {port}", "worker": "--config worker.toml"}
    (tmp_path / "worker.toml").write_text(f"[metrics]\nport = {metrics_port}\n")
    ran = []
    with Shell(tmp_path) as shell:
        for block in markdown.blocks(PAGE):
            for command, _ in commands(block.code) if block.run_by else ():
                typed = command.partition("#")[0].replace("postgresql://dtmf@db/dtmf", url)
                name = typed.split()[1]
                tail = f"{endless[name]} {BACKGROUND}" if name in endless else ""
                output, status = shell.run(f"{typed} {tail}")
                assert status == 0, f"{command}: {output}"
                ran.append(name)
        assert ran == ["backup", "restore", "api", "worker"]
        until(lambda: answers(f"http://127.0.0.1:{port}/readyz"))
        until(lambda: answers(f"http://127.0.0.1:{metrics_port}/metrics"))
    drop_database(postgres_url, url)


def answers(url: str) -> bool:
    """True if the process at this address answers that it works."""
    try:
        with urlopen(url, timeout=10) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
