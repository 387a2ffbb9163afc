"""`/export/…`: stream all messages or transactions as CSV or JSON."""

import csv
import io
import re
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import msgspec
from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import Stream

from dtmf.e164 import is_e164
from dtmf_server.http.request import Request, runtime_of
from dtmf_server.storage import messages, transfers
from dtmf_server.storage.db import Row
from dtmf_server.web.kit import views
from dtmf_server.web.kit.filters import iso

PAGE = 500  # rows read in one transaction
_FORMULA = re.compile(r"[=+@\t\r-]")
_PATHS = {f"{what}.{kind}": (what, kind) for what in ("messages", "transactions") for kind in ("csv", "json")}

Record = dict[str, Any]
Read = Callable[..., list[Row]]


def _message(row: Row, _account_id: int) -> Record:
    return {
        "id": row["id"],
        "time": iso(row["at_us"]),
        "number": row["e164"],
        "direction": "received" if row["inbound"] else "sent",
        "from": row["sender"],
        "to": row["recipient"],
        "text": row["content"],
        "status": row["status"],
        "cost_sats": row["cost"],
    }


def _transaction(row: Row, account_id: int) -> Record:
    return {
        "id": row["id"],
        "time": iso(row["at_us"]),
        "kind": row["kind"],
        "sats": row["amount"] if row["credit"] == account_id else -row["amount"],
        "balance_sats": row["balance"],
        "reference": row["reference"],
    }


_READ: dict[str, tuple[Read, Callable[[Row, int], Record]]] = {
    "messages": (partial(messages.listed, rental_ids=None, inbound=None, limit=PAGE), _message),
    "transactions": (partial(transfers.of_account, limit=PAGE), _transaction),
}


@get("/export/{name:str}")
async def get_export(request: Request, name: FromPath[str]) -> Response[Any]:
    """Stream a file page by page: no transaction stays open while a slow browser downloads it."""
    if name not in _PATHS:
        raise NotFoundException
    what, kind = _PATHS[name]
    read, record = _READ[what]

    async def records() -> AsyncIterator[list[Record]]:
        found = first
        while found:
            yield [record(row, account_id) for row in found]
            found = await db.read(partial(read, account_id=account_id, after=found[-1]["id"]))

    db = runtime_of(request).db
    account_id, first = await views.read(
        request, lambda tx, visit: (visit.account_id, read(tx, account_id=visit.account_id, after=0))
    )
    headers = {
        "Content-Disposition": f'attachment; filename="dtmf-{name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    text = _csv(records()) if kind == "csv" else _json(records())
    media_type = "text/csv" if kind == "csv" else "application/json"
    return Stream(text, media_type=media_type, headers=headers)


async def _json(pages: AsyncIterator[list[Record]]) -> AsyncIterator[bytes]:
    between = b"[\n"
    async for page in pages:
        for record in page:
            yield between + msgspec.json.encode(record)
            between = b",\n"
    yield b"[]\n" if between == b"[\n" else b"\n]\n"


async def _csv(pages: AsyncIterator[list[Record]]) -> AsyncIterator[bytes]:
    is_first = True
    async for page in pages:
        file = io.StringIO()
        writer = csv.writer(file)
        if is_first:
            writer.writerow(page[0])
            is_first = False
        writer.writerows([_cell(value) for value in record.values()] for record in page)
        yield file.getvalue().encode("utf-8", "replace")


def _cell(value: object) -> object:
    """Prefix untrusted text that a spreadsheet would run as a formula with an apostrophe."""
    if isinstance(value, str) and _FORMULA.match(value) and not is_e164(value):
        return f"'{value}"
    return value


ROUTES = [get_export]
