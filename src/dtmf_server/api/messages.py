"""`/message` and `/messages`: sending, and reading what came and went."""

import asyncio
from collections.abc import Callable
from typing import Annotated

from litestar import Response, get, post
from litestar.params import QueryParameter

from dtmf_server.api import asked, body, calls, wire
from dtmf_server.api.account import After, Limit
from dtmf_server.api.calls import Request
from dtmf_server.core.errors import NumberNotRented
from dtmf_server.operations import send
from dtmf_server.operations.idempotent import Answer
from dtmf_server.storage import events, messages, rentals
from dtmf_server.storage.db import Tx

WAIT_MAX_S = 60


@post(
    "/message",
    tags=["messages"],
    summary="Send an SMS",
    operation_class=body.documents(asked.NewMessage),
    responses=calls.answers(204) | calls.answers(201, wire.FullMessage),
    status_code=204,
)
async def post_message(request: Request) -> Response[None]:
    """Queues an SMS from a rented number: 204 once it is durable, or 201 and the message with
    `Prefer: return=representation`."""
    raw = await request.body()
    new = body.decode(raw, asked.NewMessage)
    sender, to = body.e164("from", new.from_), body.e164("to", new.to)
    content = body.text("content", new.content)
    settings = calls.runtime_of(request).settings
    wanted = "return=representation" in request.headers.get("prefer", "").replace(" ", "").lower()

    def queue(tx: Tx, caller: calls.Caller) -> Answer:
        message = send.send(
            tx,
            caller.account_id,
            sender=sender,
            to=to,
            content=content,
            now_us=caller.now_us,
            rest_us=settings.rest_us,
            daily_limit=settings.daily_limit,
        )
        return calls.answer(201, wire.full_message(message)) if wanted else calls.answer(204)

    return await calls.write(request, queue, body=raw)


@get("/messages", tags=["messages"], summary="Messages of all rentals, or of one number")
async def get_messages(
    request: Request,
    e164: Annotated[str | None, QueryParameter(name="e164", description="only of this number")] = None,
    after: After = 0,
    limit: Limit = 100,
    wait: Annotated[
        float, QueryParameter(ge=0, le=WAIT_MAX_S, description="seconds to wait if there is nothing yet")
    ] = 0,
) -> list[wire.FullMessage]:
    """Full messages with ids above `after`, newest last. Texts are null once they were erased."""
    if e164 is not None:
        body.e164("e164", e164)

    def page(tx: Tx, caller: calls.Caller) -> tuple[int, list[wire.FullMessage]]:
        if e164 is None:
            rows = messages.of_account(tx, caller.account_id, after=after, limit=limit)
        else:
            rental_ids = rentals.ids_of_number(tx, caller.account_id, e164)
            if not rental_ids:
                raise NumberNotRented(f"this account has never rented {e164}")
            rows = messages.of_rentals(tx, rental_ids, after=after, limit=limit)
        return caller.account_id, [wire.full_message(row) for row in rows]

    account_id, found = await calls.read(request, page)
    if found or not wait:
        return found
    return await _wait(request, account_id, page, wait_s=wait)


async def _wait(
    request: Request,
    account_id: int,
    page: Callable[[Tx, calls.Caller], tuple[int, list[wire.FullMessage]]],
    *,
    wait_s: float,
) -> list[wire.FullMessage]:
    """The page as soon as it has something, or the empty one when the time is over."""
    wakeups = calls.runtime_of(request).db.wakeups
    topic = events.topic(account_id)
    woken = wakeups.listen(topic)
    try:
        async with asyncio.timeout(wait_s):
            while True:
                woken.clear()
                _, found = await calls.read(request, page)
                if found or wakeups.stopping:
                    return found
                await woken.wait()
    except TimeoutError:
        return []
    finally:
        wakeups.unlisten(woken)


ROUTES = [post_message, get_messages]
