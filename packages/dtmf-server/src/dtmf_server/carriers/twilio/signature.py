"""Twilio's signature of a callback: base64 of HMAC-SHA1, keyed with the auth token.

1. A form: over the URL with its query, followed by each field's name and value, sorted by name and then by value.
2. JSON: over the URL alone; its query has `bodySHA256`, the hash of the body.
3. Twilio signs the URL with or without its port, not always as it was configured, so both are tried.
Source: twilio.com/docs/usage/webhooks/webhooks-security
"""

import hmac
from base64 import b64encode
from collections.abc import Collection, Iterator
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

from dtmf_server.carriers.base import BadSignature, CallbackRequest

PORTS = {"https": 443, "http": 80}
Fields = Collection[tuple[bytes, bytes]]


def verify(request: CallbackRequest, fields: Fields | None, *, token: str, header: str) -> None:
    """Raise BadSignature unless the request is signed. `fields` are those of a form; None for a JSON body."""
    given = request.headers.get(header.lower(), "").encode()
    if not given:
        raise BadSignature("no signature")
    if fields is None:
        _verify_body(request)
    signatures = (sign(url, fields or (), token=token).encode() for url in spellings(request.url))
    if not any(hmac.compare_digest(signature, given) for signature in signatures):
        raise BadSignature("wrong signature")


def sign(url: str, fields: Fields, *, token: str) -> str:
    """Return the signature of a form; of JSON without fields."""
    signed = url.encode() + b"".join(name + value for name, value in sorted(set(fields)))
    return b64encode(hmac.digest(token.encode(), signed, "sha1")).decode()


def spellings(url: str) -> Iterator[str]:
    """Yield a URL as it is, without its port, and with its port."""
    yield url  # which is right nearly always
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return
    if parts.netloc:
        bare = parts.netloc[: -len(f":{parts.port}")] if parts.port else parts.netloc
        yield from (parts._replace(netloc=other).geturl() for other in (bare, f"{bare}:{port}"))


def _verify_body(request: CallbackRequest) -> None:
    hashes = parse_qs(urlsplit(request.url).query).get("bodySHA256")
    if not hashes:
        raise BadSignature("no hash of the body")
    if not hmac.compare_digest(sha256(request.body).hexdigest().encode(), hashes[0].encode()):
        raise BadSignature("wrong hash of the body")
