"""Fixtures of the deliveries' tests: plenty of numbers that cost nothing, a client, a receiver.

A conftest.py of such a folder imports them.
"""

from collections.abc import Iterator

import pytest

from dtmf import DTMF
from dtmf_server.storage.db import Database
from dtmf_server.storage.open import open_database
from harness import give_coins, initialise, new_token, open_account
from support.webhook_receiver import Receiver, receiving
from support.webhook_steps import CATALOG


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    """An open database with a catalog of numbers that cost nothing."""
    database = open_database(database_url)
    initialise(database, CATALOG)
    yield database
    database.close()


@pytest.fixture
def account(db: Database) -> int:
    """An account with 100,000 satoshis."""
    account_id = open_account(db)
    give_coins(db, account_id, 100_000)
    return account_id


@pytest.fixture
def dtmf(account: int, url: str) -> Iterator[DTMF]:
    """The account's client of the whole service."""
    with DTMF(new_token(), base_url=url) as client:
        yield client


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver that accepts everything by default."""
    with receiving() as started:
        yield started
