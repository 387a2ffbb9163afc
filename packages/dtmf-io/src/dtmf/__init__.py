"""DTMF: rent phone numbers by the minute, paid from a prepaid balance, and read every SMS they receive.

>>> from dtmf import DTMF
>>> dtmf = DTMF("your token")
>>> dtmf.account()
{'balance': 12345}

The first call loads the network code."""

from __future__ import annotations

__version__ = "0.1.0"  # before the imports below: some of them read it

from .async_client import AsyncDTMF
from .client import DTMF
from .errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    DTMFError,
    InsufficientFundsError,
    InvalidRequestError,
    NoNumbersAvailableError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    ServerError,
    TimedOutError,
)

__all__ = [
    "DTMF",
    "AsyncDTMF",
    "AuthenticationError",
    "ConfigurationError",
    "ConnectionFailedError",
    "DTMFError",
    "InsufficientFundsError",
    "InvalidRequestError",
    "NoNumbersAvailableError",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitedError",
    "ServerError",
    "TimedOutError",
    "__version__",
]
