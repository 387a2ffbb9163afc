"""The pytest plugin in a customer's suite: a real sandbox, separate accounts, a clock, and no process left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import dtmf.testing as plugin

pytest_plugins = ["pytester"]
SOURCE = str(Path(plugin.__file__).parents[2])
END_TIMEOUT_S = 30


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An empty suite that uses this tree. Settings of a real service in the environment must not matter."""
    monkeypatch.setenv("PYTHONPATH", SOURCE)
    monkeypatch.setenv("DTMF_MODE", "production")
    monkeypatch.setenv("DTMF_TOKEN", "dtmf_of_somebody")
    monkeypatch.setenv("DTMF_URL", "https://numbers.example.org")
    return pytester


def passed(suite: pytest.Pytester, count: int, *options: str) -> None:
    """Run the suite in a subprocess. All its tests must pass."""
    others = [f"-pno:{name}" for name in ("cacheprovider", "asyncio", "schemathesis", "hypothesispytest", "anyio")]
    suite.runpytest_subprocess(*others, "-W", "error", *options).assert_outcomes(passed=count)


SUITE = """\
import asyncio, os
from datetime import timedelta
import pytest
from dtmf import DTMF, InsufficientFundsError, NotFoundError


def test_a_code_arrives(dtmf):
    number = dtmf.start_rental("us-mobile")["e164"]
    dtmf.sandbox.receive(number, "BANK", "Your code is 428613")
    assert dtmf.wait_for_code(number, timeout=30) == "428613"

def test_accounts_are_separate_and_funded(dtmf, dtmf_account):
    assert dtmf.account() == {"balance": 1_000_000}
    assert dtmf.numbers() == []
    assert dtmf_account.token not in repr(dtmf_account)

def test_the_balance_can_be_chosen(dtmf_sandbox):
    poor = dtmf_sandbox.new_account(balance=0)
    with poor.client(timeout=30) as dtmf, pytest.raises(InsufficientFundsError):
        dtmf.start_rental("us-mobile")
    with dtmf_sandbox.new_account(balance=7).client() as dtmf:
        assert dtmf.account() == {"balance": 7}

def test_time_passes(dtmf, dtmf_clock):
    dtmf.start_rental("us-mobile")
    before, started = dtmf.account()["balance"], dtmf_clock.now()
    assert dtmf_clock.advance(timedelta(hours=1)) - started >= timedelta(hours=1)
    assert before - dtmf.account()["balance"] >= 60 * 13
    dtmf_clock.advance(366 * 86_400)
    assert dtmf.numbers() == []
    assert dtmf_clock.now().utcoffset() == timedelta(0)

def test_the_environment_is_the_accounts(dtmf_environment):
    with DTMF() as dtmf:
        assert dtmf.account() == {"balance": 1_000_000}
    assert os.environ["DTMF_URL"] == dtmf_environment.url

def test_the_environment_is_restored_afterwards():
    assert os.environ["DTMF_TOKEN"] == "dtmf_of_somebody"

def test_asyncio(dtmf_account):
    async def balance():
        async with dtmf_account.async_client() as dtmf:
            return (await dtmf.account())["balance"]

    assert asyncio.run(balance()) == 1_000_000

def test_the_sandbox_has_its_own_account(dtmf_sandbox):
    with dtmf_sandbox.client() as dtmf:
        assert dtmf.addresses() == []
    assert dtmf_sandbox.token not in repr(dtmf_sandbox)
"""


def test_a_suite_runs_against_a_real_sandbox(suite: pytest.Pytester) -> None:
    suite.makepyfile(SUITE)
    passed(suite, 8)


def test_each_xdist_worker_has_its_own_sandbox(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("index", range(4))
        def test_it(dtmf, dtmf_sandbox, index, worker_id):
            with open(f"../seen-{worker_id}", "a") as file:
                file.write(dtmf_sandbox.url + "\\n")
        """
    )
    passed(suite, 4, "-n2")
    seen = {path.name: set(path.read_text().split()) for path in suite.path.parent.glob("seen-*")}
    assert len(seen) == len(set.union(*seen.values()))
    assert all(len(urls) == 1 for urls in seen.values())


def test_a_suite_without_the_fixtures_loads_nothing(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        """
        import sys

        def test_nothing_of_it_is_loaded(request):
            assert request.config.pluginmanager.hasplugin("dtmf")
            loaded = {name.partition(".")[0] for name in sys.modules}
            assert not loaded & {"dtmf_server", "httpcore2", "litestar", "msgspec", "sqlalchemy", "cyclopts", "rich"}
            assert "dtmf.testing.sandbox" not in sys.modules
        """
    )
    passed(suite, 1, "-pno:xdist")


def test_a_sandbox_that_cannot_start_reports_why(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    suite.makeconftest(
        """
        import pytest
        from dtmf.testing import sandbox

        @pytest.fixture(scope="session", autouse=True)
        def broken(tmp_path_factory):
            folder = tmp_path_factory.mktemp("broken")
            (folder / "dtmf.db").write_bytes(b"no database, " * 1000)
            with pytest.raises(RuntimeError, match=r"the sandbox did not start \\(exit status 2\\): dtmf-server: can't open"):
                with sandbox.running(folder):
                    pass
        """
    )
    suite.makepyfile("def test_it(): pass")
    passed(suite, 1)


def test_a_missing_service_reports_what_to_install(suite: pytest.Pytester) -> None:
    suite.makeconftest("import sys\nsys.modules['litestar'] = None\n")
    suite.makepyfile("def test_it(dtmf): pass")
    result = suite.runpytest_subprocess("-p", "no:schemathesis")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the sandbox is not installed: pip install 'dtmf-io[[]testing[]]'"])


def is_running(pid: int) -> bool:
    """Return whether the process is running."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_no_sandbox_is_left_behind_however_pytest_ends(suite: pytest.Pytester, number: signal.Signals) -> None:
    suite.makepyfile(
        """
        import pathlib, time

        def test_it(dtmf_sandbox, tmp_path_factory):
            lock = next(tmp_path_factory.getbasetemp().glob("dtmf*/dtmf.db.lock"))
            pathlib.Path("pid.part").write_text(lock.read_text().removeprefix("process "))
            pathlib.Path("pid.part").rename("pid")
            time.sleep(600)
        """
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={suite.path / 'temporary'}"]
    tests = subprocess.Popen(command, cwd=suite.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline_s = time.monotonic() + 60
    while not (suite.path / "pid").exists():
        assert tests.poll() is None and time.monotonic() < deadline_s, "the suite did not come so far"
        time.sleep(0.05)
    sandbox = int((suite.path / "pid").read_text())
    assert is_running(sandbox)
    os.kill(tests.pid, number)
    tests.wait(END_TIMEOUT_S)
    deadline_s = time.monotonic() + END_TIMEOUT_S
    while is_running(sandbox):
        assert time.monotonic() < deadline_s, "the sandbox outlives pytest"
        time.sleep(0.05)
