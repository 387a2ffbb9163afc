"""Sign webhooks and verify that a webhook came from the service: Standard Webhooks, symmetric scheme v1.

>>> from dtmf.webhook import verify
>>> message = verify(request_body, request_headers, "whsec_…")  # {'id': 1234, 'e164': '+1234567890', …}

The signature is an HMAC-SHA256 of `id.timestamp.body`, keyed with the decoded secret (standardwebhooks.com). While a
secret is being rotated, a webhook carries one signature per secret, separated by spaces.
"""

import base64
import binascii
import hashlib
import hmac
import json
import math
import re
import time
from collections.abc import Mapping
from typing import Any

from .e164 import quote

TOLERANCE_S = 300
_PREFIX = "whsec_"
_whole_seconds = re.compile(r"[0-9]{1,12}").fullmatch
# No dot: it separates id, timestamp and body in the signed content, and must not be ambiguous.
_identifier = re.compile(r"[!-\-/-~]{1,256}").fullmatch


class WebhookVerificationError(ValueError):
    """The webhook must not be trusted; the message says why."""


def sign(secret: str, *, id: str, timestamp: int, body: bytes) -> str:  # noqa: A002 - the field's own word
    """Return the `webhook-signature` of a body, `v1,…`. `timestamp` is in seconds since 1970 UTC.
    Raises ValueError for an argument of the wrong type or a malformed one."""
    if not isinstance(id, str) or not _identifier(id):
        raise ValueError(f"a webhook id must be 1 to 256 printable ASCII characters without a dot, not {quote(id)}")
    if not isinstance(timestamp, int) or isinstance(timestamp, bool) or timestamp < 0:
        raise ValueError(f"a webhook timestamp must be a whole number of seconds since 1970, not {quote(timestamp)}")
    if not isinstance(body, bytes):
        raise ValueError(f"the body to sign must be bytes, not {type(body).__name__}")
    # Not hmac.digest: it releases the GIL on every call, which delays a sender of many webhooks.
    digest = hmac.new(_key(secret), b"%b.%d.%b" % (id.encode(), timestamp, body), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def verify(
    body: bytes | bytearray | memoryview | str, headers: Mapping[str, str], secret: str, *, now: float | None = None
) -> dict[str, Any]:
    """Verify the signature and age of a webhook, and return its message.

    `body` is the raw request body, not parsed. `headers` is any mapping of names to values; case doesn't matter. `now`
    is in seconds since 1970 (default: this machine's clock).
    Raises WebhookVerificationError if the webhook must not be trusted, and ValueError for an argument of the wrong type
    or a malformed secret.
    """
    key, content = _key(secret), _content(body)
    _check_now(now)
    identifier, timestamp, signatures = _signed_headers(headers)
    age_s = (time.time() if now is None else now) - int(timestamp)
    if age_s > TOLERANCE_S:
        raise WebhookVerificationError("the webhook-timestamp is more than 5 minutes old")
    if age_s < -TOLERANCE_S:
        raise WebhookVerificationError("the webhook-timestamp is more than 5 minutes in the future")
    digest = hmac.digest(key, b"%b.%b.%b" % (identifier.encode(), timestamp.encode(), content), hashlib.sha256)
    if not _matches(b"v1," + base64.b64encode(digest), signatures):
        raise WebhookVerificationError("no webhook-signature matches: wrong secret, or the body was changed")
    return _message(content)


def _content(body: object) -> bytes:
    """Return the signed bytes. Raises ValueError if the value can't be a request body."""
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    raise ValueError(
        f"the body must be the bytes or str of the request, not {type(body).__name__}: verify it before parsing it"
    )


def _check_now(now: object) -> None:
    """Raise ValueError if the value isn't a time, because the age of a webhook can't be computed from it."""
    is_number = isinstance(now, int | float) and not isinstance(now, bool)
    if now is not None and not (is_number and math.isfinite(now)):  # type: ignore[arg-type]  # a number by then
        raise ValueError(f"now must be a number of seconds since 1970, not {quote(now)}")


def _key(secret: object) -> bytes:
    """Return the key of a secret. Raises a ValueError that doesn't quote the secret."""
    if not isinstance(secret, str):
        raise ValueError(f"a webhook secret must be a str, 'whsec_' followed by base64, not {type(secret).__name__}")
    if secret.startswith(_PREFIX):
        try:
            key = base64.b64decode(secret[len(_PREFIX) :], validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if key:
            return key
    raise ValueError("a webhook secret must be 'whsec_' followed by base64")


def _signed_headers(headers: Mapping[str, str]) -> tuple[str, str, str]:
    """Return the id, timestamp and signatures of a webhook. Header names are case-insensitive."""
    if not callable(getattr(headers, "items", None)):
        raise ValueError(f"the headers must be a mapping of names to values, not {type(headers).__name__}")
    found = {}
    for name, value in headers.items():
        if not isinstance(name, str):
            raise ValueError(f"the names of headers must be str, not {type(name).__name__}")
        found[name.lower()] = value
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        if found.get(name) is None or found[name] == "":
            raise WebhookVerificationError(f"the header {name} is missing")
        if not isinstance(found[name], str):
            raise ValueError(f"the header {name} must be a str, not {type(found[name]).__name__}")
    if not _identifier(found["webhook-id"]):
        raise WebhookVerificationError("the webhook-id is malformed")
    if not _whole_seconds(found["webhook-timestamp"]):
        raise WebhookVerificationError("the webhook-timestamp is not a number of seconds")
    return found["webhook-id"], found["webhook-timestamp"], found["webhook-signature"]


def _matches(expected: bytes, signatures: str) -> bool:
    """Return whether any signature is the expected one, in constant time."""
    matches = False
    for signature in signatures.split(" "):
        matches |= hmac.compare_digest(expected, signature.encode("utf-8", "surrogatepass"))
    return matches


def _message(content: bytes) -> dict[str, Any]:
    try:
        message = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise WebhookVerificationError("the body is signed, but it is not JSON") from error
    if not isinstance(message, dict):
        raise WebhookVerificationError("the body is signed, but it is not a JSON object")
    return message
