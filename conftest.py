"""Shared fixtures. Every test of storage, operations and API runs on each engine."""

import contextlib
import gc
import logging
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import migrate
from dtmf_server.storage.db import Database
from dtmf_server.storage.open import open_database
from harness import FakeWall, initialise, runtime_over, serving
from postgres import drop_database, fresh_database, postgres_url

if TYPE_CHECKING:
    from support.answers_world import World

__all__ = ["postgres_url"]  # a fixture of postgres.py

ENGINES = ["sqlite", "postgresql"]
SERVICE_FIXTURES = frozenset({"url", "serve", "run"})
SERVICE_STARTERS = frozenset({"serving", "subprocess", "preloaded", "server_process", "ServerProcess"})

# A suite in the background of a shell ignores SIGINT, and under nohup SIGHUP; so would every process it starts.
if threading.current_thread() is threading.main_thread():
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection() -> None:
    """Collect no garbage while the tests are collected: almost every object created then lives until the end."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Exclude the collected tests and imported modules from garbage collection, which would visit them again and again."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need PostgreSQL, and those that start the service: `make test-quick` leaves them out."""
    for item in items:
        if isinstance(item, pytest.Function):
            if needs_postgresql(item):
                item.add_marker("postgresql")
            if starts_the_service(item):
                item.add_marker("service")


def needs_postgresql(item: pytest.Function) -> bool:
    """True if a test uses the PostgreSQL server or runs on that engine."""
    callspec = getattr(item, "callspec", None)
    return "postgres_url" in item.fixturenames or (callspec is not None and "postgresql" in callspec.params.values())


def starts_the_service(item: pytest.Function) -> bool:
    """True if a test uses a fixture that starts the service, in a thread or process, or is in a module that does."""
    imported = vars(item.module)
    return not SERVICE_FIXTURES.isdisjoint(item.fixturenames) or not SERVICE_STARTERS.isdisjoint(imported)


@pytest.fixture(autouse=True)
def no_log_of_another_test() -> Iterator[None]:
    """Restore the log after a command in this process has configured it; it would write to the old captured stream."""
    yield
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if type(handler) is not logging.StreamHandler]


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database with the current schema, as a template."""
    path = tmp_path_factory.mktemp("template") / "dtmf.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres_url: str) -> str:
    """The URL of an empty PostgreSQL database with the current schema, as a template."""
    url = fresh_database(postgres_url)
    migrate.upgrade(url)
    return url


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database with the current schema, once per engine."""
    if request.param == "sqlite":
        path = tmp_path / "dtmf.db"
        path.write_bytes(request.getfixturevalue("migrated_sqlite").read_bytes())
        yield f"sqlite:///{path}"
        return
    server = request.getfixturevalue("postgres_url")
    url = fresh_database(server, template=request.getfixturevalue("migrated_postgres"))
    yield url
    drop_database(server, url)


@pytest.fixture(scope="session", params=ENGINES)
def answers_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, "World"]]:
    """The URL of a database that holds the answers to an operator's questions, only for reading, and its IDs."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("answers") / "dtmf.db"
        path.write_bytes(request.getfixturevalue("migrated_sqlite").read_bytes())
        url = f"sqlite:///{path}"
    else:
        server = request.getfixturevalue("postgres_url")
        url = fresh_database(server, template=request.getfixturevalue("migrated_postgres"))
    from support.answers_world import build

    with contextlib.closing(open_database(url)) as db:
        world = build(db)
    yield url, world
    if request.param == "postgresql":
        drop_database(server, url)


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """An open database with a test's catalog (harness.CATALOG)."""
    database = open_database(database_url)
    initialise(database)
    yield database
    database.close()


@pytest.fixture
def wall() -> FakeWall:
    """The wall clock, stopped."""
    return FakeWall()


@pytest.fixture
def runtime(db: Database, wall: FakeWall) -> Runtime:
    """A sandbox on the database, with the test's clock."""
    return runtime_over(db, wall=wall)


@pytest.fixture
def url(runtime: Runtime) -> Iterator[str]:
    """The URL of the whole service with its workers."""
    with serving(runtime) as address:
        yield address


@pytest.fixture
def serve(db: Database, wall: FakeWall) -> Iterator[Callable[..., str]]:
    """Serve the database with other settings: `serve(signup='closed', …)` returns a URL."""
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(serving(runtime_over(db, wall=wall, **settings)))
