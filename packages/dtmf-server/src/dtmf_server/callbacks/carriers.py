"""`/callbacks/carriers/NAME`: a carrier posts SMS and receipts; the reply is sent once they are stored.

1. The carrier's plug-in verifies the signature and parses the request (`ReceivesCallbacks.parse`, pure). The service
   itself requires no credentials.
2. Everything in a request is stored in one transaction, by the same `ingest_batch` as SMS from links. Requests that arrive
   while another one is being stored share the next transaction (batches.py).
3. If a callback does not say when the carrier received the SMS, and another account rented the number in the last 90 days,
   that transaction leaves the SMS out. The carrier is asked (`TellsArrival`), and the SMS is stored with its time: a late or
   replayed callback must not reach the next renter.
4. Only then is the success reply sent. If nothing could be stored, the reply is 503, and the carrier retries.
5. Repetitions are recognized by the carrier's own ID (`InboundMessage.carrier_ref`), answered like the first and not
   stored again.
6. Rejected requests are counted per address and rate-limited like other requests. Accepted ones are not limited: some
   carriers drop an SMS that was not accepted at once.
"""

import logging
import time
import traceback
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from litestar import asgi
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.types import Receive, Scope, Send
from msgspec import convert, structs

from dtmf_server.callbacks.batches import Batches
from dtmf_server.callbacks.trace_text import request_text
from dtmf_server.carriers.base import (
    BadSignature,
    CallbackRefused,
    CallbackReply,
    CallbackRequest,
    CallbackResult,
    CarrierRefused,
    ReceivesCallbacks,
    TellsArrival,
)
from dtmf_server.core.errors import RateLimited, Refusal, StorageUnavailable
from dtmf_server.core.inbound import InboundMessage, Receipt
from dtmf_server.core.repeats import Repeats
from dtmf_server.http.client_address import address_of, rate_limit_key
from dtmf_server.http.rate_limit import RateLimit
from dtmf_server.http.request import BROKEN_OFF
from dtmf_server.http.validation import plain_body
from dtmf_server.operations import ingest, receive
from dtmf_server.runtime import metrics
from dtmf_server.runtime.context import Runtime, Settings
from dtmf_server.storage import carriers as carrier_rows
from dtmf_server.storage.db import Tx

PATH = "/callbacks/carriers"
BODY_MAX_BYTES = 64 * 1024
ITEMS_MAX = 1000  # per request

Item = InboundMessage | Receipt
log = logging.getLogger("dtmf.callbacks")


class CallbackUnreadable(Refusal):
    """The carrier's plug-in can't read this request."""

    status, code, title = 400, "callback_unreadable", "Callback unreadable"


class CallbackNotSigned(Refusal):
    """The signature of this request is not the carrier's."""

    status, code, title = 403, "callback_not_signed", "Bad signature"


class ArrivalUnknown(Refusal):
    """The carrier did not say when it received this SMS. Try again later."""

    status, code, title = 503, "arrival_unknown", "Carrier unavailable"


class PluginFailed(Refusal):
    """The carrier's plug-in failed; nothing was stored. The service's log says where."""

    status, code, title = 500, "plugin_failed", "Plug-in failed"


def new_state(carriers: Sequence[object], settings: Settings) -> Mapping[str, Any]:
    """Return the state of an application's routes: the carriers that receive callbacks, by name, and the limiter of rejected
    requests."""
    limit = settings.requests_per_second
    return {
        "callback_carriers": {each.name: each for each in carriers if isinstance(each, ReceivesCallbacks)},
        "callback_limit": RateLimit(per_second=limit, burst=settings.request_burst) if limit else None,
        "callback_faults": {},
        "callback_batches": {},
    }


@asgi(PATH, is_mount=True, copy_scope=False)
async def take_callback(scope: Scope, receive: Receive, send: Send) -> None:
    """Store the content of the request, then send the reply of the carrier's plug-in."""
    name = scope["path"].strip("/")
    scope["path"] = f"{PATH}/{name}"  # which error messages quote; Litestar removes the part that is mounted
    state = scope["state"]
    runtime: Runtime = state["runtime"]
    limit: RateLimit | None = state["callback_limit"]
    address = rate_limit_key(address_of(scope, runtime.settings.trusted_proxies)).encode()
    if limit and (wait_s := limit.wait_s(address)):
        raise RateLimited(retry_after=wait_s)
    try:
        reply = await _answer(scope, receive, runtime, state, name)
    except (Refusal, NotFoundException, MethodNotAllowedException) as refused:
        if limit and not isinstance(refused, StorageUnavailable | ArrivalUnknown | PluginFailed):
            limit.retry_after_s(address)
        raise
    await send({"type": "http.response.start", "status": reply.status, "headers": _headers(reply)})
    await send({"type": "http.response.body", "body": reply.body, "more_body": False})


async def _answer(scope: Any, receive: Receive, runtime: Runtime, state: Mapping[str, Any], name: str) -> CallbackReply:
    carrier = state["callback_carriers"].get(name)
    if carrier is None:
        raise NotFoundException
    if scope["method"] not in carrier.callback_methods:
        raise MethodNotAllowedException(headers={"allow": ", ".join(sorted(carrier.callback_methods))})
    body = await _body(receive)
    request = callback_request(scope, body, runtime)
    plain_body(request.headers.get("content-encoding", ""), has_body=bool(body))
    with _traced(runtime, name, request, path=scope["path"]):
        result = await _stored(runtime, state, carrier, request)
    metrics.callbacks(name, result.outcome).inc()
    return result.reply


@contextmanager
def _traced(runtime: Runtime, name: str, request: CallbackRequest, *, path: str) -> Iterator[None]:
    """Record the request and its outcome while an operator watches this carrier."""
    trace = runtime.traces.get(name)
    if trace is None or not trace.is_on:
        yield
        return
    trace.record("in", request_text(request, path=path), at_us=request.wall_us)
    said = "accepted"
    try:
        yield
    except (CallbackNotSigned, CallbackUnreadable) as refused:  # their reasons quote no texts
        said = f"{refused.status} {refused.code}: {refused.__cause__ or refused.detail}"
        raise
    except BaseException as error:
        said = f"refused: {type(error).__name__}"
        raise
    finally:
        trace.record("out", f"callback {said}", at_us=runtime.clock.wall_us())


async def _stored(
    runtime: Runtime, state: Mapping[str, Any], carrier: ReceivesCallbacks, request: CallbackRequest
) -> CallbackResult:
    """Store the content of a request, and return it."""
    name = carrier.name
    result = parsed(carrier, request, state["callback_faults"].setdefault(name, Repeats()))
    if result.items:
        batches: dict[str, Batches[Item, Collection[str]]] = state["callback_batches"]
        if name not in batches:
            batches[name] = Batches(partial(store, runtime, carrier))
        await _store(carrier, batches[name], [storable(item) for item in result.items])
    if result.is_heartbeat:
        beat = partial(carrier_rows.set_heartbeat, name=name, wall_us=runtime.clock.wall_us())
        await runtime.db.write(beat, durable=False)  # the next one comes soon
    return result


async def _body(receive: Receive) -> bytes:
    """Return the body of the request. Raises HTTPException if it is too large or the client has gone."""
    body = bytearray()
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise HTTPException(BROKEN_OFF, status_code=400)
        body += message.get("body", b"")
        if len(body) > BODY_MAX_BYTES:
            raise HTTPException(status_code=413)
        if not message.get("more_body"):
            return bytes(body)


def _headers(reply: CallbackReply) -> list[tuple[bytes, bytes]]:
    kind = reply.content_type
    if kind.startswith("text/") and "charset" not in kind:
        kind += "; charset=utf-8"
    length = [] if reply.status == 204 else [(b"content-length", b"%d" % len(reply.body))]
    return [(b"content-type", kind.encode()), *length]


def callback_request(scope: Any, body: bytes, runtime: Runtime) -> CallbackRequest:
    """Return the request in the form for plug-ins. Its URL comes from the operator's settings, never from the Host header."""
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    query = scope["query_string"].decode("latin-1")
    base = (runtime.settings.public_url or "").rstrip("/")
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    url = base + path + ("?" + query if query else "")
    return CallbackRequest(scope["method"], url, headers, body, runtime.clock.wall_us())


def parsed(carrier: ReceivesCallbacks, request: CallbackRequest, faults: Repeats) -> CallbackResult:
    """Return what the plug-in parses from the request. Raises CallbackNotSigned, CallbackUnreadable, PluginFailed."""

    def refused(reason: str) -> None:
        metrics.callbacks(carrier.name, reason).inc()
        if line := faults.failed(reason, now_s=time.monotonic()):
            log.warning("a callback of carrier %s was refused: %s", carrier.name, line)

    try:
        result = carrier.parse(request)
        for item in result.items:
            _check(item)
    except BadSignature as error:
        refused(str(error) or "wrong signature")
        raise CallbackNotSigned from error
    except CallbackRefused as error:
        refused("unreadable")
        raise CallbackUnreadable from error
    except Exception as error:
        # Don't log the error's message, which may quote an SMS.
        place = traceback.extract_tb(error.__traceback__)[-1]
        kind = type(error).__name__
        metrics.callbacks(carrier.name, "plug-in failed").inc()
        log.error("the plug-in of carrier %s failed: %s in %s:%s", carrier.name, kind, place.filename, place.lineno)
        raise PluginFailed from error
    if len(result.items) > ITEMS_MAX:
        log.error("a callback of carrier %s has %d items, at most %d", carrier.name, len(result.items), ITEMS_MAX)
        raise CallbackUnreadable
    faults.worked(now_s=time.monotonic())
    return result


async def _store(carrier: ReceivesCallbacks, batches: Batches[Item, Collection[str]], items: Sequence[Item]) -> None:
    """Store items, after asking the carrier for the time of those that need one. Raises StorageUnavailable, ArrivalUnknown."""
    numbers = await batches.store(items)
    left_out = [item for item in items if _is_untimed(item, numbers)]
    if left_out:
        assert isinstance(carrier, TellsArrival), "only SMS of such a carrier are left out"
        await batches.store([await _timed(carrier, item) for item in left_out])


def _is_untimed(item: Item, numbers: Collection[str]) -> bool:
    return isinstance(item, InboundMessage) and item.received_us is None and item.to in numbers


async def _timed(carrier: TellsArrival, item: Item) -> Item:
    assert isinstance(item, InboundMessage), "a receipt belongs to a message, not to a time"
    try:
        received_us = await carrier.arrived_at(item.carrier_ref)
    except CarrierRefused as error:
        raise ArrivalUnknown from error
    return structs.replace(
        item, received_us=received_us or 0
    )  # 0 if the carrier does not know it: then no renter gets it


def _check(item: Item) -> None:
    """Raise ValidationError unless the fields have the declared types: nothing else checks a plug-in's results."""
    convert(structs.asdict(item), InboundMessage if isinstance(item, InboundMessage) else Receipt)


def storable(item: Item) -> Item:
    """Return the item with only characters that a database can store: JSON may contain NUL and lone surrogates."""
    texts = [(name, value) for name, value in structs.asdict(item).items() if isinstance(value, str)]
    changed = {name: stored for name, text in texts if (stored := _storable_text(text)) != text}
    return structs.replace(item, **changed) if changed else item


def _storable_text(text: str) -> str:
    if text.isascii() and "\0" not in text:  # as nearly all are
        return text
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


async def store(runtime: Runtime, carrier: ReceivesCallbacks, items: Sequence[Item]) -> Collection[str]:
    """Store everything in one transaction, except SMS without a time for numbers that changed hands, if the carrier can be
    asked for it. Return these numbers. Raises StorageUnavailable if nothing was stored."""
    asks = isinstance(carrier, TellsArrival)
    try:
        return await runtime.db.write(partial(_ingest, runtime=runtime, carrier=carrier.name, items=items, asks=asks))
    except StorageUnavailable:
        raise
    except Exception as error:
        # Don't log the error's message: the database may quote the SMS in it.
        log.error("a callback of carrier %s can't be stored (%s)", carrier.name, type(error).__name__)
        raise StorageUnavailable from error


def _ingest(tx: Tx, *, runtime: Runtime, carrier: str, items: Sequence[Item], asks: bool) -> Collection[str]:
    clock = runtime.clock
    now_us = clock.now_us(tx)
    untimed = {item.to for item in items if asks and isinstance(item, InboundMessage) and item.received_us is None}
    reused = receive.changed_hands(tx, sorted(untimed), now_us=now_us) if untimed else set[str]()
    taken = [item for item in items if not _is_untimed(item, reused)]
    if taken:
        ingest.ingest_batch(tx, carrier, taken, live=(), now_us=now_us, wall_us=clock.wall_us())
    return reused


ROUTES = [take_callback]
