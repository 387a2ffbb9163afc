"""Performance, always as a ratio: our code and a plain alternative, interleaved in one run. `python -m benchmarks.bench`."""

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

# Import this tree's code, whether installed or not; tests/ provides the PostgreSQL server.
SOURCES = [ROOT / "packages" / "dtmf-io" / "src", ROOT / "packages" / "dtmf-server" / "src"]

for folder in [*SOURCES, ROOT / "tests"]:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
