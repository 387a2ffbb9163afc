"""Speed, always as a ratio: ours and a plain way to do the same, interleaved in one run. `python -m benchmarks.bench`."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

# The tree's own code, installed or not; tests/ for its PostgreSQL server.
SOURCES = [ROOT / "packages" / "dtmf-io" / "src", ROOT / "packages" / "dtmf-server" / "src"]

for folder in [*SOURCES, ROOT / "tests"]:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
