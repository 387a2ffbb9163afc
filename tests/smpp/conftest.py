"""The service bound to an SMSC that runs in its own process."""

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dtmf_server.carriers.smpp.carrier import SmppCarrier
from dtmf_server.carriers.smpp.carrier import Smsc as Settings
from dtmf_server.carriers.smpp.events import Times
from dtmf_server.operations import rent, send
from dtmf_server.runtime.clock import wall_us
from dtmf_server.storage.db import Database, Row
from dtmf_server.storage.open import open_database
from harness import give_coins, initialise, open_account, runtime_over, serving
from smpp.smsc import Smsc

COINS = 10_000_000
QUICK = Times(response_s=2.0, submit_s=4.0, enquire_s=30.0, throttle_first_s=0.05, throttle_max_s=0.2)
_link_ids = itertools.count(1)


@dataclass
class Bound:
    """A service with one account and one rented number, bound to an SMSC."""

    db: Database
    smsc: Smsc
    url: str
    carrier: SmppCarrier
    account_id: int
    e164: str
    stop: Callable[[], None]

    @property
    def number(self) -> str:
        """The rented number as SMSCs write it."""
        return self.e164.removeprefix("+")

    def received(self) -> list[tuple[str, str]]:
        """Return sender and text of the received messages, in order."""
        rows = self.rows("SELECT sender, content FROM messages WHERE inbound ORDER BY id")
        return [(row["sender"], row["content"]) for row in rows]

    def rows(self, statement: str, **parameters: Any) -> list[Row]:
        """Return the rows of a statement."""
        return self.db.read_blocking(lambda tx: tx.all(statement, **parameters))

    def sends(self, text: str, to: str = "+31612345678") -> int:
        """Send an SMS as the renter; return its id."""
        message = self.db.write_blocking(
            lambda tx: send.send(
                tx,
                self.account_id,
                sender=self.e164,
                to=to,
                content=text,
                now_us=wall_us(),
                daily_limit=None,
            )
        )
        self.db.wakeups.notify({"deliveries"})
        return int(message["id"])

    def until(self, message_id: int, *statuses: str) -> Row:
        """Wait until the message has one of these statuses; return it."""
        return self.eventually(
            lambda: next(
                iter(
                    self.rows(
                        "SELECT * FROM messages WHERE id = :id AND status = ANY(:statuses)",
                        id=message_id,
                        statuses=list(statuses),
                    )
                ),
                None,
            )
        )

    def eventually(self, look: Callable[[], Any], *, within_s: float = 60.0) -> Any:
        """Wait until `look` finds something; return it."""
        from time import monotonic, sleep

        until = monotonic() + within_s
        while not (found := look()):
            assert monotonic() < until, "nothing found in time"
            sleep(0.02)
        return found


def binding(
    stack: ExitStack,
    db: Database,
    *,
    smsc: Smsc,
    wait: bool = True,
    settings: dict[str, Any] | None = None,
    **carrier: Any,
) -> Bound:
    """Run a service over this database, bound to the SMSC, until the stack unwinds."""
    configured = replace(Settings("london", "127.0.0.1", smsc.port, "dtmf", "secret", times=QUICK), **carrier)
    link = SmppCarrier(configured, new_id=lambda: next(_link_ids), uniform=random.random, wall_us=wall_us)
    account_id = open_account(db, now_us=wall_us())
    give_coins(db, account_id, COINS, now_us=wall_us())
    rental = db.write_blocking(lambda tx: rent.start(tx, account_id, "free", now_us=wall_us(), cooldown_us=0))
    running = stack.enter_context(ExitStack())
    url = running.enter_context(serving(runtime_over(db, **(settings or {})), carriers=[link]))
    bound = Bound(db, smsc, url, link, account_id, rental["e164"], running.close)
    if wait:
        for _ in configured.binds:
            smsc.wait("bound")
        bound.eventually(lambda: all(t.state == "bound" for t in link.traffic()))
    return bound


@pytest.fixture
def smsc() -> Iterator[Smsc]:
    """An SMSC in its own process."""
    with Smsc() as process:
        yield process


@contextmanager
def sqlite(template: Path, path: Path) -> Iterator[Database]:
    """Open a SQLite database that has a test catalog."""
    path.write_bytes(template.read_bytes())
    with closing(open_database(f"sqlite:///{path}")) as db:
        initialise(db)
        yield db


@pytest.fixture
def bind(migrated_sqlite: Path, tmp_path: Path, smsc: Smsc) -> Iterator[Callable[..., Bound]]:
    """Bind a service to the SMSC with these carrier settings: `bind(binds=('receiver',), …)`."""
    with ExitStack() as stack:
        db = stack.enter_context(sqlite(migrated_sqlite, tmp_path / "dtmf.db"))
        yield partial(binding, stack, db, smsc=smsc)


@pytest.fixture
def bind_on_each_engine(db: Database, smsc: Smsc) -> Iterator[Callable[..., Bound]]:
    """The same, once per engine."""
    with ExitStack() as stack:
        yield partial(binding, stack, db, smsc=smsc)


@pytest.fixture(scope="module")
def inbox(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bound]:
    """One bind for all tests of a module, each of which reads what arrived since it started."""
    with ExitStack() as stack:
        db = stack.enter_context(sqlite(migrated_sqlite, tmp_path_factory.mktemp("inbox") / "dtmf.db"))
        yield binding(stack, db, smsc=stack.enter_context(Smsc()))
