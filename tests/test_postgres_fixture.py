"""The PostgreSQL of the tests is a real server, provides empty databases, and is removed at the end."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from postgres import (
    ServerFailed,
    any_server,
    copied,
    drop_database,
    fresh_database,
    programs_for,
    start_server,
    unprivileged,
)

TESTS = Path(__file__).parent


def ask(url, question):
    with psycopg.connect(url) as connection:
        return connection.execute(question).fetchone()[0]


def test_a_fresh_database_is_empty_and_uses_utf8(postgres_url):
    url = fresh_database(postgres_url)
    assert ask(url, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'") == 0
    assert ask(url, "SELECT 'Grüße 👋'") == "Grüße 👋"
    assert ask(url, "SHOW server_encoding") == "UTF8"
    drop_database(postgres_url, url)


def test_a_copy_of_a_template_is_a_separate_database_with_its_tables(postgres_url):
    template = fresh_database(postgres_url)
    with psycopg.connect(template) as connection:
        connection.execute("CREATE TABLE sms (content text)")
        connection.execute("INSERT INTO sms VALUES ('first')")
    one, two = (fresh_database(postgres_url, template=template) for _ in range(2))
    with psycopg.connect(one) as connection:
        connection.execute("INSERT INTO sms VALUES ('second')")
    assert [ask(url, "SELECT count(*) FROM sms") for url in (template, one, two)] == [1, 2, 1]
    for url in (one, two, template):
        drop_database(postgres_url, url)


def test_a_dropped_database_is_gone_even_with_a_connection_open(postgres_url):
    url = fresh_database(postgres_url)
    with psycopg.connect(url) as connection:
        drop_database(postgres_url, url)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


def test_the_server_has_the_given_settings_and_ends_with_its_block():
    with start_server(fsync=True, synchronous_commit="local", max_connections=17) as server:
        shown = [ask(server, f"SHOW {name}") for name in ("fsync", "synchronous_commit", "max_connections")]
        assert shown == ["on", "local", "17"]
        data = Path(ask(server, "SHOW data_directory"))
        assert data.is_dir() and data.resolve().parent == data.parent.resolve()  # lasting data is on disk
        with psycopg.connect(server) as lingering:
            pid = lingering.info.backend_pid
    assert not data.parent.exists()
    assert not is_running(pid)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server, connect_timeout=5)


def test_a_setting_that_postgresql_refuses_is_a_clear_error():
    with pytest.raises(ServerFailed, match="no_such_setting"), start_server(no_such_setting="1"):
        pass


def test_an_unreachable_server_of_the_environment_is_an_error(monkeypatch):
    monkeypatch.setenv("DTMF_TEST_PG_URL", "postgresql://nobody@127.0.0.1:1/x")
    with pytest.raises(ServerFailed, match="DTMF_TEST_PG_URL"), any_server():
        pass


def test_a_server_of_the_environment_is_used_and_left_without_our_databases(monkeypatch, postgres_url):
    monkeypatch.setenv("DTMF_TEST_PG_URL", f"{postgres_url}?application_name=given")
    with any_server() as server:
        assert server.endswith("application_name=given")
        url = fresh_database(server)
        assert ask(url, "SELECT current_setting('application_name')") == "given"
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


def test_copied_programs_run_as_the_user_of_the_server():
    with tempfile.TemporaryDirectory(prefix="dtmf-postgres-") as folder:
        user = unprivileged(Path(folder))
        programs = copied(programs_for(user), Path(folder) / "far" / "away", user)
        assert programs.is_relative_to(folder)
        for program in ("initdb", "postgres"):
            process = user.popen([str(programs / program), "--version"], stdout=subprocess.PIPE)
            version, _ = process.communicate()
            assert (process.returncode, b"PostgreSQL" in version) == (0, True)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_server_is_stopped_however_its_owner_ends(end):
    script = (  # a suite in the background of a shell ignores SIGINT, and its children inherit that
        "import signal, time\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from postgres import start_server\nwith start_server() as server:\n"
        "    print(server, flush=True)\n    time.sleep(600)\n"
    )
    environ = {**os.environ, "PYTHONPATH": str(TESTS)}
    owner = subprocess.Popen([sys.executable, "-c", script], env=environ, stdout=-1, stderr=subprocess.DEVNULL)
    try:
        assert owner.stdout is not None
        server = owner.stdout.readline().decode().strip()
        data = Path(ask(server, "SHOW data_directory"))
        files = data.resolve()  # in memory if there is room
        pid = int((data / "postmaster.pid").read_text().split()[0])
        owner.send_signal(end)
        owner.wait(30)
        deadline = time.monotonic() + 30
        while (data.parent.exists() or files.exists() or is_running(pid)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not data.parent.exists() and not files.exists()
        assert not is_running(pid)
    finally:
        owner.kill()
        owner.communicate()


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")  # a zombie is no longer running
    return not (state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] == "Z")
