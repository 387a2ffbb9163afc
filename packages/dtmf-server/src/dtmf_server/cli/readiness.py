"""Lists everything that a production service lacks before its first customer can rent a number, for `dtmf-server run`."""

from collections.abc import Iterator

from dtmf_server.config import Config
from dtmf_server.storage import numbers
from dtmf_server.storage.db import Tx


def missing(tx: Tx, configuration: Config, *, config_name: str) -> list[str]:
    """Return a line for each of these that is missing, with the fix: a carrier, groups with prices, numbers, prices for
    sending, and a way to pay. A sandbox has all of them."""
    if configuration.mode == "sandbox":
        return []
    return [f"  Missing    {line}" for line in _lines(tx, configuration, f" --config {config_name}")]


def _lines(tx: Tx, configuration: Config, option: str) -> Iterator[str]:
    if not configuration.carrier:
        yield f"a carrier, so no SMS arrives: dtmf-server init{option}"
    if not numbers.group_ids(tx):
        yield f"groups with prices, so nothing can be rented: dtmf-server groups import groups.csv{option}"
    elif not numbers.count(tx):
        yield f"numbers, so nothing can be rented: dtmf-server numbers import numbers.csv{option}"
    if not numbers.count_destinations(tx):
        yield f"prices for sending, so renters can only receive: dtmf-server prices import prices.csv{option}"
    if not can_be_paid(configuration):
        fix = "[bitcoin] or [lightning] in the configuration, docs/operations/bitcoin.md"
        yield f"a way to pay, so only free groups can be rented: {fix}"


def can_be_paid(configuration: Config) -> bool:
    """Return True if renters of a production service can pay: with bitcoin, or over Lightning."""
    return configuration.bitcoin.descriptor is not None or configuration.lightning.kind is not None
