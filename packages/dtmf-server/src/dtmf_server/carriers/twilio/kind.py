"""The carrier kind "twilio": build a carrier from its settings."""

from dtmf_server.carriers.registry import CarrierContext, CarrierKind
from dtmf_server.carriers.twilio.carrier import TwilioCarrier
from dtmf_server.carriers.twilio.settings import TwilioSettings
from dtmf_server.core.errors import CannotStart


def build(settings: TwilioSettings, context: CarrierContext) -> TwilioCarrier:
    """Return the carrier, not connected yet. Raises CannotStart without a public URL, which Twilio signs."""
    if context.callback_url is None:
        raise CannotStart(f"carrier {settings.name}: set server.public_url, the URL at which Twilio calls this service")
    return TwilioCarrier(settings, context)


KIND = CarrierKind("twilio", TwilioSettings, build, receives_callbacks=True, sells_numbers=True)
