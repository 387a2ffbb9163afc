"""Links and sessions of the operator's console: each link is used once, each session ends, and both are in the audit log."""

import asyncio

import pytest

from dtmf_server.operations import operator_sign_in
from dtmf_server.operations.audit import By
from dtmf_server.operations.operator_sign_in import (
    IDLE_US,
    LINK_US,
    OperatorLinkUsed,
    OperatorSignedOut,
    UnknownSession,
)
from dtmf_server.storage import operator_actions
from dtmf_server.storage.db import Database, Tx
from harness import START_US

LINK, COOKIE, OTHER = b"l" * 32, b"c" * 32, b"o" * 32
BY = By("root", "", START_US)


def sign_in(tx: Tx, *, link: bytes = LINK, cookie: bytes = COOKIE, wall_us: int = START_US) -> str:
    return operator_sign_in.sign_in(tx, link_sha256=link, session_sha256=cookie, replaces=b"x" * 32, wall_us=wall_us)


def make_link(tx: Tx, *, link: bytes = LINK, operator: str = "ada") -> int:
    return operator_sign_in.make_link(tx, BY, link_sha256=link, operator=operator)


def test_a_link_opens_one_session(db: Database) -> None:
    assert db.write_blocking(make_link) == START_US + LINK_US
    look = {"wall_us": START_US}
    assert db.read_blocking(lambda tx: operator_sign_in.operator_of_link(tx, LINK, **look)) == "ada"
    assert db.write_blocking(sign_in) == "ada"
    with pytest.raises(OperatorLinkUsed):
        db.write_blocking(lambda tx: sign_in(tx, cookie=OTHER))
    found = db.read_blocking(lambda tx: operator_sign_in.session(tx, COOKIE, **look))
    assert (found.operator, found.is_stale) == ("ada", False)
    (row,) = db.read_blocking(lambda tx: operator_sign_in.sessions(tx, **look))
    assert (row["id"], row["operator"], row["seen_wall_us"]) == (found.id, "ada", START_US)


async def test_a_link_that_is_used_many_times_at_once_opens_one_session(db: Database) -> None:
    db.write_blocking(make_link)
    found = await asyncio.gather(
        *(db.write(lambda tx, nth=nth: sign_in(tx, cookie=bytes([nth]) * 32)) for nth in range(8)),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in found) == ["OperatorLinkUsed"] * 7 + ["str"]
    assert len(db.read_blocking(lambda tx: operator_sign_in.sessions(tx, wall_us=START_US))) == 1


def test_an_expired_link_opens_none(db: Database) -> None:
    db.write_blocking(make_link)
    with pytest.raises(OperatorLinkUsed):
        db.write_blocking(lambda tx: sign_in(tx, wall_us=START_US + LINK_US))


def test_revoking_ends_a_session_and_its_operators_links(db: Database) -> None:
    for link, operator in ((LINK, "ada"), (b"m" * 32, "ada"), (b"n" * 32, "grace")):
        db.write_blocking(lambda tx, link=link, operator=operator: make_link(tx, link=link, operator=operator))
    db.write_blocking(sign_in)
    (row,) = db.read_blocking(lambda tx: operator_sign_in.sessions(tx, wall_us=START_US))
    assert db.write_blocking(lambda tx: operator_sign_in.revoke(tx, BY, row["id"])) == "ada"
    with pytest.raises(OperatorSignedOut):
        db.read_blocking(lambda tx: operator_sign_in.session(tx, COOKIE, wall_us=START_US))
    with pytest.raises(OperatorLinkUsed):
        db.write_blocking(lambda tx: sign_in(tx, link=b"m" * 32))
    with pytest.raises(UnknownSession):
        db.write_blocking(lambda tx: operator_sign_in.revoke(tx, BY, row["id"]))
    assert db.write_blocking(lambda tx: sign_in(tx, link=b"n" * 32)) == "grace"


def test_revoking_all_ends_everything_and_is_recorded(db: Database) -> None:
    for link in (LINK, b"m" * 32):
        db.write_blocking(lambda tx, link=link: make_link(tx, link=link))
    db.write_blocking(sign_in)
    assert len(db.write_blocking(lambda tx: operator_sign_in.revoke_all(tx, BY))) == 1
    assert db.read_blocking(lambda tx: operator_sign_in.sessions(tx, wall_us=START_US)) == []
    with pytest.raises(OperatorLinkUsed):
        db.write_blocking(lambda tx: sign_in(tx, link=b"m" * 32))
    rows = db.read_blocking(lambda tx: operator_actions.newest(tx, before=100, limit=10))
    assert [(row["operator"], row["action"]) for row in reversed(rows)] == [
        ("root", "operator link"),
        ("root", "operator link"),
        ("ada", "operator sign-in"),
        ("root", "operator sessions revoke"),
    ]


def test_expired_sessions_are_neither_listed_nor_stored_for_long(db: Database) -> None:
    db.write_blocking(make_link)
    db.write_blocking(sign_in)
    later = START_US + IDLE_US
    assert db.read_blocking(lambda tx: operator_sign_in.sessions(tx, wall_us=later)) == []
    assert db.write_blocking(lambda tx: operator_sign_in.forget(tx, wall_us=later)) == 1
