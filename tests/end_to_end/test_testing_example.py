"""examples/testing: the example suite passes against a real sandbox, as its page says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import dtmf.testing as plugin

EXAMPLE = Path(__file__).parents[2] / "examples" / "testing"
SOURCE = str(Path(plugin.__file__).parents[2])


def test_the_example_suite_passes(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "example", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "example" / "pytest.ini").touch()
    given = {name: value for name, value in os.environ.items() if not name.startswith(("DTMF_", "PYTEST_"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-pno:cacheprovider", "-pno:asyncio", "-pno:schemathesis"],
        cwd=tmp_path / "example",
        env=given | {"PYTHONPATH": SOURCE},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 passed" in done.stdout
