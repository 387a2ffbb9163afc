"""Virtual environments for the benchmarks, one per competitor, cached in the user's cache folder."""

import fcntl
import os
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks import ROOT, SOURCES

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dtmf-bench"

PACKAGES = {
    "starlette": ["starlette==1.10.0", "msgspec==0.22.0", "uvicorn==0.54.0", "httptools==0.9.0", "uvloop==0.23.0"],
    "dtmf": ["httpx2==2.16.2"],
    "dtmf-aiohttp": ["httpx2==2.16.2", "aiohttp==3.14.5"],
    "twilio": ["twilio==9.13.0"],
    "plivo": ["plivo==4.63.0"],
    "stripe": ["stripe==16.1.0"],
    "telnyx": ["telnyx==4.189.0"],
    # All its requirements, unchanged for years: its own version ranges allow versions it does not work with.
    "jasmin": ["--no-deps", "--require-hashes", "-r", str(ROOT / "benchmarks" / "gateways" / "jasmin.txt")],
    "sink": ["aiohttp==3.14.5", "uvloop==0.23.0"],
    "engines": ["httpx2==2.16.2", "pyreqwest==0.15.1", "aiohttp==3.14.5"],
}

OURS = ("dtmf", "dtmf-aiohttp", "engines")  # these also get this tree's client


def python_of(name: str) -> Path:
    """Return the interpreter of an environment, creating it on first use. Benchmarks that run at once wait for each other."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _created(name)


def _created(name: str) -> Path:
    packages, ours = PACKAGES[name], str(SOURCES[0]) if name in OURS else ""
    folder = CACHE / f"{name}-py{sys.version_info[0]}.{sys.version_info[1]}"
    python, stamp, wanted = folder / "bin" / "python", folder / "installed", "\n".join([*packages, ours])
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(folder, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"can't install {' '.join(packages)}:\n{done.stderr[-2000:]}")
        (next(folder.glob("lib/python*/site-packages")) / "tree.pth").write_text(f"{ours}\n")
        stamp.write_text(wanted)
    return python
