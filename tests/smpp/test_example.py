"""The example prints what it demonstrates."""

import subprocess
import sys

from smpp.smsc import PROGRAM
from support.server_process import environment


def test_the_example_runs_to_its_end() -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM.with_name("run.py"))],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "the service is bound: transceiver" in done.stdout
    assert "'content': 'Your code is 123456 🙂'" in done.stdout
    assert "the SMSC saw: Thank you!" in done.stdout
    assert done.stdout.endswith("its receipt came: delivered\n")
