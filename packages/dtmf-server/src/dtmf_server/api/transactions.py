"""One transaction per request: authentication, idempotency and the work itself.

`operation` turns a plain function that writes into a route handler; handlers that read call `read` and its variants."""

import functools
import hashlib
import inspect
import math
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

from litestar import Response
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.types import Receive, Scope, Send
from msgspec import Struct

from dtmf_server.api import request_body, request_log, scopes
from dtmf_server.api.schemas import requests, responses
from dtmf_server.core import api_token, money
from dtmf_server.core.errors import AccountSuspended, InvalidRequest, ScopeRequired, Unauthenticated
from dtmf_server.core.units import SECOND_US
from dtmf_server.http import long_poll, validation
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.operations.idempotency import StoredResponse, run_idempotent
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage import events, tokens
from dtmf_server.storage.db import Tx

T = TypeVar("T")

KEY_MAX = 255
EXPIRY_MARGIN_S = 0.01  # after which the token has expired for certain
CALLER = "dtmf.caller"  # key in the state of a request that requires a token


class Bearer(Struct, frozen=True):
    """The SHA-256 of a request's token, the scope that the request needs, and whether a suspended account may make it."""

    sha256: bytes
    needs: str
    while_suspended: bool = True


class Caller(Struct, frozen=True):
    """The authenticated account, and the current time. For a restricted token: its ID, its scopes and when it expires."""

    account_id: int
    now_us: int
    token_id: int | None = None
    scopes: tuple[str, ...] | None = None
    expires_wall_us: int | None = None
    own_token_id: int | None = None  # of the token, restricted or not

    def require(self, needs: str) -> None:
        """Raise ScopeRequired unless the token has this scope."""
        if self.scopes is None or needs == scopes.ANY or needs in self.scopes:
            return
        if needs == scopes.UNRESTRICTED:
            raise ScopeRequired("only an unrestricted token may do this", scope=needs)
        raise ScopeRequired(f"this token does not have the scope {needs!r}, which this request needs", scope=needs)


def bearer(request: Request, *, needs: str | None = None) -> Bearer:
    """Return the request's token, and the scope that it needs: that of its operation unless given. Malformed tokens are
    rejected without a database lookup."""
    scheme, _, value = (_header(request, b"authorization") or "").partition(" ")
    value = value.strip()
    if scheme.lower() != "bearer":
        raise Unauthenticated
    if not api_token.is_well_formed(value):
        raise Unauthenticated(
            "that token isn't valid: did you copy all of it? It's 'dtmf_' followed by 36 letters and digits"
        )
    request.scope["state"][CALLER] = True
    sha256 = api_token.sha256(value)
    if needs is not None:
        return Bearer(sha256, needs)
    opt = request.scope["route_handler"].opt
    return Bearer(sha256, opt["needs"], opt["while_suspended"])


def _header(request: Request, name: bytes) -> str | None:
    """Return the first header of that name, without Litestar's copy of all headers."""
    return next((value.decode("latin-1") for key, value in request.scope["headers"] if key == name), None)


def caller_of(tx: Tx, runtime: Runtime, bearer: Bearer) -> Caller:
    """Return the caller with this token. Raises Unauthenticated, ScopeRequired, AccountSuspended."""
    opened = tokens.opened_by(tx, bearer.sha256, wall_us=runtime.clock.wall_us())
    if opened is None:
        raise Unauthenticated("this token was revoked, has expired or never existed")
    now_us = runtime.clock.after_us(opened["clock_offset_us"])
    caller = Caller(opened["account_id"], now_us, own_token_id=opened["id"])
    if opened["scopes"] is not None:
        given = tuple(opened["scopes"].split())
        caller = Caller(opened["account_id"], now_us, opened["id"], given, opened["expires_wall_us"], opened["id"])
        caller.require(bearer.needs)
    if opened["suspended_at_us"] is not None and not bearer.while_suspended:
        raise AccountSuspended
    return caller


async def read(request: Request, fn: Callable[[Tx, Caller], T]) -> T:
    """Run `fn` in a read transaction for the caller."""
    runtime, given = runtime_of(request), bearer(request)
    return await runtime.db.read(lambda tx: fn(tx, caller_of(tx, runtime, given)))


async def read_autocommit(request: Request, fn: Callable[[Tx, Caller], T]) -> T:
    """Like `read`, for a few rows found by an index."""
    return await read_autocommit_as(runtime_of(request), bearer(request), fn)


async def read_autocommit_as(runtime: Runtime, given: Bearer, fn: Callable[[Tx, Caller], T]) -> T:
    """Like `read_autocommit`, for streams that no longer hold their request. The token may have been revoked since."""
    return await runtime.db.read_autocommit(lambda tx: fn(tx, caller_of(tx, runtime, given)))


async def poll(
    request: Request,
    caller: Caller,
    again: Callable[[], Awaitable[list[T]]],
    *,
    wait_s: float,
    question: tuple[Hashable, ...],
) -> list[T]:
    """Return what `again` reads, as soon as there is something, or an empty list after `wait_s`. Raises Unauthenticated
    when the token expires. `question` is that of `long_poll.poll`, without the token."""
    wakeups, topic = runtime_of(request).db.wakeups, events.topic(caller.account_id)
    left_s = until_expiry_s(request, caller)
    found = await long_poll.poll(
        *(wakeups, topic, again),
        wait_s=min(wait_s, left_s),
        question=(bearer(request), *question),
        receive=request.receive,
    )
    return await again() if not found and left_s < wait_s else found


def until_expiry_s(request: Request, caller: Caller) -> float:
    """Return the seconds until the caller's token has expired."""
    if caller.expires_wall_us is None:
        return math.inf
    return max(0.0, (caller.expires_wall_us - runtime_of(request).clock.wall_us()) / SECOND_US + EXPIRY_MARGIN_S)


async def write(request: Request, fn: Callable[[Tx, Caller], T], *, body: bytes) -> T | StoredResponse:
    """Run `fn` in a write transaction, at most once per Idempotency-Key; return when it is durable."""
    return await _write(request, bearer(request), fn, body=body)


async def write_anonymous(request: Request, fn: Callable[[Tx, Caller], T], *, body: bytes) -> T | StoredResponse:
    """Like `write`, for a caller without a token, who is NOBODY."""
    return await _write(request, None, fn, body=body)


async def _write(
    request: Request, given: Bearer | None, fn: Callable[[Tx, Caller], T], *, body: bytes
) -> T | StoredResponse:
    """Run `fn` for the caller, applying the request's Idempotency-Key, and note the request."""
    runtime, key, done = runtime_of(request), _key(request), request_log.Done()
    fingerprint = b"" if key is None else _fingerprint(request, body)
    is_recorded = request_log.is_recorded(request)

    def run(tx: Tx) -> Any:
        caller = Caller(money.NOBODY, runtime.clock.now_us(tx)) if given is None else caller_of(tx, runtime, given)
        done.account_id, done.token_id, done.changes = caller.account_id, caller.own_token_id, None

        def act(tx: Tx) -> Any:
            done.changes = tx.changes = {} if is_recorded else None
            return fn(tx, caller)

        if key is None:
            return act(tx)
        return run_idempotent(
            tx,
            account_id=caller.account_id,
            key=_key_of(caller, key),
            fingerprint=fingerprint,
            wall_us=runtime.clock.wall_us(),
            action=act,
        )

    found: T | StoredResponse = await runtime.db.write(run)
    request_log.note_success(request, found, done)
    return found


def _key(request: Request) -> str | None:
    """Return the request's Idempotency-Key. Raises InvalidRequest."""
    key = _header(request, b"idempotency-key")
    if key is None or request.method in ("PATCH", "PUT"):
        return None
    if not 0 < len(key) <= KEY_MAX or not key.isascii() or not key.isprintable():
        raise InvalidRequest("Idempotency-Key", f"must have 1 to {KEY_MAX} printable ASCII characters")
    return key


def _key_of(caller: Caller, key: str) -> str:
    """Return the key as stored. Each restricted token has keys of its own: it must not get what was answered to the account's
    other tokens. The separator is in no key, because it isn't printable."""
    return key if caller.token_id is None else f"{caller.token_id}\x1f{key}"


def _fingerprint(request: Request, body: bytes) -> bytes:
    prefer = request.headers.get("prefer", "")
    asked = f"{request.method} {request.url.path}?{request.url.query} {prefer}\n".encode() + body
    return hashlib.sha256(asked).digest()


def operation(
    method: type[HTTPRouteHandler],
    path: str,
    *,
    status: int,
    secret: bool = False,
    write: Callable[..., Awaitable[Any]] = write,
    requires: Callable[[Runtime], None] | None = None,
    then: Callable[[Runtime], Awaitable[None]] | None = None,
    **described: Any,
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """Turn a function `(tx, caller, body, *, …)` that writes into a route handler, described by its annotations.

    Its keyword-only arguments are query and path parameters, plus `request` if declared. It returns the response's value,
    a StoredResponse or a Response. `secret`: the response contains a token. `requires` may refuse before the body is read.
    `then` is awaited between commit and response. `described` goes to Litestar.
    """

    def decorate(fn: Callable[..., Any]) -> HTTPRouteHandler:
        signature = inspect.signature(fn)
        body = next((each.annotation for each in signature.parameters.values() if _is_body(each.annotation)), None)

        async def handler(request: Request, **parameters: Any) -> Response[Any]:
            if requires:
                requires(runtime_of(request))
            raw, decoded = await _given(request, body, parameters)
            if "request" in signature.parameters:
                parameters["request"] = request

            def act(tx: Tx, caller: Caller) -> StoredResponse | Response[Any]:
                found = fn(tx, caller, *decoded, **parameters)
                return found if isinstance(found, StoredResponse | Response) else answer(status, found, secret=secret)

            found = await write(request, act, body=raw)
            if then:
                await then(runtime_of(request))
            return found if isinstance(found, Response) else respond(found)

        described.setdefault("responses", answers(status, signature.return_annotation))
        return method(path, status_code=status, opt={"body": body}, **described)(_as_handler(handler, fn, status))

    return decorate


def _is_body(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, requests.Body)


async def _given(
    request: Request, body: type[requests.Body] | None, parameters: dict[str, Any]
) -> tuple[bytes, list[requests.Body]]:
    """Return the raw and the decoded body. Raises InvalidRequest for an invalid body or parameter."""
    if "e164" in parameters:
        validation.e164("e164", parameters["e164"])
    raw = b"" if request.method == "DELETE" else await request.body()
    if body is None:
        return raw, []
    decoded = request_body.decode(raw if raw or request_body.is_required(body) else b"{}", body)
    decoded.validate(sandbox=runtime_of(request).settings.sandbox, **parameters)
    return raw, [decoded]


def _as_handler(handler: Any, fn: Callable[..., Any], status: int) -> Any:
    """Give the handler fn's name and signature, with a request in place of transaction and caller."""
    functools.update_wrapper(handler, fn)
    returned = Response[None] if status == 204 else Response[bytes]
    given = inspect.signature(fn).parameters.values()
    own = [each for each in given if each.kind is each.KEYWORD_ONLY and each.name != "request"]
    request = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)
    handler.__signature__ = inspect.Signature([request, *own], return_annotation=returned)
    handler.__annotations__ = {each.name: each.annotation for each in (request, *own)} | {"return": returned}
    return handler


class Json:
    """A 200 JSON response for frequent requests, without the overhead of Litestar's header maps."""

    __slots__ = ("_body",)

    def __init__(self, value: object) -> None:
        self._body = responses.encode(value)

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the response."""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(self._body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._body, "more_body": False})


def answer(status: int, value: object = None, *, secret: bool = False, rental_id: int | None = None) -> StoredResponse:
    """Build a successful response, with or without a JSON body. `rental_id`: the rental whose texts the body contains."""
    return StoredResponse(status, None if value is None else responses.encode(value), secret, rental_id)


def respond(answer: StoredResponse) -> Response[Any]:
    """Convert a stored response to HTTP."""
    if answer.body is None:
        return Response(None, status_code=answer.status)
    return Response(answer.body, status_code=answer.status, media_type="application/json")


def answers(status: int, shape: type | None = None) -> dict[int, ResponseSpec]:
    """Describe a response for the OpenAPI document."""
    return {status: ResponseSpec(data_container=shape, generate_examples=False)}
