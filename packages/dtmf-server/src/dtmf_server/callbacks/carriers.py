"""`/callbacks/carriers/NAME`: a carrier brings SMS and receipts, and is answered once they are stored.

1. The carrier's plug-in verifies the signature and reads the request (`ReceivesCallbacks.parse`, pure). The service asks
   for no credentials of its own.
2. Everything that a request brings is stored in one transaction, by the same `ingest_batch` as what links bring.
3. Only then the success reply is sent. If nothing could be stored the reply is 503, and the carrier tries again.
4. What comes again is known by the carrier's own id (`InboundMessage.carrier_ref`), answered like the first, and not stored.
"""

import logging
import traceback
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from litestar import HttpMethod, Response, route
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.params import FromPath
from msgspec import convert, structs

from dtmf_server.carriers.base import (
    BadSignature,
    CallbackRefused,
    CallbackRequest,
    CallbackResult,
    ReceivesCallbacks,
)
from dtmf_server.core.errors import Refusal, StorageUnavailable
from dtmf_server.core.inbound import InboundMessage, Receipt
from dtmf_server.http.client_address import has_body
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.http.validation import plain_body
from dtmf_server.operations import ingest
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage.db import Tx

BODY_MAX_BYTES = 64 * 1024
ITEMS_MAX = 1000  # of one request

Item = InboundMessage | Receipt
log = logging.getLogger("dtmf.callbacks")


class CallbackUnreadable(Refusal):
    """The carrier's plug-in can't read this request."""

    status, code, title = 400, "callback_unreadable", "Callback unreadable"


class CallbackNotSigned(Refusal):
    """The signature of this request is not the carrier's."""

    status, code, title = 403, "callback_not_signed", "Bad signature"


class PluginFailed(Refusal):
    """The carrier's plug-in failed; nothing was stored. The service's log says where."""

    status, code, title = 500, "plugin_failed", "Plug-in failed"


def new_state(carriers: Sequence[object]) -> Mapping[str, Any]:
    """What the routes keep for each application: the carriers that receive by callbacks, by name."""
    return {"callback_carriers": {each.name: each for each in carriers if isinstance(each, ReceivesCallbacks)}}


@route(
    "/callbacks/carriers/{name:str}",
    http_method=[HttpMethod.GET, HttpMethod.POST],
    status_code=200,
    include_in_schema=False,
    request_max_body_size=BODY_MAX_BYTES,
)
async def take_callback(request: Request, name: FromPath[str]) -> Response[bytes]:
    """Store what the request brings, then reply as the carrier's plug-in says."""
    carrier = request.scope["state"]["callback_carriers"].get(name)
    if carrier is None:
        raise NotFoundException
    if request.method not in carrier.callback_methods:
        raise MethodNotAllowedException(headers={"allow": ", ".join(sorted(carrier.callback_methods))})
    plain_body(request.headers.get("content-encoding", ""), has_body=has_body(request.scope))
    runtime = runtime_of(request)
    result = parsed(carrier, callback_request(request.scope, await request.body(), runtime))
    if result.items:
        await store(runtime, name, [storable(item) for item in result.items])
    reply = result.reply
    return Response(reply.body, status_code=reply.status, media_type=reply.content_type)


def callback_request(scope: Any, body: bytes, runtime: Runtime) -> CallbackRequest:
    """The request as plug-ins read it. Its URL is that of the operator's settings, never of the Host header."""
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
    query = scope["query_string"].decode("latin-1")
    base = (runtime.settings.public_url or "").rstrip("/")
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    url = base + path + ("?" + query if query else "")
    return CallbackRequest(scope["method"], url, headers, body, runtime.clock.wall_us())


def parsed(carrier: ReceivesCallbacks, request: CallbackRequest) -> CallbackResult:
    """What the plug-in reads in the request. Raises CallbackNotSigned, CallbackUnreadable, PluginFailed."""
    try:
        result = carrier.parse(request)
        items = [_checked(item) for item in result.items]
    except BadSignature as error:
        log.warning("a callback of carrier %s was refused: bad signature (%s)", carrier.name, error)
        raise CallbackNotSigned from error
    except CallbackRefused as error:
        log.warning("a callback of carrier %s was refused: it can't be read (%s)", carrier.name, error)
        raise CallbackUnreadable from error
    except Exception as error:
        # Without the error's own words, which may quote a text.
        place = traceback.extract_tb(error.__traceback__)[-1]
        kind = type(error).__name__
        log.error("the plug-in of carrier %s failed: %s in %s:%s", carrier.name, kind, place.filename, place.lineno)
        raise PluginFailed from error
    if len(result.items) > ITEMS_MAX:
        log.error("a callback of carrier %s brings %d items, at most %d", carrier.name, len(result.items), ITEMS_MAX)
        raise CallbackUnreadable
    return CallbackResult(items, result.reply)


def _checked(item: Item) -> Item:
    """The item, if its fields have their types: nothing else checks what a plug-in makes. Raises ValidationError."""
    if isinstance(item, InboundMessage):
        return convert(structs.asdict(item), InboundMessage)
    return convert(structs.asdict(item), Receipt)


def storable(item: Item) -> Item:
    """The item with only characters that a database can hold: JSON may have NUL and half surrogate pairs."""
    texts = {name: value for name, value in structs.asdict(item).items() if isinstance(value, str)}
    return structs.replace(item, **{name: _storable_text(value) for name, value in texts.items()})


def _storable_text(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


async def store(runtime: Runtime, carrier: str, items: Sequence[Item]) -> None:
    """Store everything in one transaction. Raises StorageUnavailable if that did not happen."""
    try:
        await runtime.db.write(partial(_ingest, runtime=runtime, carrier=carrier, items=items))
    except StorageUnavailable:
        raise
    except Exception as error:
        # Without the error's own words: a database may quote the text in them.
        log.error("a callback of carrier %s can't be stored (%s)", carrier, type(error).__name__)
        raise StorageUnavailable from error


def _ingest(tx: Tx, *, runtime: Runtime, carrier: str, items: Sequence[Item]) -> list[int]:
    clock = runtime.clock
    return ingest.ingest_batch(tx, carrier, items, live=(), now_us=clock.now_us(tx), wall_us=clock.wall_us())


ROUTES = [take_callback]
