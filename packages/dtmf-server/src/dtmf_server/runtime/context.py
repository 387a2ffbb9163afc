"""What API, website and workers share: the open database, the clock, and the operator's settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Protocol

from dtmf_server.core.deposit_rules import ConfirmationTiers
from dtmf_server.core.number_supply import DEFAULT_RULES, SupplyRules
from dtmf_server.core.pegged import PriceTerms
from dtmf_server.core.refunds import DEFAULT_CAPS, RefundCaps
from dtmf_server.core.trace import Trace
from dtmf_server.core.units import DAY_US, HOUR_US, MINUTE_US
from dtmf_server.runtime.clock import Clock
from dtmf_server.runtime.request_log import RequestLog
from dtmf_server.storage.db import Database

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """Where alerts are posted, the secret that signs them, and whether that may be an address of this machine."""

    webhook: str
    secret: str = field(repr=False)
    allow_loopback: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """The operator's settings, in the units that operations use."""

    sandbox: bool
    signup: str = "open"  # open, invite, closed
    paid_signup: bool = False  # whether a Lightning payment opens an account
    cooldown_us: int = DAY_US  # cooldown: how long only the last renter can rent a number again
    retention_us: int = 30 * DAY_US
    request_retention_us: int = 30 * DAY_US  # how long the record of an API request is stored; 0: not recorded
    daily_limit: int | None = None  # messages that an account may send within 24 hours
    confirmations: ConfirmationTiers = ((0, 2),)
    network: str | None = "simulated"  # the chain that is followed; None: no deposits
    node: str | None = field(default=None, repr=False)  # its RPC URL, including the password
    node_cookie: Path | None = None  # the file with its user name and password
    poll_interval_s: float = 5.0  # between two polls of the node
    doubt_us: int = 72 * HOUR_US  # how long to wait for the carrier's answer about an SMS
    parts_patience_us: int = 5 * MINUTE_US  # how long a long SMS waits for its missing parts
    requests_per_second: float | None = None  # per token and per address; None: unlimited
    request_burst: int = 100
    trusted_proxies: tuple[Network, ...] = ()
    supply: SupplyRules = DEFAULT_RULES
    refund_caps: RefundCaps = DEFAULT_CAPS
    credit_per_day_sats: int = 100_000  # what operators may credit on a UTC day, and the same for debits
    alerts: AlertSettings | None = None
    price_days: int = 30  # how long a price of a rental in a pegged group applies
    rate_grace_us: int = 6 * HOUR_US  # how long the last prices of a pegged group are used after its rate was confirmed
    public_url: str | None = None  # the website's public URL; None: taken from each request


class InvoiceCreator(Protocol):
    """Creates invoices at the configured Lightning node."""

    @property
    def description(self) -> str:
        """The description of every invoice."""

    @property
    def expiry_s(self) -> int:
        """How long an invoice can be paid."""

    @property
    def is_simulated(self) -> bool:
        """Whether the node is the sandbox's own."""

    async def complete(self, invoice_id: int, *, is_new: bool) -> None:
        """Create a wanted invoice at the node and store it, unless it is stored. `is_new`: the node was not asked before.

        Raises InvoiceRefused, LightningUnavailable.
        """


class Rates(Protocol):
    """The price of one bitcoin in the operator's currency."""

    @property
    def currency(self) -> str:
        """The code of the currency in ISO 4217."""

    async def current_rate(self) -> Decimal:
        """Return the price of one bitcoin. Raises RateUnavailable."""


@dataclass(slots=True)
class Runtime:
    """The service as one process sees it."""

    db: Database
    clock: Clock
    settings: Settings
    derive: Callable[[int], tuple[str, bytes]] | None  # returns address and scriptPubKey for an index of the descriptor
    troubles: dict[str, str] = field(default_factory=dict)  # why a worker is not running, by its name
    traces: Mapping[str, Trace] = field(default_factory=dict)  # the recorder of each carrier's traffic
    invoices: InvoiceCreator | None = None  # None: no Lightning
    rates: Rates | None = None  # None: amounts in satoshis only
    request_log: RequestLog = field(default_factory=RequestLog)
    folder: Path | None = None  # of the SQLite file; None: the database is on a server

    def price_terms(self) -> PriceTerms:
        """Return the terms of a rental in a pegged group that starts now."""
        return PriceTerms(self.settings.price_days, self.clock.wall_us() - self.settings.rate_grace_us)
