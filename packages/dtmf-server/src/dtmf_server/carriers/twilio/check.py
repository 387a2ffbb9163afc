"""`dtmf-server carriers check`: credentials, balance, the callback URL, and the webhooks of the numbers."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from dtmf_server.carriers.api_client import ApiClient, NoReply, NotSent
from dtmf_server.carriers.base import CarrierRefused, CheckResult
from dtmf_server.carriers.registry import CarrierContext
from dtmf_server.carriers.twilio.client import MASKED, TwilioClient
from dtmf_server.carriers.twilio.settings import TwilioSettings
from dtmf_server.carriers.twilio.signature import sign
from dtmf_server.core.hosts import is_loopback

NUMBER_PAGES_MAX = 100
SHOWN_MAX = 10
PROBE_SID = "SM" + "0" * 32


async def check(client: TwilioClient, settings: TwilioSettings, context: CarrierContext) -> Sequence[CheckResult]:
    """Test everything; without valid credentials, only the callback URL."""
    credentials = await _credentials(client)
    results = [credentials]
    if credentials.is_ok:
        results += [await _balance(client), *[each async for each in _numbers(client, context)]]
    return [*results, await _callback(settings, context)]


async def _credentials(client: TwilioClient) -> CheckResult:
    try:
        account = await client.get(".json")
    except CarrierRefused as error:
        return CheckResult("credentials", False, error.reason, "compare account_sid and the secrets with the console")
    status = account.get("status")
    if status != "active":
        return CheckResult("credentials", False, f"the account is {status}", "see the billing page of the console")
    if account.get("type") == "Trial":
        fix = "upgrade the account: a trial sends only to verified numbers, with a prefix in each text"
        return CheckResult("credentials", True, "accepted, for a trial account", fix)
    return CheckResult("credentials", True, "accepted")


async def _balance(client: TwilioClient) -> CheckResult:
    try:
        found = await client.get("/Balance.json")
        balance, currency = float(found.get("balance", "")), found.get("currency", "")
    except (CarrierRefused, ValueError, TypeError):
        return CheckResult("balance", None, "the carrier does not say", "")
    shown = f"{balance:.2f} {currency}"
    return CheckResult("balance", balance > 0, shown, "" if balance > 0 else "top up: nothing is sent or received")


async def _numbers(client: TwilioClient, context: CarrierContext) -> AsyncIterator[CheckResult]:
    listed = 0
    ours: list[dict[str, Any]] = []
    try:
        async for page in client.pages("/IncomingPhoneNumbers.json", {}, pages_max=NUMBER_PAGES_MAX):
            for number in page.get("incoming_phone_numbers") or ():
                listed += 1
                if isinstance(number, dict) and await context.is_ours(str(number.get("phone_number"))):
                    ours.append(number)
    except CarrierRefused as error:
        yield CheckResult("numbers", False, error.reason)
        return
    if not ours:
        fix = "import them: dtmf-server numbers import numbers.csv"
        yield CheckResult("numbers", None, f"none of the {listed} numbers of the account is in stock", fix)
        return
    yield CheckResult("numbers", True, f"{len(ours)} of the {listed} numbers of the account are in stock")
    wrong = [str(number["phone_number"]) for number in ours if not _calls_us(number, context.callback_url or "")]
    if not wrong:
        yield CheckResult("webhooks", True, "each number in stock calls this service")
        return
    shown = ", ".join(wrong[:SHOWN_MAX]) + (f" and {len(wrong) - SHOWN_MAX} more" if len(wrong) > SHOWN_MAX else "")
    fix = f"set SmsUrl of each to {context.callback_url}#rc=3&rp=all with the method POST"
    yield CheckResult("webhooks", False, f"SMS to {shown} do not reach this service", fix)


def _calls_us(number: dict[str, Any], callback_url: str) -> bool:
    url, _, _ = str(number.get("sms_url") or "").partition("#")
    return url.partition("?")[0] == callback_url and str(number.get("sms_method") or "POST").upper() == "POST"


async def _callback(settings: TwilioSettings, context: CarrierContext) -> CheckResult:
    """Post a signed status of no message, as Twilio would: a wrong public URL, proxy or token refuses it."""
    url = context.callback_url or ""
    is_local = context.is_sandbox or is_loopback(
        urlsplit(settings.base_url).hostname or ""
    )  # which can call http: URLs
    if urlsplit(url).scheme != "https" and not is_local:
        return CheckResult("callback URL", False, f"{url} is not https", "set server.public_url to an https URL")
    fields = {"AccountSid": settings.account_sid, "MessageSid": PROBE_SID, "MessageStatus": "check"}
    octets = [(name.encode(), value.encode()) for name, value in fields.items()]
    api = ApiClient(
        url,
        headers={settings.signature_header: sign(url, octets, token=settings.auth_token)},
        link="check",
        wall_us=context.wall_us,
        trace=context.trace,
        masked_fields=MASKED,
    )
    try:
        reply = await api.request("POST", "", form=[*fields.items()])
    except (NotSent, NoReply) as error:
        fix = "is the service running, and does the proxy pass this path on?"
        return CheckResult("callback URL", False, f"{url}: {error}", fix)
    if reply.status == 204:
        return CheckResult("callback URL", True, f"{url} accepts a signed request")
    fix = {
        403: "does the proxy change the path or the query, or is server.public_url not the URL that is called?",
        404: "does the proxy pass this path on, and does the running service have this carrier?",
    }.get(reply.status, "a proxy or another program answers: pass POST requests to this path on unchanged")
    return CheckResult("callback URL", False, f"{url} answers with status {reply.status}", fix)
