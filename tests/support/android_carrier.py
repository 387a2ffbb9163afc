"""The carrier of a simulated phone."""

from typing import Any

from dtmf_server.carriers.android.carrier import AndroidCarrier
from dtmf_server.carriers.android.settings import AndroidSettings
from dtmf_server.carriers.registry import CarrierContext
from dtmf_server.carriers.trace import Trace
from support.providers.android import SimulatedPhone

NUMBERS = {"1": "+12025550200", "2": "+12125550100"}


def settings_for(phone: SimulatedPhone | None = None, **changes: Any) -> AndroidSettings:
    """The settings of the simulated phone."""
    values: dict[str, Any] = {
        "name": "pixel",
        "kind": "android",
        "url": phone.url if phone else "http://127.0.0.1:8080",
        "password": "phone-password",
        "signing_key": "phone-signing-key",
        "sims": NUMBERS,
    }
    return AndroidSettings(**{**values, **changes})


def carrier_for(
    phone: SimulatedPhone, *, url: str | None = None, key: bytes = b"key", **changes: Any
) -> AndroidCarrier:
    """The carrier of the simulated phone, on its clock."""

    async def is_ours(e164: str) -> bool:
        return e164 in NUMBERS.values()

    async def service_key() -> bytes:
        return key

    context = CarrierContext(
        is_sandbox=True,
        callback_url=url,
        is_ours=is_ours,
        service_key=service_key,
        new_id=lambda: 1,
        uniform=lambda: 0.5,
        wall_us=phone.wall,
        trace=Trace(),
    )
    return AndroidCarrier(settings_for(phone, **changes), context)


def connect(phone: SimulatedPhone, url: str) -> None:
    """Register a webhook for each event, as add-phone does."""
    for event in ("sms:received", "sms:sent", "sms:delivered", "sms:failed", "mms:received", "system:ping"):
        phone.webhooks[event] = {"id": event, "url": f"{url}/callbacks/carriers/pixel", "event": event}
