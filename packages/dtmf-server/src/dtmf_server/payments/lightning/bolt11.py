"""Lightning invoices as text (BOLT 11): encode and decode.

An invoice is bech32 without its length limit. The human-readable part names the network and the amount; the data has a
timestamp, tagged fields and a recoverable signature over all of it.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from embit import bech32
from embit.util import secp256k1

PREFIXES = {"main": "bc", "test": "tb", "testnet4": "tb", "signet": "tbs", "regtest": "bcrt"}
PICO = {"m": 10**9, "u": 10**6, "n": 10**3, "p": 1}  # of a bitcoin; a millisatoshi has 10 picobitcoins
EXPIRY_S = 3600  # if the invoice does not say

_HRP = re.compile(r"ln(bcrt|tbs|tb|bc)(?:([1-9][0-9]{0,17})([munp]?))?\Z")
_SIGNATURE = 104  # 5-bit words
_TIMESTAMP = 7
_TAGS = {"payment_hash": 1, "secret": 16, "description": 13, "expiry": 6, "features": 5}
# var_onion_optin and payment_secret, both required (BOLT 9).
_FEATURES = (16, 8, 0)


@dataclass(frozen=True, slots=True)
class Invoice:
    """The parts of an invoice. `prefix` names the network (`PREFIXES`); without `amount_msat` the payer chooses."""

    prefix: str
    payment_hash: str
    amount_msat: int | None
    description: str
    created_s: int
    expiry_s: int
    node_id: str = ""  # the public key that signed it; only when decoded


def encode(invoice: Invoice, *, payment_secret: bytes, private_key: bytes) -> str:
    """Return the invoice, signed by the node's key."""
    hrp = f"ln{invoice.prefix}{_amount(invoice.amount_msat)}"
    words = [
        *_number(invoice.created_s, _TIMESTAMP),
        *_field("payment_hash", _words(bytes.fromhex(invoice.payment_hash))),
        *_field("secret", _words(payment_secret)),
        *_field("description", _words(invoice.description.encode())),
        *_field("expiry", _number(invoice.expiry_s, 4)),
        *_field("features", _FEATURES),
    ]
    signature = secp256k1.ecdsa_sign_recoverable(_digest(hrp, words), private_key)
    compact, recovery_id = secp256k1.ecdsa_recoverable_signature_serialize_compact(signature)
    words += _words(compact + bytes([recovery_id]))
    return str(bech32.bech32_encode(bech32.Encoding.BECH32, hrp, words))


def payment_hash_of(text: str) -> str:
    """Return the payment hash of an invoice, with or without `lightning:`, and any other text as it is."""
    invoice = text.removeprefix("lightning:")
    if not invoice.lower().startswith("ln"):
        return text
    try:
        return decode(invoice).payment_hash
    except ValueError:
        return text


def decode(text: str) -> Invoice:
    """Return the parts of an invoice whose checksum and signature are valid. Raises ValueError."""
    hrp, words = _parts(text)
    matched = _HRP.fullmatch(hrp)
    if matched is None or len(words) < _TIMESTAMP + _SIGNATURE:
        raise ValueError("not a Lightning invoice")
    prefix, amount, unit = matched.groups()
    signed, signature = words[:-_SIGNATURE], _octets(words[-_SIGNATURE:])
    fields = dict(_fields(signed[_TIMESTAMP:]))
    if len(fields.get(_TAGS["payment_hash"], ())) != 52:
        raise ValueError("the invoice has no payment hash")
    return Invoice(
        prefix=prefix,
        payment_hash=_octets(fields[_TAGS["payment_hash"]]).hex(),
        amount_msat=None if amount is None else _msat(int(amount), unit),
        description=_octets(fields.get(_TAGS["description"], ())).decode(errors="replace"),
        created_s=_value(signed[:_TIMESTAMP]),
        expiry_s=_value(fields[_TAGS["expiry"]]) if _TAGS["expiry"] in fields else EXPIRY_S,
        node_id=_signer(signature, _digest(hrp, signed)),
    )


def _amount(msat: int | None) -> str:
    """Return the shortest form of an amount, as BOLT 11 requires."""
    if msat is None:
        return ""
    pico = msat * 10
    unit = next(unit for unit, size in PICO.items() if pico % size == 0)
    return f"{pico // PICO[unit]}{unit}"


def _msat(number: int, unit: str) -> int:
    pico = number * PICO.get(unit, 10**12)
    if pico % 10:
        raise ValueError("the invoice's amount is not a whole number of millisatoshis")
    return pico // 10


def _parts(text: str) -> tuple[str, list[int]]:
    """Return the human-readable part and the data, without the checksum."""
    lower = text.lower()
    hrp, separator, data = lower.rpartition("1")
    if text not in (lower, text.upper()) or not separator or not set(data) <= set(bech32.CHARSET):
        raise ValueError("not a Lightning invoice")
    words = [bech32.CHARSET.index(character) for character in data]
    if bech32.bech32_verify_checksum(hrp, words) != bech32.Encoding.BECH32:
        raise ValueError("the invoice's checksum is wrong: was all of it copied?")
    return hrp, words[:-6]


def _fields(words: Sequence[int]) -> Iterator[tuple[int, Sequence[int]]]:
    """Yield the tag and the words of each field; the first of a tag comes last, so that a dict has that one."""
    found, place = [], 0
    while place + 3 <= len(words):
        end = place + 3 + _value(words[place + 1 : place + 3])
        if end > len(words):
            raise ValueError("the invoice's fields are cut off")
        found.append((words[place], words[place + 3 : end]))
        place = end
    yield from reversed(found)


def _signer(signature: bytes, digest: bytes) -> str:
    try:
        parsed = secp256k1.ecdsa_recoverable_signature_parse_compact(signature[:64], signature[64])
        return bytes(secp256k1.ec_pubkey_serialize(secp256k1.ecdsa_recover(parsed, digest))).hex()
    except (ValueError, AssertionError, RuntimeError) as error:  # what embit's two implementations raise
        raise ValueError("the invoice's signature is invalid") from error


def _digest(hrp: str, words: Sequence[int]) -> bytes:
    padded = bech32.convertbits(words, 5, 8, True)
    return hashlib.sha256(hrp.encode() + bytes(padded)).digest()


def _field(tag: str, words: Sequence[int]) -> list[int]:
    return [_TAGS[tag], *_number(len(words), 2), *words]


def _number(value: int, count: int) -> list[int]:
    """Return a number in this many words."""
    return [value >> 5 * place & 31 for place in reversed(range(count))]


def _value(words: Sequence[int]) -> int:
    value = 0
    for word in words:
        value = value << 5 | word
    return value


def _words(octets: bytes) -> list[int]:
    return list(bech32.convertbits(octets, 8, 5))


def _octets(words: Sequence[int]) -> bytes:
    """Return whole octets; the padding is dropped."""
    octets = bech32.convertbits(words, 5, 8, True)
    return bytes(octets[: len(words) * 5 // 8])
