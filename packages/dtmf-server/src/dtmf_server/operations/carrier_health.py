"""The health of carriers and the catalog, for /readyz and the operator."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from dtmf_server.core.units import MINUTE_US, SECOND_US
from dtmf_server.storage import carriers, in_flight, numbers
from dtmf_server.storage.db import Row, Tx

BEHIND_US = 15 * MINUTE_US  # missed SMS are asked for every five minutes
STALE_US = 30 * SECOND_US  # a link not updated for this long is not run by any process


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """A link as its process last recorded it. Times are wall time; 0 means never."""

    carrier: str
    link: str
    state: str
    reason: str
    is_run: bool  # by any process, now
    since_wall_us: int
    heard_wall_us: int
    noted_wall_us: int
    arrived: int
    submitted: int
    errors: int
    p95_us: int  # of the acknowledgement

    @property
    def is_up(self) -> bool:
        """True if SMS can be sent and received over the link."""
        return self.is_run and self.state == "bound"


@dataclass(frozen=True, slots=True)
class NoGroups:
    """There is nothing to rent."""


@dataclass(frozen=True, slots=True)
class NoPrices:
    """No destination has a price."""


@dataclass(frozen=True, slots=True)
class GroupWithoutNumbers:
    """A group has no numbers to rent."""

    group_id: str


@dataclass(frozen=True, slots=True)
class GroupRentedOut:
    """Every number of a group is rented."""

    group_id: str


@dataclass(frozen=True, slots=True)
class UnknownCarrier:
    """A group sends with a carrier that is not configured."""

    group_id: str
    carrier: str


CatalogGap = NoGroups | NoPrices | GroupWithoutNumbers | GroupRentedOut | UnknownCarrier


def links(tx: Tx, *, wall_us: int) -> list[LinkStatus]:
    """Return every link that was ever started with this database."""
    return [_status(row, wall_us=wall_us) for row in carriers.links(tx)]


def faults(tx: Tx, *, wall_us: int) -> list[LinkStatus]:
    """Return the links that are not up."""
    return [link for link in links(tx, wall_us=wall_us) if not link.is_up]


def never_started(tx: Tx, configured: Sequence[str]) -> list[str]:
    """Return the configured carriers that were never started with this database."""
    known = {row["carrier"] for row in carriers.links(tx)}
    return [name for name in configured if name not in known]


def behind(tx: Tx, configured: Collection[str], *, wall_us: int) -> dict[str, int]:
    """Return the carriers that have not been asked for missed SMS for BEHIND_US though they can be: for how long, in
    microseconds. One that was never asked successfully is not known to be such a carrier."""
    ages_us = {name: wall_us - at_us for name, at_us in carriers.all_caught_up(tx).items()}
    return {name: age_us for name, age_us in ages_us.items() if name in configured and age_us > BEHIND_US}


def groups_of(tx: Tx, carrier: str) -> list[Row]:
    """Return the groups that may send with this carrier, each with how many numbers it has and how many are rented."""
    return [row for row in numbers.inventory(tx) if not row["carriers"] or carrier in row["carriers"].split()]


def catalog_gaps(tx: Tx, configured: Collection[str]) -> list[CatalogGap]:
    """Return what is missing in the catalog and makes rentals or sending fail."""
    return list(_catalog_gaps(tx, configured))


def count_in_doubt(tx: Tx) -> int:
    """Return the number of SMS in doubt: their carriers have not confirmed the submission."""
    return in_flight.count_in_doubt(tx)


def _catalog_gaps(tx: Tx, configured: Collection[str]) -> Iterator[CatalogGap]:
    stock = numbers.inventory(tx)
    if not stock:
        yield NoGroups()
    for row in stock:
        if not row["numbers"]:
            yield GroupWithoutNumbers(row["id"])
        elif row["numbers"] == row["rented"]:
            yield GroupRentedOut(row["id"])
        for name in row["carriers"].split():
            if name not in configured:
                yield UnknownCarrier(row["id"], name)
    if not numbers.count_destinations(tx):
        yield NoPrices()


def _status(row: Row, *, wall_us: int) -> LinkStatus:
    return LinkStatus(
        carrier=row["carrier"],
        link=row["link"],
        state=row["state"],
        reason=row["reason"],
        is_run=wall_us - row["noted_wall_us"] < STALE_US,
        since_wall_us=row["since_wall_us"],
        heard_wall_us=row["heard_wall_us"],
        noted_wall_us=row["noted_wall_us"],
        arrived=row["arrived"],
        submitted=row["submitted"],
        errors=row["errors"],
        p95_us=row["p95_us"],
    )
