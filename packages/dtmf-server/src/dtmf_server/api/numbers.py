"""`/groups`, `/numbers`, `/number`: the catalog and rentals."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Annotated, Any, Literal

from litestar import Response, delete, get, patch, post
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream
from msgspec import UNSET

from dtmf_server.api import scopes, transactions
from dtmf_server.api.schemas import requests, responses
from dtmf_server.api.transactions import Caller, operation
from dtmf_server.core.rental import ActionKind, action_for
from dtmf_server.core.units import INT64_MAX
from dtmf_server.http import validation
from dtmf_server.http.client_address import network_of
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations import catalog, limits, rent
from dtmf_server.storage import messages, numbers, rentals
from dtmf_server.storage.db import Database, Row, Tx

PAGE = 500  # messages of a number per transaction
BLOCK, BLOCK_MESSAGES = 1000, 2000  # rentals of a list, and their messages, per transaction
E164 = Annotated[str, QueryParameter(name="e164", description="E.164; in a URL, + is written %2B", examples=[])]


@get("/groups", tags=["numbers"], summary="List the catalog")
async def get_groups(
    request: Request, group_type: Annotated[Literal["mobile", "local"], QueryParameter(name="type")]
) -> list[responses.Group]:
    """Return the groups of one type, with prices."""
    rows = await transactions.read(request, lambda tx, _caller: numbers.groups_of_type(tx, group_type))
    return [responses.group(row) for row in rows]


@get("/groups/{group_id:str}", tags=["numbers"], summary="Get a group")
async def get_group(request: Request, group_id: FromPath[str]) -> responses.GroupDetails:
    """Return a group with its terms, its free numbers, and how its rentals of the last 30 days went."""
    cooldown_us = runtime_of(request).settings.cooldown_us

    def find(tx: Tx, caller: Caller) -> catalog.Details:
        return catalog.details(tx, group_id, now_us=caller.now_us, cooldown_us=cooldown_us)

    return responses.group_details(await transactions.read(request, find))


@get("/groups/{group_id:str}/numbers", tags=["numbers"], summary="List free numbers")
async def get_group_numbers(
    request: Request,
    group_id: FromPath[str],
    contains: Annotated[
        str, QueryParameter(name="contains", description="only numbers with these digits, at most 15")
    ] = "",
    limit: Annotated[int, QueryParameter(ge=1, le=100, description="maximum number of items")] = 100,
) -> list[responses.AvailableNumber]:
    """Return free numbers of a group, those longest unused first. A search covers the first 10,000 free numbers. Any of them
    may be rented by another account meanwhile."""
    validation.digits("contains", contains)
    cooldown_us = runtime_of(request).settings.cooldown_us

    def find(tx: Tx, caller: Caller) -> list[str]:
        return catalog.available(
            tx, group_id, contains=contains, limit=limit, now_us=caller.now_us, cooldown_us=cooldown_us
        )

    return [responses.AvailableNumber(e164) for e164 in await transactions.read(request, find)]


@get(
    "/numbers",
    tags=["numbers"],
    summary="List rented numbers",
    responses=transactions.answers(200, list[responses.Number]),
)
async def get_numbers(request: Request) -> Response[Any]:
    """Return the numbers rented now, oldest rental first, each with its messages."""
    db = runtime_of(request).db

    def first(tx: Tx, caller: Caller) -> tuple[list[Row], bytes | None, int]:
        live = rent.live_rentals(tx, caller.account_id, now_us=caller.now_us)
        return live, _encoded(tx, live[:BLOCK], now_us=caller.now_us), caller.now_us

    live, encoded, now_us = await transactions.read(request, first)
    if encoded is not None and len(live) <= BLOCK:
        return Response(b"[" + encoded + b"]", media_type="application/json")
    return Stream(_listed(db, live, encoded, now_us=now_us), media_type="application/json")


@get("/number", tags=["numbers"], summary="Get a rented number")
async def get_number(request: Request, e164: E164) -> Response[responses.Number]:
    """Return a number rented now, with its messages, oldest first."""
    validation.e164("e164", e164)
    runtime = runtime_of(request)

    def head(tx: Tx, caller: Caller) -> _Head:
        rental = rent.live_rental(tx, caller.account_id, e164, now_us=caller.now_us)
        return _head(tx, rental, now_us=caller.now_us)

    return _respond(runtime.db, await transactions.read(request, head))


@operation(post, "/numbers", tags=["numbers"], summary="Rent a number", status=201)
def post_numbers(tx: Tx, caller: Caller, new: requests.NewRental, *, request: Request) -> responses.Number:
    """Rent an available number of the group, or exactly `e164`. The setup fee and the first minute are charged at once.
    `max_minutes` and `max_sats` end the rental by themselves; `max_sats` must cover both, and one inbound SMS."""
    runtime = runtime_of(request)
    settings = runtime.settings
    rental = rent.start(
        tx,
        caller.account_id,
        new.group_id,
        now_us=caller.now_us,
        cooldown_us=settings.cooldown_us,
        e164=new.e164,
        rules=settings.supply,
        max_minutes=new.max_minutes,
        max_sats=new.max_sats,
        label=new.label,
        network=None if settings.sandbox else network_of(request.scope, settings.trusted_proxies),
        started_by=caller.token_id,
        price_terms=runtime.price_terms(),
    )
    return responses.number(rental, [], now_us=caller.now_us)


@operation(delete, "/number", tags=["numbers"], summary="End a rental", status=204)
def delete_number(tx: Tx, caller: Caller, *, e164: E164, request: Request) -> None:
    """End the rental of this number. The current minute is already paid. In a group that refunds unused rentals, a part is
    returned at once if nothing came: see `refund_share` of the group."""
    caps = runtime_of(request).settings.refund_caps
    rent.end(tx, caller.account_id, e164, now_us=caller.now_us, refund_caps=caps, ended_by=caller.token_id)


@operation(
    patch,
    "/number",
    tags=["numbers"],
    summary="Change a rental",
    status=200,
    responses=transactions.answers(200, responses.Number),
)
def patch_number(
    tx: Tx, caller: Caller, new: requests.NumberChanges, *, e164: E164, request: Request
) -> Response[responses.Number]:
    """Set what happens to SMS to this number besides storing them (nothing, forward, or webhook), its limits, or its label.
    A limit must leave the minutes that have started, and one more inbound SMS: it never ends the rental at once."""
    account_id, now_us, token_id = caller.account_id, caller.now_us, caller.token_id
    for field, needs in scopes.FIELDS["patch_number"].items():
        if getattr(new, field) is not UNSET:
            caller.require(needs)
    rental = rent.live_rental(tx, account_id, e164, now_us=now_us)
    if new.sms_forwarded_to is not UNSET:
        action = action_for(new.sms_forwarded_to)
        if action is not None and action.kind is ActionKind.FORWARD:
            caller.require("send")
        rental = rent.set_action(tx, account_id, e164, action, now_us=now_us, set_by=token_id)
    if new.max_minutes is not UNSET or new.max_sats is not UNSET:
        sats, minutes = new.max_sats, new.max_minutes
        limits.set_limits(tx, account_id, e164, max_minutes=minutes, max_sats=sats, now_us=now_us, set_by=token_id)
    if new.label is not UNSET:
        limits.set_label(tx, account_id, e164, new.label, now_us=now_us, set_by=token_id)
    tx.note("rentals", [rental["id"]])
    rental = rentals.by_id(tx, rental["id"])
    return _respond(runtime_of(request).db, _head(tx, rental, now_us=now_us))


@operation(post, "/numbers/adopt", tags=["numbers"], summary="Adopt a rental", status=204)
def post_numbers_adopt(tx: Tx, caller: Caller, asked: requests.Adoption) -> None:
    """Make a rental that a restricted token started the account's own: it goes on when that token ends, and no longer counts
    against its limits."""
    rental = rent.adopt(tx, caller.account_id, asked.e164, now_us=caller.now_us)
    tx.note("rentals", [rental["id"]])


# --- a number and its messages: read in pages, streamed -------------------------------

_Head = tuple[
    responses.Number, int, int, bool
]  # number with its first messages, rental id, last message id, is complete


def _head(tx: Tx, rental: Row, *, now_us: int) -> _Head:
    last = messages.last_id_of_rental(tx, rental["id"])
    rows = messages.of_rental(tx, rental["id"], after=0, through=last, limit=PAGE)
    complete = not rows or rows[-1]["id"] == last
    number = responses.number(rental, [responses.message(row) for row in rows], now_us=now_us)
    return number, rental["id"], rows[-1]["id"] if rows else 0, complete


def _respond(db: Database, head: _Head) -> Response[Any]:
    number, _, _, complete = head
    if complete:
        return Response(responses.encode(number), media_type="application/json")
    return Stream(_pieces(db, head), media_type="application/json")


async def _pieces(db: Database, head: _Head) -> AsyncIterator[bytes]:
    """Stream the same JSON in pieces. No transaction stays open while the client reads."""
    number, rental_id, after, done = head
    yield responses.encode(number).removesuffix(b"]}")
    while not done:
        page, after, done = await db.read(_page(rental_id, after))
        yield page
    yield b"]}"


async def _listed(db: Database, live: list[Row], encoded: bytes | None, *, now_us: int) -> AsyncIterator[bytes]:
    """Stream the list of rentals in blocks. `encoded`: the first block, if it has been read."""
    for first in range(0, len(live), BLOCK):
        block = live[first : first + BLOCK]
        if first:
            encoded = await db.read(partial(_encoded, live=block, now_us=now_us))
        yield b"," if first else b"["
        if encoded is not None:
            yield encoded
            continue
        for nth, rental in enumerate(block):  # too many messages for one read
            yield b"," if nth else b""
            async for piece in _pieces(db, await db.read(partial(_head, rental=rental, now_us=now_us))):
                yield piece
    yield b"]"


def _encoded(tx: Tx, live: list[Row], *, now_us: int) -> bytes | None:
    """Read and encode rentals with their messages, without the list's brackets; None if they have too many messages."""
    rows = messages.of_rentals(tx, [rental["id"] for rental in live], limit=BLOCK_MESSAGES + 1)
    if len(rows) > BLOCK_MESSAGES:
        return None
    said: dict[int, list[responses.Message]] = {}
    for row in rows:
        said.setdefault(row["rental_id"], []).append(responses.message(row))
    numbers_ = [responses.number(rental, said.get(rental["id"], []), now_us=now_us) for rental in live]
    return responses.encode(numbers_)[1:-1]


def _page(rental_id: int, after: int) -> Callable[[Tx], tuple[bytes, int, bool]]:
    def read(tx: Tx) -> tuple[bytes, int, bool]:
        rows = messages.of_rental(tx, rental_id, after=after, through=INT64_MAX, limit=PAGE)
        encoded = responses.encode([responses.message(row) for row in rows])[1:-1]
        return b"," + encoded if rows else b"", rows[-1]["id"] if rows else after, len(rows) < PAGE

    return read


ROUTES = [
    *(get_groups, get_group, get_group_numbers, get_numbers, get_number),
    *(post_numbers, post_numbers_adopt, delete_number, patch_number),
]
