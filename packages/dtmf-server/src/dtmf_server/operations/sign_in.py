"""Signing in to the website: a token or a one-time link opens a session; a cookie is not the token."""

from dataclasses import dataclass

from dtmf_server.core.errors import Refusal
from dtmf_server.core.units import DAY_US, HOUR_US
from dtmf_server.storage import tokens, web_sessions
from dtmf_server.storage.db import Row, Tx

IDLE_US = 14 * DAY_US  # all of these in wall time
SESSION_MAX_US = 90 * DAY_US
LINK_US = DAY_US
TOUCH_US = HOUR_US // 4  # precision of the last visit: not every page view is a write


class SignedOut(Refusal):
    """You are signed out: your session has ended, or you were not signed in."""

    status, code, title = 401, "signed_out", "Signed out"


class UnknownToken(Refusal):
    """No account has this token: it was revoked, or a character is missing. It is 'dtmf_' and 36 letters and digits."""

    status, code, title = 401, "unauthenticated", "Unknown token"


class RestrictedToken(UnknownToken):
    """This token is restricted, and the website needs one that isn't: sign in with an unrestricted token."""

    status, code, title = 403, "restricted_token", "Restricted token"


class LinkUsed(Refusal):
    """This sign-in link was already used or has expired: sign in with your token."""

    status, code, title = 404, "link_used", "Link used"


@dataclass(frozen=True, slots=True)
class Session:
    """The signed-in account and the token used. `stale`: the time of the last visit should be updated. `is_suspended`: the
    operator has suspended the account."""

    id: int
    account_id: int
    token_id: int
    stale: bool
    is_suspended: bool


def sign_in(tx: Tx, *, token_sha256: bytes, session_sha256: bytes, wall_us: int) -> int:
    """Open a session for the token and return its account. Raises UnknownToken, RestrictedToken."""
    found = _found(tx, token_sha256)
    web_sessions.add(tx, sha256=session_sha256, account_id=found["account_id"], token_id=found["id"], wall_us=wall_us)
    return int(found["account_id"])


def make_link(tx: Tx, *, token_sha256: bytes, link_sha256: bytes, wall_us: int) -> None:
    """Store a link that signs in once, within a day, as this token would. Raises UnknownToken, RestrictedToken."""
    found = _found(tx, token_sha256)
    web_sessions.add_link(
        tx,
        sha256=link_sha256,
        account_id=found["account_id"],
        token_id=found["id"],
        expires_wall_us=wall_us + LINK_US,
    )


def _found(tx: Tx, token_sha256: bytes) -> Row:
    found = tokens.found(tx, token_sha256)
    if found is None:
        raise UnknownToken
    if found["scopes"] is not None:
        raise RestrictedToken
    return found


def link_works(tx: Tx, link_sha256: bytes, *, wall_us: int) -> bool:
    """Return True if this link can still be used."""
    return web_sessions.link(tx, link_sha256, wall_us=wall_us) is not None


def sign_in_by_link(tx: Tx, *, link_sha256: bytes, session_sha256: bytes, wall_us: int) -> None:
    """Use a link and open a session. Raises LinkUsed."""
    link = web_sessions.link(tx, link_sha256, wall_us=wall_us)
    if link is None or not web_sessions.use_link(tx, link_sha256):
        raise LinkUsed
    web_sessions.add(
        tx, sha256=session_sha256, account_id=link["account_id"], token_id=link["token_id"], wall_us=wall_us
    )


def session(tx: Tx, sha256: bytes, *, wall_us: int) -> Session:
    """Return the session of a cookie. Raises SignedOut."""
    row = web_sessions.find(tx, sha256, seen_after_us=wall_us - IDLE_US, created_after_us=wall_us - SESSION_MAX_US)
    if row is None:
        raise SignedOut
    is_stale = row["seen_wall_us"] <= wall_us - TOUCH_US
    return Session(row["id"], row["account_id"], row["token_id"], is_stale, row["suspended_at_us"] is not None)


def browsers(tx: Tx, account_id: int, *, wall_us: int) -> int:
    """Return the number of browsers in which the account is signed in."""
    return web_sessions.count(
        tx, account_id, seen_after_us=wall_us - IDLE_US, created_after_us=wall_us - SESSION_MAX_US
    )


def forget(tx: Tx, *, wall_us: int) -> int:
    """Delete expired sessions. Return how many."""
    return web_sessions.forget(
        tx, seen_before_us=wall_us - IDLE_US, created_before_us=wall_us - SESSION_MAX_US, wall_us=wall_us
    )
