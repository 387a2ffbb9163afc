"""The error codes of paid sign-up, for the catalog."""

from dtmf_server.api.error_entry import Entry

SIGN_UP_ERRORS: dict[str, Entry] = {
    "payment_required": Entry(
        status=402,
        title="Payment required",
        meaning="The account is opened by a Lightning payment: `amount` satoshis, to `invoice`, before `expires_at`.",
        fix="Pay the invoice, then send `claim` in the body of the same request, or the L402 credential in `WWW-Authenticate`"
        " with the preimage. `claim` is in the first response only.",
        members={
            "invoice": "lnbc10u1…",
            "payment_hash": "63cd…",
            "amount": 1000,
            "expires_at": "2018-01-01T02:01:01.000000",
            "claim": "pL0…",
        },
    ),
    "invalid_claim": Entry(
        status=401,
        title="Invalid claim",
        meaning="The claim, or the L402 credential with its preimage, belongs to no sign-up of this service.",
        fix="Send the claim exactly as you received it, to the service that issued it.",
    ),
    "claim_expired": Entry(
        status=410,
        title="Claim expired",
        meaning="The claim was first used more than 7 days ago, its account was deleted, or the operator has assigned its"
        " balance to another account.",
        fix="Use the token that the claim created. If it is lost, ask the operator.",
    ),
    "paid_signup_off": Entry(
        status=403,
        title="No paid sign-up",
        meaning="This service doesn't open accounts by a Lightning payment (`signup.paid`).",
        fix="Sign up without an amount, or ask the operator for a token.",
    ),
}
