"""Virtual environments of the benchmarks' own, one per competitor, kept in the cache folder of the user."""

import os
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks import ROOT

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dtmf-bench"

PACKAGES = {
    "starlette": ["starlette==1.10.0", "msgspec==0.22.0", "uvicorn==0.54.0", "httptools==0.9.0", "uvloop==0.23.0"],
    "dtmf": ["httpx2==2.16.2"],
    "twilio": ["twilio==9.13.0"],
    "plivo": ["plivo==4.63.0"],
    "stripe": ["stripe==16.1.0"],
    "telnyx": ["telnyx==4.189.0"],
}


def python_of(name: str) -> Path:
    """The interpreter of an environment, made and filled when it is first asked for."""
    packages = PACKAGES[name]
    folder = CACHE / f"{name}-py{sys.version_info[0]}.{sys.version_info[1]}"
    python, stamp = folder / "bin" / "python", folder / "installed"
    if not stamp.exists() or stamp.read_text() != "\n".join(packages):
        venv.create(folder, with_pip=True, clear=True)
        quiet = ["--quiet", "--disable-pip-version-check", "--no-warn-script-location"]
        subprocess.run([python, "-m", "pip", "install", *quiet, *packages], check=True, stderr=subprocess.DEVNULL)
        if name == "dtmf":
            (next(folder.glob("lib/python*/site-packages")) / "tree.pth").write_text(f"{ROOT / 'src'}\n")
        stamp.write_text("\n".join(packages))
    return python
