"""The whole service with Telnyx: acknowledged means stored, sent once means charged once, and nothing reaches a wrong
renter. On both engines."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from dtmf_server.core.errors import StorageUnavailable
from dtmf_server.operations import ingest, rent, send, strays, verify
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage.db import Database, Row
from harness import DAY_US, HOUR_US, MINUTE_US, START_US, FakeWall, give_coins, open_account, serving
from support.providers.telnyx import Callback, Telnyx, telnyx

from .conftest import CALLBACK_URL, carrier_of

E164, PRICE, SEGMENT = "+12025550200", 705, 1000  # the one number of its group
PHONE, WITHIN_S = "+31612345678", 60


@dataclass
class Shop:
    """A service with one number, and the Telnyx account that it uses."""

    db: Database
    wall: FakeWall
    provider: Telnyx
    url: str
    accounts: tuple[int, int]

    def brings(self, callback: Callback) -> list[int]:
        """Deliver a callback, with the query that Telnyx was given for it."""
        query = (callback.message.get("webhook_url") or "").partition("?")[2]
        return self.provider.deliver(callback, self.url + (f"?{query}" if query else ""))

    def rented(self, which: int, *, until_us: int | None = None) -> None:
        """Rent the number to an account from now on, and end that rental now if it is over."""
        now_us = self.wall.at_us
        account_id = self.accounts[which]
        self.db.write_blocking(lambda tx: rent.start(tx, account_id, "tiny", now_us=now_us, cooldown_us=0))
        if until_us is not None:
            self.wall.at_us = until_us
            self.db.write_blocking(lambda tx: rent.end(tx, account_id, E164, now_us=until_us))

    def messages(self) -> list[tuple[int, str, int]]:
        """Account, text and cost of every message, oldest first."""
        return [
            (row["account_id"], row["content"], row["cost"]) for row in self.rows("SELECT * FROM messages ORDER BY id")
        ]

    def rows(self, statement: str, **parameters: Any) -> list[Row]:
        return self.db.read_blocking(lambda tx: tx.all(statement, **parameters))

    def sends(self, text: str = "hello") -> int:
        """Send an SMS as the first renter."""
        sent = self.db.write_blocking(
            lambda tx: send.send(
                tx, self.accounts[0], sender=E164, to=PHONE, content=text, now_us=self.wall.at_us, daily_limit=None
            )
        )
        self.db.wakeups.notify({"deliveries"})
        return int(sent["id"])

    def until(self, message_id: int, status: str) -> Row:
        """Wait for a status of a message."""
        return self.eventually(
            lambda: self.rows(
                "SELECT * FROM messages WHERE id = :id AND status = :status", id=message_id, status=status
            )
        )[0]

    def eventually(self, look: Callable[[], Any]) -> Any:
        until_s = time.monotonic() + WITHIN_S
        while not (found := look()):
            assert time.monotonic() < until_s, "nothing found in time"
            time.sleep(0.02)
        return found

    def charged(self) -> int:
        """Sats charged for sending, after refunds."""
        rows = self.rows(
            "SELECT coalesce(sum(CASE kind WHEN 'message_sent' THEN amount ELSE -amount END), 0) AS sats FROM transfers"
            " WHERE kind IN ('message_sent', 'message_refunded')"
        )
        return int(rows[0]["sats"])


def opened(db: Database, wall: FakeWall, provider: Telnyx, url: str) -> Shop:
    accounts = (open_account(db, seed=0), open_account(db, seed=1))
    for account_id in accounts:
        give_coins(db, account_id, 100_000_000)
    return Shop(db, wall, provider, f"{url}/callbacks/carriers/telnyx", accounts)


@pytest.fixture
def provider(wall: FakeWall) -> Iterator[Telnyx]:
    with telnyx(clock=lambda: wall.at_us / 1e6, numbers=[E164]) as found:
        yield found


@pytest.fixture
def shop(db: Database, runtime: Runtime, wall: FakeWall, provider: Telnyx) -> Iterator[Shop]:
    """An API-only process: it receives callbacks and sends nothing."""
    with serving(runtime, workers=False, carriers=[carrier_of(provider, wall=wall)]) as url:
        yield opened(db, wall, provider, url)


@pytest.fixture
def sending(db: Database, runtime: Runtime, wall: FakeWall, provider: Telnyx) -> Iterator[Shop]:
    """The service with its workers, and a rented number."""
    with serving(runtime, carriers=[carrier_of(provider, wall=wall)]) as url:
        found = opened(db, wall, provider, url)
        found.rented(0)
        yield found


def test_an_sms_is_acknowledged_once_it_is_stored_and_stored_once(shop: Shop) -> None:
    shop.rented(0)
    first = shop.provider.received(E164, "12345", "Your code is 1234")
    assert shop.brings(first) == [200]
    shop.wall.advance(seconds=200)
    assert shop.brings(first) == [200]  # repeated, with a new timestamp and a new signature
    assert shop.brings(shop.provider.received(E164, "12345", "Your code is 1234")) == [
        200
    ]  # another with the same text
    text = "Your code is 1234"
    assert shop.messages() == [(shop.accounts[0], text, PRICE)] * 2
    assert shop.db.read_blocking(verify.differences) == []


def test_telnyx_repeats_what_could_not_be_stored(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.rented(0)
    real, failures = ingest.ingest_batch, iter([StorageUnavailable(), StorageUnavailable()])

    def failing(*args: Any, **kwargs: Any) -> list[int]:
        if error := next(failures, None):
            raise error
        return real(*args, **kwargs)

    monkeypatch.setattr(ingest, "ingest_batch", failing)
    assert shop.brings(shop.provider.received(E164, PHONE, "hello")) == [503, 503, 200]
    assert [text for _, text, _ in shop.messages()] == ["hello"]


def test_the_failover_url_brings_what_the_first_url_could_not(shop: Shop) -> None:
    shop.rented(0)
    shop.provider.webhook_failover_url = shop.url
    callback = shop.provider.received(E164, PHONE, "hello")
    assert shop.provider.deliver(callback, "http://127.0.0.1:1/callbacks/carriers/telnyx") == [0, 0, 0, 200]
    assert [text for _, text, _ in shop.messages()] == ["hello"]


def test_forged_stale_and_oversized_callbacks_are_refused_and_bring_nothing(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.rented(0)
    post, signed = shop.provider.post, shop.provider.signed
    headers, body = signed(shop.provider.received(E164, PHONE, "canary"))
    foreign = replace(shop.provider, profile_id="another").received(E164, PHONE, "canary")
    assert post(shop.url, headers, body.replace(b"canary", b"canarx")) == 403
    assert post(shop.url, {"content-type": "application/json"}, body) == 403
    assert post(shop.url, *signed(foreign)) == 403
    assert post(shop.url, *shop.provider.sign(b'{"data": {"event_type": "message.received", "payload": {}}}')) == 400
    assert post(shop.url, *signed(shop.provider.received(E164, PHONE, "canary" * 12_000))) == 413
    shop.wall.advance(seconds=301)
    assert post(shop.url, headers, body) == 403
    assert shop.messages() == []
    assert "canary" not in caplog.text


@pytest.mark.parametrize("late_us", [HOUR_US, 8 * DAY_US, 40 * DAY_US])
def test_a_late_callback_never_reaches_the_next_renter(shop: Shop, late_us: int) -> None:
    shop.rented(0, until_us=START_US + 30 * MINUTE_US)
    of_the_first = shop.provider.received(E164, PHONE, "first", at_s=(START_US + 20 * MINUTE_US) / 1e6)
    of_nobody = shop.provider.received(E164, PHONE, "nobody's", at_s=(START_US + 40 * MINUTE_US) / 1e6)
    shop.wall.at_us = START_US + 50 * MINUTE_US
    shop.rented(1)
    shop.wall.at_us = START_US + late_us
    assert [shop.brings(each) for each in (of_the_first, of_nobody)] == [[200], [200]]
    assert {account_id for account_id, _, _ in shop.messages()} <= {shop.accounts[0]}
    assert "nobody's" not in {text for _, text, _ in shop.messages()}
    assert sum(stray.count for stray in shop.db.read_blocking(strays.latest)) >= 1


def test_an_sms_is_sent_delivered_and_charged_once_whatever_the_order_of_its_callbacks(sending: Shop) -> None:
    message_id = sending.sends()
    sending.until(message_id, "sent")
    (sent,) = sending.provider.sent
    assert sent["webhook_url"] == f"{CALLBACK_URL}?message={message_id}"
    final, earlier = (sending.provider.state(sent["id"], status) for status in ("delivered", "sent"))
    for callback in (final, earlier, final):
        assert sending.brings(callback) == [200]
    sending.until(message_id, "delivered")
    assert sending.charged() == SEGMENT


def test_an_sms_that_was_not_delivered_has_its_reason(sending: Shop) -> None:
    message_id = sending.sends()
    sending.until(message_id, "sent")
    assert sending.brings(sending.provider.state(sending.provider.sent[0]["id"], "sending_failed", "40010")) == [200]
    sending.until(message_id, "failed")
    (row,) = sending.rows("SELECT * FROM messages WHERE id = :id", id=message_id)
    assert "10DLC" in str(dict(row))


@pytest.mark.parametrize(
    ("status", "settled", "charge"), [("sent", "sent", SEGMENT), ("delivered", "delivered", SEGMENT)]
)
def test_an_sms_in_doubt_is_settled_by_the_callback_that_names_it(
    sending: Shop, status: str, settled: str, charge: int
) -> None:
    sending.provider.faults.extend(["lost", "lost"])
    message_id = sending.sends()
    sending.until(message_id, "in_doubt")
    (sent,) = sending.provider.sent
    assert sending.brings(sending.provider.state(sent["id"], status)) == [200]
    sending.until(message_id, settled)
    assert sending.charged() == charge
    assert len(sending.provider.sent) == 1


def test_an_sms_that_telnyx_refuses_is_refunded(sending: Shop) -> None:
    sending.provider.faults.append("40310")
    sending.until(sending.sends(), "failed")
    assert sending.charged() == 0
    assert not sending.provider.sent
