"""Tests a carrier's callback URL for `dtmf-server carriers check`: a request to it, as the carrier would send one."""

from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from dtmf_server.carriers.api_client import ApiClient, ApiReply, NoReply, NotSent
from dtmf_server.carriers.base import CheckResult
from dtmf_server.carriers.trace import Trace
from dtmf_server.core.hosts import is_loopback
from dtmf_server.core.units import SECOND_US

CLOCK_ERROR_MAX_S = 60
NO_URL = "set public_url of [server] to the https:// address at which the carrier reaches the service"
PROXY = "start the service, and check DNS, the firewall, and the reverse proxy in front of it"


async def check_callback_url(url: str | None, *, wall_us: Callable[[], int]) -> list[CheckResult]:
    """Return whether the URL is set, secure and reachable, and whether the clocks agree."""
    if url is None:
        return [
            CheckResult("public_url", False, "public_url is not set, so the carrier can't reach the service", NO_URL)
        ]
    parts = urlsplit(url)
    if parts.scheme == "https" or is_loopback(parts.hostname or ""):
        found = [CheckResult("public_url", True, f"callbacks go to {url}")]
    else:
        said = f"callbacks go to {url}, which is not https: codes would cross the Internet unencrypted"
        found = [CheckResult("public_url", False, said, NO_URL)]
    api = ApiClient(
        f"{parts.scheme}://{parts.netloc}", headers={}, link="check", wall_us=wall_us, trace=Trace(), masked_fields=()
    )
    try:
        reply = await api.request("GET", parts.path)
    except (NotSent, NoReply) as error:
        return [*found, CheckResult("callback", False, f"a request to {url} failed: {error}", PROXY)]
    return [*found, _ours(reply, url), _clock(reply, now_s=wall_us() / SECOND_US)]


def _ours(reply: ApiReply, url: str) -> CheckResult:
    """Whether this service answered: a GET is not allowed, or is not signed."""
    code = _code(reply)
    if code in ("method_not_allowed", "callback_not_signed", "callback_unreadable"):
        return CheckResult("callback", True, "this service answers at the URL, as far as this machine can see")
    if code:
        said = f"this service answers {reply.status} {code} at the URL"
        return CheckResult("callback", False, said, "restart the service with this configuration")
    return CheckResult("callback", False, f"another program answers {reply.status} at {url}", PROXY)


def _code(reply: ApiReply) -> str:
    try:
        found = reply.json()
    except NoReply:
        return ""
    has_our_keys = isinstance(found, dict) and {"code", "request_id", "status"} <= found.keys()
    return str(found["code"])[:60] if has_our_keys else ""


def _clock(reply: ApiReply, *, now_s: float) -> CheckResult:
    try:
        there = parsedate_to_datetime(reply.headers.get("date", ""))
    except ValueError:
        return CheckResult("clock", None, "the reply has no date to compare the clock with")
    if there.tzinfo is None:
        there = there.replace(tzinfo=UTC)
    apart_s = abs(there.timestamp() - now_s)
    if apart_s <= CLOCK_ERROR_MAX_S:
        return CheckResult("clock", True, "this machine's clock and that of the reply agree within a minute")
    said = (
        f"this machine's clock and that of the reply differ by {apart_s:.0f} s: signatures with a time may be refused"
    )
    return CheckResult("clock", False, said, "synchronize the clocks, for example with chrony or systemd-timesyncd")
