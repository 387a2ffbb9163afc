"""A connection may break at any byte: a retry with the same key rents once and pays once."""

import os
import socket
import struct
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from dtmf_server.storage.db import Database, Tx
from harness import give_coins, new_token, open_account
from support.connection import Asked, Connection, ask_for

from .operations import calls, move_in
from .test_retries import difference

# Bytes between cuts where each cut has a key of its own; `make prove` cuts at every byte.
STRIDE = int(os.environ.get("DTMF_TEST_CUT_STRIDE", "24"))
RENT = 13
# Operations that rent, send, charge or pay.
SPENDING = [
    "POST /api/v1/numbers",
    "POST /api/v1/message",
    "POST /api/v1/sandbox/message",
    "POST /api/v1/sandbox/deposit",
]


def rent_asked(key: str) -> Asked:
    """A request for a number."""
    body = {"group_id": "us-mobile"}
    return ask_for("POST", "/api/v1/numbers", body, token=new_token(), headers={"Idempotency-Key": key})


def cut_reply(url: str, asked: bytes, *, after: int) -> bytes:
    """Sends the bytes, reads so many of the reply and resets the connection; what came."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(asked)
        read = b""
        while len(read) < after and (piece := connection.recv(after - len(read))):
            read += piece
        return read


def reply_length(url: str, asked: Asked) -> int:
    """How many bytes the whole reply has. Asks for it to be the last on its connection."""
    closing = replace(asked, headers=(*asked.headers, (b"Connection", b"close")))
    return len(cut_reply(url, closing.to_bytes(), after=10_000)) - len("connection: close\r\n")


def rented_and_spent(db: Database, account_id: int) -> tuple[int, int]:
    """How many rentals the account has had, and what they cost."""
    rentals = db.read_blocking(lambda tx: tx.all("SELECT id FROM rentals WHERE account_id = :id", id=account_id))
    minutes = db.read_blocking(
        lambda tx: tx.all("SELECT amount FROM transfers WHERE debit = :id AND kind = 'rental_minutes'", id=account_id)
    )
    return len(rentals), sum(row["amount"] for row in minutes)


def effects(db: Database) -> dict[str, int]:
    """How many rows there are of all that costs or pays, and how many satoshis have moved."""
    return db.read_blocking(count_effects)


def count_effects(tx: Tx) -> dict[str, int]:
    found = {"sats": "SELECT COALESCE(sum(amount), 0) AS n FROM transfers"}
    found |= {name: f"SELECT count(*) AS n FROM {name}" for name in ("rentals", "messages", "deposits", "transfers")}
    rows = {name: tx.one(statement) for name, statement in found.items()}
    return {name: int(row["n"]) for name, row in rows.items() if row is not None}


@pytest.mark.parametrize("name", SPENDING)
def test_a_reply_cut_anywhere_and_asked_for_again_is_one_effect_and_one_charge(
    db: Database, url: str, name: str
) -> None:
    renter = move_in(db, seed=1, coins=10**8)
    call, before = calls(renter)[name], effects(db)

    def asked(key: str) -> Asked:
        return call.asked(name, renter.token, **{"Idempotency-Key": key})

    with Connection(url) as connection:

        def again(asked: Asked) -> None:
            reply = connection.send(asked)
            assert reply.status == call.status
            if "group_id" in (call.body or {}):  # it is given back, for there are only so many
                number = {"e164": reply.json["e164"]}
                assert connection.ask("DELETE", "/api/v1/number", token=renter.token, query=number).status == 204

        length = reply_length(url, asked("length"))
        again(asked("length"))
        one = difference(effects(db), before)
        cuts = range(0, length + 1, STRIDE)
        for after in cuts:
            cut_reply(url, asked(f"cut after {after}").to_bytes(), after=after)
            again(asked(f"cut after {after}"))
    wrong = {
        table: count - (1 + len(cuts)) * one.get(table, 0) for table, count in difference(effects(db), before).items()
    }
    print(f"{len(cuts)} replies to {name} cut: {sum(map(abs, wrong.values()))} effects too many or too few")
    assert one and set(wrong.values()) == {0}, wrong


def test_one_key_cut_at_every_byte_of_the_reply_rents_once(db: Database, url: str, connection: Connection) -> None:
    account_id = open_account(db)
    give_coins(db, account_id, 1_000_000)
    asked = rent_asked("one")
    cut_reply(url, asked.to_bytes(), after=0)
    length = reply_length(url, asked)
    for after in range(1, length + 1):
        assert len(cut_reply(url, asked.to_bytes(), after=after)) == after
    whole = connection.send(asked)
    assert whole.status == 201
    assert rented_and_spent(db, account_id) == (1, RENT)
    assert connection.ask("GET", "/api/v1/numbers", token=new_token()).json == [whole.json]


def test_a_request_cut_at_any_byte_rents_nothing(db: Database, url: str, connection: Connection) -> None:
    account_id = open_account(db)
    give_coins(db, account_id, 1_000_000)
    asked = rent_asked("never whole").to_bytes()
    for length in range(len(asked)):
        cut_reply(url, asked[:length], after=0)
    assert connection.ask("GET", "/api/v1/numbers", token=new_token()).json == []
    assert rented_and_spent(db, account_id) == (0, 0)
    assert connection.send(rent_asked("never whole")).status == 201
