"""`/events`: the account's events after a position, as a stream or a list."""

from functools import partial
from typing import Annotated, Literal

from litestar import get
from litestar.params import QueryParameter
from litestar.response.base import ASGIResponse

from dtmf_server.api import transactions
from dtmf_server.api.pagination import After
from dtmf_server.api.schemas import event, responses
from dtmf_server.api.schemas.event import Event
from dtmf_server.http import sse
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import events
from dtmf_server.storage.db import Tx

NO_STORE = {"Cache-Control": "no-store"}


@get(
    "/events",
    tags=["events"],
    summary="Stream or list events",
    responses=transactions.answers(200, list[Event]),
    opt={"event_stream": True},
)
async def get_events(
    request: Request,
    after: After = 0,
    limit: Annotated[
        int | None, QueryParameter(ge=1, le=1000, description="maximum number of events; default for a list: 100")
    ] = None,
    wait: Annotated[
        float | None,
        QueryParameter(
            ge=0,
            le=sse.WAIT_MAX_S,
            description="seconds: how long a stream stays open (default 60), or how long a list waits for the first"
            " event (default 0)",
            schema_extra={"minimum": 0},
        ),
    ] = None,
    kind: Annotated[
        Literal["deposit.credited"] | None, QueryParameter(description="only events of this kind; default: all")
    ] = None,
) -> ASGIResponse:
    """Return events with ids above `after`, oldest first. By default a stream of Server-Sent Events: stored events, then
    new ones as they happen. With `Accept: application/json`, a list. `Last-Event-ID` overrides `after`."""
    after = sse.position(request.headers.get("last-event-id", ""), after)
    as_list = _wants_list(request.headers.get("accept", ""))
    size = min(limit or (100 if as_list else sse.PAGE), sse.PAGE if not as_list else 1000)

    def first(tx: Tx, caller: transactions.Caller) -> tuple[transactions.Caller, list[Event]]:
        return caller, event.page(tx, caller.account_id, after=after, limit=size, only_credited=bool(kind))

    runtime, bearer = runtime_of(request), transactions.bearer(request)
    caller, found = await transactions.read(request, first)
    wakeups, topic, read_on = (
        runtime.db.wakeups,
        events.topic(caller.account_id),
        partial(_read_on, runtime, bearer, bool(kind)),
    )
    if not as_list:
        life_s = min(sse.WAIT_MAX_S if wait is None else wait, transactions.until_expiry_s(request, caller))
        written = event.server_sent
        stream = sse.Stream(wakeups, topic, read_on, written, first=found, after=after, limit=limit, life_s=life_s)
        return sse.EventStream(stream)
    if not found and wait:
        found = await transactions.poll(
            request, caller, partial(read_on, after, size), wait_s=wait, question=("events", kind, after, size)
        )
    return ASGIResponse(body=responses.encode(found), media_type="application/json", headers=NO_STORE)


async def _read_on(
    runtime: Runtime, bearer: transactions.Bearer, only_credited: bool, after: int, limit: int
) -> list[Event]:
    """Read more events with the bearer token, which may have been revoked."""
    return await transactions.read_autocommit_as(
        runtime,
        bearer,
        lambda tx, caller: event.page(tx, caller.account_id, after=after, limit=limit, only_credited=only_credited),
    )


def _wants_list(accept: str) -> bool:
    kinds = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    return "application/json" in kinds and "text/event-stream" not in kinds


ROUTES = [get_events]
