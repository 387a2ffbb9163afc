"""The carrier kind "android": a phone with the app android-sms-gateway."""

from dtmf_server.carriers.android.carrier import AndroidCarrier
from dtmf_server.carriers.android.settings import AndroidSettings
from dtmf_server.carriers.registry import CarrierKind

KIND = CarrierKind("android", AndroidSettings, AndroidCarrier, receives_callbacks=True)
