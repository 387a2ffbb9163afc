"""Reports the state of this process to systemd, if systemd started it with `Type=notify`. See sd_notify(3)."""

import asyncio
import os
import socket
from contextlib import suppress


def notify(state: str) -> None:
    """Send a state, like `READY=1`. Does nothing without a service manager, and never fails."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sending:
        sending.setblocking(False)
        sending.sendto(state.encode(), address.replace("@", "\0", 1) if address.startswith("@") else address)


async def keep_watchdog_fed() -> None:
    """Report, twice per `WatchdogSec`, that the event loop runs. Returns at once if this process has no watchdog."""
    interval_us = os.environ.get("WATCHDOG_USEC", "")
    if not interval_us.isdecimal() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(int(interval_us) / 2_000_000)
