"""Parse URL-encoded forms: bounded, strict, values retained for redisplay."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from litestar.exceptions import ClientException

from dtmf_server.core.errors import InvalidRequest, Refusal
from dtmf_server.http import validation
from dtmf_server.http.client_address import has_body
from dtmf_server.http.request import Request

FIELDS_MAX = 40
_PUNCTUATION = re.compile(r"[\s()./\u00a0\u202f-]+")


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, by name. A missing field is empty."""

    values: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    def shown(self, name: str, stored: str) -> str:
        """Return the value to show in a field: the submitted one, or else the stored one."""
        return self.values.get(name, stored)

    def line(self, name: str) -> str:
        """Return a one-line field, stripped."""
        return self[name].strip()

    def number(self, name: str) -> str:
        """Return a phone number without spaces, hyphens and parentheses."""
        return _PUNCTUATION.sub("", self[name])

    def text(self, name: str) -> str:
        """Return a multi-line text with LF line breaks, as phones send them; browsers send CRLF."""
        return self[name].replace("\r\n", "\n")

    def whole(self, name: str, *, at_least: int, at_most: int, otherwise: str) -> int:
        """Return a whole number; spaces between digits are allowed. Raises InvalidRequest with the text `otherwise`."""
        figures = re.sub(r"[\s,_\u00a0\u202f]+", "", self[name])
        if not re.fullmatch(r"[0-9]{1,18}", figures) or not at_least <= int(figures) <= at_most:
            raise InvalidRequest(name, otherwise)
        return int(figures)


EMPTY = Form()


@dataclass(frozen=True, slots=True)
class FormError:
    """Why a form was rejected: at the field named `field`, or as a whole."""

    field: str = ""
    text: str = ""

    def at(self, name: str) -> str:
        """Return the error text of this field."""
        return self.text if self.field == name else ""


NO_ERROR = FormError()


def form_error_of(refusal: Refusal | None) -> FormError:
    """Convert a refusal to an error text at its field."""
    if refusal is None:
        return NO_ERROR
    found = str(refusal.members.get("field", ""))
    text = refusal.detail.removeprefix(f"{found}: ") if found else refusal.detail
    return FormError(found, text[:1].upper() + text[1:])


async def read(request: Request) -> Form:
    """Read the form of a request. Raises ClientException for anything that none of our forms would send, and
    UnsupportedEncoding for a compressed body."""
    validation.plain_body(request.headers.get("content-encoding", ""), has_body=has_body(request.scope))
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise ClientException(status_code=415, detail="the body is not a URL-encoded form")
    try:
        body = (await request.body()).decode("ascii")
        pairs = parse_qsl(
            body, keep_blank_values=True, strict_parsing=bool(body), errors="strict", max_num_fields=FIELDS_MAX
        )
    except ValueError as error:
        raise ClientException(status_code=400, detail="the form could not be parsed") from error
    form = Form(dict(pairs))
    request.scope["dtmf.form"] = form  # type: ignore[typeddict-unknown-key]  # for the page that shows the error
    return form
