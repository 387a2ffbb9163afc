"""A carrier of the kind "twilio" for a simulated Twilio, without a configuration file."""

import time
from collections.abc import Callable
from typing import Any

from dtmf_server.carriers.registry import CarrierContext
from dtmf_server.carriers.trace import Trace
from dtmf_server.carriers.twilio.carrier import TwilioCarrier
from dtmf_server.carriers.twilio.kind import build
from dtmf_server.carriers.twilio.settings import TwilioSettings
from support.providers.twilio import Twilio

OURS, PHONE = "+12025550200", "+14155550123"  # the one number of its group in the tests' catalog
PUBLIC_URL = "https://sms.example.net"
CALLBACK_URL = f"{PUBLIC_URL}/callbacks/carriers/twilio"


def real_us() -> int:
    """Return the wall time."""
    return time.time_ns() // 1000


async def is_ours(e164: str) -> bool:
    """Return whether this number is in the tests' stock."""
    return e164.startswith("+1202555")


def carrier_of(
    provider: Twilio,
    *,
    wall_us: Callable[[], int] = real_us,
    callback_url: str | None = CALLBACK_URL,
    trace: Trace | None = None,
    **settings: Any,
) -> TwilioCarrier:
    """Return a carrier of this provider's account."""
    required = {"name": "twilio", "kind": "twilio", "account_sid": provider.account_sid, "auth_token": provider.token}
    return build(
        TwilioSettings(**required | {"base_url": provider.url} | settings),
        CarrierContext(
            is_sandbox=True,
            callback_url=callback_url,
            is_ours=is_ours,
            new_id=lambda: 1,
            uniform=lambda: 0.5,
            wall_us=wall_us,
            trace=trace or Trace(),
        ),
    )
