"""Requests that must be refused, each with the field its refusal has to name."""

import json
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

from .connection import Asked, ask_for
from .operations import PUBLIC, Call, Renter, body_schema_of, calls, operation_of

MANY = 100_000
RAW = "raw:"  # what follows goes into the JSON as it stands

_NOT_TEXT = ["raw:1", "raw:-1", "raw:1.5", "raw:true", "raw:[]", "raw:{}", 'raw:["x"]', "raw:9223372036854775808"]
_NOT_NUMBERS = ['raw:"1"', "raw:true", "raw:null", "raw:[]", "raw:{}", 'raw:"\\u0661"', "raw:1e400", "raw:-1"]
_NOT_INTEGERS = [*_NOT_NUMBERS, "raw:1.5", "raw:1.0", "raw:1e3", "raw:9223372036854775808", "raw:-9223372036854775809"]
_NOT_E164 = [
    *("", "+", "+0123", "+1", "12025550100", "0012025550100", "+1202555010\n", "+12025550100\n", " +12025550100"),
    *("+1 202 555 0100", "+1-202-5550100", "+12025550100x", "+1234567890123456", "++12025550100", "+12025550100\0"),
    *(
        "+\u0661\u0662\u0663\u0664",
        "+\uff11\uff12\uff13",
        "tel:+12025550100",
        "+12025550100" * 200,
        "\ufeff+12025550100",
    ),
]
_NOT_LINES = ["\0", "a\0b", "a\nb", "a\rb", "\x1b[31m", "a\x7f", "\x85", "line\u2028line"]

_NOT_TIMES = [
    "",
    "x",
    "yesterday",
    "2018",
    "2018-13-01T00:00:00",
    "2018-01-01",
    "2018-01-01T25:00:00",
    "0000-01-01T00:00:00",
]
_NOT_TIMES += [
    "1969-12-31T23:59:59",
    "0001-01-01T00:00:00+23:59",
    "2018-01-01T00:00:00\n",
    "2018-01-01T00:00:00+99:99",
    "\0",
]

# Values no field of that name takes, in a body.
BODY = {
    "since": [*_NOT_TEXT, "raw:null", *_NOT_TIMES],
    "e164": [*_NOT_TEXT, "raw:null", *_NOT_E164],
    "group_id": [*_NOT_TEXT, "raw:null", "", "\0", "us-mobile\0", "us-mobile\n", " us-mobile", "US-MOBILE", "x" * 65],
    "sms_forwarded_to": [
        *(*_NOT_TEXT, *_NOT_E164, *_NOT_LINES, "x", "forward", "ftp://example.org/", "http://example.org/"),
        *("https://", "https://user@example.org/", "https://exam ple.org/", "https://10.0.0.1/", "javascript:alert(1)"),
        *(
            "https://example.org/\0",
            "https://example.org/\n",
            "https://[::1",
            "//example.org",
            "https://e.org/" + "x" * 2040,
        ),
    ],
    "from": [*_NOT_TEXT, "raw:null", "", "\0", "a\0"],
    "to": [*_NOT_TEXT, "raw:null", *_NOT_E164],
    "content": [*_NOT_TEXT, "raw:null", "\0", "a\0b", "x" * 1601],
    "label": [*_NOT_TEXT, "raw:null", "", "x" * 101, *_NOT_LINES],
    "address": [*_NOT_TEXT, "raw:null", "", "\0", "bcrt1", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "x" * 129],
    "amount": [*_NOT_INTEGERS, "raw:0", "raw:2100000000000001"],
    "confirmations": [*(value for value in _NOT_INTEGERS if value != "raw:null"), "raw:145"],
    "advance_s": [*_NOT_NUMBERS, "raw:31622401", "raw:1e99"],
}
# The same for one operation's field that is stricter.
BODY_OF = {
    ("POST /api/v1/message", "from"): _NOT_E164,
    ("POST /api/v1/message", "content"): [""],
    ("POST /api/v1/sandbox/message", "from"): [*_NOT_LINES, "x" * 65],
}
_NOT_JSON = [
    "",
    " ",
    "x",
    "nan",
    "NaN",
    "Infinity",
    "[NaN]",
    "'x'",
    "{",
    "}",
    "{,}",
    "[" * MANY,
    '{"a":' * 5000,
    "[" * 60_000,
]
_NOT_OBJECTS = [
    "null",
    "true",
    "0",
    "-1",
    "1e5",
    '""',
    '"group_id"',
    "[]",
    "[{}]",
    "[[[[]]]]",
    "[" * 30_000 + "]" * 30_000,
]

_NOT_IN_QUERY_INTEGERS = [
    "",
    "x",
    "-1",
    "1.5",
    "1e3",
    "true",
    "null",
    "9223372036854775808",
    "\u0661",
    "1\n",
    "0x10",
    " 1",
    "1_0",
    "1,2",
]
QUERY = {
    "e164": _NOT_E164,
    "state": ["", "Parked", "gone", "parked\0", "parked,waiting"],
    "since": [*_NOT_TIMES, "-1", "1e400", "9" * 400, "nan"],
    "type": ["", "Mobile", "mobile ", "mobile\0", "landline", "mobile,local", "x" * 5000],
    "id": ["0", *_NOT_IN_QUERY_INTEGERS],
    "after": _NOT_IN_QUERY_INTEGERS,
    "limit": ["0", "1001", *_NOT_IN_QUERY_INTEGERS],
    "delivery_id": [
        "x",
        "-1",
        "0",
        "1.5",
        "9223372036854775807",
        "9223372036854775808",
        "\u0661",
        "1_0",
        "9" * 5000,
        "%00",
        "%2f",
    ],
    "wait": ["", "x", "-1", "61", "nan", "inf", "-inf", "1e400", "true", "\u0661", "1\n", "0x1"],
}
_BAD_AUTHORIZATION = [
    *(b"", b"Bearer", b"Bearer ", b"Basic dXNlcjpwYXNz", b"Token abc", b"Bearer \xff\xfe", b"\x80", b"Bearer null"),
    *(b"Bearer dtmf_", b"Bearer dtmf_" + b"0" * 36, b"Bearer dtmf_" + b"x" * 30_000, b"bearer", b"Bearer a b c"),
]
_BAD_KEYS = [b"", b" ", b"x" * 256, b"\xff", "schlüssel".encode(), b"a\tb", b"x" * 10_000]
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"]
_UNKNOWN_PATHS = [
    *(
        b"/",
        b"/api",
        b"/api/v1",
        b"/api/v2/account",
        b"/api/v1/accounts/1",
        b"/api/v1/number/%2B12025550100",
        b"//",
        b"/%00",
    ),
    *(
        b"/api/v1/%ff",
        b"/api/v1/%zz",
        b"/api/v1/%",
        b"/api/v1/..%2f..%2fetc%2fpasswd",
        b"/api/v1/account%00",
        b"/api/v1/account;x",
    ),
    *(
        b"/schema/x",
        b"/schema/openapi.yaml",
        b"/api/v1/../account",
        b"/api/v1/" + b"x" * 5000,
        b"/API/V1/ACCOUNT",
        b"/healthz/x",
    ),
]
_NOT_HTTP = [b"/api/v1/\xff", b"api/v1/account", b"/a b", b"/\x01"]


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
    for path, methods in document["paths"].items():
        target = path.format(delivery_id=renter.delivery_id)
        yield from (ask_for(m, target, token=renter.token) for m in _METHODS if m.lower() not in methods)
    authorization = ((b"Authorization", b"Bearer " + renter.token.encode()),)
    for target in [*_UNKNOWN_PATHS, *_NOT_HTTP]:
        yield Asked("GET", target, headers=authorization)
    yield Asked("NONSENSE", b"/api/v1/account", headers=authorization)
    yield Asked("POST", b"/api/v1/addresses", headers=(*authorization, (b"Content-Length", b"-1")))
    yield Asked("GET", b"/api/v1/account", headers=(*authorization, (b"X-Padding", b"x" * 200_000)))


def _bad_queries(document: dict[str, Any], renter: Renter, name: str, call: Call) -> Iterator[Asked]:
    parameters = operation_of(document, name).get("parameters", [])
    asked = call.asked(name, renter.token)
    path = name.split(" ")[1].format(**call.path)
    if path.startswith("/api/"):
        yield _with_query(asked, path, {**call.query, "unheard_of": "1"}, field="unheard_of")
    for parameter in parameters:
        key = parameter["name"]
        if parameter["in"] == "path":
            for value in QUERY[key]:
                target = name.split(" ")[1].format(**{**call.path, key: quote(value, safe="%")})
                yield replace(asked, target=target.encode())
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
    for text in [*_NOT_JSON, *_NOT_OBJECTS]:
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
            # A group that does not exist is no malformed field: the refusal is a 404 and says so.
            yield replace(asked, body=_json({**rest, key: value}), field=None if key == "group_id" else key)
        if key in schema["required"]:
            yield replace(asked, body=_json(rest), field=key)
        text = _json({**good, key: good.get(key, 1)})[:-1]
        yield replace(asked, body=text + b"," + _json({key: good.get(key, 1)})[1:], field=key)
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
        for value in _BAD_AUTHORIZATION:
            yield replace(asked, headers=((b"Authorization", value),))
        yield replace(asked, headers=())
    if asked.method in ("POST", "DELETE"):
        for key in _BAD_KEYS:
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
