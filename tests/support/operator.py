"""An operator's tasks: a configuration, commands, and polling the progress of the service."""

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

WITHIN = 1200  # polls, each 0.05 s plus its own duration

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
    """Return the configuration of a service that uses the node at this address and this descriptor."""
    path.write_text(CONFIGURATION.format(mode=mode, rpc=rpc, descriptor=descriptor))


def opened(settings: Path, url: str) -> Runtime:
    """Open the service of this configuration on this database, without serving."""
    return startup.open_runtime(configuration.load(settings, {}), url, Clock(sandbox=False))


def answer_of(url: str) -> dict[str, str]:
    """Return a JSON response that needs no token."""
    with urllib.request.urlopen(url, timeout=30) as reply:
        found: dict[str, str] = json.load(reply)
        return found


def until(true: Callable[[], object]) -> None:
    """Wait until the condition is true."""
    for _ in range(WITHIN):
        if true():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it did not come true")


def differences(database_url: str) -> list[verify.Difference]:
    """Return the findings of `dtmf-server verify`."""
    with closing(open_database(database_url)) as db:
        return db.read_blocking(verify.differences)
