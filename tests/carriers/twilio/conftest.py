"""The whole service with a carrier of the kind "twilio", and a simulated Twilio that calls it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from dtmf_server.operations import rent
from dtmf_server.runtime.clock import wall_us
from dtmf_server.storage.db import Database
from harness import give_coins, open_account, runtime_over, serving
from support.providers.twilio import Twilio
from support.twilio_carrier import CALLBACK_URL, OURS, PUBLIC_URL, carrier_of
from support.twilio_line import Line

COINS = 10_000_000


@pytest.fixture
def provider() -> Iterator[Twilio]:
    """A simulated Twilio whose one number calls the service."""
    with Twilio() as twilio:
        twilio.buy(OURS, sms_url=CALLBACK_URL)
        yield twilio


@pytest.fixture
def start(db: Database, provider: Twilio) -> Iterator[Callable[..., Line]]:
    """Rent the number and start the service, on each engine: `start(workers=False, catch_up=False)`."""
    with ExitStack() as stack:

        def start_one(*, workers: bool = True, rented: bool = True, **settings: Any) -> Line:
            account_id = 0
            if rented:
                account_id = open_account(db, now_us=wall_us())
                give_coins(db, account_id, COINS, now_us=wall_us())
                db.write_blocking(lambda tx: rent.start(tx, account_id, "tiny", now_us=wall_us(), cooldown_us=0))
            carrier = carrier_of(provider, **settings)
            runtime = runtime_over(db, public_url=PUBLIC_URL)
            provider.reach[PUBLIC_URL] = stack.enter_context(serving(runtime, workers=workers, carriers=[carrier]))
            return Line(db, provider, account_id, carrier)

        yield start_one
