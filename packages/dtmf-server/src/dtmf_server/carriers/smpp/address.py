"""Convert between SMPP addresses and E.164 numbers (SMPP 3.4 §5.2.5 to §5.2.9). Pure."""

_INTERNATIONAL, _NATIONAL = 1, 2


def sender(ton: int, address: str) -> str:
    """Return the sender as shown to the renter: an international number with its plus, anything else unchanged."""
    return f"+{address}" if ton == _INTERNATIONAL and _is_digits(address) else address


def recipient(ton: int, address: str, *, country_code: str) -> str:
    """Return the E.164 number for an address. SMSCs write it with plus, 00 or neither, regardless of the TON. A national
    number, or one with a leading 0 (which no international number has), gets the carrier's country code if one is
    configured."""
    if address.startswith(("+0", "00")):
        address = address.lstrip("+")
    if address.startswith("+"):
        return address
    if address.startswith("00"):
        return f"+{address[2:]}"
    if (ton == _NATIONAL or address.startswith("0")) and country_code:
        return f"+{country_code}{address.lstrip('0')}"
    return f"+{address}"


def _is_digits(address: str) -> bool:
    return address.isascii() and address.isdigit()
