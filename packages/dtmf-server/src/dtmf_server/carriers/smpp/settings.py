"""The settings of `[[carrier]] kind = "smpp"`."""

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from dtmf_server.carriers.smpp import vendor
from dtmf_server.config.carrier import CarrierSettings
from dtmf_server.config.section import setting
from dtmf_server.config.types import Host, Port, YesNo
from dtmf_server.core.hosts import is_loopback
from dtmf_server.core.submission import retries

_ROOMS = {"system_id": 15, "password": 8, "system_type": 12}  # characters that SMPP 3.4 §4.1.1 has room for

Ton = Annotated[int, Meta(ge=0, le=6, description="a type of number, from 0 to 6")]
Npi = Annotated[int, Meta(ge=0, le=18, description="a numbering plan, from 0 to 18")]


def _is_name(value: str) -> bool:
    return _is_c_string(64)(value)


def _is_c_string(limit: int) -> Callable[[str], bool]:
    return lambda value: len(value) <= limit and value.isascii() and (value.isprintable() or not value)


def _is_host_and_port(value: str) -> bool:
    try:
        vendor.host_and_port(value, 1)
    except ValueError:
        return False
    return True


class SmppSettings(CarrierSettings, frozen=True, kw_only=True):
    """An SMSC to bind to."""

    host: Host
    system_id: Annotated[str, setting("the ASCII name that the carrier gave, up to 64 characters", _is_name)]
    password: Annotated[
        str, setting("the ASCII password that the carrier gave, up to 64 characters", _is_name, secret=True)
    ]
    port: Port = 2775
    # Tried in this order after `host` when it can't be reached or refuses the bind.
    backup_hosts: Annotated[
        tuple[str, ...],
        setting("a list of hosts like 'smsc2.example.net' or 'smsc2.example.net:2776'", _is_host_and_port),
    ] = ()
    bind: Annotated[
        Literal["transceiver", "receiver", "transmitter", "transmitter+receiver"],
        Meta(description="'transceiver', 'receiver', 'transmitter' or 'transmitter+receiver'"),
    ] = "transceiver"
    links: Annotated[int, Meta(ge=1, le=16, description="how many of these binds, from 1 to 16")] = 1
    submits_per_s: Annotated[
        float, Meta(ge=0, le=10_000, description="submits a second on each bind, up to 10000; 0 for no limit")
    ] = 0.0
    window: Annotated[int, Meta(ge=1, le=1000, description="a whole number from 1 to 1000")] = 50
    system_type: Annotated[
        str | None, setting("the ASCII system_type that the carrier gave, up to 64 characters", _is_name)
    ] = None
    address_range: Annotated[
        str | None, setting("the ASCII address_range that the carrier gave, up to 40 characters", _is_c_string(40))
    ] = None  # SMPP 3.4 §5.2.7
    service_type: Annotated[
        str | None, setting("the ASCII service_type that the carrier gave, up to 5 characters", _is_c_string(5))
    ] = None  # SMPP 3.4 §5.2.11
    # Receipts are matched for 8 days, so no SMS may be in transit for longer.
    validity_period_h: Annotated[int, Meta(ge=1, le=168, description="whole hours from 1 to 168")] = 72
    tls: YesNo = False
    tls_ca: Annotated[str | None, setting("a file of certificates to trust instead of the system's")] = None
    # The meaning of data_coding 0 at this SMSC, and the format it expects for long messages.
    alphabet: Annotated[
        Literal["gsm7", "latin1", "ascii", "utf8"], Meta(description="'gsm7', 'latin1', 'ascii' or 'utf8'")
    ] = "gsm7"
    segmentation: Annotated[
        Literal["udh8", "udh16", "sar", "payload"], Meta(description="'udh8', 'udh16', 'sar' or 'payload'")
    ] = "udh8"
    # The carrier's values of data_coding, where they differ from SMPP 3.4 §5.2.19.
    data_coding: Annotated[
        dict[str, Any], Meta(description='a table like { 0xf5 = "ucs2" }: how to read SMS with this data_coding')
    ] = msgspec.field(default_factory=dict)
    default_data_coding: Annotated[int, Meta(ge=0, le=255, description="a data_coding from 0 to 255")] = 0
    ucs2_data_coding: Annotated[int, Meta(ge=0, le=255, description="a data_coding from 0 to 255")] = 8
    # TLVs of each submit_sm, like India's DLT entity ID (0x1400) and template ID (0x1401).
    tlvs: Annotated[
        dict[str, Any], Meta(description="a table like { 0x1400 = \"1101\" } of texts, or of 'hex:' with octets")
    ] = msgspec.field(default_factory=dict)
    tlvs_by_sender: Annotated[
        dict[str, Any], Meta(description="a table of such tables by number, which replace or extend `tlvs`")
    ] = msgspec.field(default_factory=dict)
    receipt_words: Annotated[
        dict[str, Any],
        Meta(
            description="a table like { DLVD = \"delivered\" }, of 'delivered', 'failed' and 'pending' by status word"
        ),
    ] = msgspec.field(default_factory=dict)
    receipt_pattern: Annotated[
        str | None,
        setting("a regular expression with the groups id and stat, like 'ref=(?P<id>\\w+) s=(?P<stat>\\w+)'"),
    ] = None
    # Completes national numbers received from the carrier.
    country_code: Annotated[
        str | None, setting("the digits of a country code, like 44", re.compile(r"[1-9][0-9]{0,2}\Z").match)
    ] = None
    source_ton: Ton = 1
    source_npi: Npi = 1
    dest_ton: Ton = 1
    dest_npi: Npi = 1
    receipts: YesNo = True
    enquire_s: Annotated[int, Meta(ge=1, le=3600, description="whole seconds from 1 to 3600")] = 30
    response_s: Annotated[int, Meta(ge=1, le=120, description="whole seconds from 1 to 120")] = 10
    # By command_status: overrides of the default table in docs/operations/carriers.md.
    retry: Annotated[
        dict[str, Any],
        Meta(description="a table like { 0x45 = \"temporary\" }, of 'temporary', 'link' and 'final' by command_status"),
    ] = msgspec.field(default_factory=dict)

    def disagreements(self, *, is_sandbox: bool) -> Iterator[tuple[str, str]]:
        """Yield invalid entries of tables, `tls_ca` without TLS, and in a sandbox an SMSC that is not on loopback."""
        try:
            retries(self.retry)
        except ValueError as error:
            yield "retry", str(error)
        yield from vendor.complaints(msgspec.structs.asdict(self))
        if self.tls_ca is not None and not self.tls:
            yield "tls_ca", "needs tls = true"
        hosts = [("host", self.host)]
        hosts += [("backup_hosts", vendor.host_and_port(each, self.port)[0]) for each in self.backup_hosts]
        for key, host in hosts:
            if is_sandbox and not is_loopback(host):
                yield key, "is not this machine: a sandbox has carriers on loopback only"

    def warnings(self) -> Iterator[str]:
        """Yield a warning for each name longer than the specification allows. They are sent unchanged."""
        for name, room in _ROOMS.items():
            value = getattr(self, name)
            if value is not None and len(value) > room:
                yield (
                    f"{name} has {len(value)} characters, and SMPP 3.4 allows {room}; if the bind is"
                    " refused, ask the carrier for a shorter one"
                )

    def delivery_max_h(self) -> int:
        """Return the validity period."""
        return self.validity_period_h
