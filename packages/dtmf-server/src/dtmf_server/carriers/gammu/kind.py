"""The carrier kind "gammu": build a carrier from its settings."""

from dtmf_server.carriers.gammu.carrier import GammuCarrier
from dtmf_server.carriers.gammu.settings import GammuSettings
from dtmf_server.carriers.registry import CarrierKind

KIND = CarrierKind("gammu", GammuSettings, GammuCarrier)
