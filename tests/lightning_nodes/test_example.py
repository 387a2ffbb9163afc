"""examples/lightning between two real nodes: the service credits what one wallet pays to the other."""

import os
import subprocess
import sys

from support.paths import ROOT
from support.server_process import environment


def test_it_tops_up_and_rents_with_two_real_nodes() -> None:
    programs = {name: value for name, value in os.environ.items() if name.startswith("DTMF_TEST_")}
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "lightning" / "run.py", "--nodes"],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment(**programs),
        check=False,
    )
    print(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert "and credited" in done.stdout and "rented +" in done.stdout
    assert "paying again is refused: This invoice has been paid already" in done.stdout
