"""Signs webhooks, and checks that a webhook came from the service: Standard Webhooks, symmetric scheme v1.

>>> from dtmf.webhook import verify
>>> message = verify(request_body, request_headers, "whsec_…")  # {'id': 1234, 'e164': '+1234567890', …}

The signature is HMAC-SHA256 over `id.timestamp.body` with the decoded secret (standardwebhooks.com). While a
secret is being rotated a webhook carries one signature per secret, separated by spaces.
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
# No dot: it parts id, timestamp and body in what is signed, and must not be movable between them.
_identifier = re.compile(r"[!-\-/-~]{1,256}").fullmatch


class WebhookVerificationError(ValueError):
    """The webhook is not to be trusted; the message says why."""


def sign(secret: str, *, id: str, timestamp: int, body: bytes) -> str:  # noqa: A002 - the field's own word
    """The `webhook-signature` of a body, `v1,…`; `timestamp` is in seconds since 1970 UTC.
    Raises ValueError for an argument of another type or a malformed one."""
    if not isinstance(id, str) or not _identifier(id):
        raise ValueError(f"a webhook id is 1 to 256 printable ASCII characters without a dot, not {quote(id)}")
    if not isinstance(timestamp, int) or isinstance(timestamp, bool) or timestamp < 0:
        raise ValueError(f"a webhook timestamp is a whole number of seconds since 1970, not {quote(timestamp)}")
    if not isinstance(body, bytes):
        raise ValueError(f"the body to sign must be bytes, not {type(body).__name__}")
    # Not hmac.digest, which lets other threads in at each call: a sender of many would wait for them each time.
    digest = hmac.new(_key(secret), b"%b.%d.%b" % (id.encode(), timestamp, body), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def verify(
    body: bytes | bytearray | memoryview | str, headers: Mapping[str, str], secret: str, *, now: float | None = None
) -> dict[str, Any]:
    """The message of a webhook, once its signature and its age are checked.

    `body` is the request's body as it came, not parsed, `headers` any mapping of names to values, whatever their case,
    `now` the seconds since 1970 (default: this machine's clock).
    Raises WebhookVerificationError for a webhook not to be trusted, ValueError for an argument of another type and for
    a malformed secret.
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
    """The bytes that were signed. Raises ValueError for what is not a request's body."""
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    raise ValueError(
        f"the body must be the bytes or str of the request, not {type(body).__name__}: verify it before it is parsed"
    )


def _check_now(now: object) -> None:
    """Raises ValueError for what is not a time: the age of a webhook could not be judged by it."""
    is_number = isinstance(now, int | float) and not isinstance(now, bool)
    if now is not None and not (is_number and math.isfinite(now)):  # type: ignore[arg-type]  # a number by then
        raise ValueError(f"now must be a number of seconds since 1970, not {quote(now)}")


def _key(secret: object) -> bytes:
    """The key in a secret. Raises ValueError that does not quote it."""
    if not isinstance(secret, str):
        raise ValueError(f"a webhook secret is a str, 'whsec_' and base64, not {type(secret).__name__}")
    if secret.startswith(_PREFIX):
        try:
            key = base64.b64decode(secret[len(_PREFIX) :], validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if key:
            return key
    raise ValueError("a webhook secret is 'whsec_' and base64")


def _signed_headers(headers: Mapping[str, str]) -> tuple[str, str, str]:
    """Id, timestamp and signatures of a webhook, whatever the case of the header names."""
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
    """Whether one of the signatures is the expected one, in a time that says nothing about which."""
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
