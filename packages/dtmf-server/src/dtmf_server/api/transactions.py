"""One request, one transaction: who asks is looked up, and the Idempotency-Key honoured, where the work is done."""

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

from litestar import Response
from litestar.openapi import ResponseSpec
from litestar.types import Receive, Scope, Send
from msgspec import Struct

from dtmf_server.api.schemas import responses
from dtmf_server.core import api_token, money
from dtmf_server.core.errors import InvalidRequest, Unauthenticated
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations.idempotency import StoredResponse, run_idempotent
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import tokens
from dtmf_server.storage.db import Tx

T = TypeVar("T")

KEY_MAX = 255
CALLER = "dtmf.caller"  # in the state of a request that is carried out only for the bearer of a token


class Caller(Struct, frozen=True):
    """Who asks, and when."""

    account_id: int
    now_us: int


def bearer(request: Request) -> bytes:
    """The SHA-256 of the request's token. A token that can't be one never reaches the database."""
    scheme, _, value = (_header(request, b"authorization") or "").partition(" ")
    value = value.strip()
    if scheme.lower() != "bearer":
        raise Unauthenticated
    if not api_token.is_well_formed(value):
        raise Unauthenticated("this is no token of ours: was it copied whole? It is 'dtmf_' and 36 letters and digits")
    request.scope["state"][CALLER] = True
    return api_token.sha256(value)


def _header(request: Request, name: bytes) -> str | None:
    """The first header of that name, without the copy of all that Litestar makes at each request."""
    return next((value.decode("latin-1") for key, value in request.scope["headers"] if key == name), None)


def caller_of(tx: Tx, runtime: Runtime, sha256: bytes) -> Caller:
    """Whose token this is. Raises Unauthenticated."""
    opened = tokens.opened_by(tx, sha256)
    if opened is None:
        raise Unauthenticated("this token was revoked or never given out")
    return Caller(opened["account_id"], runtime.clock.after_us(opened["clock_offset_us"]))


async def read(request: Request, fn: Callable[[Tx, Caller], T]) -> T:
    """What fn reads for the caller."""
    runtime, sha256 = runtime_of(request), bearer(request)
    return await runtime.db.read(lambda tx: fn(tx, caller_of(tx, runtime, sha256)))


async def read_autocommit(request: Request, fn: Callable[[Tx, Caller], T]) -> T:
    """The same for a few rows found by an index."""
    return await read_autocommit_as(runtime_of(request), bearer(request), fn)


async def read_autocommit_as(runtime: Runtime, sha256: bytes, fn: Callable[[Tx, Caller], T]) -> T:
    """The same for a bearer whose request is not held any more; the token may have been revoked since."""
    return await runtime.db.read_autocommit(lambda tx: fn(tx, caller_of(tx, runtime, sha256)))


async def write(request: Request, fn: Callable[[Tx, Caller], StoredResponse], *, body: bytes = b"") -> Response[Any]:
    """What fn answers, after its transaction is durable; done once per Idempotency-Key."""
    action = _for_caller(request, body)
    return respond(await runtime_of(request).db.write(lambda tx: action(tx, fn)))


async def write_anonymous(request: Request, fn: Callable[[Tx, int], StoredResponse], *, body: bytes) -> Response[Any]:
    """The same for a caller without an account; fn gets the time."""
    runtime = runtime_of(request)
    action = _with_key(request, runtime, body)
    answer = await runtime.db.write(lambda tx: action(tx, money.NOBODY, lambda tx: fn(tx, runtime.clock.now_us(tx))))
    return respond(answer)


def _for_caller(
    request: Request, body: bytes
) -> Callable[[Tx, Callable[[Tx, Caller], StoredResponse]], StoredResponse]:
    """Runs a function for the request's bearer, as its Idempotency-Key asks."""
    runtime, sha256 = runtime_of(request), bearer(request)
    action = _with_key(request, runtime, body)

    def run(tx: Tx, fn: Callable[[Tx, Caller], StoredResponse]) -> StoredResponse:
        caller = caller_of(tx, runtime, sha256)
        return action(tx, caller.account_id, lambda tx: fn(tx, caller))

    return run


def _with_key(
    request: Request, runtime: Runtime, body: bytes
) -> Callable[[Tx, int, Callable[[Tx], StoredResponse]], StoredResponse]:
    """Runs a function as the request's Idempotency-Key asks; without one it just runs it."""
    key = _header(request, b"idempotency-key")
    if key is None or request.method in ("PATCH", "PUT"):
        return lambda tx, _account_id, fn: fn(tx)
    if not 0 < len(key) <= KEY_MAX or not key.isascii() or not key.isprintable():
        raise InvalidRequest("Idempotency-Key", f"must have 1 to {KEY_MAX} printable ASCII characters")
    prefer = request.headers.get("prefer", "")
    asked = f"{request.method} {request.url.path}?{request.url.query} {prefer}\n".encode() + body
    fingerprint = hashlib.sha256(asked).digest()
    return lambda tx, account_id, fn: run_idempotent(
        tx,
        account_id=account_id,
        key=key,
        fingerprint=fingerprint,
        wall_us=runtime.clock.wall_us(),
        action=fn,
    )


class Json:
    """A value as an answer of its own, 200: what is asked for often does without the maps of headers of Litestar's."""

    __slots__ = ("_body",)

    def __init__(self, value: object) -> None:
        self._body = responses.encode(value)

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Sends it."""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(self._body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._body, "more_body": False})


def answer(status: int, value: object = None, *, secret: bool = False, rental_id: int | None = None) -> StoredResponse:
    """A successful answer with a JSON body, or without one. `rental_id`: of the rental whose texts the body shows."""
    return StoredResponse(status, None if value is None else responses.encode(value), secret, rental_id)


def respond(answer: StoredResponse) -> Response[Any]:
    """The answer as HTTP."""
    if answer.body is None:
        return Response(None, status_code=answer.status)
    return Response(answer.body, status_code=answer.status, media_type="application/json")


def answers(status: int, shape: type | None = None) -> dict[int, ResponseSpec]:
    """What the OpenAPI document says a request is answered with."""
    return {status: ResponseSpec(data_container=shape, generate_examples=False)}
