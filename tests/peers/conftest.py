"""Fixtures of the tests against third-party software: those of the webhook and carrier tests, with npm's `smpp` as the
SMSC."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from peers.kannel import Kannel, running
from smpp.conftest import Bound, bind, binding, sqlite
from smpp.smsc import Smsc
from support.webhook_fixtures import account, db, dtmf, receiver

__all__ = ["account", "bind", "db", "dtmf", "receiver"]

NPM = ["node", str(Path(__file__).with_name("smsc.mjs"))]


@pytest.fixture
def smsc() -> Iterator[Smsc]:
    """An SMSC of npm's in its own process."""
    with Smsc(command=NPM) as process:
        yield process


@dataclass
class Exchange:
    """An SMSC of npm's with two clients: our service, bound as `dtmf`, and Kannel, as `kannel` and `kannel-latin1`."""

    smsc: Smsc
    ours: Bound
    kannel: Kannel


@pytest.fixture(scope="module")
def exchange(migrated_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """One exchange for all tests of a module."""
    with ExitStack() as stack:
        smsc = stack.enter_context(Smsc(command=NPM))
        database = stack.enter_context(sqlite(migrated_sqlite, tmp_path_factory.mktemp("exchange") / "dtmf.db"))
        ours = binding(stack, database, smsc=smsc)
        binds = [("kannel", ""), ("kannel-latin1", "alt-charset = ISO-8859-1\ndenied-smsc-id = kannel\n")]
        yield Exchange(smsc, ours, stack.enter_context(running(smsc, binds=binds)))
