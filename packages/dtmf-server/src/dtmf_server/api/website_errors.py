"""The error codes of the website, for the catalog."""

from dtmf_server.api.error_entry import WEBSITE, Entry

WEBSITE_ERRORS: dict[str, Entry] = {
    "link_used": Entry(
        status=404,
        title="Link used",
        meaning="A sign-in link works once and for a limited time; this one was used or has expired.",
        fix="Sign in with your token, or ask the operator for a new link.",
        where=WEBSITE,
    ),
    "price_changed": Entry(
        status=409,
        title="Price changed",
        meaning="The price of the group has risen since the page showed it. Nothing was rented.",
        fix="Check the new price on the page, and rent again.",
        where=WEBSITE,
    ),
    "signed_out": Entry(
        status=401,
        title="Signed out",
        meaning="The browser has no session, or the session has ended.",
        fix="Sign in again.",
        where=WEBSITE,
    ),
    "foreign_form": Entry(
        status=403,
        title="Please try again",
        meaning="The form wasn't sent from a page of this site, or the page was open for too long (CSRF protection).",
        fix="Load the page again and send the form from there.",
        where=WEBSITE,
    ),
    "not_private": Entry(
        status=403,
        title="HTTPS required",
        meaning="The website was opened over plain HTTP from another machine, where the session could be read.",
        fix="Open the site over HTTPS. As the operator, set `server.public_url` and `server.trusted_proxies`.",
        where=WEBSITE,
    ),
    "too_many_attempts": Entry(
        status=429,
        title="Too many attempts",
        meaning="Too many wrong tokens were entered from your address.",
        fix="Wait a few minutes, then sign in with the right token.",
        where=WEBSITE,
    ),
}
