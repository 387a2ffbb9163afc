"""`/live`: Server-Sent Events that update open pages.

A received message is sent as rendered HTML. For any other event the page is notified of the change and reloads its parts.
Event ids are positions: clients resume from their last event and miss nothing.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import msgspec
from litestar import get
from litestar.response.base import ASGIResponse

from dtmf_server.core.units import DAY_US
from dtmf_server.http import long_poll, sse
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import account
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import accounts, conversations, events
from dtmf_server.storage.db import Row, Tx
from dtmf_server.web.kit import session_cookie, templating, views
from dtmf_server.web.kit.filters import sats
from dtmf_server.web.kit.pagination import digits
from dtmf_server.web.kit.views import Caller, PageHeader

LIFE_MIN_S, LIFE_MAX_S = 50, 60  # random, so that pages don't all reconnect at the same moment
_SHOWN = ("id", "inbound", "sender", "recipient", "content", "at_us", "reason")


@dataclass(frozen=True, slots=True)
class Sent:
    """An encoded event."""

    id: int
    text: bytes


@get("/live")
async def get_live(request: Request) -> ASGIResponse:
    """Stream the account's events after a position."""
    given = digits(request.query_params.get("after", ""))
    after = sse.position(request.headers.get("last-event-id", ""), 0 if given is None else given)
    account_id, found = await views.read_autocommit(request, partial(_first, after=after))
    runtime, cookie = runtime_of(request), session_cookie.value_of(request)
    stream = sse.Stream(
        runtime.db.wakeups,
        events.topic(account_id),
        partial(_read_on, runtime, cookie),
        lambda event: event.text,
        first=found,
        after=after,
        limit=None,
        life_s=random.uniform(LIFE_MIN_S, LIFE_MAX_S),  # noqa: S311 - spreads load, hides nothing
    )
    return sse.EventStream(stream)


async def _read_on(runtime: Runtime, cookie: str | None, after: int, limit: int) -> Sequence[Sent]:
    """Read the next page. Each stream checks its session again, which may have ended; streams of one account at the same
    position share one read."""
    visit = await views.read_autocommit_as(runtime, cookie, lambda _, visit: visit)

    async def read() -> list[Sent]:
        return await runtime.db.read_autocommit(partial(_page, visit=visit, after=after, limit=limit))

    return await long_poll.together((runtime.db, visit.account_id, after, limit), read)


def _first(tx: Tx, visit: Caller, *, after: int) -> tuple[int, list[Sent]]:
    return visit.account_id, _page(tx, visit, after=after, limit=sse.PAGE)


def _page(tx: Tx, visit: Caller, *, after: int, limit: int) -> list[Sent]:
    rows = events.of_account(tx, visit.account_id, after=after, limit=limit)
    ids = [row["message_id"] for row in rows if row["kind"] == "message"]
    messages = conversations.of_ids(tx, visit.account_id, ids) if ids else {}
    balance = account.balance(tx, visit.account_id, now_us=visit.now_us) if messages else 0
    frame = PageHeader(balance, accounts.debt(tx, visit.account_id), after, visit.now_us)
    return [_sent(row, messages.get(row["message_id"]), frame) for row in rows]


def _sent(row: Row, message: Row | None, frame: PageHeader) -> Sent:
    kind, data = "changed", b"{}"
    if message is not None and message["inbound"]:
        html = _piece(*(message[name] for name in _SHOWN), frame.now_us // DAY_US)
        kind, data = "message", msgspec.json.encode({"html": html, "balance": sats(frame.balance)})
    return Sent(row["id"], b"id: %d\nevent: %b\ndata: %b\n\n" % (row["id"], kind.encode(), data))


@lru_cache(maxsize=256)
def _piece(*values: Any) -> str:
    """Render a message, once a day for all open pages."""
    *shown, day = values
    return templating.fragment("arrived.html", message=dict(zip(_SHOWN, shown, strict=True)), now_us=day * DAY_US)


ROUTES = [get_live]
