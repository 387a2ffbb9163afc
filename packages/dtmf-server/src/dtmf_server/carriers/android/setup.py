"""Connects a phone: its webhooks, and what `dtmf-server carriers check` says about it."""

import hashlib
from collections.abc import Sequence

from dtmf_server.carriers.android.client import Phone
from dtmf_server.carriers.android.replies import Device
from dtmf_server.carriers.android.settings import ANY_SIM, AndroidSettings
from dtmf_server.carriers.base import CarrierRefused, CheckResult
from dtmf_server.carriers.registry import CarrierContext

EVENTS = (
    "sms:received",
    "sms:sent",
    "sms:delivered",
    "sms:failed",
    "sms:cancelled",
    "mms:received",
    "system:ping",
)
_PREFIX = "dtmf-"


def webhook_id(event: str, url: str) -> str:
    """Return the ID of our webhook for an event: the same every time, so that registering again replaces it."""
    return f"{_PREFIX}{hashlib.blake2b(url.encode(), digest_size=4).hexdigest()}-{event.replace(':', '-')}"


async def register(phone: Phone, url: str, *, device_id: str | None) -> int:
    """Register a webhook per event, and delete those of an earlier URL of this carrier. Return how many were new.
    Raises CarrierRefused."""
    known = await phone.webhooks()
    path = "/callbacks/carriers/" + url.rpartition("/")[2]
    new = 0
    for event in EVENTS:
        wanted: dict[str, object] = {"id": webhook_id(event, url), "url": url, "event": event}
        if device_id:
            wanted["deviceId"] = device_id
        if not any(all(one.get(key) == value for key, value in wanted.items() if key != "deviceId") for one in known):
            await phone.put_webhook(wanted)
            new += 1
    for one in known:
        id_, other = str(one.get("id", "")), str(one.get("url", ""))
        if id_.startswith(_PREFIX) and other != url and other.endswith(path):
            await phone.delete_webhook(id_)
    return new


async def find_device(phone: Phone, device_id: str | None) -> Device:
    """Return the device with this ID, or the only one. Raises CarrierRefused."""
    devices = await phone.devices()
    found = [device for device in devices if not device_id or device.id == device_id]
    if len(found) != 1:
        ids = ", ".join(device.id for device in devices) or "none"
        raise CarrierRefused(f"choose a device by its ID; there are: {ids}", permanent=False)
    return found[0]


async def check(phone: Phone, settings: AndroidSettings, context: CarrierContext) -> Sequence[CheckResult]:
    """Test the credentials, the phone, its SIMs and its webhooks."""
    try:
        devices = await phone.devices()
    except CarrierRefused as error:
        return [CheckResult("login", False, error.reason, "compare url, username and password with the app's screen")]
    results = [CheckResult("login", True, f"{len(devices)} device" + ("s" if len(devices) != 1 else ""))]
    wanted = settings.device_id
    mine = [device for device in devices if not wanted or device.id == wanted]
    if len(mine) != 1:
        ids = ", ".join(device.id for device in devices) or "none"
        results.append(CheckResult("device", False, f"the devices are: {ids}", "set device_id to one of them"))
    else:
        results.append(CheckResult("device", True, f"{mine[0].name} {mine[0].id}".strip()))
        results.append(_sims(mine[0], settings))
    results.append(await _webhooks(phone, context.callback_url))
    return results


def _sims(device: Device, settings: AndroidSettings) -> CheckResult:
    if device.sim_cards is None:
        return CheckResult("SIMs", None, "the app does not list its SIMs", "update the app")
    there = {str(sim.sim_number): sim.phone_number for sim in device.sim_cards}
    missing = [sim for sim in settings.sims if sim not in (ANY_SIM, *there)]
    if missing or not there:
        what = f"SIM {', '.join(missing)} is not in the phone" if missing else "the phone has no active SIM"
        return CheckResult("SIMs", False, what, "insert the SIM, and allow the app to read the phone's state")
    other = [sim for sim, number in there.items() if number and settings.sims.get(sim, number) != number]
    if other:
        what = f"Android says that SIM {', '.join(other)} has another number than sims"
        return CheckResult("SIMs", None, what, "compare sims with the SIM; Android's number can be old")
    if ANY_SIM in settings.sims and len(there) > 1:
        return CheckResult("SIMs", False, "the phone has two SIMs", f'list them in sims instead of "{ANY_SIM}"')
    return CheckResult("SIMs", True, ", ".join(f"SIM {sim}" for sim in sorted(there)))


async def _webhooks(phone: Phone, url: str | None) -> CheckResult:
    fix = "run dtmf-server carriers add-phone again"
    if url is None:
        return CheckResult("webhooks", False, "server.public_url is not set", "set it, the phone posts SMS there")
    try:
        known = await phone.webhooks()
    except CarrierRefused as error:
        return CheckResult("webhooks", False, error.reason, fix)
    there = {one.get("event") for one in known if one.get("url") == url}
    missing = [event for event in EVENTS if event not in there]
    if missing:
        return CheckResult("webhooks", False, f"not registered: {', '.join(missing)}", fix)
    return CheckResult("webhooks", True, url)
