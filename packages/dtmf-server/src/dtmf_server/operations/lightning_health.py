"""The state of the configured Lightning node, for /readyz, doctor and metrics."""

from dataclasses import dataclass

from dtmf_server.core.lightning import MSAT
from dtmf_server.storage import invoices, lightning_nodes
from dtmf_server.storage.db import Tx

AGE_MAX_US = 120_000_000  # of the last poll: longer means that nothing watches the node
SIMULATOR = "simulator"


@dataclass(frozen=True, slots=True)
class LightningHealth:
    """The node as the invoice watcher last saw it, and its invoices. `age_us`: since the last successful poll."""

    backend: str
    identity: str | None  # None: it was never reached
    age_us: int | None
    error: str | None
    inbound_sats: int | None
    cursor_lost_wall_us: int | None
    open_invoices: int
    overdue_look_ups: int
    of_other_nodes: int  # open invoices that this node does not know

    @property
    def is_watched(self) -> bool:
        """Whether the node was polled a short time ago."""
        return self.age_us is not None and self.age_us <= AGE_MAX_US

    @property
    def is_reachable(self) -> bool:
        """Whether the last poll succeeded, a short time ago."""
        return self.is_watched and self.error is None


def health(tx: Tx, *, wall_us: int, now_us: int) -> LightningHealth | None:
    """Return the state of a real node; None if there is none."""
    state = lightning_nodes.state(tx)
    if state is None or state["backend"] == SIMULATOR:
        return None
    counts = invoices.counts(tx, now_us=now_us, node_id=state["node_id"])
    return LightningHealth(
        backend=state["backend"],
        identity=state["identity"],
        age_us=None if state["polled_wall_us"] is None else wall_us - state["polled_wall_us"],
        error=state["last_error"],
        inbound_sats=None if state["inbound_msat"] is None else state["inbound_msat"] // MSAT,
        cursor_lost_wall_us=state["cursor_lost_wall_us"],
        open_invoices=counts["open"],
        overdue_look_ups=counts["overdue"],
        of_other_nodes=counts["foreign_ones"],
    )
