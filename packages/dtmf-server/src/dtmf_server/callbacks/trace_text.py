"""Callbacks as `dtmf-server carriers trace` shows them. Plug-ins name their fields as they like, so every value is masked
except those of the fields listed here."""

from collections.abc import Sequence

from dtmf_server.carriers.base import CallbackRequest
from dtmf_server.core.trace import mask, mask_number, masked_form, masked_json

# Names in lower case without separators: IDs, kinds, states, counts and times.
_SHOWN = """
    id sid messageid messagesid smsid smssid smsmessagesid accountsid deviceid webhookid simnumber apiversion event eventtype
    type recordtype status messagestatus smsstatus state direction errorcode encoding parts nummedia numsegments receivedat
    sentat deliveredat failedat occurredat completedat createdat timestamp
"""
_NUMBERS = "to from sender recipient destination source phonenumber e164 msisdn"
SHOWN, NUMBERS = frozenset(_SHOWN.split()), frozenset(_NUMBERS.split())


def request_text(request: CallbackRequest, *, path: str) -> str:
    """Return a request without texts, secrets and whole numbers. `path` has no query."""
    query = request.url.partition("?")[2]
    line = f"callback {request.method} {path}" + (f"?{masked_form(query, _shown)}" if query else "")
    kind = request.headers.get("content-type", "")
    if "json" in kind:
        body = masked_json(request.body, _shown)
    elif "form" in kind:
        body = masked_form(request.body.decode(errors="replace"), _shown)
    else:
        body = None
    return f"{line}\n{mask(request.body.decode(errors='replace')) if body is None else body}"


def _shown(names: Sequence[str], text: str) -> str:
    name = names[-1].lower().replace("_", "").replace("-", "") if names else ""
    if name in SHOWN and len(text) <= 100:
        return text
    if name in NUMBERS and text.removeprefix("+").isdecimal():
        return mask_number(text)
    return mask(text)
