"""Limits and labels of rentals over HTTP: what is shown, what is refused, retried and belongs to others."""

from dtmf_server.storage.db import Database
from harness import MINUTE_US, FakeWall, give_coins, new_token, open_account
from support.connection import Connection, Reply

from .operations import OTHER_PHONE, Renter
from .test_refusals import told

LOWEST = 13 + 705
SHOWN = ["label", "max_minutes", "max_sats", "spent", "remaining", "ends_at"]


def rents(connection: Connection, **chosen: object) -> Reply:
    return connection.ask("POST", "/api/v1/numbers", {"group_id": "us-mobile", **chosen}, token=new_token())


def changes(connection: Connection, e164: str, token: str = "", **chosen: object) -> Reply:
    return connection.ask("PATCH", "/api/v1/number", chosen, token=token or new_token(), query={"e164": e164})


def test_limits_and_label_are_shown_and_end_the_rental(db: Database, connection: Connection, wall: FakeWall) -> None:
    give_coins(db, open_account(db), 10_000)
    rented = rents(connection, max_minutes=2, max_sats=2000, label="bank ✓")
    assert rented.status == 201 and list(rented.json)[-7:-1] == SHOWN
    assert [rented.json[name] for name in SHOWN[:-1]] == ["bank ✓", 2, 2000, 13, 1987]
    e164 = rented.json["e164"]
    listed = connection.ask("GET", "/api/v1/numbers", token=new_token()).json
    assert listed == [rented.json]
    connection.ask("POST", "/api/v1/sandbox/message", {"to": e164, "from": "+1234", "content": "x"}, token=new_token())
    wall.advance(us=MINUTE_US)
    shown = connection.ask("GET", "/api/v1/number", token=new_token(), query={"e164": e164}).json
    assert (shown["spent"], shown["remaining"]) == (705 + 26, 2000 - 705 - 26)
    wall.advance(us=MINUTE_US)
    assert connection.ask("GET", "/api/v1/numbers", token=new_token()).json == []
    gone = connection.ask("GET", "/api/v1/number", token=new_token(), query={"e164": e164})
    assert told(gone) == (404, "number_not_rented") and "it reached its limit" in gone.json["detail"]
    assert told(changes(connection, e164, max_minutes=9)) == (404, "number_not_rented")
    assert told(changes(connection, e164, label="x")) == (404, "number_not_rented")


def test_a_number_without_limits_has_the_fields_it_always_had(db: Database, connection: Connection) -> None:
    give_coins(db, open_account(db), 10_000)
    number = rents(connection, max_minutes=None, max_sats=None, label=None).json
    assert not set(number) & set(SHOWN)
    limited = changes(connection, number["e164"], max_sats=5000, label="x", sms_forwarded_to=OTHER_PHONE).json
    assert (limited["max_sats"], limited["label"], limited["sms_forwarded_to"]) == (5000, "x", OTHER_PHONE)
    assert "max_minutes" not in limited
    free = changes(connection, number["e164"], max_sats=None, label=None, sms_forwarded_to=None).json
    assert free == number


def test_limits_that_are_too_low_say_how_much_they_must_be(db: Database, connection: Connection) -> None:
    account_id = open_account(db)
    give_coins(db, account_id, 10_000)
    refused = rents(connection, max_sats=LOWEST - 1)
    assert (*told(refused), refused.json["field"], refused.json["minimum"]) == (
        422,
        "limit_too_low",
        "max_sats",
        LOWEST,
    )
    assert connection.ask("GET", "/api/v1/account", token=new_token()).json == {"balance": 10_000}
    e164 = rents(connection, max_sats=LOWEST, max_minutes=5).json["e164"]
    for name, value, minimum in (("max_sats", 1, LOWEST), ("max_sats", LOWEST - 1, LOWEST)):
        low = changes(connection, e164, **{name: value})
        assert (*told(low), low.json["field"], low.json["minimum"]) == (422, "limit_too_low", name, minimum)
    nothing = changes(connection, e164)
    assert told(nothing) == (422, "invalid_request")
    both = changes(connection, e164, label="kept out", max_sats=1)
    assert told(both) == (422, "limit_too_low")
    shown = connection.ask("GET", "/api/v1/number", token=new_token(), query={"e164": e164}).json
    assert "label" not in shown, "a refused change changes nothing"


def test_sending_beyond_the_limit_says_what_is_left(db: Database, connection: Connection) -> None:
    give_coins(db, open_account(db), 10_000)
    e164 = rents(connection, max_sats=LOWEST).json["e164"]
    message = {"from": e164, "to": OTHER_PHONE, "content": "hello"}
    refused = connection.ask("POST", "/api/v1/message", message, token=new_token())
    assert told(refused) == (403, "limit_reached")
    assert (refused.json["limit"], refused.json["remaining"]) == (LOWEST, 705)


def test_a_retried_start_has_the_same_limits_and_another_body_is_refused(db: Database, connection: Connection) -> None:
    give_coins(db, open_account(db), 10_000)
    key = {"Idempotency-Key": "a" * 32}
    body = {"group_id": "us-mobile", "max_minutes": 3}
    first, again = (connection.ask("POST", "/api/v1/numbers", body, token=new_token(), headers=key) for _ in range(2))
    assert first.json == again.json and first.status == again.status == 201
    other = connection.ask("POST", "/api/v1/numbers", {**body, "max_minutes": 4}, token=new_token(), headers=key)
    assert other.code == "idempotency_mismatch"
    assert len(connection.ask("GET", "/api/v1/numbers", token=new_token()).json) == 1


def test_another_account_cannot_change_them(renter: Renter, other: Renter, connection: Connection) -> None:
    for chosen in ({"max_minutes": 5}, {"max_sats": 5000}, {"label": "mine"}):
        assert told(changes(connection, renter.e164, other.token, **chosen)) == (404, "number_not_rented")
