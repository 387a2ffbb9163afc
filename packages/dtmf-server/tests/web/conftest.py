"""Fixtures of the website's tests: visitors, and accounts with data."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations import rent
from dtmf_server.operations.receive import receive_many
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage.db import Database
from harness import START_US, FakeWall, give_coins, new_token, open_account, serving_console
from support.console import SIGN_IN, make_link
from support.visitor import Visitor

KEY = "a-link"
REST_US = 24 * 3_600_000_000
# For tests whose result can't depend on the database engine.
ONE_ENGINE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def visit(url: str) -> Iterator[Callable[[], Visitor]]:
    """Return a function that opens a new browser."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Visitor(url))


@pytest.fixture
def console(runtime: Runtime) -> Iterator[str]:
    """The URL of a console."""
    with serving_console(runtime) as url:
        yield url


@pytest.fixture
def browse(console: str) -> Iterator[Callable[[], Visitor]]:
    """Return a function that opens a new browser on the console."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Visitor(console))


@pytest.fixture
def link(db: Database, wall: FakeWall) -> Callable[..., str]:
    """Return a function that creates a link and returns its path."""

    def create(key: str = KEY, operator: str = "ada") -> str:
        return make_link(db, key=key, operator=operator, wall_us=wall())

    return create


@pytest.fixture
def operator(browse: Callable[[], Visitor], link: Callable[..., str]) -> Visitor:
    """A browser in which an operator is signed in."""
    visitor = browse()
    page = visitor.do(link(), SIGN_IN)
    assert (page.status, page.path) == (200, "/operator"), page.text
    return visitor


@pytest.fixture
def account_id(db: Database) -> int:
    """An account with coins; its token is `new_token(1)`."""
    found = open_account(db, seed=1)
    give_coins(db, found, 1_000_000)
    return found


@pytest.fixture
def renter(account_id: int, visit: Callable[[], Visitor]) -> Visitor:
    """A browser signed in to that account."""
    visitor = visit()
    assert visitor.sign_in(new_token(1)).path == "/messages"
    return visitor


@pytest.fixture
def other(db: Database, visit: Callable[[], Visitor]) -> Visitor:
    """A browser signed in to another account, with coins too."""
    give_coins(db, open_account(db, seed=2), 1_000_000)
    visitor = visit()
    assert visitor.sign_in(new_token(2)).path == "/messages"
    return visitor


@pytest.fixture
def e164(db: Database, account_id: int) -> str:
    """A number that the account rents."""

    def start(tx: object) -> str:
        return str(rent.start(tx, account_id, "us-mobile", now_us=START_US, cooldown_us=0)["e164"])

    return db.write_blocking(start)


def receive(db: Database, to: str, content: str, sender: str = "GitHub") -> int:
    """Receive an SMS; return its id."""
    (found,) = db.write_blocking(lambda tx: receive_many(tx, [InboundMessage(to, sender, content)], now_us=START_US))
    assert found is not None
    return found
