"""The operator's configuration: `load` reads and validates it."""

from dtmf_server.config.carrier import CarrierSettings
from dtmf_server.config.lightning import LightningSettings
from dtmf_server.config.schema import (
    Bitcoin,
    Config,
    Database,
    Limits,
    Messages,
    Metrics,
    Prices,
    Rest,
    Retention,
    Server,
    Signup,
    load,
    warnings,
)
from dtmf_server.config.section import setting
from dtmf_server.config.source import ConfigError

__all__ = [
    "Bitcoin",
    "CarrierSettings",
    "Config",
    "ConfigError",
    "Database",
    "LightningSettings",
    "Limits",
    "Messages",
    "Metrics",
    "Prices",
    "Rest",
    "Retention",
    "Server",
    "Signup",
    "load",
    "setting",
    "warnings",
]
