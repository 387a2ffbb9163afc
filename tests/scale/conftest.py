"""Shared fixtures: a database of a service with some history, on each engine, and copies of it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dtmf import DTMF
from dtmf_server.storage import migrate
from dtmf_server.storage.open import open_database
from harness import START_US, give_coins, initialise, new_token, open_account, runtime_over, serving
from postgres import fresh_database
from support.databases import Place, PostgreSQLPlace, SQLitePlace
from support.kill_points import Dying


def live(url: str) -> None:
    """Create a little of everything in an empty database."""
    migrate.upgrade(url)
    with closing(open_database(url)) as db:
        initialise(db)
        give_coins(db, open_account(db), 1_000_000)
        with serving(runtime_over(db, wall=lambda: START_US)) as served, DTMF(new_token(), base_url=served) as dtmf:
            dtmf.sandbox.deposit(dtmf.new_address()["address"], 5000)
            number = dtmf.start_rental("us-mobile")["e164"]
            dtmf.sandbox.receive(number, "+1234", "in: ünï✓😀")
            dtmf.send_message(number, "+1234", "out")
            dtmf.webhook_secret()
            dtmf.sandbox.advance(3600)
            dtmf.end_rental(dtmf.start_rental("tiny")["e164"])


@pytest.fixture(scope="session")
def lived_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with a history."""
    path = tmp_path_factory.mktemp("lived") / "dtmf.db"
    live(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def lived_postgres(postgres_url: str) -> str:
    """A PostgreSQL database with a history, without open connections."""
    url = fresh_database(postgres_url)
    live(url)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where databases are created, once per engine."""
    if request.param == "sqlite":
        yield SQLitePlace(tmp_path, request.getfixturevalue("lived_sqlite"))
        return
    made = PostgreSQLPlace(request.getfixturevalue("postgres_url"), request.getfixturevalue("lived_postgres"))
    yield made
    made.drop_all()


@pytest.fixture(scope="session")
def dying() -> Iterator[Dying]:
    """Run commands that may be killed."""
    with Dying() as process:
        yield process
