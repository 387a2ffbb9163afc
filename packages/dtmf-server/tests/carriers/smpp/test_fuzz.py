"""A short run of the fuzzer over every wire parser; `make prove` runs the long one."""

import importlib.util
import random
import subprocess
import sys
from pathlib import Path

from support.server_process import environment

from . import fuzz_pdu

RUNS = 5000


def test_a_fuzzer_finds_no_undeclared_exception() -> None:
    if importlib.util.find_spec("atheris") is None:  # it has wheels only for x86-64 Linux
        chance = random.Random(7)
        for _ in range(RUNS):
            fuzz_pdu.check(chance.randbytes(chance.randrange(200)))
        return
    program = [sys.executable, str(Path(fuzz_pdu.__file__)), str(RUNS)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300, env=environment(), check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_fuzzer_detects_an_undeclared_exception(tmp_path: Path) -> None:
    """Run the same program with a reader that raises an undeclared exception."""
    broken = Path(fuzz_pdu.__file__).read_text().replace("frames = Frames()", 'assert b"\\0" not in data', 1)
    (tmp_path / "fuzz.py").write_text(broken.replace("import atheris", "import atheris_or_random as atheris"))
    (tmp_path / "atheris_or_random.py").write_text(
        "def instrument_func(function): pass\ndef Setup(arguments, check): globals().update(check=check)\n"
        "def Fuzz(): check(bytes(9))\n"
    )
    program = [sys.executable, str(tmp_path / "fuzz.py"), "1"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300, env=environment(), check=False)
    assert done.returncode != 0 and "AssertionError" in done.stderr
