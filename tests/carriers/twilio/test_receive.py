"""An SMS at Twilio reaches its renter once, whatever happens to its callbacks; acknowledged means stored."""

from collections.abc import Callable
from urllib.parse import urlencode

import pytest

from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.operations import ingest, rent
from dtmf_server.runtime.clock import wall_us
from dtmf_server.storage.db import Database
from dtmf_server.workers import carrier_links
from harness import DAY_US, HOUR_US, give_coins, open_account
from support.providers.twilio import HTML, Twilio, signature
from support.twilio_carrier import CALLBACK_URL, OURS, PHONE, PUBLIC_URL
from support.twilio_line import Line

PRICE = 705
Start = Callable[..., Line]
FORM = "application/x-www-form-urlencoded"


def test_an_sms_is_stored_charged_and_answered_with_nothing_to_send_back(start: Start) -> None:
    line = start(workers=False)
    sms = line.provider.receive(OURS, PHONE, "Your code is 123456", call=False)
    assert line.provider.post(CALLBACK_URL, line.provider.inbound_fields(sms))[:2] == (204, b"")
    (stored,) = line.rows("SELECT * FROM messages")
    assert (stored["sender"], stored["recipient"], stored["content"]) == (PHONE, OURS, "Your code is 123456")
    assert (stored["cost"], stored["status"]) == (PRICE, "received")
    assert line.books_are_right()


FAULTS: dict[str, Callable[[Line, list[tuple[str, str]], dict[str, str]], int]] = {
    "unsigned": lambda line, fields, _: line.provider.post_raw(CALLBACK_URL, urlencode(fields).encode(), FORM, {})[0],
    "signed with another token": lambda line, fields, _: line.provider.post(
        CALLBACK_URL, fields, **{"X-Twilio-Signature": signature(CALLBACK_URL, fields, token="x")}
    )[0],
    "text changed": lambda line, fields, signed: line.provider.post(
        CALLBACK_URL, [(name, "Your code is 666666" if name == "Body" else value) for name, value in fields], **signed
    )[0],
    "field added": lambda line, fields, signed: line.provider.post(CALLBACK_URL, [*fields, ("x", "")], **signed)[0],
    "field removed": lambda line, fields, signed: line.provider.post(CALLBACK_URL, fields[1:], **signed)[0],
    "truncated": lambda line, fields, signed: line.provider.post_raw(
        CALLBACK_URL, urlencode(fields).encode()[:-30], FORM, signed
    )[0],
    "query added": lambda line, fields, signed: line.provider.post(CALLBACK_URL + "?a=1", fields, **signed)[0],
    "as json": lambda line, fields, signed: line.provider.post_raw(
        CALLBACK_URL, urlencode(fields).encode(), "application/json", signed
    )[0],
    "oversized": lambda line, fields, _: line.provider.post(CALLBACK_URL, [*fields, ("y", "y" * 70_000)])[0],
    "compressed": lambda line, fields, _: line.provider.post(CALLBACK_URL, fields, **{"Content-Encoding": "gzip"})[0],
    "another account": lambda line, fields, _: line.provider.post(
        CALLBACK_URL, [(name, "AC" + "2" * 32 if name == "AccountSid" else value) for name, value in fields]
    )[0],
    "two texts": lambda line, fields, _: line.provider.post(CALLBACK_URL, [*fields, ("Body", "666666")])[0],
    "no sid": lambda line, fields, _: line.provider.post(
        CALLBACK_URL, [(name, value) for name, value in fields if not name.endswith("Sid") or name == "AccountSid"]
    )[0],
    "html": lambda line, _, signed: line.provider.post_raw(CALLBACK_URL, HTML, "text/html", signed)[0],
    "empty": lambda line, _, signed: line.provider.post_raw(CALLBACK_URL, b"", FORM, signed)[0],
}


@pytest.mark.parametrize("limits", [{}])
def test_forged_damaged_and_foreign_callbacks_are_refused_and_the_real_one_is_stored(
    start: Start, caplog: pytest.LogCaptureFixture, limits: dict[str, object]
) -> None:
    line = start(workers=False)
    for name, fault in FAULTS.items():
        sms = line.provider.receive(OURS, PHONE, f"canary {name}", call=False)
        fields = line.provider.inbound_fields(sms)
        status = fault(line, fields, {"X-Twilio-Signature": signature(CALLBACK_URL, fields)})
        assert status in (400, 403, 413, 415), name
        assert line.received() == [], name
    assert "canary" not in caplog.text
    assert "Traceback" not in caplog.text
    assert line.provider.call(sms) == [204]
    assert line.received() == [sms.body]


def test_a_callback_repeated_in_any_form_is_stored_once(start: Start) -> None:
    line = start(workers=False)
    sms = line.provider.receive(OURS, PHONE, "Your code is 123456")
    captured = line.provider.inbound_fields(sms)
    for _ in range(3):
        assert line.provider.call(sms) == [204]
    assert line.provider.post(CALLBACK_URL, captured[::-1])[0] == 204
    other = line.provider.receive(OURS, PHONE, "Your code is 123456")  # the same text again
    assert other.sid != sms.sid
    assert line.received() == ["Your code is 123456"] * 2
    assert sum(row["cost"] for row in line.rows("SELECT cost FROM messages")) == 2 * PRICE


def test_a_proxy_may_rewrite_host_scheme_and_port(start: Start) -> None:
    line = start(workers=False)
    sms = line.provider.receive(OURS, PHONE, "through a proxy", call=False)
    headers = {"Host": "10.0.0.1:8080", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    assert line.provider.post(CALLBACK_URL, line.provider.inbound_fields(sms), **headers)[0] == 204
    with_port = CALLBACK_URL.replace(PUBLIC_URL, f"{PUBLIC_URL}:443")
    sms = line.provider.receive(OURS, PHONE, "signed with its port", call=False)
    fields = line.provider.inbound_fields(sms)
    assert line.provider.post(CALLBACK_URL, fields, **{"X-Twilio-Signature": signature(with_port, fields)})[0] == 204
    assert line.received() == ["through a proxy", "signed with its port"]


def test_what_cannot_be_stored_is_not_acknowledged_and_the_retry_or_the_fallback_is(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = start(workers=False)
    number, fails, stored = line.provider.numbers[OURS], [2], ingest.ingest_batch

    def breaks(*arguments: object, **named: object) -> object:
        fails[0] -= 1
        if fails[0] >= 0:
            raise StorageUnavailable
        return stored(*arguments, **named)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(ingest, "ingest_batch", breaks)
    number.sms_url = f"{CALLBACK_URL}#rc=3&rp=all"
    sms = line.provider.receive(OURS, PHONE, "retried", call=False)
    assert line.provider.call(sms) == [503, 503, 204]
    fails[0], number.sms_url, number.sms_fallback_url = 1, CALLBACK_URL, CALLBACK_URL
    sms = line.provider.receive(OURS, PHONE, "by the fallback", call=False)
    assert line.provider.call(sms) == [503, 204]
    assert line.received() == ["retried", "by the fallback"]


def test_a_removed_code_is_shown_and_not_charged(start: Start) -> None:
    line = start(workers=False)
    line.provider.receive(OURS, "Bank", "Your code is ***", error_code=30038)
    (stored,) = line.rows("SELECT cost, reason FROM messages")
    assert (stored["cost"], stored["reason"]) == (0, "the carrier removed the code from this SMS")


@pytest.mark.parametrize("late_us", [HOUR_US, 8 * DAY_US, 40 * DAY_US])
def test_a_callback_delayed_or_repeated_across_a_change_of_renter_reaches_the_renter_of_its_time(
    start: Start, db: Database, late_us: int
) -> None:
    now_us = wall_us()
    received_us = now_us - late_us
    accounts = [open_account(db, seed=seed, now_us=received_us - HOUR_US) for seed in (1, 2)]
    for account_id in accounts:
        give_coins(db, account_id, 10**9, now_us=received_us - HOUR_US)
    rented = {"cooldown_us": 0}
    db.write_blocking(lambda tx: rent.start(tx, accounts[0], "tiny", now_us=received_us - HOUR_US, **rented))
    db.write_blocking(lambda tx: rent.end(tx, accounts[0], OURS, now_us=received_us + HOUR_US // 2))
    db.write_blocking(lambda tx: rent.start(tx, accounts[1], "tiny", now_us=received_us + HOUR_US * 3 // 4, **rented))
    line = start(workers=False, rented=False)
    sms = line.provider.receive(OURS, "Bank", "Your code is 123456", at_us=received_us, call=False)
    forgotten = line.provider.receive(OURS, "Bank", "nobody's", at_us=received_us, call=False)
    line.provider.messages.remove(forgotten)
    new = line.provider.receive(OURS, "Bank", "for the second", call=False)
    for message in (sms, new, sms, forgotten):
        assert line.provider.call(message) == [204]
    owners = line.rows("SELECT account_id, content FROM messages ORDER BY id")
    assert [(row["account_id"], row["content"]) for row in owners] == [
        (accounts[0], "Your code is 123456"),
        (accounts[1], "for the second"),
    ]


def test_catch_up_after_an_outage_of_an_hour_stores_everything_once(
    start: Start, monkeypatch: pytest.MonkeyPatch, provider: Twilio
) -> None:
    monkeypatch.setattr(carrier_links, "CATCH_UP_S", 0.2)
    provider.page_max = 7
    now_us = wall_us()
    for number in range(25):  # while the service was down
        provider.receive(OURS, PHONE, f"missed {number}", at_us=now_us + number * 1_000_000, call=False)
    provider.read_faults.extend(["", "500"])  # of the account, then of the list
    monkeypatch.setattr(carrier_links, "CATCH_UP_RETRY_S", 0.2)
    line = start()
    line.eventually(lambda: len(line.received()) == 25)
    for message in [*provider.messages]:
        assert provider.call(message) == [204]  # late callbacks of what was caught up
    provider.receive(OURS, PHONE, "by callback")
    asked = len(provider.requests)
    line.eventually(lambda: len(provider.requests) > asked + 12)  # and listed again
    assert line.received() == [*(f"missed {number}" for number in range(25)), "by callback"]
    assert line.books_are_right()
