"""The message ID in a delivery receipt. SMSCs write the same one as decimal or hexadecimal; HTTP carriers have opaque IDs,
which are compared exactly."""

import re
from hashlib import blake2b

REF_MAX = 64  # characters (SMPP 3.4 §5.2.23)
_EXACT = "="  # begins a reference in which case and leading zeros count
_EXACT_MAX = 100  # characters; a longer one is stored as its hash
_is_decimal = re.compile(r"[0-9]{1,20}").fullmatch
_is_hexadecimal = re.compile(r"[0-9a-f]{1,16}").fullmatch


def exact(ref: str) -> str:
    """Return a reference that is compared exactly. HTTP carriers use it in `submit`'s result and in each `Receipt`."""
    if len(ref) > _EXACT_MAX or not ref.isprintable():
        ref = blake2b(ref.encode(errors="surrogatepass"), digest_size=32).hexdigest()
    return _EXACT + ref


def canonical(ref: str) -> str:
    """Return the normalized form in which a reference is stored and looked up."""
    if ref.startswith(_EXACT):
        return ref
    plain = ref.strip().lower().replace("\0", "")[:REF_MAX]
    return plain.lstrip("0") or plain


def spellings(ref: str) -> list[str]:
    """Return the reference, then its value in the other base; the first one that is known is the match. SMSCs answer a
    submit in hexadecimal and report in decimal, or the other way round, and drop leading zeros on the way."""
    found = [canonical(ref)]
    if found[0].startswith(_EXACT):
        return found
    if _is_decimal(found[0]):
        found.append(f"{int(found[0]):x}")
    if _is_hexadecimal(found[0]):
        found.append(str(int(found[0], 16)))
    return list(dict.fromkeys(found))
