"""The distributions are complete, and each extra works with only its own requirements installed."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import dtmf
import dtmf_mcp
import dtmf_server
from support import markdown
from support.paths import CLIENT, MCP, PACKAGES, SERVER
from support.shell import commands

LIBRARY_SIZE_MAX, CLI_SIZE_MAX = 100_000, 45_000  # compressed bytes of the files that every customer downloads
SOURCES = {"dtmf-io": CLIENT, "dtmf-mcp": MCP, "dtmf-server": SERVER}
BARE = {name: value for name, value in os.environ.items() if not name.startswith(("DTMF_", "PYTHON", "VIRTUAL_ENV"))}


def run(*command: object, cwd: Path, status: int = 0, **environ: str) -> str:
    """Run a command and return its output. The output is the failure message if the exit code is unexpected."""
    done = subprocess.run(
        [str(word) for word in command],
        check=False,
        env=BARE | environ,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == status, f"{command}\n{done.stdout}"
    return done.stdout


def build(source: Path, target: str, folder: Path) -> Path:
    """Build a wheel or an sdist of the distribution in this folder."""
    before = set(folder.iterdir())
    run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", folder, cwd=source)
    (built,) = set(folder.iterdir()) - before
    return built


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of each distribution, built from its sdist, so that a file missing in the sdist is missing here."""
    folder, built = tmp_path_factory.mktemp("dist"), {}
    for name in SOURCES:
        sdist = build(PACKAGES / name, "sdist", folder)
        with tarfile.open(sdist) as archive:
            archive.extractall(folder / name, filter="data")
        (source,) = (folder / name).iterdir()
        built[name] = build(source, "wheel", folder)
    return built


def contents(wheel: Path) -> dict[str, bytes]:
    """Return the files of a wheel by name."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def described(wheel: Path, field: str) -> list[str]:
    """Return the values of a field in a wheel's metadata."""
    (text,) = [text for name, text in contents(wheel).items() if name.endswith(".dist-info/METADATA")]
    return re.findall(rf"^{field}: (.*)$", text.decode(), re.MULTILINE)


def closure(requirement: str, wheels: dict[str, Path]) -> tuple[set[str], set[str]]:
    """Return this project's and other distributions that a requirement needs, with its extras."""
    ours, others, seen, left = set[str](), set[str](), set[str](), [Requirement(requirement)]
    while left:
        wanted = left.pop()
        if str(wanted) in seen:
            continue
        seen.add(str(wanted))
        if wanted.name in wheels:
            ours.add(wanted.name)
            needs = described(wheels[wanted.name], "Requires-Dist")
        else:
            others.add(wanted.name)
            needs = metadata.distribution(wanted.name).requires or []
        for need in map(Requirement, needs):
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in wanted.extras or {""}):
                left.append(need)
    return ours, others


def install(requirement: str, wheels: dict[str, Path], folder: Path) -> Path:
    """Create an environment with only a requirement and its dependencies. Returns its folder of programs."""
    run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    (site,) = folder.glob("lib/python*/site-packages")
    ours, others = closure(requirement, wheels)
    for distribution in map(metadata.distribution, others):
        for part in {Path(file).parts[0] for file in distribution.files or () if ".." not in file.parts}:
            source = Path(str(distribution.locate_file(part)))
            if source.exists() and part != "__pycache__" and not (site / part).exists():
                (site / part).symlink_to(source)
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install", "--quiet"]
    run(*pip, "--no-deps", "--no-index", *(wheels[name] for name in sorted(ours)), cwd=folder)
    return folder / "bin"


@pytest.mark.parametrize("page", ["docs/guides/command-line.md", "docs/guides/testing.md"])
def test_the_documented_installation_works(page: str, wheels: dict[str, Path], tmp_path: Path) -> None:
    """The `pip install` of a page, with the built wheels as the package index, in an environment with everything else."""
    (command,) = (
        command.partition("#")[0].strip()
        for block in markdown.blocks(PACKAGES.parent / page)
        for command, _ in commands(block.code)
        if block.run_by and command.startswith("pip install")
    )
    requirement = command.removeprefix("pip install ").strip("'")
    programs = install(requirement, wheels, tmp_path / "env")
    pip = [sys.executable, "-m", "pip", "--python", programs / "python"]
    run(*pip, "uninstall", "--quiet", "--yes", *SOURCES, cwd=tmp_path)
    assert not (programs / "dtmf").exists()
    typed = command.replace("pip", " ".join(map(str, pip)), 1)
    index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels["dtmf-io"].parent)}
    run("bash", "-c", typed, cwd=tmp_path, **index)
    program = "import dtmf.testing" if "testing" in requirement else "import dtmf.cli.app"
    run(programs / "python", "-c", program, cwd=tmp_path)


@pytest.fixture(scope="module")
def client(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with `pip install dtmf-io`."""
    return install("dtmf-io", wheels, tmp_path_factory.mktemp("client") / "env")


@pytest.mark.parametrize("name", SOURCES)
def test_a_wheel_has_exactly_the_files_of_its_package(name: str, wheels: dict[str, Path]) -> None:
    source = SOURCES[name].parent
    files = [path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    wanted = {path.relative_to(source).as_posix(): path.read_bytes() for path in files}
    built = contents(wheels[name])
    assert {name: text for name, text in built.items() if ".dist-info/" not in name} == wanted
    assert [name for name in built if name.endswith("/licenses/LICENSE")]
    assert name != "dtmf-io" or "dtmf/py.typed" in built


def test_the_wheel_of_the_service_has_the_documentation_that_make_docs_built(tmp_path: Path) -> None:
    """In a repository, whose .gitignore has the built pages, as the real one's has."""
    source = tmp_path / "packages" / "dtmf-server"
    shutil.copytree(PACKAGES / "dtmf-server", source, ignore=shutil.ignore_patterns("__pycache__", "site"))
    shutil.copy(PACKAGES.parent / ".gitignore", tmp_path)
    (tmp_path / ".git").mkdir()
    page = source / "src" / "dtmf_server" / "site" / "guides" / "page.html"
    page.parent.mkdir(parents=True)
    page.write_text("<p>built</p>")
    for target in ("sdist", "wheel"):
        built = build(source, target, tmp_path)
        if target == "sdist":
            with tarfile.open(built) as archive:
                names = archive.getnames()
        else:
            names = list(contents(built))
        assert [name for name in names if name.endswith("dtmf_server/site/guides/page.html")], target


def test_the_wheel_of_the_client_is_within_its_limits(wheels: dict[str, Path]) -> None:
    with zipfile.ZipFile(wheels["dtmf-io"]) as archive:
        sizes = {info.filename: info.compress_size for info in archive.infolist() if info.filename.startswith("dtmf/")}
    cli = sum(size for name, size in sizes.items() if name.startswith("dtmf/cli/"))
    assert 0 < cli <= CLI_SIZE_MAX
    assert 0 < sum(sizes.values()) - cli <= LIBRARY_SIZE_MAX


def test_all_distributions_have_the_same_version(wheels: dict[str, Path]) -> None:
    versions = {version for wheel in wheels.values() for version in described(wheel, "Version")}
    assert versions == {dtmf.__version__} == {dtmf_mcp.__version__} == {dtmf_server.__version__}
    pins = {need for wheel in wheels.values() for need in described(wheel, "Requires-Dist") if need.startswith("dtmf-")}
    assert {pin.partition(";")[0].strip() for pin in pins} == {
        f"dtmf-io=={dtmf.__version__}",
        f"dtmf-mcp=={dtmf.__version__}",
        f"dtmf-server=={dtmf.__version__}",
    }


def test_the_client_has_one_dependency_and_the_rest_are_extras(wheels: dict[str, Path]) -> None:
    required = [Requirement(text) for text in described(wheels["dtmf-io"], "Requires-Dist")]
    assert [each.name for each in required if each.marker is None] == ["httpcore2"]
    extras = set(described(wheels["dtmf-io"], "Provides-Extra"))
    assert extras == {"aiohttp", "cli", "mcp", "server", "testing"}


def test_the_lock_files_cover_the_requirements_of_both_distributions() -> None:
    locked = set(re.findall(r"^([a-z0-9-]+)==", (PACKAGES.parent / "requirements/run.txt").read_text(), re.MULTILINE))
    for name in ("dtmf-io", "dtmf-server"):
        project = tomllib.loads((PACKAGES / name / "pyproject.toml").read_text())["project"]
        wanted = project["dependencies"] + project.get("optional-dependencies", {}).get("cli", [])
        names = {Requirement(text).name for text in wanted}
        assert names - set(SOURCES) <= locked


def test_the_client_runs_alone_and_names_the_address_it_could_not_reach(client: Path, tmp_path: Path) -> None:
    with socket.socket() as closed:  # bound but not listening, so that no other process can answer
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        for code in (
            "dtmf.DTMF('token', base_url=URL, max_retries=0).account()",
            "asyncio.run(dtmf.AsyncDTMF('token', base_url=URL, max_retries=0).account())",
        ):
            program = (
                f"import asyncio, dtmf\nURL = {url!r}\n"
                f"try:\n    {code}\nexcept dtmf.ConnectionFailedError as error:\n"
                "    print(type(error).__name__, error)\n"
            )
            said = run(client / "python", "-B", "-W", "error", "-c", program, cwd=tmp_path)
            assert said.startswith("ConnectionFailedError")
            assert url in said
            assert "DTMF_URL" in said


def test_the_client_uses_nothing_of_the_server_and_loads_its_dependency_when_it_calls(
    client: Path, tmp_path: Path
) -> None:
    program = (
        "import importlib.util, sys, dtmf\n"
        "client = dtmf.DTMF('token')\n"
        "client.close()\n"
        "absent = ('dtmf_server', 'litestar', 'msgspec', 'sqlalchemy', 'aiohttp', 'uvicorn', 'jinja2', 'embit')\n"
        "print([name for name in absent if importlib.util.find_spec(name)])\n"
        "print('httpcore2' in sys.modules, dtmf.__version__)\n"
    )
    said = run(client / "python", "-B", "-c", program, cwd=tmp_path)
    assert said.splitlines() == ["[]", f"False {dtmf.__version__}"]


def test_without_its_extra_the_command_names_what_to_install(client: Path, tmp_path: Path) -> None:
    assert "pip install 'dtmf-io[cli]'" in run(client / "dtmf", "account", cwd=tmp_path, status=1)


def test_the_command_runs_with_its_extra_alone(wheels: dict[str, Path], tmp_path: Path) -> None:
    programs = install("dtmf-io[cli]", wheels, tmp_path / "env")
    home = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    assert dtmf.__version__ in run(programs / "dtmf", "--version", cwd=tmp_path, **home)
    assert "dtmf account" in run(programs / "dtmf", "account", "--help", cwd=tmp_path, **home)
    assert not (programs / "dtmf-server").exists()


@pytest.fixture(scope="module")
def server(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with `pip install 'dtmf-io[server]'`."""
    return install("dtmf-io[server]", wheels, tmp_path_factory.mktemp("server") / "env")


def announced(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, _, value = line.strip().removeprefix("export ").partition("=")
        if name.startswith("DTMF_"):
            yield name, value


def test_the_server_runs_with_its_extra_alone_and_answers_the_client(
    server: Path, client: Path, tmp_path: Path
) -> None:
    command = [str(server / "dtmf-server"), "run", "--data", "data", "--port", "0", "--stop-with-stdin"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, env=BARE, **pipes) as process:
        assert process.stdout is not None
        found: dict[str, str] = {}
        for name, value in announced(process.stdout):
            found[name] = value
            if {"DTMF_URL", "DTMF_TOKEN"} <= set(found):
                break
        program = "from dtmf import DTMF; print(DTMF().groups('mobile') and 'groups')"
        said = run(client / "python", "-B", "-c", program, cwd=tmp_path, **found) if found else "not announced"
        process.communicate()
    assert (said.strip(), process.returncode) == ("groups", 0)


def test_the_pytest_fixture_runs_with_its_extra_alone(wheels: dict[str, Path], tmp_path: Path) -> None:
    programs = install("dtmf-io[testing]", wheels, tmp_path / "env")
    suite = tmp_path / "suite"
    suite.mkdir()
    (suite / "test_code.py").write_text(
        "def test_a_code_arrives(dtmf):\n"
        "    number = dtmf.start_rental('us-mobile')['e164']\n"
        "    dtmf.sandbox.receive(number, 'BANK', 'Your code is 428613')\n"
        "    assert dtmf.wait_for_code(number) == '428613'\n"
    )
    said = run(programs / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=suite)
    assert "1 passed" in said
    shutil.rmtree(suite)


def test_the_tools_for_language_models_run_with_their_extra_alone(wheels: dict[str, Path], tmp_path: Path) -> None:
    programs = install("dtmf-io[mcp]", wheels, tmp_path / "env")
    assert "'dtmf-server'" not in str(sorted(programs.iterdir()))
    hello = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},'
    hello += '"clientInfo":{"name":"test","version":"1"}}}\n'
    done = subprocess.run(
        [programs / "dtmf", "mcp"],
        env=BARE | {"DTMF_TOKEN": "any", "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)},
        cwd=tmp_path,
        input=hello,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert '"serverInfo":{"name":"dtmf"' in done.stdout.replace(" ", "")
