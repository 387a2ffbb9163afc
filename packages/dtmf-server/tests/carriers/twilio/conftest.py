"""A simulated Twilio, and a carrier that talks to it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dtmf_server.carriers.twilio.carrier import TwilioCarrier
from support.providers.twilio import Twilio
from support.twilio_carrier import OURS, carrier_of


@pytest.fixture
def provider() -> Iterator[Twilio]:
    """A simulated Twilio with one number."""
    with Twilio() as twilio:
        twilio.buy(OURS)
        yield twilio


@pytest.fixture
def make(provider: Twilio) -> Callable[..., TwilioCarrier]:
    """Make a carrier with these settings: `make(messaging_service_sid=…)`."""

    def make_one(**settings: Any) -> TwilioCarrier:
        return carrier_of(provider, **settings)

    return make_one
