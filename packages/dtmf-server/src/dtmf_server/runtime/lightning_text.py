"""Problems of the Lightning node as text for operators."""

from dtmf_server.core.timestamps import iso
from dtmf_server.core.units import SECOND_US
from dtmf_server.operations.lightning_health import LightningHealth

LOW_INBOUND_SATS = 100_000


def fault_text(found: LightningHealth) -> str | None:
    """Describe why payments are not credited; None if they are."""
    if found.error:
        return found.error
    if found.age_us is None:
        return f"the {found.backend} node has never been reached; is a worker running?"
    if not found.is_watched:
        return f"the {found.backend} node was last polled {found.age_us // SECOND_US} s ago; is a worker running?"
    return None


def warning_texts(found: LightningHealth) -> list[str]:
    """Describe what may need attention though payments are credited."""
    said = []
    if found.inbound_sats is not None and found.inbound_sats < LOW_INBOUND_SATS:
        said.append(
            f"the Lightning node can receive only {found.inbound_sats} satoshis: larger payments fail until it has more"
            " inbound capacity"
        )
    if found.cursor_lost_wall_us is not None:
        said.append(
            f"the Lightning node's list of payments went backwards at {iso(found.cursor_lost_wall_us)}: it was restored from a"
            f" backup. Unsettled invoices are looked up one by one; {found.overdue_look_ups} are due"
        )
    if found.of_other_nodes:
        said.append(
            f"{found.of_other_nodes} open invoices were created at another Lightning node: configure it again until they"
            " have expired, or their payments are not credited"
        )
    return said
