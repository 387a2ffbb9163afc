"""Reports to systemd: ready once signals are handled, alive while the event loop runs, stopping."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dtmf_server.runtime import service_manager


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiving:
        receiving.bind(str(tmp_path / "notify"))
        receiving.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield receiving


def test_a_state_is_sent_to_the_manager_alone(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    service_manager.notify("READY=1")
    assert manager.recv(100) == b"READY=1"
    for address in ("", "relative", "/nonexistent/notify"):
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        service_manager.notify("READY=1")


def test_an_abstract_address_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"dtmf-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiving:
        receiving.bind(f"\0{name}")
        receiving.settimeout(60)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        service_manager.notify("READY=1")
        assert receiving.recv(100) == b"READY=1"


@pytest.mark.parametrize(("interval", "pid"), [("", ""), ("soon", ""), ("1000", "1")])
async def test_without_a_watchdog_of_this_process_nothing_is_sent(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch, interval: str, pid: str
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", interval)
    if pid:
        monkeypatch.setenv("WATCHDOG_PID", pid)
    await service_manager.keep_watchdog_fed()
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(100)


async def test_the_watchdog_is_fed_while_the_event_loop_runs(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    task = asyncio.ensure_future(service_manager.keep_watchdog_fed())
    for _ in range(3):
        assert await asyncio.to_thread(manager.recv, 100) == b"WATCHDOG=1"
    task.cancel()
