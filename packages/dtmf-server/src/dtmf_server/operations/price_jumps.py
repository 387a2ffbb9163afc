"""Changes of prices by a factor of 10 or more, which are usually a wrong unit or a slipped digit. The operator confirms them."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal

from dtmf_server.operations import pegged_columns

FACTOR = 10
IN_SATS = {"setup_cost", "rental_cost_per_minute", "cost_per_inbound_message", "monthly_cap", "cost_per_segment"}
COLUMNS = IN_SATS | pegged_columns.PRICES.keys()


@dataclass(frozen=True, slots=True)
class Change:
    """A value that an import changes, in one item."""

    key: str
    column: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class PriceJump:
    """A price that changes by a factor of 10 or more. `key`: the group or prefix that it is of."""

    key: str
    column: str
    before: Decimal  # in satoshis, or in cents
    after: Decimal

    @property
    def unit(self) -> str:
        """The unit of both prices."""
        return "satoshis" if self.column in IN_SATS else "cents"

    @property
    def factor(self) -> float:
        """The higher price divided by the lower one."""
        low, high = sorted((self.before, self.after))
        return float(high / low)


class _Every(frozenset[PriceJump]):
    """Contains every jump."""

    def __contains__(self, _: object) -> bool:
        return True


EVERY = _Every()


class PriceJumps(Exception):
    """Nothing was changed: these prices change by a factor of 10 or more and have not been confirmed."""

    def __init__(self, jumps: list[PriceJump]) -> None:
        super().__init__(*jumps)
        self.jumps = jumps


def require(changes: Iterable[Change], accepted: Collection[PriceJump]) -> None:
    """Raise PriceJumps if there are jumps that are not accepted."""
    found = jumps(changes)
    if any(jump not in accepted for jump in found):
        raise PriceJumps(found)


def jumps(changes: Iterable[Change]) -> list[PriceJump]:
    """Return the changes by a factor of 10 or more, between two prices above 0."""
    prices = [
        PriceJump(change.key, change.column, Decimal(change.before), Decimal(change.after))
        for change in changes
        if change.column in COLUMNS and change.before and change.after
    ]
    return [each for each in prices if min(each.before, each.after) > 0 and each.factor >= FACTOR]
