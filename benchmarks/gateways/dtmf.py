"""`dtmf-server run` with a carrier: SQLite with synchronous=FULL, every SMS charged, every webhook signed."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks import databases, fill, processes
from benchmarks.gateways.process_env import Pids, folder
from benchmarks.gateways.smsc import Smsc
from dtmf.webhook import verify
from dtmf_server.core import money, webhook_secret
from dtmf_server.storage import instance
from dtmf_server.storage.db import Tx
from dtmf_server.storage.open import open_database

CONFIG = """
[[carrier]]
name = "bench"
kind = "smpp"
host = "127.0.0.1"
port = {port}
system_id = "dtmf"
password = "bench"
"""


@dataclass(frozen=True, slots=True)
class Service:
    """Our service, bound."""

    pids: Pids
    url: str  # of its database

    def check(self, kept: Sequence[Mapping[str, Any]], *, count: int) -> None:
        """Check that this many SMS were stored and charged, and that these webhooks are signed with their accounts' secrets."""
        with closing(open_database(self.url)) as db:
            stored, charged = db.read_blocking(_counts)
            assert stored == charged == count, f"{stored} of {count} stored, {charged} charged"
            key = db.read_blocking(instance.webhook_key)
        assert kept
        for webhook in kept:
            account_id = money.FIRST_CUSTOMER + fill.place_of(json.loads(webhook["body"])["e164"])
            secret = webhook_secret.derive(key, account_id=account_id, version=1)
            verify(webhook["body"], webhook["headers"], secret, now=float(webhook["headers"]["webhook-timestamp"]))


def _counts(tx: Tx) -> tuple[int, int]:
    row = tx.one(
        "SELECT (SELECT count(*) FROM messages) AS stored,"
        " (SELECT count(*) FROM transfers WHERE kind = :kind) AS charged",
        kind=money.Kind.MESSAGE_RECEIVED,
    )
    assert row is not None
    return row["stored"], row["charged"]


@contextmanager
def running(smsc: Smsc, *, numbers: int) -> Iterator[Service]:
    """Run our service with this many accounts, each of which rents a number with a webhook."""
    with folder() as place, databases.sqlite() as engine:
        url = engine.empty()
        fill.populate(url, fill.Population(time.time_ns() // 1000, numbers, webhook=smsc.webhook))
        config = place / "dtmf.toml"
        config.write_text(CONFIG.format(port=smsc.port))
        with processes.service(url, "--config", str(config)) as process:
            smsc.wait_for_bind("dtmf")
            yield Service([process.pid], url)
