"""Hints for operators on bind failures: which setting to change, where the failure shows it. Pure."""

import socket
import ssl

from dtmf_server.carriers.smpp.pdu import Command, Pdu
from dtmf_server.carriers.smpp.status import Status

_TLS_RECORDS = range(0x14, 0x18)  # the first octet of a TLS record (RFC 8446 §5.1); the second is 3
_OTHER_BIND = (
    'it may not know bind_transceiver: set bind = "transmitter+receiver" (or "receiver", "transmitter"), and ask the'
    " carrier which binds it allows"
)
_HINTS: dict[int, str] = {
    Status.ESME_RALYBND: "stop the other process, wait until the carrier drops its bind, or ask for more binds (links)",
    Status.ESME_RBINDFAIL: "check system_id, password, system_type and bind",
    Status.ESME_RINVPASWD: "check password in the carrier's [[carrier]]",
    Status.ESME_RINVSYSID: "check system_id in the carrier's [[carrier]]",
    Status.ESME_RINVSYSTYP: "check system_type in the carrier's [[carrier]]; many carriers want it empty",
    Status.ESME_RINVBNDSTS: "check bind: the carrier may allow another kind",
    Status.ESME_RTHROTTLED: "the next attempt comes later",
}


def ended(reason: str, *, refusal: Pdu | None, bind: str, was_bound: bool, with_tls: bool) -> str:
    """Explain why a connection ended, and what to change if it never bound."""
    if refusal is not None:
        hint = _after_refusal(refusal, bind)
        return f"{reason}; {hint}" if hint else reason
    if was_bound or "is not SMPP" in reason:
        return reason
    if with_tls:
        return f"{reason}, before the bind was answered: is this address allowed?"
    return f"{reason}, before the bind was answered: does the port want TLS (tls = true), and is this address allowed?"


def _after_refusal(refusal: Pdu, bind: str) -> str:
    by_nack = refusal.command == Command.GENERIC_NACK
    if bind == "transceiver" and (by_nack or refusal.status == Status.ESME_RINVCMDID):
        return f"answered by generic_nack, {_OTHER_BIND}" if by_nack else _OTHER_BIND
    return _HINTS.get(refusal.status, "")


def no_smpp(size: int) -> str:
    """Name the protocol of a peer whose first four octets, read as a PDU's length, are this number."""
    first = size.to_bytes(4, "big")
    if first[0] in _TLS_RECORDS and first[1] == 3:
        return "it speaks TLS: set tls = true"
    if first.isascii() and first.isalnum():
        return f"it begins with {first.decode()!r}: is this the port of another service?"
    return f"a PDU of {size} octets can't be"


def not_connected(error: BaseException, said: str, *, with_tls: bool) -> str:
    """Explain why a connection could not be established."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{said}: its TLS certificate is not trusted; if it is the carrier's own, set tls_ca to its file"
    if not with_tls or isinstance(error, ConnectionRefusedError | socket.gaierror):
        return said
    if isinstance(error, TimeoutError):
        return f"{said}: no TLS was agreed on; a port without TLS needs tls = false. Is this address allowed?"
    return f"{said}: no TLS was agreed on; if this is a port without TLS, set tls = false"
