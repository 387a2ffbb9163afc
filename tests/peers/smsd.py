"""Debian's gammu-smsd in its own process, on a simulated modem and SQLite or PostgreSQL tables."""

import subprocess
import time
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from support.providers.gammu import Smsd as Tables

PROGRAM = "/usr/bin/gammu-smsd"
UP_S = 90.0
CONFIG = """[gammu]
{device}
gammucoding = utf8

[smsd]
service = sql
{driver}
phoneid = modem1
logfile = {log}
debuglevel = 0
commtimeout = 1
receivefrequency = 1
statusfrequency = 1
multiparttimeout = 5
loopsleep = 1
maxretries = 0
retrytimeout = 1
backendretries = 1
"""


SMS = """[SMSBackup000]
PDU = Deliver
DateTime = 20261130T120000Z
State = UnRead
Number = "{sender}"
Text00 = {text}
Coding = Default_No_Compression
Folder = 1
Length = {length}
Class = -1
"""


def put(phone: Path, sender: str, text: str) -> None:
    """Put an SMS into the inbox of a dummy phone, complete when smsd sees it."""
    content = SMS.format(sender=sender, text=text.encode("utf-16-be").hex().upper(), length=len(text))
    written = phone / "new"
    written.write_text(content)
    written.rename(phone / "sms" / "1" / "1")


class Smsd:
    """smsd on the modem at `tty`, writing to `tables`, until the block ends or it is killed. A folder in place of a terminal
    is a phone of gammu's own dummy backend."""

    def __init__(self, folder: Path, tty: Path, tables: Tables, *, time_zone: str = "UTC") -> None:
        self.tables, self._folder, self._time_zone = tables, folder, time_zone
        self._config = folder / "smsdrc"
        self.log = folder / "smsd.log"
        is_dummy = tty.is_dir()
        device = f"model = {'dummy' if is_dummy else 'at'}\nconnection = {'none' if is_dummy else 'at115200'}\ndevice = {tty}"
        self._config.write_text(CONFIG.format(device=device, log=self.log, driver=_driver(tables)))

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start smsd and wait until it has found its modem."""
        self.tables.execute("DELETE FROM phones")
        environment = {"TZ": self._time_zone, "PATH": "/usr/bin:/bin", "HOME": str(self._folder), "LANG": "C.UTF-8"}
        command = [PROGRAM, "--config", str(self._config)]
        self._process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + UP_S
        while not self.tables.execute('SELECT 1 FROM phones WHERE "Signal" >= 0'):
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill smsd with -9."""
        self._process.kill()
        self._process.wait(20)


def _driver(tables: Tables) -> str:
    if not tables.is_postgresql:
        path = Path(tables.database)
        return f"driver = sqlite3\ndbdir = {path.parent}\ndatabase = {path.name}"
    url = urlsplit(tables.database)
    host = f"{url.hostname}:{url.port}"
    return (
        f"driver = native_pgsql\nhost = {host}\nuser = {url.username}\npassword = {url.password or ''}\n"
        f"database = {url.path[1:]}"
    )
