"""Values that no field, parameter, header or path of the API takes."""

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
    "url": [*_NOT_TEXT, *_NOT_LINES, "", "x", "+13105550123", "ftp://example.org/", "https://", "https://10.0.0.1/"],
    "e164": [*_NOT_TEXT, *_NOT_E164],
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
    "label": [*(value for value in _NOT_TEXT if value != "raw:null"), "", "x" * 101, *_NOT_LINES],
    "max_minutes": [*(value for value in _NOT_INTEGERS if value != "raw:null"), "raw:0", "raw:2100000000000001"],
    "max_sats": [*(value for value in _NOT_INTEGERS if value != "raw:null"), "raw:0", "raw:2100000000000001"],
    "address": [*_NOT_TEXT, "raw:null", "", "\0", "bcrt1", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "x" * 129],
    "amount": [
        *(value for value in _NOT_INTEGERS if value not in ("raw:null", 'raw:"1"')),
        *("raw:0", "raw:2100000000000001", "", "x", "0", "-1", "1 sat\0", "9" * 70),
    ],
    "claim": [*(value for value in _NOT_TEXT if value != "raw:null"), "", "x" * 129],
    "invoice": [*_NOT_TEXT, "raw:null", "", "x", "lnbc1", "x" * 4097, *_NOT_LINES],
    "fault": [*(value for value in _NOT_TEXT if value != "raw:null"), "", "Late", "early", "late\n"],
    "confirmations": [*(value for value in _NOT_INTEGERS if value != "raw:null"), "raw:145"],
    "advance_s": [*_NOT_NUMBERS, "raw:31622401", "raw:1e99"],
}
_NOT_LISTS = [
    "raw:1",
    "raw:true",
    "raw:{}",
    'raw:"read"',
    "raw:[]",
    "raw:[1]",
    "raw:[null]",
    'raw:[""]',
    'raw:["a\\u0000"]',
]
_NOT_CAPS = [value for value in _NOT_INTEGERS if value != "raw:null"] + ["raw:0", "raw:2100000000000001"]
BODY |= {
    "scopes": [
        *_NOT_LISTS,
        'raw:["admin"]',
        'raw:["READ"]',
        'raw:["read "]',
        'raw:["read", "read"]',
        'raw:["read rent"]',
    ],
    "groups": [*_NOT_LISTS, 'raw:["us-mobile", "us-mobile"]', f'raw:["{"x" * 65}"]', 'raw:["us-mobile\\n"]'],
    "expires_at": [*(value for value in _NOT_TEXT if value != "raw:null"), *_NOT_TIMES, "2018-01-01T00:00:00"],
    "sats_max": _NOT_CAPS,
    "sats_per_day": _NOT_CAPS,
    "rentals_max": _NOT_CAPS,
}
# The same for one operation's field that is stricter.
BODY_OF = {
    ("POST /api/v1/tokens", "label"): ["raw:null"],
    ("POST /api/v1/message", "from"): _NOT_E164,
    ("POST /api/v1/message", "content"): [""],
    ("POST /api/v1/deliveries/test", "e164"): ["raw:null"],
    ("POST /api/v1/numbers/adopt", "e164"): ["raw:null"],
    ("POST /api/v1/accounts", "amount"): ['raw:"1"'],
    ("POST /api/v1/sandbox/deposit", "amount"): ["raw:null", 'raw:"1"'],
    ("POST /api/v1/sandbox/pay", "amount"): ['raw:"1"'],
    ("POST /api/v1/sandbox/message", "from"): [*_NOT_LINES, "x" * 65],
}
NOT_JSON = [
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
NOT_OBJECTS = [
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
_NOT_BOOLEANS = ["", "x", "1", "0", "True", "yes", "null", "true,false", "true\n", "\0"]
_NOT_IN_PATH = [
    "x",
    "-1",
    "0",
    "1.5",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775809",
    "-" + "9" * 30,
    "\u0661",
    "1_0",
    "9" * 5000,
    "%00",
    "%2f",
]
QUERY = {
    "token_id": [value for value in _NOT_IN_PATH if value != "%2f"],  # the list, as below
    "e164": _NOT_E164,
    "current": _NOT_BOOLEANS,
    "inbound": _NOT_BOOLEANS,
    "state": ["", "Parked", "gone", "parked\0", "parked,waiting"],
    "since": [*_NOT_TIMES, "-1", "1e400", "9" * 400, "nan"],
    "type": ["", "Mobile", "mobile ", "mobile\0", "landline", "mobile,local", "x" * 5000],
    "id": ["0", *_NOT_IN_QUERY_INTEGERS],
    "after": _NOT_IN_QUERY_INTEGERS,
    "before": ["0", *_NOT_IN_QUERY_INTEGERS],
    "order": ["", "ASC", "newest", "desc\0", "asc,desc"],
    "limit": ["0", "1001", *_NOT_IN_QUERY_INTEGERS],
    "delivery_id": _NOT_IN_PATH,
    "invoice_id": [value for value in _NOT_IN_PATH if value != "%2f"],  # the list, with slashes at its end
    "group_id": ["x", "-1", "0", "US-MOBILE", "us-mobile%00", "us-mobile%0a", "%00", "9" * 5000],
    "contains": ["x", "-1", "+1", "1.5", " 1", "1\n", "%", "_", "\u0661", "0" * 16],
    "kind": ["", "x", "message", "deposit.seen", "deposit.credited\n"],
    "wait": ["", "x", "-1", "61", "nan", "inf", "-inf", "1e400", "true", "\u0661", "1\n", "0x1"],
}
BAD_AUTHORIZATION = [
    *(b"", b"Bearer", b"Bearer ", b"Basic dXNlcjpwYXNz", b"Token abc", b"Bearer \xff\xfe", b"\x80", b"Bearer null"),
    *(b"Bearer dtmf_", b"Bearer dtmf_" + b"0" * 36, b"Bearer dtmf_" + b"x" * 30_000, b"bearer", b"Bearer a b c"),
]
BAD_KEYS = [b"", b" ", b"x" * 256, b"\xff", "schlüssel".encode(), b"a\tb", b"x" * 10_000]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"]
UNKNOWN_PATHS = [
    *(
        b"/api",
        b"/api/v1",
        b"/api/v2/account",
        b"/api/v1/accounts/1",
        b"/api/v1/number/%2B12025550100",
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
NOT_HTTP = [b"/api/v1/\xff", b"api/v1/account", b"/a b", b"/\x01"]
