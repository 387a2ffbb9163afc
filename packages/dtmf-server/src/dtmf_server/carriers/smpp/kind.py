"""The carrier kind "smpp": build a carrier from its settings."""

import ssl

from dtmf_server.carriers.registry import CarrierContext, CarrierKind
from dtmf_server.carriers.smpp import vendor
from dtmf_server.carriers.smpp.carrier import SmppCarrier, Smsc
from dtmf_server.carriers.smpp.events import Times
from dtmf_server.carriers.smpp.settings import SmppSettings
from dtmf_server.core.errors import CannotStart
from dtmf_server.core.submission import retries


def build(settings: SmppSettings, context: CarrierContext) -> SmppCarrier:
    """Return the carrier, not connected yet. Raises CannotStart if the TLS certificates can't be read."""
    return SmppCarrier(
        _smsc(settings),
        new_id=context.new_id,
        uniform=context.uniform,
        wall_us=context.wall_us,
        trace=context.trace,
    )


def _smsc(carrier: SmppSettings) -> Smsc:
    tls = None
    if carrier.tls:
        try:
            tls = ssl.create_default_context(cafile=carrier.tls_ca)
        except OSError as error:
            raise CannotStart(f"carrier {carrier.name}: tls_ca {carrier.tls_ca}: {error.strerror or error}") from error
    return Smsc(
        name=carrier.name,
        host=carrier.host,
        port=carrier.port,
        system_id=carrier.system_id,
        password=carrier.password,
        system_type=carrier.system_type or "",
        address_range=carrier.address_range or "",
        service_type=carrier.service_type or "",
        validity_h=carrier.validity_period_h,
        binds=tuple(carrier.bind.split("+")) * carrier.links,
        window=carrier.window,
        tls=tls,
        alphabet=carrier.alphabet,
        segmentation=carrier.segmentation,
        country_code=carrier.country_code or "",
        source_ton=carrier.source_ton,
        source_npi=carrier.source_npi,
        dest_ton=carrier.dest_ton,
        dest_npi=carrier.dest_npi,
        receipts=carrier.receipts,
        retry=retries(carrier.retry),
        backups=tuple(vendor.host_and_port(each, carrier.port) for each in carrier.backup_hosts),
        submits_per_s=carrier.submits_per_s,
        codings=vendor.data_codings(carrier.data_coding),
        sent_codings={0x00: carrier.default_data_coding, 0x08: carrier.ucs2_data_coding},
        tlvs=dict(vendor.tlvs(carrier.tlvs)),
        tlvs_by_sender={sender: dict(each) for sender, each in vendor.tlvs_by_sender(carrier.tlvs_by_sender).items()},
        receipt_rules=vendor.ReceiptRules(
            vendor.receipt_words(carrier.receipt_words),
            vendor.receipt_pattern(carrier.receipt_pattern) if carrier.receipt_pattern else None,
        ),
        times=Times(response_s=carrier.response_s, enquire_s=carrier.enquire_s),
    )


KIND = CarrierKind("smpp", SmppSettings, build)
