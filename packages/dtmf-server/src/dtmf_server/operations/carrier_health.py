"""How carriers stand, in words: for /readyz, and for the operator who asks what is wrong."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from dtmf_server.core.repeats import duration
from dtmf_server.core.units import DAY_US, SECOND_US
from dtmf_server.operations import strays
from dtmf_server.storage import carriers, in_flight, numbers
from dtmf_server.storage.db import Row, Tx

STALE_US = 30 * SECOND_US  # a link of which nobody has written for so long is run by nobody


def faults(tx: Tx, *, wall_us: int) -> list[str]:
    """What is wrong with each link that is not up; nothing when all are."""
    return [fault for row in carriers.links(tx) if (fault := _fault(row, wall_us=wall_us))]


def lines(tx: Tx, *, wall_us: int) -> list[str]:
    """Each link on a line: state, how long, last heard, in, out, errors, p95 of the acknowledgement."""
    return [
        f"{row['link']}: {_standing(row, wall_us=wall_us)}, {row['arrived']} in, {row['submitted']} out,"
        f" {row['errors']} errors, p95 {row['p95_us'] / 1000:.1f} ms" + (f" ({row['reason']})" if row["reason"] else "")
        for row in carriers.links(tx)
    ]


def doctor(tx: Tx, configured: Sequence[str], *, wall_us: int) -> list[str]:
    """What keeps SMS from arriving or leaving, each with what to do about it."""
    known = {row["carrier"] for row in carriers.links(tx)}
    found = [
        f"carrier {name} was never started with this database: run dtmf-server run or dtmf-server worker"
        for name in configured
        if name not in known
    ]
    found += [f"{fault}: no SMS comes or goes over it until that is mended" for fault in faults(tx, wall_us=wall_us)]
    return [*found, *strays.doctor(tx), *_catalog(tx, set(configured))]


def doubts(tx: Tx) -> list[str]:
    """How many SMS are in doubt, and what to do if there are many; nothing when none is."""
    count = in_flight.count_in_doubt(tx)
    if not count:
        return []
    said = "1 SMS is in doubt: its carrier has" if count == 1 else f"{count} SMS are in doubt: their carriers have"
    return [f"{said} not answered whether it was taken; if this is frequent, raise response_s of [[carrier]]"]


def _catalog(tx: Tx, configured: Collection[str]) -> list[str]:
    stock = numbers.inventory(tx)
    found = []
    if not stock:
        found.append("there are no groups, so nobody can rent: dtmf-server groups import FILE")
    for row in stock:
        if not row["numbers"]:
            found.append(f"group {row['id']} has no numbers: dtmf-server numbers import FILE")
        elif row["numbers"] == row["rented"]:
            found.append(f"every number of group {row['id']} is rented: the next renter is turned away")
        found += [
            f"group {row['id']} sends by carrier {name}, which the configuration does not have"
            for name in row["carriers"].split()
            if name not in configured
        ]
    if not numbers.count_destinations(tx):
        found.append("no destination has a price, so nobody can send: dtmf-server prices import FILE")
    return found


def _fault(row: Row, *, wall_us: int) -> str:
    if not _is_fresh(row, wall_us=wall_us):
        return f"{row['link']} is run by no process"
    if row["state"] == "bound":
        return ""
    state = row["state"] if row["heard_wall_us"] else _connecting(row, wall_us=wall_us)
    return f"{row['link']} is {state}" + (f": {row['reason']}" if row["reason"] else "")


def _standing(row: Row, *, wall_us: int) -> str:
    """Its state, for how long, and when it was last heard."""
    heard = f"heard {_ago(wall_us - row['heard_wall_us'])} ago" if row["heard_wall_us"] else "heard never"
    if not _is_fresh(row, wall_us=wall_us):
        return f"run by no process since {_time(row['noted_wall_us'], wall_us=wall_us)}, {heard}"
    if not row["heard_wall_us"]:
        return _connecting(row, wall_us=wall_us)
    return f"{row['state']} for {_ago(wall_us - row['since_wall_us'])}, {heard}"


def _connecting(row: Row, *, wall_us: int) -> str:
    """Of a link that was never up: it has been tried since the process began."""
    return f"connecting since {_time(row['since_wall_us'], wall_us=wall_us)}" if row["since_wall_us"] else "connecting"


def _time(at_us: int, *, wall_us: int) -> str:
    """A time of the last day without its date."""
    at = datetime.fromtimestamp(at_us // SECOND_US, UTC)
    return f"{at:%H:%M:%S} UTC" if wall_us - at_us < DAY_US else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _is_fresh(row: Row, *, wall_us: int) -> bool:
    return bool(wall_us - row["noted_wall_us"] < STALE_US)


def _ago(us: int) -> str:
    return duration(us / SECOND_US)
