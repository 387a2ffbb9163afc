"""Install a requirement file with pip and show the progress.

    python requirements/install.py requirements/run.txt

pip alone is either silent for a minute or prints a screenful of lines. Hashes are required. If pip fails, its output is
shown and its exit code returned.
"""

import re
import subprocess
import sys
from pathlib import Path

COUNTED = re.compile(
    r"(?:Collecting|Ignoring|Requirement already satisfied:) ([A-Za-z0-9_.-]+)|Processing .*/([^/-]+)-"
)
EVERY = 10  # packages between two lines, if lines can't be overwritten


def main(path: str) -> int:
    """Run pip and return its exit code."""
    wanted = sum("==" in line for line in Path(path).read_text("utf-8").splitlines() if line[:1].isalnum())
    command = [sys.executable, "-m", "pip", "install", "--progress-bar=off", "--require-hashes", "-r", path]
    printed, found = [], set()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            printed.append(line)
            if match := COUNTED.match(line.strip()):
                found.add((match[1] or match[2]).lower().replace("_", "-"))
                show(f"  {len(found)} of {wanted} packages downloaded", is_due=len(found) % EVERY == 0)
            elif line.startswith("Installing collected packages"):
                show("  all packages downloaded, installing them …", is_due=True)
    if pip.returncode:
        sys.stderr.write("\n" + "".join(printed))
    elif sys.stdout.isatty():
        print("\r\x1b[K", end="")
    return pip.returncode


def show(text: str, *, is_due: bool) -> None:
    """Print the progress over the last one on a terminal; elsewhere on a new line, if one is due."""
    if sys.stdout.isatty():
        print(f"\r\x1b[K{text}", end="", flush=True)
    elif is_due:
        print(text, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except KeyboardInterrupt:
        sys.exit(130)
