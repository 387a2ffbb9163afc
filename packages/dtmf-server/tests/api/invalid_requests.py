"""Requests that must be refused, each with the field its refusal has to name."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

from support.connection import Asked, ask_for

from .invalid_values import (
    BAD_AUTHORIZATION,
    BAD_KEYS,
    BODY,
    BODY_OF,
    METHODS,
    NOT_HTTP,
    NOT_JSON,
    NOT_OBJECTS,
    QUERY,
    RAW,
    UNKNOWN_PATHS,
)
from .operations import PUBLIC, Call, Renter, body_schema_of, calls, operation_of


def requests(document: dict[str, Any], renter: Renter, *, seed: int, count: int) -> Iterator[Asked]:
    """So many malformed requests: one of each kind for each operation and field first, then random ones."""
    chance = random.Random(seed)
    known = list(_each_kind(document, renter))
    chance.shuffle(known)
    yield from known[:count]
    for _ in range(count - len(known)):
        yield _random(document, renter, chance)


def _each_kind(document: dict[str, Any], renter: Renter) -> Iterator[Asked]:
    for name, call in calls(renter).items():
        yield from _bad_queries(document, renter, name, call)
        yield from _bad_bodies(document, renter, name, call)
        yield from _bad_headers(renter, name, call)
    ids = {"delivery_id": renter.delivery_id, "invoice_id": renter.invoice_id, "token_id": renter.second_token_id}
    paths = ids | {"group_id": "us-mobile"}
    for path, methods in document["paths"].items():
        target = path.format(**paths)
        yield from (ask_for(m, target, token=renter.token) for m in METHODS if m.lower() not in methods)
    authorization = ((b"Authorization", b"Bearer " + renter.token.encode()),)
    for target in [*UNKNOWN_PATHS, *NOT_HTTP]:
        yield Asked("GET", target, headers=authorization)
    yield Asked("NONSENSE", b"/api/v1/account", headers=authorization)
    yield Asked("POST", b"/api/v1/addresses", headers=(*authorization, (b"Content-Length", b"-1")))
    yield Asked("GET", b"/api/v1/account", headers=(*authorization, (b"X-Padding", b"x" * 200_000)))


def _bad_queries(document: dict[str, Any], renter: Renter, name: str, call: Call) -> Iterator[Asked]:
    parameters = operation_of(document, name).get("parameters", [])
    asked = call.asked(name, renter.token)
    path = name.split(" ")[1].format(**call.path)
    if not all(parameter.get("required") for parameter in parameters if parameter["in"] == "query"):
        yield _with_query(asked, path, {**call.query, "unheard_of": "1"}, field="unheard_of")
    for parameter in parameters:
        key = parameter["name"]
        if parameter["in"] == "path":
            for value in QUERY[key]:
                elsewhere = name.split(" ")[1].format(**{**call.path, key: quote(value, safe="%")})
                yield replace(asked, target=elsewhere.encode())
        if parameter["in"] != "query":
            continue
        rest = {other: value for other, value in call.query.items() if other != key}
        for value in QUERY[key]:
            yield _with_query(asked, path, {**rest, key: value}, field=key)
        yield replace(asked, target=asked.target + f"&{key}={quote(str(call.query[key]))}".encode(), field=key)
        for raw in (b"%ff", b"%zz", b"%", b"%00", b"%c3%28", b"%ud800", b"\\", b"{}"):
            target = f"{path}?{urlencode(rest)}&{key}=".encode() + raw
            yield replace(asked, target=target, field=key)
        if parameter.get("required"):
            yield _with_query(asked, path, rest, field=key)
        if key == "e164":
            yield replace(asked, target=f"{path}?e164={renter.e164}&{urlencode(rest)}".encode(), field="e164")


def _with_query(asked: Asked, path: str, query: dict[str, Any], *, field: str) -> Asked:
    return replace(asked, target=f"{path}?{urlencode(query)}".encode(), field=field)


def _bad_bodies(document: dict[str, Any], renter: Renter, name: str, call: Call) -> Iterator[Asked]:
    schema = body_schema_of(document, name)
    asked = call.asked(name, renter.token)
    if asked.method != "POST" and not schema:
        return
    wanted = bool(schema.get("required"))
    for text in [*NOT_JSON, *NOT_OBJECTS]:
        if text.strip() or wanted:
            field = None if len(text) > 65_536 or text.startswith('{"') else "body"
            yield replace(asked, body=text.encode(), field=field)
    yield replace(asked, body=b'{"a":"' + b"x" * 70_000 + b'"}')
    yield replace(asked, body=b"\xff\xfe{\x00}\x00", field="body")
    yield replace(asked, body=b"\xef\xbb\xbf{}", field="body")
    good = call.body or {}
    yield replace(asked, body=_json({**good, "unheard_of": 1}), field="unheard_of")
    for key in schema.get("properties", {}):
        rest = {other: value for other, value in good.items() if other != key}
        for value in [*BODY[key], *BODY_OF.get((name, key), [])]:
            # An unknown group is a 404, not a malformed field.
            yield replace(asked, body=_json({**rest, key: value}), field=None if key == "group_id" else key)
        if key in schema["required"]:
            yield replace(asked, body=_json(rest), field=key)
        accrued = _json({**good, key: good.get(key, 1)})[:-1]
        yield replace(asked, body=accrued + b"," + _json({key: good.get(key, 1)})[1:], field=key)
        for raw in (
            b'"\xff"',
            b'"\xed\xa0\x80"',
            b'"\\ud800"',
            b'"\\udc00x"',
            b'"\\x"',
            b'"a\x01b"',
            b'"\n"',
            b"NaN",
            b"01",
        ):
            yield replace(asked, body=_json({**rest, key: "raw:null"}).replace(b"null", raw, 1))


def _json(fields: dict[str, Any]) -> bytes:
    """A JSON object; values that begin with RAW stand as they are."""
    pairs = []
    for key, value in fields.items():
        raw = isinstance(value, str) and value.startswith(RAW)
        pairs.append(json.dumps(key) + ":" + (value.removeprefix(RAW) if raw else json.dumps(value)))
    return ("{" + ",".join(pairs) + "}").encode()


def _bad_headers(renter: Renter, name: str, call: Call) -> Iterator[Asked]:
    asked = call.asked(name, renter.token)
    if name not in PUBLIC:
        for value in BAD_AUTHORIZATION:
            yield replace(asked, headers=((b"Authorization", value),))
        yield replace(asked, headers=())
    if asked.method in ("POST", "DELETE"):
        for key in BAD_KEYS:
            yield replace(asked, headers=(*asked.headers, (b"Idempotency-Key", key)), field="Idempotency-Key")


def _random(document: dict[str, Any], renter: Renter, chance: random.Random) -> Asked:
    """A body of some operation, cut short, deepened, or with several bad fields at once."""
    names = [name for name in calls(renter) if body_schema_of(document, name).get("required")]
    name = chance.choice(names)
    call = calls(renter)[name]
    assert call.body is not None
    asked, good = call.asked(name, renter.token), _json(call.body)
    match chance.randrange(5):
        case 0:
            return replace(asked, body=good[: chance.randrange(len(good))], field="body")
        case 1:
            key = chance.choice(list(call.body))
            bad = {other: chance.choice(BODY[other]) for other in call.body if other == key or chance.random() < 0.5}
            return replace(asked, body=_json({**call.body, **bad}))
        case 2:
            deep = chance.choice(("[", '{"a":', "[[{}," * 2)) * chance.randrange(1, 20_000)
            return replace(asked, body=good[:-1] + b',"x":' + deep.encode())
        case 3:
            at = chance.randrange(1, len(good))
            return replace(asked, body=good[:at] + bytes([chance.choice((0, 1, 0x7F + 1, 0xC0, 0xFF))]) + good[at:])
        case _:
            junk = chance.randbytes(chance.randrange(1, 200))
            return replace(asked, body=b"\x00" + junk, field="body")
