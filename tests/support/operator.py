"""What an operator does: a configuration, commands, and looks at whether the service has come so far."""

import json
import threading
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from dtmf_server import config as configuration
from dtmf_server.operations import verify
from dtmf_server.runtime.clock import Clock
from dtmf_server.runtime.context import Runtime
from dtmf_server.server import startup
from dtmf_server.storage.open import open_database

WITHIN = 1200  # looks, of 0.05 s and what a look takes

CONFIGURATION = """\
mode = "{mode}"
[bitcoin]
network = "regtest"
rpc = "{rpc}"
descriptor = "{descriptor}"
poll_seconds = 0.1
[[bitcoin.larger]]
from_sats = 10000000
confirmations = 4
"""


def write_configuration(path: Path, rpc: str, descriptor: str, *, mode: str) -> None:
    """A service on the node at this address, that gives this descriptor's addresses."""
    path.write_text(CONFIGURATION.format(mode=mode, rpc=rpc, descriptor=descriptor))


def opened(settings: Path, url: str) -> Runtime:
    """The service of this configuration over this database, not serving."""
    return startup.open_runtime(configuration.load(settings, {}), url, Clock(sandbox=False))


def answer_of(url: str) -> dict[str, str]:
    """A JSON answer that needs no token."""
    with urllib.request.urlopen(url, timeout=30) as reply:
        found: dict[str, str] = json.load(reply)
        return found


def until(true: Callable[[], object]) -> None:
    """Returns once it is true."""
    for _ in range(WITHIN):
        if true():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not come true")


def differences(database_url: str) -> list[verify.Difference]:
    """What `dtmf-server verify` finds."""
    with closing(open_database(database_url)) as db:
        return db.read_blocking(verify.differences)
