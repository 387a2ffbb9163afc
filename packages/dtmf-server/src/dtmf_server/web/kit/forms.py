"""What a form sent: read once, bounded, decoded strictly; what was typed is kept for when it comes back."""

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
    """The fields of a form, by name; a field that was not sent is empty."""

    values: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    def shown(self, name: str, stored: str) -> str:
        """What a field shows: what was typed, and before anything was, what is stored."""
        return self.values.get(name, stored)

    def line(self, name: str) -> str:
        """A field of one line, without blanks around it."""
        return self[name].strip()

    def number(self, name: str) -> str:
        """A phone number without the blanks, hyphens and brackets that people write into it."""
        return _PUNCTUATION.sub("", self[name])

    def text(self, name: str) -> str:
        """A text of several lines; browsers send line breaks as two characters, phones as one."""
        return self[name].replace("\r\n", "\n")

    def whole(self, name: str, *, at_least: int, at_most: int, otherwise: str) -> int:
        """A whole number; blanks between its figures are welcome. Raises InvalidRequest with these words."""
        figures = re.sub(r"[\s,_\u00a0\u202f]+", "", self[name])
        if not re.fullmatch(r"[0-9]{1,18}", figures) or not at_least <= int(figures) <= at_most:
            raise InvalidRequest(name, otherwise)
        return int(figures)


EMPTY = Form()


@dataclass(frozen=True, slots=True)
class FormError:
    """Why a form came back: at a field (`field` names it), or about the whole of it."""

    field: str = ""
    text: str = ""

    def at(self, name: str) -> str:
        """What is wrong with this field."""
        return self.text if self.field == name else ""


NO_ERROR = FormError()


def form_error_of(refusal: Refusal | None) -> FormError:
    """A refusal in words, at its field."""
    if refusal is None:
        return NO_ERROR
    found = str(refusal.members.get("field", ""))
    text = refusal.detail.removeprefix(f"{found}: ") if found else refusal.detail
    return FormError(found, text[:1].upper() + text[1:])


async def read(request: Request) -> Form:
    """The form of a request. Raises ClientException for anything that no form here would send, UnsupportedEncoding for a
    compressed one."""
    validation.plain_body(request.headers.get("content-encoding", ""), has_body=has_body(request.scope))
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise ClientException(status_code=415, detail="this is no form")
    try:
        body = (await request.body()).decode("ascii")
        pairs = parse_qsl(
            body, keep_blank_values=True, strict_parsing=bool(body), errors="strict", max_num_fields=FIELDS_MAX
        )
    except ValueError as error:
        raise ClientException(status_code=400, detail="the form could not be read") from error
    form = Form(dict(pairs))
    request.scope["dtmf.form"] = form  # type: ignore[typeddict-unknown-key]  # for the page that refuses it
    return form
