"""The error codes of restricted tokens and suspended accounts: a part of the error catalog."""

from dtmf_server.api.error_entry import WEBSITE, Entry

TOKEN_ERRORS: dict[str, Entry] = {
    "scope_required": Entry(
        status=403,
        title="Scope required",
        meaning="The token is restricted and doesn't have the scope that the request needs. `scope` names it; `unrestricted`"
        " means that only unrestricted tokens may do this.",
        fix="Use a token with that scope. Each operation of `GET /schema/openapi.json` names the scope it needs.",
        detail="this token does not have the scope 'send', which this request needs",
        members={"scope": "send"},
    ),
    "account_suspended": Entry(
        status=403,
        title="Account suspended",
        meaning="The operator of the service has suspended the account. It can be read and topped up, and nothing else. Its"
        " rentals go on: their minutes and received SMS cost what they always do, but no SMS is sent or forwarded, and"
        " webhooks wait until the account is resumed.",
        fix="Ask the operator of the service why, and to resume the account.",
    ),
    "not_its_rental": Entry(
        status=403,
        title="Rental of another token",
        meaning="A restricted token may only end rentals that it, or a token it created, started. If it has a limit in"
        " satoshis, it may also only send and forward from these.",
        fix="Use the token that started the rental, or an unrestricted one.",
    ),
    "group_not_allowed": Entry(
        status=403,
        title="Group not allowed",
        meaning="The token is restricted to other groups.",
        fix="Rent from one of its `groups`, which `GET /api/v1/tokens/0` shows.",
    ),
    "token_too_deep": Entry(
        status=403,
        title="Token can't create tokens",
        meaning="A token that was created by a restricted token can't create tokens, even with the scope `tokens`.",
        fix="Create the token with the restricted token itself, or with an unrestricted one.",
    ),
    "token_too_wide": Entry(
        status=422,
        title="Token too wide",
        meaning="A restricted token can't create a token that may do more than itself. `field` names what is too wide.",
        fix="Ask for less in that field, or leave it out: the new token then has what its creator has.",
        detail="sats_max: the token that creates this one has 2000",
        members={"field": "sats_max"},
    ),
    "restricted_token": Entry(
        status=403,
        title="Restricted token",
        meaning="The website can do everything that the account can, so it can't be used with a restricted token.",
        fix="Sign in with an unrestricted token.",
        where=WEBSITE,
    ),
}
