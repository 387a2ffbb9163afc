"""Test a Telnyx account live, for `dtmf-server carriers check`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from dtmf_server.carriers.api_client import ApiClient, ApiReply, NoReply, NotSent
from dtmf_server.carriers.base import CheckResult
from dtmf_server.carriers.telnyx.client import refusal

PAGE_MAX = 250
PORTAL = "in Telnyx's portal"
WEBHOOK_VERSION = "2"
REDACTS_WEBHOOKS = 2  # the `redaction_level` that removes texts from webhooks

Data = Mapping[str, Any]


async def run(
    api: ApiClient, *, profile_id: str, callback_url: str | None, is_ours: Callable[[str], Awaitable[bool]]
) -> Sequence[CheckResult]:
    """Return the results in the order in which they should be fixed."""
    balance, reason = await _data(api, "/v2/balance")
    if balance is None:
        fix = f"copy the API key again, {PORTAL} under API Keys, and check base_url"
        return [CheckResult("API key", False, reason, fix)]
    results = [CheckResult("API key", True, "Telnyx accepts it"), _balance(balance)]
    profile, reason = await _data(api, f"/v2/messaging_profiles/{profile_id}")
    if profile is None:
        fix = f"copy the ID again, {PORTAL} under Messaging, and use an API key of the same account"
        return [*results, CheckResult("messaging profile", False, reason, fix)]
    numbers, reason = await _numbers(api, profile_id)
    return [
        *results,
        _profile(profile),
        *_webhook(profile, callback_url),
        CheckResult("numbers", False, reason) if numbers is None else await _ours(numbers, is_ours),
        CheckResult("public key", None, "a callback tests it: send an SMS to one of the numbers"),
    ]


def _balance(data: Data) -> CheckResult:
    shown = f"{data.get('available_credit')} {data.get('currency')}"
    try:
        has_credit = Decimal(str(data.get("available_credit"))) > 0
    except InvalidOperation:
        return CheckResult("balance", None, "Telnyx does not say how much credit the account has")
    return CheckResult("balance", has_credit, shown, "" if has_credit else f"add funds {PORTAL}")


def _profile(data: Data) -> CheckResult:
    name, fix = "messaging profile", ""
    detail = f"{data.get('name')!r}"
    is_ok = data.get("enabled") is not False
    if not is_ok:
        detail, fix = f"{detail} is disabled", f"enable it {PORTAL}"
    elif data.get("redaction_enabled") and (data.get("redaction_level") or REDACTS_WEBHOOKS) >= REDACTS_WEBHOOKS:
        is_ok, fix = False, "set its redaction_level to 1, or switch redaction off"
        detail = f"{detail} removes the texts of received SMS"
    return CheckResult(name, is_ok, detail, fix)


def _webhook(data: Data, callback_url: str | None) -> list[CheckResult]:
    if callback_url is None:
        fix = "set it to the https:// URL of the service, then this check says which webhook URL to set"
        return [CheckResult("webhook", False, "server.public_url is not set", fix)]
    found, version = data.get("webhook_url"), str(data.get("webhook_api_version") or WEBHOOK_VERSION)
    if found != callback_url:
        shown = f"is {found}" if found else "is not set"
        return [CheckResult("webhook", False, f"its URL {shown}", f"set it {PORTAL} to {callback_url}")]
    if version != WEBHOOK_VERSION:
        return [CheckResult("webhook", False, f"its API version is {version}", f"set it {PORTAL} to 2")]
    has_failover = bool(data.get("webhook_failover_url"))
    failover = CheckResult(
        "failover URL",
        True if has_failover else None,
        "set" if has_failover else "not set: an outage of a few seconds may lose SMS",
        "" if has_failover else "set it to the same path on a second host",
    )
    return [CheckResult("webhook", True, callback_url), failover]


async def _ours(numbers: Sequence[str], is_ours: Callable[[str], Awaitable[bool]]) -> CheckResult:
    if not numbers:
        fix = f"assign numbers to the profile {PORTAL}, under Numbers"
        return CheckResult("numbers", False, "the messaging profile has none", fix)
    unknown = [number for number in numbers if not await is_ours(number)]
    detail = f"{len(numbers)} in the profile, {len(numbers) - len(unknown)} of them in the catalog"
    fix = f"import those that you want to rent out, like {unknown[0]}" if unknown else ""
    return CheckResult("numbers", True if len(unknown) < len(numbers) else None, detail, fix)


async def _numbers(api: ApiClient, profile_id: str) -> tuple[list[str] | None, str]:
    """Return the profile's first PAGE_MAX numbers; None and the reason if Telnyx does not list them."""
    query = {"page[number]": "1", "page[size]": str(PAGE_MAX)}
    reply, reason = await _reply(api, f"/v2/messaging_profiles/{profile_id}/phone_numbers", query)
    found = _member(reply, "data") if reply else None
    if not isinstance(found, list):
        return None, reason or "the reply is not Telnyx's"
    each = [item.get("phone_number") for item in found if isinstance(item, Mapping)]
    return [number for number in each if isinstance(number, str)], ""


async def _data(api: ApiClient, path: str) -> tuple[Data | None, str]:
    """Return the `data` object of a reply; None and the reason if there is none."""
    reply, reason = await _reply(api, path)
    found = _member(reply, "data") if reply else None
    return (found, "") if isinstance(found, Mapping) else (None, reason or "the reply is not Telnyx's")


async def _reply(api: ApiClient, path: str, query: Mapping[str, str] | None = None) -> tuple[ApiReply | None, str]:
    try:
        reply = await api.request("GET", path, query=query)
    except (NotSent, NoReply) as error:
        return None, str(error)
    return (reply, "") if reply.status == 200 else (None, refusal(reply).reason)


def _member(reply: ApiReply, name: str) -> Any:
    try:
        found = reply.json()
    except NoReply:
        return None
    return found.get(name) if isinstance(found, Mapping) else None
