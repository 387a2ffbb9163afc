"""Drafts: the contents of a form that was submitted after the session had ended.

A draft travels through signing in inside the pages themselves, never in a cookie or URL, and is submitted only when the
user presses its button. It keeps the form's idempotency key, so submitting before and after signing in takes effect once.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import msgspec

from dtmf_server.http.request import Request
from dtmf_server.web.kit.forms import EMPTY
from dtmf_server.web.kit.i18n import _
from dtmf_server.web.kit.request import form_of

DRAFT_MAX = 20_000  # bytes; URL-encoded to three times that, it still fits the form size limit
NEXT_MAX = 1_000
_NUMBER = r"/numbers/\+[0-9]{2,15}"
_PATHS = {  # forms that people type into: their fields, and the page each is on
    re.compile(rf"({_NUMBER})/send"): ("to", "content"),
    re.compile(rf"({_NUMBER})/action"): ("action", "forward_to", "webhook_url", "shown_action", "shown_destination"),
    re.compile(r"(/deliveries)/warnings"): ("warnings_url",),
    re.compile(r"(/tokens)"): ("label",),
    re.compile(r"(/top-up)"): ("amount", "return"),
    re.compile(r"(/sandbox)/phone"): ("to", "from", "text"),
    re.compile(r"(/sandbox)/faucet"): ("amount", "pending", "back"),
}
_PAGES = re.compile(rf"({_NUMBER}/end)|({_NUMBER})/|(/rent/[^/]+)|(/account/delete)|(/[a-z-]+)")
_QUERY = re.compile(r"[!-\[\]-~]*")  # printable ASCII without spaces and backslashes


@dataclass(frozen=True, slots=True)
class Draft:
    """A form not yet submitted: its target, the page it was on, and its fields."""

    path: str
    page: str
    fields: dict[str, str]

    @property
    def typed(self) -> list[tuple[str, str]]:
        """Labels and values to show."""
        names = {
            "to": _("To"),
            "from": _("From"),
            "content": _("Text"),
            "text": _("Text"),
            "action": _("When a message arrives"),
            "forward_to": _("Phone number"),
            "webhook_url": _("Webhook"),
            "warnings_url": _("Low balance warnings"),
            "label": _("Token name"),
            "amount": _("Amount"),
        }
        values = {"store": _("Store it here only"), "forward": _("Forward it"), "webhook": _("Post it to a webhook")}
        return [
            (words, values.get(self.fields[name], self.fields[name]) if name == "action" else self.fields[name])
            for name, words in names.items()
            if self.fields.get(name)
        ]

    @property
    def encoded(self) -> str:
        """The draft as the value of a field of the sign-in form."""
        return msgspec.json.encode({"path": self.path, "fields": self.fields}).decode()


def of(request: Request) -> Draft | None:
    """Return the draft in a rejected form, or the one a sign-in form carries; None if there is none."""
    form = form_of(request) or EMPTY
    return decoded(form["draft"]) or _draft(request.url.path, form.values)


def decoded(text: str) -> Draft | None:
    """Decode the draft of a sign-in form; None if it is invalid."""
    try:
        found = msgspec.json.decode(text.encode("utf-8", "replace"), type=dict[str, str | dict[str, str]])
    except msgspec.DecodeError:
        return None
    path, fields = found.get("path"), found.get("fields")
    return _draft(path, fields) if isinstance(path, str) and isinstance(fields, dict) else None


def page_for(path: str) -> str:
    """Return the page to open after signing in, given the path a form was submitted to."""
    match = _PAGES.match(path)
    found = next(filter(None, match.groups()), "") if match else ""
    return found if safe(found) else "/messages"


def safe(address: str) -> bool:
    """True if the address is a path of this site, with or without a query. Rejects every spelling of another site."""
    path = unquote(urlsplit(address).path) if address.startswith("/") and not address.startswith("//") else ""
    return (
        len(address) <= NEXT_MAX
        and _QUERY.fullmatch(address) is not None
        and "#" not in address
        and path.isprintable()
        and path.startswith("/")
        and not any(part in path for part in ("/./", "/../"))
        and not any(part in unquote(path) for part in ("//", "\\"))
        and not path.endswith(("/.", "/.."))
        and not path.startswith(("/sign-", "/live", "/static/"))
    )


def _draft(path: str, values: object) -> Draft | None:
    for pattern, names in _PATHS.items():
        match = pattern.fullmatch(path)
        if match and isinstance(values, dict):
            kept = {name: values[name] for name in (*names, "key") if values.get(name)}
            draft = Draft(path, match[1], kept)
            return draft if len(draft.encoded.encode()) <= DRAFT_MAX and draft.typed else None
    return None
