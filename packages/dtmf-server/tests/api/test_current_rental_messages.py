"""`GET /messages` of the rental that runs now, and of one direction: what waiting for a code is made of."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dtmf_server.core.inbound import InboundMessage
from dtmf_server.operations import rent
from dtmf_server.operations.receive import receive_many
from dtmf_server.storage.db import Database, Tx
from harness import START_US
from support.connection import Connection
from support.streaming import listening

from .operations import ONE_ENGINE, OTHER_PHONE, REST_US, Renter


def messages_of(url: str, renter: Renter, **query: object) -> Any:
    """Return the response to a request for messages."""
    with Connection(url) as connection:
        return connection.ask("GET", "/api/v1/messages", token=renter.token, query=query)


def rent_again(db: Database, renter: Renter, *texts: str) -> None:
    """The renter ends the rental and gets the same number again; SMS arrive in the new one."""

    def again(tx: Tx) -> None:
        rent.end(tx, renter.account_id, renter.e164, now_us=START_US)
        rental = rent.start(tx, renter.account_id, "us-mobile", now_us=START_US, cooldown_us=REST_US)
        assert rental["e164"] == renter.e164
        arrived = [InboundMessage(renter.e164, OTHER_PHONE, text) for text in texts]
        receive_many(tx, arrived, now_us=START_US)

    db.write_blocking(again)


def test_the_current_rental_shows_nothing_of_an_earlier_one(url: str, db: Database, renter: Renter) -> None:
    rent_again(db, renter, "new")
    every = messages_of(url, renter, e164=renter.e164).json
    assert {message["content"] for message in every} > {renter.text, "new"}
    current = messages_of(url, renter, e164=renter.e164, current="true").json
    assert current == every[-1:]
    assert messages_of(url, renter, e164=renter.e164, current="false").json == every


def test_one_direction_alone_can_be_asked_for(url: str, renter: Renter) -> None:
    every = messages_of(url, renter).json
    received = messages_of(url, renter, inbound="true").json
    sent = messages_of(url, renter, inbound="false").json
    assert received and sent
    assert all(message["inbound"] for message in received) and not any(message["inbound"] for message in sent)
    assert sorted(received + sent, key=lambda message: message["id"]) == every


def test_a_number_that_is_not_rented_now_has_no_current_messages(
    url: str, db: Database, renter: Renter, other: Renter
) -> None:
    for e164, asker in ((renter.e164, other), ("+12025550199", renter)):
        reply = messages_of(url, asker, e164=e164, current="true")
        assert (reply.status, reply.code) == (404, "number_not_rented")
    db.write_blocking(lambda tx: rent.end(tx, renter.account_id, renter.e164, now_us=START_US))
    reply = messages_of(url, renter, e164=renter.e164, current="true", wait=60)
    assert (reply.status, reply.code) == (404, "number_not_rented")
    assert messages_of(url, renter, e164=renter.e164).status == 200


def test_a_waiting_client_is_notified_when_the_rental_ends(url: str, db: Database, renter: Renter) -> None:
    with ThreadPoolExecutor(1) as pool:
        with listening(db) as accrued:
            waiting = pool.submit(messages_of, url, renter, e164=renter.e164, current="true", after=10**6, wait=60)
            assert accrued.wait(20)
        db.write_blocking(lambda tx: rent.end(tx, renter.account_id, renter.e164, now_us=START_US))
        reply = waiting.result(20)
    assert (reply.status, reply.code) == (404, "number_not_rented")


def test_a_waiting_client_is_notified_when_the_balance_runs_out(url: str, db: Database, renter: Renter) -> None:
    with ThreadPoolExecutor(1) as pool, Connection(url) as connection:
        with listening(db) as accrued:
            waiting = pool.submit(messages_of, url, renter, e164=renter.e164, current="true", after=10**6, wait=60)
            assert accrued.wait(20)
        body = {"advance_s": 100 * 24 * 3600}
        assert connection.ask("POST", "/api/v1/sandbox/clock", body, token=renter.token).status == 200
        reply = waiting.result(20)
    assert (reply.status, reply.code) == (404, "number_not_rented")


def test_who_waits_for_a_received_message_is_not_answered_with_a_sent_one(
    url: str, db: Database, renter: Renter
) -> None:
    last = messages_of(url, renter).json[-1]["id"]
    with ThreadPoolExecutor(1) as pool, Connection(url) as connection:
        with listening(db) as accrued:
            waiting = pool.submit(messages_of, url, renter, inbound="true", after=last, wait=60)
            assert accrued.wait(20)
        body = {"from": renter.e164, "to": OTHER_PHONE, "content": "sent"}
        assert connection.ask("POST", "/api/v1/message", body, token=renter.token).status == 204
        body = {"to": renter.e164, "from": OTHER_PHONE, "content": "received"}
        assert connection.ask("POST", "/api/v1/sandbox/message", body, token=renter.token).status == 201
        assert [message["content"] for message in waiting.result(20).json] == ["received"]


@ONE_ENGINE
def test_current_needs_a_number(url: str, renter: Renter) -> None:
    reply = messages_of(url, renter, current="true")
    assert (reply.status, reply.code, reply.json["field"]) == (422, "invalid_request", "current")
