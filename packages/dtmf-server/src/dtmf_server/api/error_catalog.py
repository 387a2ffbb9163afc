"""Every error code of the service: what it means, how to fix it, and an example.

docs/reference/errors.md is generated from this module, and the `type` of a problem document points there.
"""

from typing import Any

from dtmf_server.api.account_errors import ACCOUNT_ERRORS
from dtmf_server.api.callback_errors import CALLBACK_ERRORS
from dtmf_server.api.console_errors import CONSOLE_ERRORS
from dtmf_server.api.error_entry import OPERATOR, Entry
from dtmf_server.api.sign_up_errors import SIGN_UP_ERRORS
from dtmf_server.api.token_errors import TOKEN_ERRORS
from dtmf_server.api.website_errors import WEBSITE_ERRORS

TYPE_PREFIX = "/docs/reference/errors#"


def problem_type(code: str) -> str:
    """The `type` of a problem with this code: the path of its description on the service that answered (RFC 9457 §3.1.1)."""
    return TYPE_PREFIX + code


def example(code: str, *, detail: str) -> dict[str, Any]:
    """A problem document with this code. `detail` is used if the entry has none of its own."""
    entry = ERRORS[code]
    said = entry.detail or detail
    head = {"type": problem_type(code), "title": entry.title, "status": entry.status, "detail": said}
    return {**head, "code": code, "request_id": "req_0e2d53af9f31490b", **entry.members}


ERRORS: dict[str, Entry] = TOKEN_ERRORS | {
    "bad_request": Entry(
        status=400,
        title="Bad request",
        meaning="The request isn't valid HTTP/1.1, or the connection closed before the body was complete.",
        fix="Send one `Host` header, and either `Content-Length` or `Transfer-Encoding: chunked`. Percent-encode the URL.",
        detail="the request broke off",
    ),
    "unauthenticated": Entry(
        status=401,
        title="Unauthenticated",
        meaning="The request carries no token, or the token isn't valid: mistyped, expired or revoked.",
        fix="Send `Authorization: Bearer dtmf_…` with a token of your account. Check that you copied all of it.",
    ),
    "insufficient_funds": Entry(
        status=402,
        title="Insufficient funds",
        meaning="The balance doesn't cover the cost. `balance`, `required` and `shortfall` are satoshis.",
        fix="Deposit at least `shortfall` satoshis, for example on the page `topup_url`, then send the request again.",
        detail="this takes 5013 satoshis and the balance is 0: deposit 5013 more",
        members={"balance": 0, "required": 5013, "shortfall": 5013, "topup_url": "/top-up?amount=5013"},
    ),
    **SIGN_UP_ERRORS,
    "signup_closed": Entry(
        status=403,
        title="Sign-up is closed",
        meaning="Only the operator opens accounts on this service (`signup.mode`).",
        fix="Ask the operator for a token. As the operator, run `dtmf-server accounts open`.",
    ),
    "not_found": Entry(
        status=404,
        title="Not found",
        meaning="The path doesn't exist, or your account has nothing under this ID.",
        fix="Compare the path with [Endpoints](endpoints.md), and the ID with a list of your account.",
        detail="there is no /api/v1/number: GET /schema/openapi.json lists what there is",
    ),
    "number_not_rented": Entry(
        status=404,
        title="Number not rented",
        meaning="Your account doesn't rent this number now. A rental also ends when the balance runs out.",
        fix="List your numbers with `GET /api/v1/numbers`. Rent a number with `POST /api/v1/numbers`.",
    ),
    "group_not_found": Entry(
        status=404,
        title="Group not found",
        meaning="No group of numbers has this ID.",
        fix="Use an `id` from `GET /api/v1/groups`.",
    ),
    "invoice_not_found": Entry(
        status=404,
        title="Invoice not found",
        meaning="Your account has no Lightning invoice with this ID.",
        fix="Use an `id` from `GET /api/v1/invoices`.",
    ),
    "currency_unavailable": Entry(
        status=503,
        title="Currency unavailable",
        meaning="The amount is in a currency, and the service has no current exchange rate.",
        fix="Give the amount in satoshis, or try again later. As the operator, see `dtmf-server doctor`.",
    ),
    "price_unavailable": Entry(
        status=503,
        title="Price unavailable",
        meaning="The prices of the group follow an exchange rate, and the service has had no usable one for too long.",
        fix="Try again later, or rent from another group. As the operator, see `dtmf-server doctor`.",
    ),
    "not_ours": Entry(
        status=404,
        title="Not an address of this service",
        meaning="The service never issued this Bitcoin address.",
        fix="Check the address, and that the command uses the right database.",
        where=OPERATOR,
    ),
    "method_not_allowed": Entry(
        status=405,
        title="Method not allowed",
        meaning="The path exists but doesn't accept this method. The `Allow` header lists the methods it accepts.",
        fix="Use a method from `Allow`.",
        detail="/api/v1/account does not take PUT; it takes DELETE, GET, HEAD, OPTIONS",
    ),
    "request_timeout": Entry(
        status=408,
        title="Request timeout",
        meaning="The head and body of the request didn't arrive within 30 seconds. The connection is closed.",
        fix="Send the request again, at once and without pauses.",
        detail="the request did not arrive completely within 30 s",
    ),
    "no_numbers_available": Entry(
        status=409,
        title="No numbers available",
        meaning="Every number of the group is rented, or reserved for its last renter.",
        fix="Rent from another group, or try again later. With a `Retry-After` header, the service is buying a number: try"
        " again after so many seconds.",
    ),
    "number_taken": Entry(
        status=409,
        title="Number taken",
        meaning="The chosen number can't be rented now: another account was faster, or it isn't a free number of the group.",
        fix="Choose another one from `GET /api/v1/groups/{id}/numbers`.",
        detail="+12025550100 can't be rented now: choose another one from GET /api/v1/groups/{id}/numbers",
    ),
    "too_many_supply_numbers": Entry(
        status=409,
        title="Too many numbers bought on demand",
        meaning="The account has as many numbers of groups with a supply as it may have: 5 by default, cooldowns included.",
        fix="Rent one of your numbers in cooldown again, wait until the cooldown of one ends, or rent from another group.",
    ),
    "too_many_capped_rentals": Entry(
        status=409,
        title="Too many capped rentals",
        meaning="The account has 100 live rentals with a monthly cap, the most that are possible.",
        fix="End one of them first, or rent from a group without a monthly cap.",
    ),
    "limit_too_low": Entry(
        status=422,
        title="Limit too low",
        meaning="`max_minutes` or `max_sats` of a rental is too low. `max_sats` of a new rental must cover the setup fee, the"
        " first minute and one inbound SMS; a changed limit must leave the minutes that have started, and one inbound SMS"
        " more than what the rental has cost. If `field` is `sats_max` or `sats_per_day`, what the restricted token has left"
        " of that limit, `remaining`, doesn't cover a new rental.",
        fix="Use at least `minimum`.",
        detail="max_sats: must be at least 718",
        members={"field": "max_sats", "minimum": 718},
    ),
    "limit_reached": Entry(
        status=403,
        title="Limit reached",
        meaning="The SMS would cost more than the rental's `max_sats` has left, or a limit of a restricted token, or of the"
        " token that created it, doesn't leave enough; then `field` names that limit. `remaining` is what is left of `limit`.",
        fix="Raise `max_sats` with `PATCH /number`, or send a shorter SMS. If a token's limit is reached, end a rental to get"
        " back what is reserved for it, or use a token with a higher limit.",
        detail="this costs 300 satoshis, and the rental's limit of 2000 leaves 120: raise its max_sats",
        members={"limit": 2000, "remaining": 120},
    ),
    "lightning_not_configured": Entry(
        status=409,
        title="Lightning not configured",
        meaning="The operator hasn't configured a Lightning node.",
        fix="Deposit to a Bitcoin address. As the operator, set `lightning.kind`: see [Settings](settings.md).",
    ),
    "invoice_paid": Entry(
        status=409,
        title="Invoice already paid",
        meaning="The sandbox's wallet refuses to pay an invoice twice, as every wallet does.",
        fix="Create another invoice, or pay with `fault: twice` to test a node that reports a payment twice.",
    ),
    "invoice_expired": Entry(
        status=409,
        title="Invoice expired",
        meaning="The sandbox's wallet refuses to pay an expired invoice, as every wallet does.",
        fix="Create another invoice, or pay with `fault: late` to test a payment that arrives after the expiry.",
    ),
    "already_issued": Entry(
        status=409,
        title="Already issued",
        meaning="The request was carried out before, and showed a token or secret. Those are shown only once.",
        fix="Send the request with a new `Idempotency-Key` to get a new token or secret.",
    ),
    "last_token": Entry(
        status=409,
        title="Last token",
        meaning="This is the account's last token. Without it no client could use the account.",
        fix="Create another token first, then revoke this one.",
    ),
    "no_webhook": Entry(
        status=409,
        title="No webhook",
        meaning="The number has no webhook to test.",
        fix="Set the number's action to a webhook, then test it.",
    ),
    "text_erased": Entry(
        status=409,
        title="Text erased",
        meaning="The text of the SMS was erased after its retention period, so it can't be delivered again.",
        fix="Don't replay this delivery. Ask the sender to send the SMS again.",
    ),
    "may_be_taken": Entry(
        status=409,
        title="The carrier may have accepted it",
        meaning="The carrier may have accepted the SMS without confirming it. Sending it again could deliver it twice.",
        fix="Wait for the delivery receipt, or send a new message.",
    ),
    "more_than_agreed": Entry(
        status=409,
        title="Balance has grown",
        meaning="You confirmed giving up a balance, and it has grown since.",
        fix="Read the balance again and confirm the new amount.",
    ),
    "deposit_under_way": Entry(
        status=409,
        title="Deposit under way",
        meaning="A deposit to this account isn't confirmed yet. Deleting the account now would lose it.",
        fix="Delete the account after the deposit is credited.",
    ),
    "not_in_suspense": Entry(
        status=409,
        title="Not in suspense",
        meaning="The deposits of this address belong to an account already.",
        fix="Check the address: `dtmf-server deposits list` shows what is in suspense.",
        where=OPERATOR,
    ),
    "no_account": Entry(
        status=409,
        title="No account",
        meaning="The account behind this address can't receive coins: it is unknown, or it was deleted.",
        fix="Use an address of an open account.",
        where=OPERATOR,
    ),
    "unknown_number": Entry(
        status=404,
        title="Unknown number",
        meaning="This number was never in stock.",
        fix="Write it like +12025550123. `dtmf-server numbers list` lists the numbers.",
        where=OPERATOR,
    ),
    **ACCOUNT_ERRORS,
    "body_too_large": Entry(
        status=413,
        title="Body too large",
        meaning="The body has more than 65,536 bytes.",
        fix="Send a smaller body.",
        detail="the body is larger than the limit of 65,536 bytes",
    ),
    "unsupported_encoding": Entry(
        status=415,
        title="Unsupported content encoding",
        meaning="The body is compressed: the request has a `Content-Encoding` header.",
        fix="Send the body uncompressed, without `Content-Encoding`.",
    ),
    "invalid_request": Entry(
        status=422,
        title="Invalid request",
        meaning="A parameter or a field of the body has a value that isn't valid. `field` names it.",
        fix="Correct the field as `detail` explains. An unknown parameter or field is an error too.",
        detail="limit: must be from 1 to 1000",
        members={"field": "limit"},
    ),
    "idempotency_mismatch": Entry(
        status=422,
        title="Idempotency key reused",
        meaning="This `Idempotency-Key` was used with another method, URL, `Prefer` header or body.",
        fix="Generate a new key for each request, and reuse it only to retry that request.",
    ),
    "destination_not_served": Entry(
        status=422,
        title="Destination not served",
        meaning="The service has no carrier for this destination.",
        fix="Check the number, with its country code. Ask the operator which destinations are served.",
    ),
    "invoice_refused": Entry(
        status=422,
        title="Invoice refused",
        meaning="The Lightning node refuses to create the invoice, for example because it can't receive as much.",
        fix="Use a smaller amount, or deposit to a Bitcoin address. As the operator, see `dtmf-server doctor`.",
    ),
    "rate_limited": Entry(
        status=429,
        title="Too many requests",
        meaning="This token or address made too many requests. `retry_after` is the wait in seconds.",
        fix="Wait for `Retry-After`, then send the request again. The Python client does so. See [Limits](../guides/limits.md).",
        members={"retry_after": 2},
    ),
    "daily_limit_reached": Entry(
        status=429,
        title="Daily sending limit reached",
        meaning="The account has sent as many messages as it may within 24 hours (`limits.sends_per_day`).",
        fix="Wait until older messages are more than 24 hours old, or ask the operator for a higher limit.",
    ),
    "too_many_unused_addresses": Entry(
        status=429,
        title="Too many unused addresses",
        meaning="20 deposit addresses of the account have never received a deposit.",
        fix="Use one of the existing addresses. Each of them accepts deposits permanently.",
    ),
    "too_many_invoices": Entry(
        status=429,
        title="Too many invoices",
        meaning="The account has 100 open invoices or has created 10 within a minute, or the service has created 300.",
        fix="Pay one of the open invoices, or wait for `Retry-After`.",
        members={"retry_after": 60},
    ),
    "head_too_large": Entry(
        status=431,
        title="Headers too large",
        meaning="The request line and the headers have more than 65,536 bytes together.",
        fix="Send fewer or shorter headers.",
        detail="the request line and headers are larger than the limit of 65,536 bytes",
    ),
    "internal_error": Entry(
        status=500,
        title="Internal error",
        meaning="The service has a bug. Nothing was stored.",
        fix="Send the operator the `request_id`. As the operator, find it in the log.",
        detail="this is a fault of the service; nothing was stored. Its log has this request_id",
    ),
    "storage_unavailable": Entry(
        status=503,
        title="Storage unavailable",
        meaning="The database can't be reached, or is overloaded. Nothing was stored.",
        fix="Send the request again later, with the same `Idempotency-Key`. The Python client does so.",
    ),
    "lightning_unavailable": Entry(
        status=503,
        title="Lightning unavailable",
        meaning="The Lightning node can't be reached. An invoice may have been created, and can be retried.",
        fix="Send the request again later, with the same `Idempotency-Key`. The Python client does so.",
    ),
    "deposits_unavailable": Entry(
        status=503,
        title="Deposits unavailable",
        meaning="The operator hasn't configured Bitcoin deposits.",
        fix="As the operator, set `bitcoin.descriptor`: see [Bitcoin](../operations/bitcoin.md).",
    ),
    "refused": Entry(
        status=400,
        title="Refused",
        meaning="The HTTP layer refused the request for a reason without a code of its own.",
        fix="Read `detail`, and correct the request.",
        detail="The request can't be carried out.",
    ),
    **WEBSITE_ERRORS,
    **CONSOLE_ERRORS,
    **CALLBACK_ERRORS,
}
