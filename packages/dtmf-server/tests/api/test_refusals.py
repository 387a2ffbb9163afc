"""Well-formed requests that are refused: insufficient funds, sold out, another account's, closed, not found; each by its code."""

from collections.abc import Callable
from dataclasses import replace

from dtmf_server.storage.db import Database
from harness import START_US, FakeWall, give_coins, new_token, open_account
from support.connection import Connection, Reply

from .operations import ONE_ENGINE, OTHER_PHONE, REST_US, Renter, calls, dump


def told(reply: Reply) -> tuple[int, str]:
    """Status and code."""
    return reply.status, reply.code


def test_renting_without_money_says_what_there_is_and_what_it_takes(db: Database, connection: Connection) -> None:
    account_id = open_account(db)
    give_coins(db, account_id, 56)
    before = dump(db)
    reply = connection.ask("POST", "/api/v1/numbers", {"group_id": "tiny"}, token=new_token())
    assert told(reply) == (402, "insufficient_funds")
    assert (reply.json["balance"], reply.json["required"]) == (56, 57)
    assert "deposit 1 more" in reply.json["detail"]
    assert dump(db) == before
    give_coins(db, account_id, 1)
    assert connection.ask("POST", "/api/v1/numbers", {"group_id": "tiny"}, token=new_token()).status == 201
    assert connection.ask("GET", "/api/v1/account", token=new_token()).json == {"balance": 0}


def test_sending_without_money_is_refused_before_anything_is_queued(db: Database, connection: Connection) -> None:
    account_id = open_account(db)
    give_coins(db, account_id, 13 + 1999)
    e164 = connection.ask("POST", "/api/v1/numbers", {"group_id": "us-mobile"}, token=new_token()).json["e164"]
    two_segments = {"from": e164, "to": OTHER_PHONE, "content": "x" * 161}
    reply = connection.ask("POST", "/api/v1/message", two_segments, token=new_token())
    assert told(reply) == (402, "insufficient_funds")
    assert (reply.json["balance"], reply.json["required"]) == (1999, 2000)
    assert connection.ask("GET", "/api/v1/messages", token=new_token()).json == []
    assert connection.ask("GET", "/api/v1/account", token=new_token()).json == {"balance": 1999}


def test_no_group_and_no_stock_are_told_apart(
    db: Database, renter: Renter, other: Renter, connection: Connection, wall: FakeWall
) -> None:
    def rent(group_id: str, who: Renter) -> Reply:
        return connection.ask("POST", "/api/v1/numbers", {"group_id": group_id}, token=who.token)

    for unknown in ("nope", "US-MOBILE", "us-mobile\n", "'; DROP TABLE groups; --", "%"):
        reply = rent(unknown, renter)
        assert told(reply) == (404, "group_not_found")
        assert repr(unknown) in reply.json["detail"]
    assert rent("tiny", renter).status == 201
    assert told(rent("tiny", other)) == (409, "no_numbers_available")
    assert connection.ask("DELETE", "/api/v1/number", token=renter.token, query={"e164": "+12025550200"}).status == 204
    # It is in its cooldown: other accounts can rent it only afterwards.
    assert told(rent("tiny", other)) == (409, "no_numbers_available")
    wall.advance(us=REST_US)
    assert rent("tiny", other).json["e164"] == "+12025550200"


def test_an_ended_rental_is_gone_for_every_request_about_the_number(renter: Renter, connection: Connection) -> None:
    ended = {"token": renter.token, "query": {"e164": renter.e164}}
    assert connection.ask("DELETE", "/api/v1/number", **ended).status == 204
    gone = (404, "number_not_rented")
    assert told(connection.ask("GET", "/api/v1/number", **ended)) == gone
    assert told(connection.ask("DELETE", "/api/v1/number", **ended)) == gone
    assert told(connection.ask("PATCH", "/api/v1/number", {"sms_forwarded_to": None}, **ended)) == gone
    message = {"from": renter.e164, "to": OTHER_PHONE, "content": "x"}
    assert told(connection.ask("POST", "/api/v1/message", message, token=renter.token)) == gone
    arriving = {"to": renter.e164, "from": OTHER_PHONE, "content": "x"}
    assert told(connection.ask("POST", "/api/v1/sandbox/message", arriving, token=renter.token)) == gone
    # The renter can still read the rental's messages.
    assert renter.text in [message["content"] for message in connection.ask("GET", "/api/v1/messages", **ended).json]


def test_a_number_whose_money_ran_out_is_gone_before_anyone_has_swept(
    db: Database, connection: Connection, wall: FakeWall
) -> None:
    account_id = open_account(db)
    give_coins(db, account_id, 26)
    e164 = connection.ask("POST", "/api/v1/numbers", {"group_id": "us-mobile"}, token=new_token()).json["e164"]
    wall.advance(seconds=119)
    assert connection.ask("GET", "/api/v1/number", token=new_token(), query={"e164": e164}).status == 200
    wall.advance(seconds=1)
    reply = connection.ask("GET", "/api/v1/number", token=new_token(), query={"e164": e164})
    assert told(reply) == (404, "number_not_rented")
    assert connection.ask("GET", "/api/v1/account", token=new_token()).json == {"balance": 0}


@ONE_ENGINE
def test_a_number_does_not_forward_to_itself(renter: Renter, connection: Connection) -> None:
    query = {"e164": renter.e164}
    reply = connection.ask(
        "PATCH", "/api/v1/number", {"sms_forwarded_to": renter.e164}, token=renter.token, query=query
    )
    assert told(reply) == (422, "invalid_request")
    assert reply.json["field"] == "sms_forwarded_to"


@ONE_ENGINE
def test_sign_up_is_closed_unless_the_operator_opened_it(db: Database, serve: Callable[..., str]) -> None:
    before = dump(db)
    for signup in ("closed", "invite"):
        with Connection(serve(sandbox=False, signup=signup)) as connection:
            reply = connection.ask("POST", "/api/v1/accounts")
        assert told(reply) == (403, "signup_closed")
        assert "operator" in reply.json["detail"]
    assert dump(db) == before


def test_outside_the_sandbox_its_routes_do_not_exist_and_webhooks_are_https(
    db: Database, renter: Renter, serve: Callable[..., str]
) -> None:
    with Connection(serve(sandbox=False, signup="open")) as connection:
        assert connection.ask("POST", "/api/v1/accounts").status == 201
        before = dump(db)
        sandbox = {name: call for name, call in calls(renter).items() if "/sandbox/" in name}
        assert len(sandbox) >= 4
        for name, call in sandbox.items():
            asked = call.asked(name, renter.token)
            for method in ("GET", "POST", "DELETE", "OPTIONS"):
                assert told(connection.send(replace(asked, method=method))) == (404, "not_found"), name
            target = asked.target.partition(b"?")[0] + b"?unheard_of=1"
            assert told(connection.send(replace(asked, target=target))) == (404, "not_found"), name
        assert "/sandbox/" not in connection.ask("GET", "/schema/openapi.json").body.decode()
        assert dump(db) == before
        for url in ("http://127.0.0.1:1024/", "http://localhost:1024/", "https://127.0.0.1/"):
            action, query = {"sms_forwarded_to": url}, {"e164": renter.e164}
            reply = connection.ask("PATCH", "/api/v1/number", action, token=renter.token, query=query)
            assert (*told(reply), reply.json["field"]) == (422, "invalid_request", "sms_forwarded_to")


@ONE_ENGINE
def test_the_sandboxs_clock_ends_with_the_year_9999(db: Database, connection: Connection) -> None:
    open_account(db)
    year_us = 366 * 86_400 * 1_000_000
    left = (253_402_300_799_000_000 - START_US) // year_us
    db.write_blocking(lambda tx: tx.run("UPDATE service SET clock_offset_us = :us", us=left * year_us))
    reply = connection.ask("POST", "/api/v1/sandbox/clock", {"advance_s": 366 * 86_400}, token=new_token())
    assert (*told(reply), reply.json["field"]) == (422, "invalid_request", "advance_s")
    assert connection.ask("GET", "/api/v1/usage", token=new_token()).status == 200
