"""Message IDs in delivery receipts: carriers write the same ID in decimal or hexadecimal."""

import re

REF_MAX = 64  # characters (SMPP 3.4 §5.2.23)
_is_decimal = re.compile(r"[0-9]{1,20}").fullmatch
_is_hexadecimal = re.compile(r"[0-9a-f]{1,16}").fullmatch


def canonical(ref: str) -> str:
    """Return the normalized form in which a reference is stored and looked up."""
    plain = ref.strip().lower().replace("\0", "")[:REF_MAX]
    return plain.lstrip("0") or plain


def spellings(ref: str) -> list[str]:
    """Return the reference, then its value in the other base; the first one that is known is the match. SMSCs answer a
    submit in hexadecimal and report in decimal, or the other way round, and drop leading zeros on the way."""
    found = [canonical(ref)]
    if _is_decimal(found[0]):
        found.append(f"{int(found[0]):x}")
    if _is_hexadecimal(found[0]):
        found.append(str(int(found[0], 16)))
    return list(dict.fromkeys(found))
