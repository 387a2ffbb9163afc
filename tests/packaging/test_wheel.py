"""The wheel is whole, its client is small, and that client runs with its one dependency and nothing of the server's."""

import os
import re
import socket
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent.parent
CLIENT_SIZE_MAX = 120_000  # compressed bytes: everybody who rents a number downloads the client


def run(*command, **environ):
    """What a command printed; its whole output is the message if it fails."""
    given = {name: value for name, value in os.environ.items() if not name.startswith(("DTMF_", "PYTHON"))}
    output = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    done = subprocess.run(command, check=False, env=given | environ, cwd=ROOT, **output)
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from this tree."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    (built,) = folder.glob("*.whl")
    return built


def closure(requirement):
    """The installed distributions that a requirement needs, with its extras and those of what it needs."""
    found, left = {}, [requirement]
    while left:
        wanted = left.pop()
        if str(wanted) not in found:
            distribution = found[str(wanted)] = metadata.distribution(wanted.name)
            needs = [Requirement(text) for text in distribution.requires or ()]
            extras = wanted.extras or {""}
            left += [n for n in needs if n.marker is None or any(n.marker.evaluate({"extra": e}) for e in extras)]
    return {distribution.name: distribution for distribution in found.values()}.values()


@pytest.fixture(scope="module")
def client(wheel, tmp_path_factory):
    """Runs Python where the standard library, the bare wheel and what it needs are all there is."""
    installed, dependencies = tmp_path_factory.mktemp("installed"), tmp_path_factory.mktemp("dependencies")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    run(*pip, "--target", str(installed), str(wheel))
    for distribution in closure(requirements(wheel, extra=False)[0]):
        for part in {Path(file).parts[0] for file in distribution.files or () if ".." not in file.parts}:
            if (source := Path(str(distribution.locate_file(part)))).exists() and part != "__pycache__":
                (dependencies / part).symlink_to(source)
    path = os.pathsep.join([str(installed), str(dependencies)])

    def python(code):
        # -S: without the site-packages of the interpreter that runs the tests
        return run(sys.executable, "-S", "-P", "-B", "-W", "error", "-c", code, PYTHONPATH=path)

    return python


def requirements(wheel, *, extra):
    """What the wheel requires, for its extras or without them."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        required = re.findall(r"^Requires-Dist: (.*)$", archive.read(name).decode(), re.MULTILINE)
    return [Requirement(text) for text in required if ("extra ==" in text) is extra]


def test_the_client_is_within_its_budget(wheel):
    with zipfile.ZipFile(wheel) as archive:
        parts = [info.compress_size for info in archive.infolist() if info.filename.startswith("dtmf/")]
    assert 0 < sum(parts) <= CLIENT_SIZE_MAX


def test_the_wheel_has_both_packages_whole_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        licences = [name for name in archive.namelist() if name.endswith("/licenses/LICENSE")]
    source = ROOT / "src"
    wanted = {
        path.relative_to(source).as_posix()
        for package in ("dtmf", "dtmf_server")
        for path in (source / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == wanted
    assert "dtmf/py.typed" in names
    assert len(licences) == 1


def test_the_bare_wheel_has_one_dependency_and_the_server_is_an_extra(wheel):
    assert len(requirements(wheel, extra=False)) == 1
    assert {"litestar", "sqlalchemy", "psycopg"} < {requirement.name for requirement in requirements(wheel, extra=True)}


def test_the_client_runs_alone_and_names_the_address_it_could_not_reach(client):
    with socket.socket() as closed:  # bound and never listening: nobody else can answer there
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        for code in (
            "dtmf.DTMF('token', base_url=URL, max_retries=0).account()",
            "asyncio.run(dtmf.AsyncDTMF('token', base_url=URL, max_retries=0).account())",
        ):
            said = client(
                f"import asyncio, dtmf\nURL = {url!r}\n"
                f"try:\n    {code}\nexcept dtmf.ConnectionFailedError as error:\n"
                "    print(type(error).__name__, error)\n"
            )
            assert said.startswith("ConnectionFailedError")
            assert url in said
            assert "DTMF_URL" in said


def test_the_client_uses_nothing_of_the_server_and_loads_its_dependency_when_it_calls(client, wheel):
    (dependency,) = requirements(wheel, extra=False)
    said = client(
        "import importlib.util, sys, dtmf\n"
        "client = dtmf.DTMF('token')\n"
        "client.close()\n"
        "absent = ('litestar', 'msgspec', 'sqlalchemy', 'aiohttp', 'uvicorn', 'jinja2', 'embit', 'psycopg')\n"
        "print([name for name in absent if importlib.util.find_spec(name)])\n"
        "print(sorted(name for name in sys.modules if name.startswith('dtmf_server')))\n"
        f"print({dependency.name!r} in sys.modules, dtmf.__version__)\n"
    )
    assert said.splitlines() == ["[]", "[]", f"False {version()}"]


def test_the_server_says_its_version_and_the_client_agrees(client):
    assert client("import dtmf_server; print(dtmf_server.__version__)").strip() == version()


def version():
    (found,) = re.findall(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    return found
