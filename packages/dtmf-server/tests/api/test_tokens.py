"""Tokens resist guessing, stop working when revoked, and are shown only to their account."""

import json
import logging
import os
import random
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dtmf_server.core import api_token
from dtmf_server.runtime.context import Runtime
from dtmf_server.storage.db import Database
from harness import new_token, open_account, serving
from support.connection import Connection

from .operations import ONE_ENGINE, Renter, calls, dump

SEED = 18
GUESSES = int(os.environ.get("DTMF_TEST_GUESSES", "100000"))
OVER_HTTP = 500
LETTERS = string.digits + string.ascii_letters


def guesses(count: int) -> Iterator[str]:
    """Random tokens that look right."""
    chance = random.Random(SEED)
    for _ in range(count):
        yield api_token.PREFIX + "".join(chance.choices(LETTERS, k=api_token.BODY_LENGTH + api_token.CHECKSUM_LENGTH))


def typos(real: str) -> Iterator[str]:
    """The token with each character replaced by each other one, left out, doubled, or swapped with the next."""
    for at in range(len(real)):
        yield from (real[:at] + letter + real[at + 1 :] for letter in LETTERS if letter != real[at])
        yield real[:at] + real[at + 1 :]
        yield real[:at] + real[at] + real[at:]
        if at + 1 < len(real) and real[at] != real[at + 1]:
            yield real[:at] + real[at + 1] + real[at] + real[at + 2 :]


def test_no_random_token_and_no_typo_has_the_right_checksum() -> None:
    hits = [guess for guess in guesses(GUESSES) if api_token.is_well_formed(guess)]
    print(f"{GUESSES} random tokens with seed {SEED}: {len(hits)} well-formed")
    assert hits == []
    for seed in range(5):
        real = new_token(seed * 7919)
        assert api_token.is_well_formed(real)
        assert not [typo for typo in typos(real) if api_token.is_well_formed(typo)]


@ONE_ENGINE
def test_a_token_that_can_be_none_is_refused_before_the_database_is_read(
    db: Database, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_account(db)
    transactions = 0

    def counted(run: Any) -> Any:
        async def wrapper(fn: Any) -> Any:
            nonlocal transactions
            transactions += 1
            return await run(fn)

        return wrapper

    for name in ("read", "read_autocommit", "write"):
        monkeypatch.setattr(db, name, counted(getattr(db, name)))
    wrong = [*guesses(OVER_HTTP), *random.Random(SEED).sample(list(typos(new_token())), OVER_HTTP)]
    with serving(runtime, workers=False) as url, Connection(url) as connection:
        for position, guess in enumerate(wrong):
            method, path = (("GET", "/api/v1/account"), ("POST", "/api/v1/addresses"))[position % 2]
            assert connection.ask(method, path, token=guess).status == 401
        print(f"{len(wrong)} wrong tokens over HTTP: {transactions} database reads")
        assert transactions == 0
        # The count does count: a whole token, given out or not, is looked up.
        assert connection.ask("GET", "/api/v1/account", token=new_token(999)).status == 401
        assert connection.ask("POST", "/api/v1/addresses", token=new_token()).status == 201
        assert transactions == 2


def test_a_revoked_token_stops_at_once_even_on_an_open_connection(renter: Renter, connection: Connection) -> None:
    second = connection.ask("POST", "/api/v1/tokens", {"label": "second"}, token=renter.token).json
    for _ in range(3):
        assert connection.ask("GET", "/api/v1/account", token=second["token"]).status == 200
    own_id = connection.ask("GET", "/api/v1/tokens", token=renter.token).json[0]["id"]
    assert connection.ask("DELETE", "/api/v1/tokens", token=renter.token, query={"id": own_id}).status == 204
    reply = connection.ask("GET", "/api/v1/account", token=renter.token)
    assert (reply.status, reply.code) == (401, "unauthenticated")
    again = connection.ask("DELETE", "/api/v1/tokens", token=second["token"], query={"id": own_id})
    assert (again.status, again.code) == (404, "not_found")
    assert connection.ask("GET", "/api/v1/account", token=second["token"]).status == 200


@ONE_ENGINE
def test_the_last_token_can_not_be_revoked(db: Database, connection: Connection) -> None:
    open_account(db, seed=5)
    (only,) = connection.ask("GET", "/api/v1/tokens", token=new_token(5)).json
    assert list(only) == ["id", "label", "created_at"]
    reply = connection.ask("DELETE", "/api/v1/tokens", token=new_token(5), query={"id": only["id"]})
    assert (reply.status, reply.code) == (409, "last_token")
    assert connection.ask("GET", "/api/v1/account", token=new_token(5)).status == 200


def test_tokens_are_in_no_answer_but_the_one_that_issues_them_nor_in_database_or_log(
    db: Database, database_url: str, renter: Renter, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    issued = [renter.token]
    for path, body in (("/api/v1/tokens", {"label": "x"}), ("/api/v1/accounts", None)):
        reply = connection.ask("POST", path, body, token=renter.token, headers={"Idempotency-Key": path})
        issued.append(reply.json["token"])
        replayed = connection.ask("POST", path, body, token=renter.token, headers={"Idempotency-Key": path})
        assert (replayed.status, replayed.code) == (409, "already_issued")
        assert issued[-1].encode() not in replayed.body
    assert all(api_token.is_well_formed(each) for each in issued)
    for name, call in calls(renter).items():
        if name not in ("DELETE /api/v1/tokens", "DELETE /api/v1/number"):
            answer = connection.send(call.asked(name, renter.token)).body
            assert not [each for each in issued if each.encode() in answer], name
    assert connection.ask("GET", "/api/v1/account", token=renter.token + "x").status == 401
    stored = json.dumps(dump(db), default=repr) + _file(database_url)
    for each in issued:
        for part in (each, each.removeprefix(api_token.PREFIX)[:20], each[-20:]):
            assert part not in stored
            assert part not in caplog.text
    assert api_token.sha256(renter.token).hex() in stored or repr(api_token.sha256(renter.token)) in repr(dump(db))


def _file(database_url: str) -> str:
    """The bytes of a SQLite database and what is not yet checkpointed; a server keeps its files to itself."""
    if not database_url.startswith("sqlite:///"):
        return ""
    path = Path(database_url.removeprefix("sqlite:///"))
    return "".join(each.read_bytes().decode("latin-1") for each in path.parent.glob(path.name + "*"))
