"""Signing in to the operator's console: a one-time link opens a session. Signing in and out are in the audit log."""

from dataclasses import dataclass

from dtmf_server.core.errors import Refusal
from dtmf_server.core.units import HOUR_US, MINUTE_US
from dtmf_server.operations.audit import By, record
from dtmf_server.storage import operator_sessions
from dtmf_server.storage.db import Row, Tx

LINK_US = 10 * MINUTE_US  # all of these in wall time
IDLE_US = 30 * MINUTE_US
SESSION_MAX_US = 12 * HOUR_US
RECENT_US = 10 * MINUTE_US  # actions need a session that is not older
TOUCH_US = MINUTE_US  # precision of the last request: not every page view is a write
SHOWN_MAX = 100


class OperatorSignedOut(Refusal):
    """Your session has ended, or you are not signed in."""

    status, code, title = 401, "operator_signed_out", "Signed out"


class OperatorLinkUsed(Refusal):
    """This link has expired, was already used, or is incomplete."""

    status, code, title = 404, "operator_link_used", "This link doesn't work"


class SignInAgain(Refusal):
    """Sign in again to do this: it needs a sign-in within the last 10 minutes."""

    status, code, title = 403, "sign_in_again", "Sign in again to do this"


class UnknownSession(Refusal):
    """There is no such session."""

    status, code, title = 404, "unknown_session", "Unknown session"


@dataclass(frozen=True, slots=True)
class OperatorSession:
    """A session of the console. `is_stale`: the time of its last request should be updated."""

    id: int
    operator: str
    created_wall_us: int
    is_stale: bool

    def is_recent(self, *, wall_us: int) -> bool:
        """Whether the operator signed in a short time ago, so that actions are allowed."""
        return wall_us - self.created_wall_us < RECENT_US


def make_link(tx: Tx, by: By, *, link_sha256: bytes, operator: str) -> int:
    """Store a link that signs in once, as this operator. Return the wall time at which it expires."""
    expires_wall_us = by.wall_us + LINK_US
    operator_sessions.add_link(tx, sha256=link_sha256, operator=operator, expires_wall_us=expires_wall_us)
    record(tx, by, "operator link", operator)
    return expires_wall_us


def operator_of_link(tx: Tx, link_sha256: bytes, *, wall_us: int) -> str:
    """Return whom this link signs in, without using it. Raises OperatorLinkUsed."""
    link = operator_sessions.link(tx, link_sha256, wall_us=wall_us)
    if link is None:
        raise OperatorLinkUsed
    return str(link["operator"])


def sign_in(tx: Tx, *, link_sha256: bytes, session_sha256: bytes, replaces: bytes, wall_us: int) -> str:
    """Use a link, open a session and return its operator. `replaces`: the browser's earlier cookie, whose session ends, if
    it is one. Raises OperatorLinkUsed."""
    operator = operator_of_link(tx, link_sha256, wall_us=wall_us)
    if not operator_sessions.use_link(tx, link_sha256):
        raise OperatorLinkUsed
    operator_sessions.end_by_cookie(tx, replaces)
    operator_sessions.add(tx, sha256=session_sha256, operator=operator, wall_us=wall_us)
    record(tx, By(operator, "", wall_us), "operator sign-in", "console")
    return operator


def session(tx: Tx, sha256: bytes, *, wall_us: int) -> OperatorSession:
    """Return the session of a cookie. Raises OperatorSignedOut."""
    row = operator_sessions.find(tx, sha256, seen_after_us=wall_us - IDLE_US, created_after_us=wall_us - SESSION_MAX_US)
    if row is None:
        raise OperatorSignedOut
    is_stale = row["seen_wall_us"] <= wall_us - TOUCH_US
    return OperatorSession(row["id"], row["operator"], row["created_wall_us"], is_stale)


def require_recent(found: OperatorSession, *, wall_us: int) -> None:
    """Raise SignInAgain unless the operator signed in a short time ago."""
    if not found.is_recent(wall_us=wall_us):
        raise SignInAgain


def sign_out(tx: Tx, found: OperatorSession, *, wall_us: int) -> None:
    """End the operator's own session."""
    operator_sessions.end(tx, found.id)
    record(tx, By(found.operator, "", wall_us), "operator sign-out", "console")


def sessions(tx: Tx, *, wall_us: int) -> list[Row]:
    """Return the sessions that are open, oldest first."""
    return operator_sessions.all_open(
        tx, seen_after_us=wall_us - IDLE_US, created_after_us=wall_us - SESSION_MAX_US, limit=SHOWN_MAX
    )


def revoke(tx: Tx, by: By, session_id: int) -> str:
    """End a session, and revoke the unused links of its operator, whose name is returned. Raises UnknownSession."""
    operator = operator_sessions.end(tx, session_id)
    if operator is None:
        raise UnknownSession(f"there is no session {session_id}: dtmf-server operator sessions list shows them")
    operator_sessions.revoke_links(tx, operator)
    record(tx, by, "operator sessions revoke", f"session {session_id} of {operator}")
    return operator


def revoke_all(tx: Tx, by: By) -> list[int]:
    """End every session and revoke every unused link. Return the IDs of the sessions."""
    ended = sorted(operator_sessions.end_all(tx))
    record(tx, by, "operator sessions revoke", "every session and link")
    return ended


def forget(tx: Tx, *, wall_us: int) -> int:
    """Delete expired sessions and links. Return the number of sessions."""
    return operator_sessions.forget(
        tx, seen_before_us=wall_us - IDLE_US, created_before_us=wall_us - SESSION_MAX_US, wall_us=wall_us
    )
