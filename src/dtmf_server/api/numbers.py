"""`/groups`, `/numbers`, `/number`: the catalog and the rentals."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Literal

from litestar import Response, delete, get, patch, post
from litestar.params import QueryParameter
from litestar.response import Stream

from dtmf_server.api import asked, body, calls, wire
from dtmf_server.api.calls import Request
from dtmf_server.http import checks
from dtmf_server.operations import rent
from dtmf_server.operations.idempotent import Answer
from dtmf_server.storage import messages, numbers
from dtmf_server.storage.db import Database, Row, Tx

PAGE = 500  # messages read in one transaction
E164 = Annotated[str, QueryParameter(name="e164", description="E.164, with + as %2B", examples=[])]


@get("/groups", tags=["numbers"], summary="The catalog")
async def get_groups(
    request: Request, group_type: Annotated[Literal["mobile", "local"], QueryParameter(name="type")]
) -> list[wire.Group]:
    """Groups of one type, and what they cost."""
    rows = await calls.read(request, lambda tx, _caller: numbers.groups_of_type(tx, group_type))
    return [wire.group(row) for row in rows]


@get("/numbers", tags=["numbers"], summary="Numbers rented now")
async def get_numbers(request: Request) -> Response[list[wire.Number]]:
    """Numbers rented now, oldest rental first, each with its messages."""
    runtime = calls.runtime_of(request)

    def heads(tx: Tx, caller: calls.Caller) -> list[_Head]:
        return [_head(tx, row) for row in rent.live_rentals(tx, caller.account_id, now_us=caller.now_us)]

    return await _respond(runtime.db, await calls.read(request, heads), as_list=True)


@get("/number", tags=["numbers"], summary="One number")
async def get_number(request: Request, e164: E164) -> Response[wire.Number]:
    """A number rented now, with its messages, oldest first."""
    checks.e164("e164", e164)
    runtime = calls.runtime_of(request)

    def head(tx: Tx, caller: calls.Caller) -> list[_Head]:
        return [_head(tx, rent.live_rental(tx, caller.account_id, e164, now_us=caller.now_us))]

    return await _respond(runtime.db, await calls.read(request, head), as_list=False)


@post(
    "/numbers",
    tags=["numbers"],
    summary="Rent a number",
    operation_class=body.documents(asked.NewRental),
    responses=calls.answers(201, wire.Number),
)
async def post_numbers(request: Request) -> Response[bytes]:
    """Rents a free number of the group: set-up and the first minute are paid at once."""
    raw = await request.body()
    group_id = checks.text("group_id", body.decode(raw, asked.NewRental).group_id)
    settings = calls.runtime_of(request).settings

    def start(tx: Tx, caller: calls.Caller) -> Answer:
        rental = rent.start(tx, caller.account_id, group_id, now_us=caller.now_us, rest_us=settings.rest_us)
        return calls.answer(201, wire.number(rental, []))

    return await calls.write(request, start, body=raw)


@delete("/number", tags=["numbers"], summary="End a rental", status_code=204, responses=calls.answers(204))
async def delete_number(request: Request, e164: E164) -> Response[None]:
    """Ends the rental of this number; the minute under way is paid already."""
    checks.e164("e164", e164)
    settings = calls.runtime_of(request).settings

    def end(tx: Tx, caller: calls.Caller) -> Answer:
        rent.end(tx, caller.account_id, e164, now_us=caller.now_us, rest_us=settings.rest_us)
        return calls.answer(204)

    return await calls.write(request, end)


@patch(
    "/number",
    tags=["numbers"],
    summary="Set the SMS action",
    operation_class=body.documents(asked.NewAction),
    responses=calls.answers(200, wire.Number),
)
async def patch_number(request: Request, e164: E164) -> Response[wire.Number]:
    """Sets what an SMS to this number does besides being stored: nothing, a forward, or a webhook."""
    checks.e164("e164", e164)
    runtime = calls.runtime_of(request)
    action = checks.action(
        e164,
        body.decode(await request.body(), asked.NewAction).sms_forwarded_to,
        sandbox=runtime.settings.sandbox,
    )

    def set_action(tx: Tx, caller: calls.Caller) -> _Head:
        rental = rent.set_action(
            tx,
            caller.account_id,
            e164,
            action,
            now_us=caller.now_us,
            rest_us=runtime.settings.rest_us,
        )
        return _head(tx, rental)

    sha256 = calls.bearer(request)
    head = await runtime.db.write(lambda tx: set_action(tx, calls.caller_of(tx, runtime, sha256)))
    return await _respond(runtime.db, [head], as_list=False)


# --- a number and its messages, however many: read in pages, written as they come -------------------------------

_Head = tuple[wire.Number, int, int, bool]  # the number with its first messages; rental, last id, whether complete


def _head(tx: Tx, rental: Row) -> _Head:
    last = messages.last_id_of_rental(tx, rental["id"])
    rows = messages.of_rental(tx, rental["id"], after=0, through=last, limit=PAGE)
    complete = not rows or rows[-1]["id"] == last
    number = wire.number(rental, [wire.message(row) for row in rows])
    return number, rental["id"], rows[-1]["id"] if rows else 0, complete


async def _respond(db: Database, heads: list[_Head], *, as_list: bool) -> Response[Any]:
    if all(complete for *_, complete in heads):
        found = [number for number, *_ in heads]
        return Response(wire.encode(found if as_list else found[0]), media_type="application/json")
    return Stream(_chunks(db, heads, as_list=as_list), media_type="application/json")


async def _chunks(db: Database, heads: list[_Head], *, as_list: bool) -> AsyncIterator[bytes]:
    """The same JSON in pieces; no transaction stays open while the socket is written to."""
    yield b"[" if as_list else b""
    for position, (number, rental_id, last_id, complete) in enumerate(heads):
        yield (b"," if position else b"") + wire.encode(number).removesuffix(b"]}")
        after, done = last_id, complete
        while not done:
            page, after, done = await db.read(_page(rental_id, after))
            yield page
        yield b"]}"
    yield b"]" if as_list else b""


def _page(rental_id: int, after: int) -> Callable[[Tx], tuple[bytes, int, bool]]:
    def read(tx: Tx) -> tuple[bytes, int, bool]:
        rows = messages.of_rental(tx, rental_id, after=after, through=2**63 - 1, limit=PAGE)
        encoded = wire.encode([wire.message(row) for row in rows])[1:-1]
        return b"," + encoded if rows else b"", rows[-1]["id"] if rows else after, len(rows) < PAGE

    return read


ROUTES = [get_groups, get_numbers, get_number, post_numbers, delete_number, patch_number]
