"""Tests a carrier live before it is written to the configuration, with the checks of `dtmf-server carriers check`."""

import asyncio
import random
import secrets
from collections.abc import Sequence

from dtmf_server.carriers import registry
from dtmf_server.carriers.android import setup as android
from dtmf_server.carriers.android.client import Phone
from dtmf_server.carriers.android.replies import Device
from dtmf_server.carriers.android.settings import AndroidSettings
from dtmf_server.carriers.base import CarrierRefused, CheckResult, ChecksItself
from dtmf_server.carriers.trace import Trace
from dtmf_server.config import CarrierSettings
from dtmf_server.core.errors import CannotStart
from dtmf_server.runtime.clock import wall_us

# Results that need the running service, or numbers in stock.
_LATER = frozenset(("callback URL", "webhooks", "webhook", "failover URL", "numbers", "public key"))
# Results without which the carrier cannot work at all.
_REQUIRED = frozenset(("login", "device", "credentials", "API key", "messaging profile", "connect", "bind", "database"))
PING_S = 180


def check(
    settings: CarrierSettings, *, is_sandbox: bool, callback_url: str | None
) -> tuple[list[CheckResult], list[str]]:
    """Return the results that are meaningful before the service runs, and the numbers that the account has, as far as the
    carrier lists them."""
    listed: list[str] = []

    async def is_ours(e164: str) -> bool:
        listed.append(e164)
        return False

    context = registry.CarrierContext(
        is_sandbox=is_sandbox,
        callback_url=callback_url,
        is_ours=is_ours,
        new_id=lambda: secrets.randbits(62),
        uniform=random.random,
        wall_us=wall_us,
        trace=Trace(),
    )
    try:
        carrier = registry.find(settings.kind).build(settings, context)
        if not isinstance(carrier, ChecksItself):
            return [], []
        results = asyncio.run(carrier.check())
    except CarrierRefused as error:
        return [CheckResult("credentials", False, error.reason)], []
    except CannotStart as error:
        return [CheckResult("credentials", False, str(error))], []
    return [result for result in results if result.name not in _LATER], listed


def is_fatal(results: Sequence[CheckResult]) -> bool:
    """Return True if the carrier cannot work with these settings."""
    return any(result.is_ok is False and result.name in _REQUIRED for result in results)


def find_phone(settings: AndroidSettings) -> Device:
    """Log in to a phone. Raises CarrierRefused."""

    async def found() -> Device:
        phone = Phone(settings, wall_us=wall_us, trace=Trace())
        async with phone.api.opened():
            return await android.find_device(phone, settings.device_id)

    return asyncio.run(found())


def connect_phone(settings: AndroidSettings, callback_url: str, *, sets_key: bool) -> tuple[Device, int]:
    """Register the webhooks of a phone, and set its heartbeat and, with `sets_key`, its signing key. Return the device and
    how many webhooks are new. Raises CarrierRefused."""

    async def connected() -> tuple[Device, int]:
        phone = Phone(settings, wall_us=wall_us, trace=Trace())
        async with phone.api.opened():
            device = await android.find_device(phone, settings.device_id)
            new = await android.register(phone, callback_url, device_id=settings.device_id)
            changes: dict[str, object] = {"ping": {"interval_seconds": PING_S}}
            if sets_key:
                changes["webhooks"] = {"signing_key": settings.signing_key}
            await phone.change_settings(changes)
        return device, new

    return asyncio.run(connected())
