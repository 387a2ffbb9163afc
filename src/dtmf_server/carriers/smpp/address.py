"""Addresses of SMPP and E.164 numbers (SMPP 3.4 §5.2.5 to §5.2.9). Pure."""

_INTERNATIONAL, _NATIONAL = 1, 2


def sender(ton: int, address: str) -> str:
    """A sender as the renter sees it: an international number with its plus, anything else as it came."""
    return f"+{address}" if ton == _INTERNATIONAL and _is_digits(address) else address


def recipient(ton: int, address: str, *, country_code: str) -> str:
    """The number of ours that an address means. SMSCs write it with plus, 00 or neither; a national one, or one with a
    leading 0, is completed with the carrier's country code where there is one."""
    if address.startswith("+"):
        return address
    is_national = ton == _NATIONAL or (ton != _INTERNATIONAL and address.startswith("0"))
    if address.startswith("00") and ton != _NATIONAL:
        return f"+{address[2:]}"
    if is_national and country_code:
        return f"+{country_code}{address.lstrip('0')}"
    return f"+{address}"


def _is_digits(address: str) -> bool:
    return address.isascii() and address.isdigit()
