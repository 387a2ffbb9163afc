"""An interrupted build of Bitcoin Core resumes where it stopped. The build steps are real, the tools fake: a `cmake` and a
`ninja` that log what they do, and can be killed between two files."""

import hashlib
import io
import os
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

NINJA = """\
#!/bin/sh
cd "$2"
for unit in one two three; do
    [ -e $unit.o ] && continue
    echo "compile $unit" >> ../done.log
    [ "$unit" = "$STOP_AT" ] && kill -KILL $PPID && exit 1
    touch $unit.o
done
mkdir -p bin
printf '#!/bin/sh\\necho Bitcoin Core\\n' > bin/bitcoind
chmod +x bin/bitcoind
"""
CMAKE = """\
#!/bin/sh
while [ "$1" != -B ]; do shift; done
mkdir -p "$2"
echo configure >> "$2/../done.log"
touch "$2/build.ninja"
"""
BUILD = """\
import sys
sys.path.insert(0, {tests!r})
from bitcoin import bitcoind
bitcoind.SHA256 = {sha256!r}
bitcoind.PACKAGES = []
print(bitcoind.bitcoind())
"""


def test_an_interrupted_build_resumes(tmp_path: Path):
    tools, cache = tmp_path / "tools", tmp_path / "cache"
    tools.mkdir()
    for name, text in (("ninja", NINJA), ("cmake", CMAKE)):
        (tools / name).write_text(text)
        (tools / name).chmod(stat.S_IRWXU)
    archive = source_archive()
    sha256 = hashlib.sha256(archive).hexdigest()
    work = cache / "dtmf" / f"bitcoind-{sha256[:12]}.build"
    work.mkdir(parents=True)
    (work / "py_bitcoinkernel-0.1.0a5.tar.gz").write_bytes(archive)
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "PATH": f"{tools}:/usr/bin:/bin"}
    environment.pop("BITCOIND", None)
    program = BUILD.format(tests=str(Path(__file__).parent.parent), sha256=sha256)

    def build(stop_at: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program],
            check=False,
            capture_output=True,
            text=True,
            env={**environment, "STOP_AT": stop_at, "PIP_NO_INDEX": "1"},
        )

    assert build("two").returncode == -9
    assert build("three").returncode == -9
    done = build()
    assert done.returncode == 0, done.stderr
    kept = Path(done.stdout.strip())
    assert kept.parent == cache / "dtmf"
    log = [line for line in done.stderr.splitlines() if "resuming the build" in line]
    assert log, "the build says that it resumes"
    assert not work.exists(), "the build folder is removed once the build is complete"
    assert build().stdout == done.stdout


def source_archive() -> bytes:
    """Return an archive with the layout of the source archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("py_bitcoinkernel-0.1.0a5/depend/bitcoin/CMakeLists.txt")
        archive.addfile(entry, io.BytesIO())
    return packed.getvalue()
