"""What api, web and workers share: the open database, the clock, and the operator's settings."""

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from dtmf_server.core.deposit_rules import ConfirmationTiers
from dtmf_server.core.units import DAY_US, HOUR_US, MINUTE_US
from dtmf_server.runtime.clock import Clock
from dtmf_server.storage.db import Database

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Settings:
    """The operator's settings, in the units the operations take."""

    sandbox: bool
    signup: str = "open"  # open, invite, closed
    cooldown_us: int = DAY_US  # how long nobody else gets a number after its rental
    retention_us: int = 30 * DAY_US
    daily_limit: int | None = None  # messages an account may send within 24 hours
    confirmations: ConfirmationTiers = ((0, 2),)
    network: str | None = "simulated"  # the chain that is followed; None: no deposits
    node: str | None = field(default=None, repr=False)  # its RPC address, password included
    node_cookie: Path | None = None  # the file with its user and password
    poll_interval_s: float = 5.0  # between two looks at the chain
    doubt_us: int = 72 * HOUR_US  # how long the carrier's answer about an SMS is waited for
    parts_patience_us: int = 5 * MINUTE_US  # how long a long SMS waits for its missing parts
    requests_per_second: float | None = None  # per token and per address; None: unlimited
    request_burst: int = 100
    trusted_proxies: tuple[Network, ...] = ()
    public_url: str | None = None  # where people reach the website; None: where they say they do


@dataclass(slots=True)
class Runtime:
    """One process's view of the service."""

    db: Database
    clock: Clock
    settings: Settings
    derive: Callable[[int], tuple[str, bytes]] | None  # address and scriptPubKey of a descriptor's index
    troubles: dict[str, str] = field(default_factory=dict)  # why workers of this process do not run, by their names
