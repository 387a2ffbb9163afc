"""L402 credentials: `Authorization: L402 <credential>:<preimage>`. Clients treat a credential as opaque.

A credential is base64 of a version, the ID of a sign-up, its payment hash, and an HMAC-SHA256 over these three under a key
of this service. The preimage alone proves nothing, because every node that routed the payment knows it.
Source: https://github.com/lightninglabs/L402/blob/master/protocol-specification.md.
"""

import base64
import binascii
import hashlib
import hmac
import struct

SCHEMES = ("l402", "lsat")  # LSAT is the former name
_VERSION = 1
_HEAD = struct.Struct(">BQ32s")
_MAC_LENGTH = 32
_LENGTH = _HEAD.size + _MAC_LENGTH
_PREIMAGE_LENGTH = 32


def key_of(service_key: bytes) -> bytes:
    """Return the key of a service's credentials."""
    return hmac.digest(service_key, b"DTMF L402 credential", "sha256")


def credential(key: bytes, sign_up_id: int, payment_hash: str) -> str:
    """Return the credential of a sign-up."""
    head = _HEAD.pack(_VERSION, sign_up_id, bytes.fromhex(payment_hash))
    return base64.b64encode(head + hmac.digest(key, head, "sha256")).decode()


def challenge(credential: str, invoice: str) -> str:
    """Return the value of `WWW-Authenticate`. `macaroon` is the name that earlier clients read."""
    return f'L402 version="0", token="{credential}", macaroon="{credential}", invoice="{invoice}"'


def is_presented(authorization: str) -> bool:
    """Return True if the value of an `Authorization` header has the scheme."""
    return authorization.partition(" ")[0].lower() in SCHEMES


def verify(key: bytes, authorization: str) -> tuple[int, str] | None:
    """Return the ID and the payment hash of the sign-up that credential and preimage prove, None if they don't.

    The HMAC and the preimage are both compared, in constant time, whichever is wrong.
    """
    first, _, second = authorization.partition(" ")[2].strip().rpartition(":")
    raw, preimage = _from_base64(first), _from_hex(second)
    head, mac = raw[: _HEAD.size], raw[_HEAD.size :]
    version, sign_up_id, payment_hash = _HEAD.unpack(head)
    is_ours = hmac.compare_digest(mac, hmac.digest(key, head, "sha256"))
    is_paid = hmac.compare_digest(hashlib.sha256(preimage).digest(), payment_hash)
    if not (is_ours & is_paid & (version == _VERSION)):
        return None
    return sign_up_id, payment_hash.hex()


def _from_base64(text: str) -> bytes:
    """Return the octets of a credential; zeros, which no key has signed, if it is malformed."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    return raw if len(raw) == _LENGTH else bytes(_LENGTH)


def _from_hex(text: str) -> bytes:
    """Return the octets of a preimage; none, which no payment hash matches, if it is malformed."""
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    return raw if len(raw) == _PREIMAGE_LENGTH else b""
