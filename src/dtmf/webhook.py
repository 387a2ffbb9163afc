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
import re
import time
from collections.abc import Mapping
from typing import Any

TOLERANCE_S = 300
_PREFIX = "whsec_"
_whole_seconds = re.compile(r"[0-9]{1,12}").fullmatch
# No dot: it parts id, timestamp and body in what is signed, and must not be movable between them.
_identifier = re.compile(r"[!-\-/-~]{1,256}").fullmatch


class WebhookVerificationError(ValueError):
    """The webhook is not to be trusted; the message says why."""


def sign(secret: str, *, id: str, timestamp: int, body: bytes) -> str:  # noqa: A002 - the field's own word
    """The `webhook-signature` of a body, `v1,…`; `timestamp` is in seconds since 1970 UTC."""
    if not _identifier(id):
        raise ValueError(f"a webhook id is 1 to 256 printable ASCII characters without a dot, not {id!r}")
    if timestamp < 0:
        raise ValueError(f"a webhook timestamp is a number of seconds since 1970, not {timestamp}")
    # Not hmac.digest, which lets other threads in at each call: a sender of many would wait for them each time.
    digest = hmac.new(_key(secret), b"%b.%d.%b" % (id.encode(), timestamp, body), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def verify(body: bytes | str, headers: Mapping[str, str], secret: str, *, now: float | None = None) -> dict[str, Any]:
    """The message of a webhook, once its signature and its age are checked.

    `body` is the request's body as it came, `now` the seconds since 1970 (default: this machine's clock).
    Raises WebhookVerificationError for a webhook not to be trusted, ValueError for a malformed secret.
    """
    key = _key(secret)
    identifier, timestamp, signatures = _signed_headers(headers)
    age_s = (time.time() if now is None else now) - int(timestamp)
    if age_s > TOLERANCE_S:
        raise WebhookVerificationError("the webhook-timestamp is more than 5 minutes old")
    if age_s < -TOLERANCE_S:
        raise WebhookVerificationError("the webhook-timestamp is more than 5 minutes in the future")
    content = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    digest = hmac.digest(key, b"%b.%b.%b" % (identifier.encode(), timestamp.encode(), content), hashlib.sha256)
    if not _matches(b"v1," + base64.b64encode(digest), signatures):
        raise WebhookVerificationError("no webhook-signature matches: wrong secret, or the body was changed")
    return _message(content)


def _key(secret: str) -> bytes:
    """The key in a secret. Raises ValueError that does not quote it."""
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
    found = {name.lower(): value for name, value in headers.items()}
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        if not found.get(name):
            raise WebhookVerificationError(f"the header {name} is missing")
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
