"""`dtmf listen`: post events and SMS to a program on this machine, like webhooks."""

from __future__ import annotations

import hashlib
import http.client
import json as json_
import os
from time import monotonic, sleep, time
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from cyclopts import Parameter

from dtmf import endpoints, pagination, webhook
from dtmf.validation import http_url

from . import connect, credentials, output
from .formatting import format_second
from .options import Json

if TYPE_CHECKING:
    from pathlib import Path

    from dtmf import DTMF
    from dtmf.types import Event

_PAUSES_S = (1, 2, 4, 8, 16)  # a program that restarts is back within seconds
_TIMEOUT_S = 30


def listen(
    *,
    forward_to: Annotated[
        str, Parameter(help="The URL that receives the events, like localhost:3000/sms.", metavar="URL")
    ],
    events: Annotated[
        str | None, Parameter(help="Post only these kinds, like message,balance.low (default: all).", metavar="KINDS")
    ] = None,
    after: Annotated[
        int | None, Parameter(help="Start after this id (default: where the last run ended, else now).", metavar="ID")
    ] = None,
    secret: Annotated[str | None, Parameter(help="Sign with this secret (default: your account's).")] = None,
    json: Json = False,
) -> None:
    """Post events and SMS to a program on this machine until Ctrl-C, and print each event with the program's answer.

    A received SMS has the body of a webhook; any other event is {"type", "timestamp", "data"}. Both are signed like webhooks.
    An event without a 2xx answer is posted up to six times, then skipped."""
    url = http_url("--forward-to", forward_to if "://" in forward_to else f"http://{forward_to}")
    kinds = set(events.replace(" ", "").split(",")) if events else None
    if secret:
        webhook.sign(secret, id="check", timestamp=0, body=b"")  # raises ValueError if it is malformed
    place = connect.find_place()
    position = _Position(f"{place.url} {hashlib.sha256(place.token.encode()).hexdigest()} {url}")
    with connect.client() as dtmf:
        signing = secret or dtmf.webhook_secret()
        start = position.read() if after is None else after
        if start is None:
            start = _end(dtmf)
            position.write(start)  # a run that ends before its first event must not lose it
        for event in dtmf.events(start):
            answer = _post(url, event, signing) if kinds is None or event["kind"] in kinds else None
            position.write(event["id"])
            if answer:
                _show(event, *answer, json=json)


class _Position:
    """The last event that a program was sent, in a file for each service, account and URL."""

    def __init__(self, name: str) -> None:
        self._file: Path = credentials.path().parent / f"listen-{hashlib.sha256(name.encode()).hexdigest()[:16]}"

    def read(self) -> int | None:
        try:
            return int(self._file.read_text())
        except (OSError, ValueError):
            return None

    def write(self, event_id: int) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self._file.with_suffix(f".{os.getpid()}")
        new.write_text(str(event_id))
        new.replace(self._file)


def _end(dtmf: DTMF) -> int:
    """Return the id of the newest event."""
    last = 0
    while page := dtmf._perform(endpoints.events(last, 0.0)):
        last = pagination.last_id(page, last)
    return last


def _post(url: str, event: Event, secret: str) -> tuple[int | None, str, int]:
    """Post an event until it is answered with 2xx. Returns the last status, its reason, and the milliseconds it took."""
    body = json_.dumps(_body(event), ensure_ascii=False, separators=(",", ":")).encode()
    for pause_s in (*_PAUSES_S, None):
        started_s, now = monotonic(), int(time())
        id_ = f"evt_{event['id']}"
        headers = {
            "Content-Type": "application/json",
            "webhook-id": id_,
            "webhook-timestamp": str(now),
            "webhook-signature": webhook.sign(secret, id=id_, timestamp=now, body=body),
        }
        status, reason = _attempt(url, body, headers)
        if (status is not None and status < 300) or pause_s is None:
            break
        sleep(pause_s)
    return status, reason, round((monotonic() - started_s) * 1000)


def _attempt(url: str, body: bytes, headers: dict[str, str]) -> tuple[int | None, str]:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
    try:
        connection.request("POST", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), body, headers)
        reply = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        return None, str(error) or type(error).__name__
    else:
        return reply.status, reply.reason
    finally:
        connection.close()


def _body(event: Event) -> dict[str, object]:
    if event["kind"] == "message" and event["message"]["inbound"]:
        sms = event["message"]
        return {"id": sms["id"], "e164": sms["e164"], "sender": sms["from"], "content": sms["content"]}
    data = {name: value for name, value in event.items() if name not in {"id", "kind", "timestamp"}}
    return {"type": event["kind"], "timestamp": event["timestamp"], "data": data}


def _show(event: Event, status: int | None, reason: str, took_ms: int, *, json: bool) -> None:
    if json:
        answer = {"event": event, "status": status, "reason": reason, "duration_ms": took_ms}
        output.json(answer, one_line=True)
        output.flush()
        return
    is_done = status is not None and status < 300
    output.line(
        (f"{format_second(event['timestamp'])}  ", "dim"),
        (event["kind"], "bold"),
        f"  {event['e164'] or 'account'} → ",
        (f"{status or ''} {reason}".strip(), "green" if is_done else "red"),
        (f"  {took_ms} ms  #{event['id']}", "dim"),
    )
