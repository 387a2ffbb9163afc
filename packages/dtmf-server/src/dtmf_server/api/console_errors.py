"""The error codes of the operator's console, for the catalog."""

from dtmf_server.api.error_entry import CONSOLE, OPERATOR, Entry

CONSOLE_ERRORS: dict[str, Entry] = {
    "operator_signed_out": Entry(
        status=401,
        title="Signed out",
        meaning="The browser has no session of the console, or the session has ended.",
        fix="Sign in with a new link: `dtmf-server operator link NAME`.",
        where=CONSOLE,
    ),
    "operator_link_used": Entry(
        status=404,
        title="This link doesn't work",
        meaning="A link works once, within 10 minutes. This one was used, has expired or was revoked.",
        fix="Create a new link: `dtmf-server operator link NAME`.",
        where=CONSOLE,
    ),
    "sign_in_again": Entry(
        status=403,
        title="Sign in again to do this",
        meaning="The action needs a sign-in within the last 10 minutes.",
        fix="Open a new link in the same browser (`dtmf-server operator link NAME`), and repeat the action.",
        where=CONSOLE,
    ),
    "too_many_links": Entry(
        status=429,
        title="Too many attempts",
        meaning="Too many links that don't work were tried from your network.",
        fix="Wait a few minutes, then open a new link.",
        where=CONSOLE,
    ),
    "unknown_session": Entry(
        status=404,
        title="Unknown session",
        meaning="No session of the console has this ID. It may have ended.",
        fix="List the open sessions with `dtmf-server operator sessions list`.",
        where=OPERATOR,
    ),
}
