"""X.509 certificates made at test time with nothing but the standard library: P-256, ECDSA with SHA-256.

The keys are fixed numbers, known to everyone who reads this: they protect nothing.
"""

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

# NIST P-256 (SEC 2 §2.4.2): field, coefficient a, generator, order.
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
A = P - 3
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

ECDSA_SHA256 = "06082a8648ce3d040302"
EC_PUBLIC_KEY, PRIME256V1 = "06072a8648ce3d0201", "06082a8648ce3d030107"
COMMON_NAME = "0603550403"
SUBJECT_KEY, KEY_USAGE, ALT_NAME, CONSTRAINTS, AUTHORITY_KEY = (
    *("0603551d0e", "0603551d0f", "0603551d11"),
    *("0603551d13", "0603551d23"),
)

Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority: its name, its key, and its own certificate as PEM."""

    name: str
    key: int
    pem: str


def authority(name: str, *, key: int) -> Authority:
    """A new authority that trusts itself."""
    constraints = extension(CONSTRAINTS, der(0x30, "0101ff"), critical=True)
    usage = extension(KEY_USAGE, "03020106", critical=True)  # sign certificates and CRLs
    return Authority(name, key, certificate(name, key, name, key, extra=constraints + usage))


def issue(folder: Path, by: Authority, *, names: list[str], days: int = 30, key: int = 0xD0E) -> Path:
    """A file with key and certificate for `names` (as DER general names), valid until `days` from now."""
    alt_names = extension(ALT_NAME, der(0x30, "".join(names)))
    path = folder / f"{by.name}-{'-'.join(names)[:40]}-{days}.pem"
    path.write_text(private_key(key) + certificate("receiver", key, by.name, by.key, extra=alt_names, days=days))
    return path


def dns(name: str) -> str:
    """The general name of a host name."""
    return der(0x82, name.encode().hex())


def address(octets: bytes) -> str:
    """The general name of an IP address."""
    return der(0x87, octets.hex())


def certificate(subject: str, key: int, issuer: str, issuer_key: int, *, extra: str, days: int = 30) -> str:
    """A version 3 certificate as PEM (RFC 5280 §4.1)."""
    extensions = (
        extension(SUBJECT_KEY, der(0x04, key_identifier(key)))
        + extension(AUTHORITY_KEY, der(0x30, der(0x80, key_identifier(issuer_key))))
        + extra
    )
    now = datetime.now(UTC)
    until = now + timedelta(days=days)
    algorithm = der(0x30, ECDSA_SHA256)
    to_be_signed = der(
        0x30,
        der(0xA0, "020102")
        + integer(int.from_bytes(hashlib.sha256(f"{subject}{now}".encode()).digest()[:8]))
        + algorithm
        + distinguished(issuer)
        + der(0x30, utc_time(min(now, until) - timedelta(days=30)) + utc_time(until))
        + distinguished(subject)
        + der(0x30, der(0x30, EC_PUBLIC_KEY + PRIME256V1) + der(0x03, "00" + public_key(key)))
        + der(0xA3, der(0x30, extensions)),
    )
    signature = der(0x03, "00" + sign(bytes.fromhex(to_be_signed), issuer_key))
    return pem("CERTIFICATE", der(0x30, to_be_signed + algorithm + signature))


def private_key(key: int) -> str:
    """A private key as PEM (RFC 5915)."""
    content = "020101" + der(0x04, f"{key:064x}") + der(0xA0, PRIME256V1)
    return pem("EC PRIVATE KEY", der(0x30, content + der(0xA1, der(0x03, "00" + public_key(key)))))


def public_key(key: int) -> str:
    """The uncompressed point of a private key."""
    x, y = multiply(key, G)
    return f"04{x:064x}{y:064x}"


def key_identifier(key: int) -> str:
    """SHA-1 of the public key (RFC 5280 §4.2.1.2)."""
    return hashlib.sha1(bytes.fromhex(public_key(key))).hexdigest()


def sign(message: bytes, key: int) -> str:
    """An ECDSA signature (SEC 1 §4.1.3); the nonce comes from key and message."""
    digest = hashlib.sha256(message).digest()
    nonce = int.from_bytes(hashlib.sha256(key.to_bytes(32) + digest).digest()) % N
    r = multiply(nonce, G)[0] % N
    s = pow(nonce, -1, N) * (int.from_bytes(digest) + r * key) % N
    return der(0x30, integer(r) + integer(s))


def multiply(factor: int, point: Point) -> Point:
    """`factor` times `point`, by doubling and adding."""
    total: Point | None = None
    while factor:
        if factor & 1:
            total = point if total is None else add(total, point)
        point = add(point, point)
        factor >>= 1
    assert total is not None
    return total


def add(first: Point, second: Point) -> Point:
    """The sum of two points that are not each other's negatives."""
    (x1, y1), (x2, y2) = first, second
    slope = (3 * x1 * x1 + A) * pow(2 * y1, -1, P) if first == second else (y2 - y1) * pow(x2 - x1, -1, P)
    x3 = (slope * slope - x1 - x2) % P
    return x3, (slope * (x1 - x3) - y1) % P


def der(tag: int, content: str) -> str:
    """One DER element, in hex."""
    size = len(content) // 2
    length = f"{size:02x}" if size < 128 else f"82{size:04x}"
    return f"{tag:02x}{length}{content}"


def integer(number: int) -> str:
    """A positive DER integer."""
    return der(0x02, number.to_bytes(number.bit_length() // 8 + 1).hex())


def utc_time(at: datetime) -> str:
    """A DER UTCTime."""
    return der(0x17, at.strftime("%y%m%d%H%M%SZ").encode().hex())


def distinguished(name: str) -> str:
    """A distinguished name of one common name."""
    return der(0x30, der(0x31, der(0x30, COMMON_NAME + der(0x0C, name.encode().hex()))))


def extension(identifier: str, content: str, *, critical: bool = False) -> str:
    """One certificate extension."""
    return der(0x30, identifier + ("0101ff" if critical else "") + der(0x04, content))


def pem(kind: str, content: str) -> str:
    """DER as PEM."""
    text = base64.encodebytes(bytes.fromhex(content)).decode()
    return f"-----BEGIN {kind}-----\n{text}-----END {kind}-----\n"
