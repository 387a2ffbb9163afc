"""Install what `make test-lightning` needs: Electrum from Debian, ElectrumX and LNbits in environments of their own.

The environments are cached per user, like the bitcoind of tests/bitcoin/bitcoind.py. `python tests/lightning_nodes/install.py`
prints their paths as the environment variables that the tests read.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
PYTHONS = ("python3.11", "python3.12", "python3.10")  # that LNbits 1.6 supports
APT = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}


class CannotInstall(Exception):
    """Something is missing that only the user can install."""


def electrum() -> Path:
    """Return the path of Electrum, installed from Debian if it is missing."""
    if not shutil.which("electrum"):
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            raise CannotInstall("install Electrum: apt install electrum")
        _say("installing electrum …")
        subprocess.run(["apt-get", "update", "-qq"], check=True, **APT)  # type: ignore[call-overload]  # shared options
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "electrum"]
        subprocess.run(install, check=True, **APT)  # type: ignore[call-overload]  # shared options
    found = shutil.which("electrum")
    assert found
    return Path(found)


def environment(name: str) -> Path:
    """Return the folder of an environment with the packages of requirements/NAME.txt."""
    requirements = REQUIREMENTS / f"{name}.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dtmf"
    folder = cache / f"{name}-{digest}"
    if not (folder / "installed").exists():
        _say(f"installing {name} into {folder} (once) …")
        subprocess.run([_python(), "-m", "venv", "--clear", "--without-pip", folder], check=True)
        pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet", "--no-compile"]
        # Without dependencies: the file has all of them, and some name an extra that a lock file can't.
        options = ["--no-deps", "--require-hashes", "-r", requirements]
        subprocess.run([*pip, *options], check=True, stdout=sys.stderr)
        (folder / "installed").touch()
    return folder


def _python() -> str:
    found = next((path for name in PYTHONS if (path := shutil.which(name))), None)
    if found is None:
        raise CannotInstall(f"install one of {', '.join(PYTHONS)}: LNbits supports no other version")
    return found


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        print(f"DTMF_TEST_ELECTRUM={electrum()}")
        print(f"DTMF_TEST_ELECTRUMX={environment('electrumx')}")
        print(f"DTMF_TEST_LNBITS={environment('lnbits')}")
    except CannotInstall as error:
        sys.exit(str(error))
