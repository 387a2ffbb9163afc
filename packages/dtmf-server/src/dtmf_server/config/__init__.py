"""The operator's configuration: `load` reads and checks it."""

from dtmf_server.config.schema import (
    Bitcoin,
    Carrier,
    Config,
    Database,
    Limits,
    Messages,
    Metrics,
    Rest,
    Retention,
    Server,
    Signup,
    load,
    warnings,
)
from dtmf_server.config.source import ConfigError

__all__ = [
    "Bitcoin",
    "Carrier",
    "Config",
    "ConfigError",
    "Database",
    "Limits",
    "Messages",
    "Metrics",
    "Rest",
    "Retention",
    "Server",
    "Signup",
    "load",
    "warnings",
]
