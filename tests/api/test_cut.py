"""A connection may break at any byte: whoever asks again with the same key has rented once and paid once."""

import socket
import struct
from dataclasses import replace
from urllib.parse import urlsplit

from dtmf_server.storage.db import Database
from harness import give_coins, new_token, open_account

from .connection import Asked, Connection, ask_for

STRIDE = 24  # bytes between cuts where each cut has a key of its own
RENT = 13


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
    rentals = db.read_now(lambda tx: tx.all("SELECT id FROM rentals WHERE account_id = :id", id=account_id))
    minutes = db.read_now(
        lambda tx: tx.all("SELECT amount FROM transfers WHERE debit = :id AND kind = 'rental_minutes'", id=account_id)
    )
    return len(rentals), sum(row["amount"] for row in minutes)


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


def test_a_reply_cut_anywhere_and_asked_for_again_is_one_rental_and_one_charge(
    db: Database, url: str, connection: Connection
) -> None:
    account_id = open_account(db)
    give_coins(db, account_id, 1_000_000)
    cuts = range(0, reply_length(url, rent_asked("length")), STRIDE)
    for position, after in enumerate(cuts, start=2):
        asked = rent_asked(f"cut after {after}")
        cut_reply(url, asked.to_bytes(), after=after)
        again = connection.send(asked)
        assert again.status == 201
        assert rented_and_spent(db, account_id) == (position, position * RENT), after
    numbers = connection.ask("GET", "/api/v1/numbers", token=new_token()).json
    assert len({number["e164"] for number in numbers}) == len(cuts) + 1


def test_a_request_cut_at_any_byte_rents_nothing(db: Database, url: str, connection: Connection) -> None:
    account_id = open_account(db)
    give_coins(db, account_id, 1_000_000)
    asked = rent_asked("never whole").to_bytes()
    for length in range(len(asked)):
        cut_reply(url, asked[:length], after=0)
    assert connection.ask("GET", "/api/v1/numbers", token=new_token()).json == []
    assert rented_and_spent(db, account_id) == (0, 0)
    assert connection.send(rent_asked("never whole")).status == 201
