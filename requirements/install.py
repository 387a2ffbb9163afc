"""Install a requirement file with pip, and show how far it is.

    python requirements/install.py requirements/run.txt

pip alone is either silent for a minute or prints a screen of lines. Hashes are required. If pip fails, what it printed
is shown, and its exit status given.
"""

import re
import subprocess
import sys
from pathlib import Path

COUNTED = re.compile(
    r"(?:Collecting|Ignoring|Requirement already satisfied:) ([A-Za-z0-9_.-]+)|Processing .*/([^/-]+)-"
)
EVERY = 10  # packages between two lines, where lines can't be overwritten


def main(path: str) -> int:
    """The exit status of pip."""
    wanted = sum("==" in line for line in Path(path).read_text("utf-8").splitlines() if line[:1].isalnum())
    command = [sys.executable, "-m", "pip", "install", "--progress-bar=off", "--require-hashes", "-r", path]
    printed, found = [], set()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            printed.append(line)
            if match := COUNTED.match(line.strip()):
                found.add((match[1] or match[2]).lower().replace("_", "-"))
                show(f"  {len(found)} of {wanted} packages fetched", is_due=len(found) % EVERY == 0)
            elif line.startswith("Installing collected packages"):
                show("  all packages fetched, installing them …", is_due=True)
    if pip.returncode:
        sys.stderr.write("\n" + "".join(printed))
    elif sys.stdout.isatty():
        print("\r\x1b[K", end="")
    return pip.returncode


def show(text: str, *, is_due: bool) -> None:
    """Prints it over the last one on a terminal; elsewhere on a line of its own, if one is due."""
    if sys.stdout.isatty():
        print(f"\r\x1b[K{text}", end="", flush=True)
    elif is_due:
        print(text, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except KeyboardInterrupt:
        sys.exit(130)
