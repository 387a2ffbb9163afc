"""Find Bitcoin Core for the tests: BITCOIND, a bitcoind in PATH, or one built once from source and cached per user.

`python tests/bitcoin/bitcoind.py` prints its path. The source is the snapshot in PyPI's py-bitcoinkernel: good for
tests on regtest, never for real money.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

SDIST = "py-bitcoinkernel==0.1.0a5"
SHA256 = "71b91eecac7a8b07248be04471c3bf98016b38bf823aefd28f7b31179940520d"
PACKAGES = ["g++", "cmake", "ninja-build", "pkgconf", "libboost-dev", "libevent-dev", "libsqlite3-dev"]
WITHOUT = ["TESTS", "TX", "UTIL", "BITCOIN_BIN", "CLI"]
OPTIONS = [
    "-DCMAKE_BUILD_TYPE=None",
    "-DCMAKE_CXX_FLAGS=-O1 -g0",
    *(f"-DBUILD_{name}=OFF" for name in WITHOUT),
    *(f"-DENABLE_{name}=OFF" for name in ("IPC", "EXTERNAL_SIGNER")),
    *(f"-DWITH_{name}=OFF" for name in ("ZMQ", "EMBEDDED_ASMAP")),
    "-DINSTALL_MAN=OFF",
]
BUILD_TIMEOUT_S = 5400
PROGRESS_EVERY_S = 30


class NoBitcoind(Exception):
    """There is no bitcoind, and it can't be built."""


def bitcoind() -> Path:
    """Return the path of a working bitcoind, building it if necessary. Raises NoBitcoind."""
    if named := os.environ.get("BITCOIND"):
        return _running(Path(named), "BITCOIND")
    if found := shutil.which("bitcoind"):
        return _running(Path(found), "PATH")
    kept = _cache() / f"bitcoind-{SHA256[:12]}"
    if not kept.exists():
        _build(kept)
    return _running(kept, "the cache")


def _running(program: Path, source: str) -> Path:
    try:
        subprocess.run([program, "-version"], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        raise NoBitcoind(f"{program} (from {source}) does not run: {error}") from error
    return program


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dtmf"


def _build(kept: Path) -> None:
    """Build in a folder of the cache that remains until the build is complete, so an interrupted build can resume.
    Concurrent builds wait for each other."""
    _install_packages()
    work = kept.with_name(f"{kept.name}.build")
    work.mkdir(parents=True, exist_ok=True)
    with (work.with_suffix(".lock")).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.set_inheritable(lock.fileno(), True)  # a build step that outlives this process also holds the lock
        if kept.exists():
            return
        if (work / "source").exists():
            _say(f"resuming the build in {work} …")
        work.mkdir(exist_ok=True)
        source, build = _source(work), work / "build"
        if not (build / "build.ninja").exists():
            _say("configuring Bitcoin Core …")
            _run(["cmake", "-G", "Ninja", "-S", source, "-B", build, *OPTIONS], work / "cmake.log")
        _say("building bitcoind (once; takes about 10 minutes on two cores) …")
        _run(["ninja", "-C", build, "bitcoind"], work / "ninja.log")
        finished = kept.with_name(f"{kept.name}.{os.getpid()}")
        shutil.copy2(build / "bin" / "bitcoind", finished)
        finished.rename(kept)
        shutil.rmtree(work)


def _install_packages() -> None:
    """Install the Debian packages that the build needs and that are missing, if allowed."""
    looked = {name: subprocess.run(["dpkg", "-s", name], check=False, capture_output=True) for name in PACKAGES}
    missing = [name for name, done in looked.items() if done.returncode]
    if not missing:
        return
    if os.geteuid() != 0:
        raise NoBitcoind(f"to build bitcoind, install: apt install {' '.join(missing)} (or set BITCOIND)")
    _say(f"installing {' '.join(missing)} …")
    quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
    subprocess.run(["apt-get", "update", "-qq"], check=True, **quiet)  # type: ignore[call-overload]  # shared options
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    subprocess.run(install, check=True, **quiet)  # type: ignore[call-overload]  # shared options


def _source(work: Path) -> Path:
    """Return the source of Bitcoin Core, verified by its archive's hash; unpacked once, atomically."""
    source = work / "source"
    if source.exists():
        return source
    archive_path = _archive(work)
    with tempfile.TemporaryDirectory(prefix="unpacking-", dir=work) as folder:
        with tarfile.open(archive_path) as archive:
            archive.extractall(folder, filter="data")
        next(Path(folder).glob("py*bitcoinkernel*/depend/bitcoin")).rename(source)
    archive_path.unlink()
    return source


def _archive(work: Path) -> Path:
    """Return the source archive; fetch it again if it is incomplete."""
    archives = list(work.glob("py*bitcoinkernel*.tar.gz"))
    if archives and hashlib.sha256(archives[0].read_bytes()).hexdigest() == SHA256:
        return archives[0]
    _say("fetching the source …")
    fetch = ["pip", "download", "--quiet", "--no-deps", "--no-binary", "py-bitcoinkernel", "--dest", work, SDIST]
    done = subprocess.run([sys.executable, "-m", *map(str, fetch)], check=False, capture_output=True, text=True)
    archives = list(work.glob("py*bitcoinkernel*.tar.gz"))
    if not archives:
        raise NoBitcoind(f"{SDIST} could not be fetched:\n{done.stderr[-2000:]}")
    if hashlib.sha256(archives[0].read_bytes()).hexdigest() != SHA256:
        archives[0].unlink()
        raise NoBitcoind(f"{archives[0].name} does not match the expected hash")
    return archives[0]


def _run(command: list[object], log: Path) -> None:
    """Run a build step, reporting progress occasionally; show its full output only if it fails."""
    started_s = time.monotonic()
    with log.open("w+") as output:
        process = subprocess.Popen(list(map(str, command)), stdout=output, stderr=subprocess.STDOUT, close_fds=False)
        try:
            while process.poll() is None:
                try:
                    process.wait(PROGRESS_EVERY_S)
                except subprocess.TimeoutExpired:
                    _say(f"  {time.monotonic() - started_s:.0f} s: {_last_line(log)}")
                if time.monotonic() - started_s > BUILD_TIMEOUT_S:
                    raise NoBitcoind(f"{command[0]} took longer than {BUILD_TIMEOUT_S} s")
        finally:
            if process.poll() is None:  # interrupted: compiled files remain for the next run
                process.terminate()
                process.wait()
    if process.returncode:
        raise NoBitcoind(f"{command[0]} failed:\n{log.read_text()[-4000:]}")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1][:100] if lines else ""


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        print(bitcoind())
    except NoBitcoind as error:
        sys.exit(str(error))
