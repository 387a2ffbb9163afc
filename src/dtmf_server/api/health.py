"""`/healthz` and `/readyz`: for whoever watches over the process."""

from litestar import Response, get

from dtmf_server.api import calls
from dtmf_server.api.calls import Request
from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.storage import service
from dtmf_server.storage.db import Tx


@get("/healthz", tags=["health"], summary="Alive", security=[])
async def get_healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@get("/readyz", tags=["health"], summary="Ready", security=[], responses=calls.answers(503, dict[str, str]))
async def get_readyz(request: Request) -> Response[dict[str, str]]:
    """The database answers and its tables are the newest: send traffic here. 503 otherwise, with the reason."""
    runtime = calls.runtime_of(request)

    def look(tx: Tx) -> dict[str, str]:
        return {"mode": service.mode(tx) or "not initialised", "schema": service.schema_revision(tx)}

    try:
        checks = await runtime.db.read(look)
    except StorageUnavailable as error:
        return Response({"status": "unready", "database": error.detail}, status_code=503)
    return Response({"status": "ready", "database": "ok", **checks})


ROUTES = [get_healthz, get_readyz]
