"""`/healthz` and `/readyz`: liveness and readiness checks for monitoring."""

from litestar import Response, get

from dtmf_server.api import transactions
from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.core.units import SECOND_US
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import carrier_health, lightning_health
from dtmf_server.runtime.context import Runtime
from dtmf_server.runtime.lightning_text import fault_text as fault_of_lightning
from dtmf_server.runtime.link_text import fault_text
from dtmf_server.storage import chain, instance
from dtmf_server.storage import chain as stored_chain
from dtmf_server.storage.db import Tx

SCANNER_AGE_MAX_S = 120.0  # plus two poll intervals: time for two polls that take as long as allowed


@get("/healthz", tags=["health"], summary="Check liveness", security=[])
async def get_healthz() -> dict[str, str]:
    """Return 200 while the process runs."""
    return {"status": "ok"}


@get(
    "/readyz",
    tags=["health"],
    summary="Check readiness",
    security=[],
    responses=transactions.answers(503, dict[str, str]),
)
async def get_readyz(request: Request) -> Response[dict[str, str]]:
    """Return 200 if the database answers and its schema is current, 503 with the reason otherwise.

    A carrier link that is down makes the status `degraded`, with the reason, but not unready: waiting SMS are sent later.
    """
    runtime = runtime_of(request)

    wall_us = runtime.clock.wall_us()

    def look(tx: Tx) -> dict[str, str]:
        faults = [fault_text(link, wall_us=wall_us) for link in carrier_health.faults(tx, wall_us=wall_us)]
        checks = {"mode": instance.mode(tx) or "not initialised", "schema": instance.schema_revision(tx)}
        checks |= {"status": "degraded", "carriers": "; ".join(faults)} if faults else {}
        if runtime.troubles:
            troubles = "; ".join(f"{name}: {reason}" for name, reason in runtime.troubles.items())
            checks |= {"status": "degraded", "workers": troubles}
        checks |= _lightning(tx, runtime, wall_us=wall_us)
        return checks | _chain(tx, wall_us=wall_us, age_max_s=SCANNER_AGE_MAX_S + 2 * runtime.settings.poll_interval_s)

    try:
        checks = await runtime.db.read(look)
    except StorageUnavailable as error:
        troubles = {"workers": "; ".join(f"{name}: {reason}" for name, reason in runtime.troubles.items())}
        unready = {"status": "unready", "database": error.detail}
        return Response(unready | (troubles if runtime.troubles else {}), status_code=503)
    return Response({"status": "ready", "database": "ok", **checks})


def _chain(tx: Tx, *, wall_us: int, age_max_s: float) -> dict[str, str]:
    """Check that the real chain is followed. An unreachable node is degraded, not unready: SMS and rentals keep working."""
    state = chain.load(tx)
    if state is None or state["network"] == "simulated":
        return {}
    followed = stored_chain.tip(tx)
    age_s = None if state["polled_at_us"] is None else (wall_us - state["polled_at_us"]) / SECOND_US
    if age_s is None or age_s > age_max_s:
        said = "degraded: the node is not being polled; is a worker running?"
    else:
        said = f"degraded: {state['last_error']}" if state["last_error"] else "ok"
    return {
        "chain": said,
        "chain_height": str(followed["height"]) if followed else "none",
        "chain_node_height": str(state["node_height"] or "unknown"),
        "chain_age_s": "never" if age_s is None else f"{age_s:.0f}",
    }


def _lightning(tx: Tx, runtime: Runtime, *, wall_us: int) -> dict[str, str]:
    """Check that a real Lightning node is watched. An unreachable one is degraded, not unready."""
    found = lightning_health.health(tx, wall_us=wall_us, now_us=runtime.clock.now_us(tx))
    if found is None or runtime.invoices is None:
        return {}
    fault = fault_of_lightning(found)
    return {
        "lightning": f"degraded: {fault}" if fault else "ok",
        "lightning_inbound_sats": "unknown" if found.inbound_sats is None else str(found.inbound_sats),
        "lightning_age_s": "never" if found.age_us is None else f"{found.age_us / SECOND_US:.0f}",
    }


ROUTES = [get_healthz, get_readyz]
