"""What a value that somebody typed must look like, whether it came as JSON or from a form."""

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
            f"Content-Encoding {content_encoding[:40]!r} is not read here: send the body as it is, without Content-Encoding"
        )


def e164(field: str, value: str) -> str:
    """The number, or InvalidRequest naming the field."""
    try:
        return parse_e164(value)
    except ValueError as error:
        hint = "; in a URL the + is written %2B" if is_e164(value.replace(" ", "+", 1)) else ""
        raise InvalidRequest(field, f"{error}{hint}") from error


def text(field: str, value: str) -> str:
    """The text, or InvalidRequest if a database or a phone can't hold it."""
    if "\0" in value:
        raise InvalidRequest(field, "has a NUL character, which can't be stored: leave it out")
    return value


def line(field: str, value: str) -> str:
    """The text, or InvalidRequest if it can't be shown in one line."""
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in value):
        raise InvalidRequest(field, "has a control character or a line break: leave it out")
    return value


def action(e164: str, sms_forwarded_to: str | None, *, sandbox: bool) -> Action | None:
    """The action, its destination's form checked; names are resolved when something is delivered."""
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
    """The URL, or InvalidRequest if no webhook may be posted there."""
    try:
        webhook_url.parse(url, sandbox=sandbox)
    except ValueError as error:
        raise InvalidRequest(field, f"not a webhook's URL: {error}") from error
    return url


def since_us(field: str, moment: datetime) -> int:
    """The time as microseconds since 1970, or InvalidRequest if it is earlier; without an offset it is UTC."""
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    microseconds = round(moment.timestamp() * 1_000_000)
    if microseconds < 0:
        raise InvalidRequest(field, "a time from 1970 on, please")
    return microseconds
