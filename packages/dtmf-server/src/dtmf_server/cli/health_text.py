"""The output of `dtmf-server doctor` about carriers, the catalog and the address gap: each problem with its fix."""

from collections.abc import Sequence

from dtmf_server.cli.stray_text import diagnosis_lines
from dtmf_server.core.units import DAY_US, MINUTE_US
from dtmf_server.operations import carrier_health, strays
from dtmf_server.operations.address_gap import AddressGap
from dtmf_server.operations.carrier_health import CatalogGap
from dtmf_server.runtime.link_text import fault_text
from dtmf_server.storage.db import Tx

BACKUP_AGE_MAX_US = 2 * DAY_US


def complaints(tx: Tx, configured: Sequence[str], *, wall_us: int) -> list[str]:
    """Describe what prevents SMS from being received or sent."""
    found = [
        f"carrier {name} has never been started with this database: start dtmf-server run or dtmf-server worker"
        for name in carrier_health.never_started(tx, configured)
    ]
    found += [
        f"{fault_text(link, wall_us=wall_us)}: no SMS is received or sent over it until this is fixed"
        for link in carrier_health.faults(tx, wall_us=wall_us)
    ]
    found += [
        f"carrier {name} has not been asked for missed SMS for {age_us // MINUTE_US} minutes: see its link and the log"
        for name, age_us in carrier_health.behind(tx, configured, wall_us=wall_us).items()
    ]
    found += diagnosis_lines(strays.diagnose(tx))
    return found + [_catalog_text(gap) for gap in carrier_health.catalog_gaps(tx, set(configured))]


def backup_lines(unprotected_since_us: int | None, *, wall_us: int) -> list[str]:
    """Describe a backup that is too old; empty if there is a recent one."""
    age_us = 0 if unprotected_since_us is None else wall_us - unprotected_since_us
    if age_us <= BACKUP_AGE_MAX_US:
        return []
    return [f"there has been no backup for {age_us // DAY_US} days: run dtmf-server backup --every 6h DIR"]


def doubt_lines(in_doubt: int) -> list[str]:
    """Describe how many SMS are in doubt and what to do if there are many; empty if there are none."""
    if not in_doubt:
        return []
    said = (
        "1 SMS is in doubt: its carrier has" if in_doubt == 1 else f"{in_doubt} SMS are in doubt: their carriers have"
    )
    return [f"{said} not confirmed the submission; if this is frequent, raise response_s of [[carrier]]"]


def gap_lines(gap: AddressGap) -> list[str]:
    """Describe the address gap; empty before the first address."""
    if not gap.last:
        return []
    return [
        f"address gap: {gap.size} (highest index issued {gap.last}, highest paid {gap.paid};"
        f" {gap.unpaid} addresses are waiting for their first deposit)"
    ]


def gap_complaints(gap: AddressGap) -> list[str]:
    """Describe what is wrong with the address gap."""
    found = []
    if gap.is_wide:
        found.append(
            f"the address gap is {gap.size}: raise your wallet's gap limit above it, and save the highest"
            f" index, {gap.last}, for `dtmf-server init --index {gap.last}`"
        )
    if gap.has_many_unpaid:
        found.append(
            f"{gap.unpaid} addresses are waiting for their first deposit: if sign-up is open, someone may be requesting many"
        )
    return found


def _catalog_text(gap: CatalogGap) -> str:
    match gap:
        case carrier_health.NoGroups():
            return "there are no groups, so nothing can be rented: run dtmf-server groups import FILE"
        case carrier_health.NoPrices():
            return "no destination has a price, so nothing can be sent: run dtmf-server prices import FILE"
        case carrier_health.GroupWithoutNumbers(group_id):
            return f"group {group_id} has no numbers: run dtmf-server numbers import FILE"
        case carrier_health.GroupRentedOut(group_id):
            return f"every number of group {group_id} is rented: the next request to rent one will fail"
        case carrier_health.UnknownCarrier(group_id, carrier):
            return f"group {group_id} sends with carrier {carrier}, which is not configured"
