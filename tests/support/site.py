"""The built site, once for all workers of a run."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.paths import ROOT


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the HTML pages that `make docs` builds."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    folder = tmp_path_factory.getbasetemp().parent / f"docs-{run}" if run else tmp_path_factory.mktemp("docs")
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "built").exists():
            command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", folder / "doctrees"]
            done = subprocess.run(
                [*command, ROOT / "docs", folder / "site"], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            (folder / "built").touch()
    return folder / "site"
