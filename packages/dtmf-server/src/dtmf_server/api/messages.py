"""`/message` and `/messages`: send an SMS, list messages."""

from typing import Annotated, Literal

from litestar import get, post
from litestar.params import QueryParameter

from dtmf_server.api import transactions
from dtmf_server.api.pagination import ID_MAX, After, Limit
from dtmf_server.api.schemas import requests, responses
from dtmf_server.api.transactions import Caller, operation
from dtmf_server.core.errors import InvalidRequest, NumberNotRented
from dtmf_server.http import sse, validation
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import send
from dtmf_server.operations.idempotency import StoredResponse
from dtmf_server.operations.rent import live_rental
from dtmf_server.storage import messages, rentals
from dtmf_server.storage.db import Tx


@operation(
    post,
    "/message",
    tags=["messages"],
    summary="Send an SMS",
    status=204,
    responses=transactions.answers(204) | transactions.answers(201, responses.FullMessage),
)
def post_message(tx: Tx, caller: Caller, new: requests.NewMessage, *, request: Request) -> StoredResponse | None:
    """Queue an SMS from a rented number. Returns 204 once it is durable or, with `Prefer: return=representation`, 201 and
    the message."""
    settings = runtime_of(request).settings
    message = send.send(
        tx,
        caller.account_id,
        sender=new.from_,
        to=new.to,
        content=new.content,
        now_us=caller.now_us,
        daily_limit=settings.daily_limit,
        sent_by=caller.token_id,
    )
    if "return=representation" not in request.headers.get("prefer", "").replace(" ", "").lower():
        return None
    return transactions.answer(201, responses.full_message(message), rental_id=message["rental_id"])


@get("/messages", tags=["messages"], summary="List messages")
async def get_messages(
    request: Request,
    e164: Annotated[str | None, QueryParameter(name="e164", description="only messages of this number")] = None,
    current: Annotated[
        bool, QueryParameter(description="only messages of the live rental of `e164`; 404 if there is none")
    ] = False,
    inbound: Annotated[
        bool | None, QueryParameter(description="true: only received messages; false: only sent ones")
    ] = None,
    order: Annotated[Literal["asc", "desc"], QueryParameter(description="oldest or newest first")] = "asc",
    after: After = 0,
    before: Annotated[int, QueryParameter(ge=1, le=ID_MAX, description="only items with a lower id")] = ID_MAX,
    limit: Limit = 100,
    wait: Annotated[
        float, QueryParameter(ge=0, le=sse.WAIT_MAX_S, description="seconds to wait for the first message")
    ] = 0,
) -> list[responses.FullMessage]:
    """Return messages with ids between `after` and `before`; with `order=asc` those with the lowest ids, oldest first, else
    those with the highest, newest first. To page through `order=desc`, pass the last id as `before`. `content` is null once
    it has been erased."""
    if e164 is not None:
        validation.e164("e164", e164)
    elif current:
        raise InvalidRequest("current", "needs a number: add e164=… to the URL")
    newest_first = order == "desc"

    def page(tx: Tx, caller: Caller) -> tuple[Caller, list[responses.FullMessage]]:
        rental_ids = None if e164 is None else _rentals(tx, caller, e164, current=current)
        rows = messages.listed(
            tx,
            caller.account_id,
            rental_ids,
            inbound=inbound,
            after=after,
            before=before,
            newest_first=newest_first,
            limit=limit,
        )
        return caller, [responses.full_message(row) for row in rows]

    async def again() -> list[responses.FullMessage]:
        _, found = await transactions.read_autocommit(request, page)
        return found

    caller, found = await transactions.read(request, page)
    if found or not wait:
        return found
    question = ("messages", e164, current, inbound, after, before, newest_first, limit)
    return await transactions.poll(request, caller, again, wait_s=wait, question=question)


def _rentals(tx: Tx, caller: Caller, e164: str, *, current: bool) -> list[int]:
    """Return the ids of the live rental of this number, or of all its rentals. Raises NumberNotRented."""
    if current:
        return [live_rental(tx, caller.account_id, e164, now_us=caller.now_us)["id"]]
    rental_ids = rentals.ids_of_number(tx, caller.account_id, e164)
    if not rental_ids:
        raise NumberNotRented(f"this account has never rented {e164}")
    return rental_ids


ROUTES = [post_message, get_messages]
