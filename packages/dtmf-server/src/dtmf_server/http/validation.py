"""Validation of user input, shared by JSON bodies and forms."""

import re
import unicodedata
from datetime import UTC, datetime

from dtmf.e164 import is_e164
from dtmf.e164 import parse as parse_e164
from dtmf_server.core import webhook_url
from dtmf_server.core.errors import InvalidRequest, UnsupportedEncoding
from dtmf_server.core.rental import Action, ActionKind, action_for

TEXT_MAX = 1600  # characters of one SMS
LABEL_MAX = 100  # of a token


def plain_body(content_encoding: str, *, has_body: bool) -> None:
    """Refuse a compressed request body. Raises UnsupportedEncoding naming the encoding."""
    encoding = content_encoding.strip().lower()
    if has_body and encoding not in ("", "identity"):
        raise UnsupportedEncoding(
            f"Content-Encoding {content_encoding[:40]!r} is not supported: send the body uncompressed, without Content-Encoding"
        )


def e164(field: str, value: str) -> str:
    """Return the number. Raises InvalidRequest naming the field."""
    try:
        return parse_e164(value)
    except ValueError as error:
        hint = "; in a URL the + is written %2B" if is_e164(value.replace(" ", "+", 1)) else ""
        raise InvalidRequest(field, f"{error}{hint}") from error


def digits(field: str, value: str) -> str:
    """Return up to 15 digits of a number. Raises InvalidRequest naming the field."""
    if not re.fullmatch("[0-9]{0,15}", value):
        raise InvalidRequest(field, "not digits of a number: up to 15 of 0 to 9, without + and spaces")
    return value


def text(field: str, value: str) -> str:
    """Return the text. Raises InvalidRequest if it contains NUL, which can't be stored or sent."""
    if "\0" in value:
        raise InvalidRequest(field, "contains a NUL character, which can't be stored: remove it")
    return value


def line(field: str, value: str) -> str:
    """Return the text. Raises InvalidRequest if it isn't a single line."""
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in value):
        raise InvalidRequest(field, "contains a control character or a line break: remove it")
    return value


def action(e164: str, sms_forwarded_to: str | None, *, sandbox: bool) -> Action | None:
    """Parse an SMS action and check its destination's format. Hostnames are resolved at delivery."""
    found = action_for(sms_forwarded_to)
    if found is None:
        return None
    if found.kind is ActionKind.FORWARD:
        if found.destination == e164:
            raise InvalidRequest("sms_forwarded_to", "a number can't forward to itself")
        return found
    try:
        webhook_url.parse(found.destination, sandbox=sandbox)
    except ValueError as error:
        raise InvalidRequest("sms_forwarded_to", f"neither E.164 nor a webhook's URL: {error}") from error
    return found


def webhook(field: str, url: str, *, sandbox: bool) -> str:
    """Return the URL. Raises InvalidRequest if webhooks may not be posted there."""
    try:
        webhook_url.parse(url, sandbox=sandbox)
    except ValueError as error:
        raise InvalidRequest(field, f"not a webhook's URL: {error}") from error
    return url


def since_us(field: str, moment: datetime) -> int:
    """Convert a time to microseconds since 1970, as UTC if it has no offset. Raises InvalidRequest if it is earlier."""
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    microseconds = round(moment.timestamp() * 1_000_000)
    if microseconds < 0:
        raise InvalidRequest(field, "must not be before 1970")
    return microseconds
