"""Validation of arguments: each check returns the value unchanged, or raises ValueError quoting it.

An Enum member may also be a str or int, but an f-string shows its name, so values for a path are converted to str."""

from __future__ import annotations

from .e164 import is_e164, quote

TYPE_CHECKING = False  # a name type checkers know; saves importing `typing`
if TYPE_CHECKING:
    from collections.abc import Callable
    from re import Pattern
    from typing import Any

_LABEL_LENGTH = 64
_ADDRESS_LENGTH = 128
_AMOUNT_LENGTH = 40
_INVOICE_LENGTH = 4_096
_FAULTS = ("late", "twice", "unreported")
_CONTENT_LENGTH = 1_600
_URL_LENGTH = 2_048
_GROUP_TYPES = ("mobile", "local")
_DELIVERY_STATES = ("waiting", "delivered", "parked", "in_doubt", "unknown")
_IS_COROUTINE = 0x80 | 0x200  # CO_COROUTINE and CO_ASYNC_GENERATOR of `inspect`
_NOT_IN_A_HOST = frozenset("%<>^|\"'`{}[]()*,;!$&+=~")


def group_type(value: object) -> str:
    """Check a group type: 'mobile' or 'local'."""
    if isinstance(value, str) and value in _GROUP_TYPES:
        return str.__str__(value)
    raise ValueError(f"group_type must be 'mobile' or 'local', not {quote(value)}")


def group_id(value: object) -> str:
    """Check a group id, as listed by groups(): 1 to 64 characters."""
    return _label("group_id", value, most=_LABEL_LENGTH)


def label(value: object) -> str:
    """Check the label of a rental or a token: 1 to 100 characters."""
    return _label("label", value, most=100)


def sender(value: object) -> str:
    """Check the sender of a simulated SMS: a number, a short code or a name, 1 to 64 characters."""
    return _label("sender", value, most=_LABEL_LENGTH)


def address(value: object) -> str:
    """Check a Bitcoin address: 1 to 128 characters. The service checks that it is one of its own."""
    return _label("address", value, most=_ADDRESS_LENGTH)


def bolt11(value: object) -> str:
    """Check a Lightning invoice: the dict of new_invoice(), or its text."""
    text = value.get("invoice") if isinstance(value, dict) else value
    return _label("invoice", text, most=_INVOICE_LENGTH)


def deposit_amount(value: object) -> int | str:
    """Check an amount: satoshis, or a text like '5eur', which the service reads."""
    return _label("amount", value, most=_AMOUNT_LENGTH) if isinstance(value, str) else whole("amount", value, least=1)


def fault(value: object) -> str:
    """Check a fault of the simulated node: 'late', 'twice' or 'unreported'."""
    if isinstance(value, str) and value in _FAULTS:
        return str.__str__(value)
    raise ValueError(f"fault must be None, 'late', 'twice' or 'unreported', not {quote(value)}")


def deposit_target(value: object) -> tuple[str, object]:
    """Return the event's key and value that identify a deposit to an invoice or an address of the account."""
    if isinstance(value, dict) and "payment_hash" in value:
        return "payment_hash", value["payment_hash"]
    if isinstance(value, dict) and "address" in value:
        return "address", address(value["address"])
    if isinstance(value, int):
        return "invoice_id", whole("invoice id", value, least=1)
    if isinstance(value, str) and value.lower().startswith("ln"):
        raise ValueError(f"pass the dict that new_invoice() returned, or its id, not {quote(value)}")
    return "address", address(value)


def _label(name: str, value: object, *, most: int) -> str:
    if isinstance(value, str) and 1 <= len(value) <= most and not _has_control(value) and _is_unicode(value):
        return value
    raise ValueError(f"{name} must be 1 to {most} characters without control characters, not {quote(value)}")


def content(value: object, *, least: int = 1) -> str:
    """Check the text of an SMS: at most 1,600 characters, without NUL or lone surrogates."""
    if isinstance(value, str) and least <= len(value) <= _CONTENT_LENGTH and "\0" not in value and _is_unicode(value):
        return value
    raise ValueError(
        f"content must be {least} to {_CONTENT_LENGTH:,} characters of text without NUL, not {quote(value)}"
    )


def whole(name: str, value: object, *, least: int) -> int:
    """Check an integer that every JSON parser can represent. True and False are rejected."""
    if isinstance(value, int) and not isinstance(value, bool) and least <= value < 2**63:
        return int(value)
    raise ValueError(f"{name} must be a whole number of at least {least}, not {quote(value)}")


def digits(value: object) -> str:
    """Check the digits to search numbers for: 1 to 15 of 0-9."""
    if isinstance(value, str) and 1 <= len(value) <= 15 and value.isascii() and value.isdecimal():
        return str.__str__(value)
    raise ValueError(f"contains must be 1 to 15 digits, not {quote(value)}")


def seconds(value: object) -> float:
    """Check a finite number of seconds, at least 0."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    raise ValueError(f"seconds must be a number of at least 0, not {quote(value)}")


def timeout_s(value: object) -> float:
    """Check a finite number of seconds, more than 0."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 2**31:
        return float(value)
    raise ValueError(f"timeout must be a number of seconds greater than 0, not {quote(value)}")


def pattern(value: object) -> Pattern[str] | None:
    """Return a compiled regular expression of text, or None if the value isn't a regular expression."""
    if not isinstance(value, str | bytes) and not hasattr(value, "fullmatch"):
        return None
    import re  # noqa: PLC0415  # `import dtmf` does not need it

    try:
        compiled = re.compile(value)  # type: ignore[call-overload]  # unsupported values are rejected below
    except (re.error, TypeError, OverflowError, RecursionError) as cause:
        raise ValueError(f"match is not a regular expression: {quote(value)} ({cause})") from cause
    if isinstance(compiled.pattern, str):
        return compiled  # type: ignore[no-any-return]  # re.compile() of an object is typed as Any
    raise ValueError(f"match must be a regular expression of text, not of bytes: {quote(value)}")


def predicate(value: object) -> Callable[[Any], Any]:
    """Check a plain function. A coroutine function is rejected, because its result would always be true."""
    function = getattr(value, "func", value)  # of a functools.partial
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    if callable(value) and not getattr(code, "co_flags", 0) & _IS_COROUTINE:
        return value
    raise ValueError(
        f"match must be None, a regular expression or a function of a message (not `async def`), not {quote(value)}"
    )


def delivery_state(value: object) -> str:
    """Check a delivery state: 'waiting', 'delivered', 'parked', 'in_doubt' or 'unknown'."""
    if isinstance(value, str) and value in _DELIVERY_STATES:
        return str.__str__(value)
    raise ValueError(
        f"state must be 'waiting', 'delivered', 'parked', 'in_doubt', 'unknown' or None, not {quote(value)}"
    )


def moment(name: str, value: object) -> str:
    """Return a datetime in ISO 8601. Without an offset it is UTC, as everywhere in this API."""
    from datetime import datetime  # noqa: PLC0415  # `import dtmf` does not need it

    if isinstance(value, datetime):
        return value.isoformat()
    raise ValueError(f"{name} must be a datetime, not {quote(value)}")


def restrictions(given: dict[str, Any]) -> dict[str, object]:
    """Return the restrictions of a new token, without those that are None."""
    checked: dict[str, object] = {}
    for name, value in given.items():
        if value is None:
            continue
        if name == "expires_at":
            if getattr(value, "tzinfo", None) is None:
                raise ValueError(f"expires_at must be a datetime with a time zone, not {quote(value)}")
            checked[name] = moment(name, value)
        elif name in {"scopes", "groups"}:
            texts = [value] if isinstance(value, str) or not hasattr(value, "__iter__") else list(value)
            if not texts or not all(isinstance(each, str) for each in texts):
                raise ValueError(f"{name} must be one or more texts, not {quote(value)}")
            checked[name] = texts
        else:
            checked[name] = whole(name, value, least=1)
    return checked


def sms_destination(action: object, destination: object) -> str | None:
    """Return the value of `sms_forwarded_to`: None, an E.164 number for 'forward', an http(s) URL for 'webhook'."""
    if action is None:
        if destination is None:
            return None
        raise ValueError(f"destination must be None when action is None, not {quote(destination)}")
    if action == "forward" and isinstance(action, str):
        if isinstance(destination, str) and is_e164(destination):
            return destination
        raise ValueError(
            f"destination of 'forward' must be an E.164 number like '+447700900123', not {quote(destination)}"
        )
    if action == "webhook" and isinstance(action, str):
        return http_url("destination of 'webhook'", destination)
    raise ValueError(f"action must be None, 'forward' or 'webhook', not {quote(action)}")


def http_url(name: str, value: object) -> str:
    """Check an http or https URL: with a host, without userinfo, at most 2,048 characters."""
    if isinstance(value, str) and _is_http_url(value):
        return value
    raise ValueError(
        f"{name} must be an http:// or https:// URL with a host, and without a user name, spaces or control"
        f" characters, not {quote(value)}"
    )


def _is_http_url(text: str) -> bool:
    from urllib.parse import urlsplit  # noqa: PLC0415  # 3 ms that `import dtmf` does not need

    # urlsplit() silently drops tabs, newlines and leading spaces, so reject them first.
    if len(text) > _URL_LENGTH or "\\" in text or any(not c.isprintable() or c.isspace() for c in text):
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"} or "@" in parts.netloc or parts.netloc.endswith(":") or port == 0:
        return False
    if "[" in parts.netloc:  # an IPv6 address, validated by urlsplit(), and a port; nothing else
        before, after = parts.netloc.split("[")[0], parts.netloc.split("]")[-1]
        return before == "" and after[:1] in {"", ":"} and "%" not in parts.netloc
    return is_host(parts.hostname or "")


def is_host(host: str) -> bool:
    """Return whether the name can be resolved: no label is empty or longer than 63 characters (RFC 1035 §2.3.4)."""
    labels = host.removesuffix(".").split(".")
    return all(0 < len(label) <= 63 for label in labels) and len(host) <= 253 and not _NOT_IN_A_HOST.intersection(host)


def is_loopback(host: str) -> bool:
    """Return whether the host is a loopback address or name."""
    from ipaddress import ip_address  # noqa: PLC0415  # `import dtmf` does not need it

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _has_control(text: str) -> bool:
    return any(c < " " or "\x7f" <= c <= "\x9f" for c in text)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def claim(value: object) -> str:
    """Return the claim of a sign-up: itself, or in the result of sign_up(). It isn't quoted: it is a secret."""
    secret = value.get("claim") if isinstance(value, dict) else value
    if isinstance(secret, str) and secret:
        return secret
    raise ValueError("the claim must be the result of sign_up(), or the claim in it")
