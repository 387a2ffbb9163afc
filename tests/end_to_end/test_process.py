"""`dtmf-server run` from a user's view: one process per file, clean stops, ports, modes, the token file."""

import contextlib
import os
import random
import re
import signal
import socket
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPException
from pathlib import Path

import pytest

from end_to_end.test_kill import new_load
from support.load import Load
from support.server_process import Service, request, rows

STOPS_WITHIN_S = 5


Run = Callable[..., tuple[int, str, str]]
Refused = Callable[..., str]


def test_a_second_process_on_the_same_file_fails_and_names_the_owner(tmp_path: Path, refused: Refused) -> None:
    with Service(tmp_path) as service:
        service.wait_ready()
        line = refused("run", "--data", tmp_path, "--port", "0")
        assert str(tmp_path / "dtmf.db") in line
        assert f"process {service.process.pid}" in line
        by_url = refused("run", "--database", f"sqlite:///{tmp_path / 'dtmf.db'}", "--data", tmp_path, "--port", "0")
        assert f"process {service.process.pid}" in by_url
        assert request(service.url, service.token, "GET", "/account").status == 200
        service.kill()
    with Service(tmp_path) as after_kill:  # any death releases the lock
        after_kill.wait_ready()
        assert request(after_kill.url, service.token, "GET", "/account").status == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_service_soon_without_losing_acknowledged_work(
    tmp_path: Path, number: int, run: Run
) -> None:
    with Service(tmp_path) as service:
        load = new_load(service.wait_ready(), random.Random(number))
        waiting = threading.Thread(target=long_poll, args=(service, load))
        waiting.start()
        load.add(5000)
        threads = load.run(service.url, until_done=False)
        while len(load.acked) < 30:
            threading.Event().wait(0.01)
        assert service.stop(number, within_s=STOPS_WITHIN_S) == 0
        for thread in [*threads, waiting]:
            thread.join()
    assert load.waiting
    assert service.out[-1] == "stopped; everything acknowledged is stored"
    assert service.err == []
    stored = {content: id_ for id_, content in rows(tmp_path / "dtmf.db", "SELECT id, content FROM messages")}
    acked = {key: answer["id"] for key, answer in load.acked.items() if load.kinds[key] in ("receive", "send")}
    assert acked
    assert {key: stored.get(key) for key in acked} == acked
    assert run("verify", "--data", tmp_path)[0] == 0


def long_poll(service: Service, load: Load) -> None:
    """A request that waits for a minute, because no item has such a high id."""
    with contextlib.suppress(OSError, HTTPException):
        request(service.url, load.token, "GET", f"/messages?after={2**62}&wait=60", timeout_s=60)


def test_a_second_signal_stops_an_idle_service_at_once(tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        service.wait_ready()
        service.process.send_signal(signal.SIGINT)
        service.process.send_signal(signal.SIGTERM)
        assert service.wait(STOPS_WITHIN_S) == 0
        assert service.out[-1] == "stopped; everything acknowledged is stored"


# --- where it listens -------------------------------------------------------------------------------------------


def test_a_busy_port_is_replaced_by_the_next_with_a_notice(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with Service(tmp_path, port=port) as service:
            service.wait_ready()
            used = int(service.url.rpartition(":")[2])
            assert port < used <= port + 20
            assert f"port {port} is in use: using {used}" in service.out
            assert request(service.url, service.token, "GET", "/account").json == {"balance": 0}


def test_a_publicly_reachable_sandbox_needs_an_explicit_option(tmp_path: Path, refused: Refused) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1"):
        line = refused("run", "--data", tmp_path, "--port", "0", "--host", host)
        assert host in line
        assert "--sandbox" in line
    assert not (tmp_path / "token").exists()
    with Service(tmp_path / "here", "--host", "127.0.0.2") as service:
        service.wait_ready()
        assert request(service.url, service.token, "GET", "/account").status == 200
    with Service(tmp_path, "--host", "0.0.0.0", "--sandbox") as service:
        service.wait_ready()
        url = service.url.replace("0.0.0.0", "127.0.0.1")
        assert request(url, service.token, "GET", "/account").status == 200


def test_an_address_of_another_machine_is_rejected_in_one_line(tmp_path: Path, refused: Refused) -> None:
    line = refused("run", "--data", tmp_path, "--port", "0", "--host", "192.0.2.1", "--sandbox")
    assert "192.0.2.1" in line


# --- the token file ---------------------------------------------------------------------------------------------


def test_the_token_file_is_private_and_recreated_when_deleted(tmp_path: Path) -> None:
    file = tmp_path / "token"
    before = os.umask(0)
    try:
        with Service(tmp_path) as service:
            first = service.wait_ready().token
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert file.read_text("ascii") == first + "\n"
    finally:
        os.umask(before)
    with Service(tmp_path) as service:
        assert service.wait_ready().token == first
    file.unlink()
    with Service(tmp_path) as service:
        second = service.wait_ready().token
        assert second != first
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        addresses = [request(service.url, token, "POST", "/addresses").status for token in (first, second)]
        seen = {request(service.url, token, "GET", "/addresses").body for token in (first, second)}
    assert addresses == [201, 201]
    assert len(seen) == 1, "both tokens are of the first account"


# --- modes and configuration ------------------------------------------------------------------------------------


def test_a_sandbox_database_is_not_opened_in_production(data: Path, refused: Refused, run: Run) -> None:
    production = data / "dtmf.toml"
    production.write_text('mode = "production"\n')
    line = refused("run", "--data", data, "--port", "0", "--config", production)
    assert re.search("sandbox.*production", line)
    assert run("verify", "--data", data)[0] == 0


def test_a_production_database_is_not_opened_as_a_sandbox(tmp_path: Path, refused: Refused) -> None:
    production = tmp_path / "dtmf.toml"
    production.write_text('mode = "production"\n')
    with Service(tmp_path, "--config", production) as service:
        service.wait_ready()
        assert request(service.url, "x", "GET", "/sandbox/sent").status == 404
        assert request(service.url, "x", "GET", "/sandbox/clock").status == 404
        assert service.stop() == 0
    line = refused("run", "--data", tmp_path, "--port", "0")
    assert re.search("production.*sandbox", line)
    assert not (tmp_path / "token").exists()


def test_verify_works_while_the_server_runs(tmp_path: Path, run: Run) -> None:
    with Service(tmp_path) as service:
        load = new_load(service.wait_ready(), random.Random(7))
        load.add(100)
        threads = load.run(service.url, until_done=True)
        while any(thread.is_alive() for thread in threads):
            code, out, err = run("verify", "--data", tmp_path)
            assert (code, err) == (0, ""), out
            assert out.endswith("the ledger is consistent\n")
        for thread in threads:
            thread.join()
        assert request(service.url, service.token, "GET", "/account").status == 200
    assert load.refused == []
    assert len(load.acked) >= 100


def test_the_service_starts_after_a_kill_during_its_first_start(tmp_path: Path, run: Run) -> None:
    for pause_s in (0.4, 0.6):
        with Service(tmp_path) as service:
            threading.Event().wait(pause_s)
            service.kill()
    with Service(tmp_path) as service:
        assert request(service.wait_ready().url, service.token, "GET", "/account").json == {"balance": 0}
        assert service.stop() == 0
    assert run("verify", "--data", tmp_path)[0] == 0


def test_systemd_learns_when_the_service_is_ready_alive_and_stopping(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        with Service(tmp_path, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="100000") as service:
            states = [manager.recv(100) for _ in range(3)]
            assert states == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
            service.wait_ready()
            assert service.stop(signal.SIGTERM, within_s=STOPS_WITHIN_S) == 0
        state = b""
        while state != b"STOPPING=1":
            state = manager.recv(100)
