"""Refusals of the service, each with its HTTP status and stable code. The docstring is the message."""

from typing import ClassVar

from dtmf_server.core.money import topup_url


class Refusal(Exception):
    """The request can't be carried out."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "refused"
    title: ClassVar[str] = "Refused"

    def __init__(self, detail: str | None = None, **members: object) -> None:
        self.detail = detail or " ".join((self.__doc__ or "").split())
        self.members = members
        super().__init__(self.detail)


class InvalidRequest(Refusal):
    """The request is malformed."""

    status, code, title = 422, "invalid_request", "Invalid request"

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}", field=field)


class Unauthenticated(Refusal):
    """Send a valid token as 'Authorization: Bearer dtmf_…'."""

    status, code, title = 401, "unauthenticated", "Unauthenticated"


class ScopeRequired(Refusal):
    """This token does not have the scope that this request needs."""

    status, code, title = 403, "scope_required", "Scope required"


class AccountSuspended(Refusal):
    """The operator of this service has suspended this account: it can be read and topped up, and its rentals go on, but it
    can't be used for anything else. Ask the operator to resume it."""

    status, code, title = 403, "account_suspended", "Account suspended"


class NotItsRental(Refusal):
    """Another token, or the account itself, started this rental, and this token is restricted to its own."""

    status, code, title = 403, "not_its_rental", "Rental of another token"


class GroupNotAllowed(Refusal):
    """This token must not rent from this group: GET /api/v1/tokens/{id} lists the groups that it may rent from."""

    status, code, title = 403, "group_not_allowed", "Group not allowed"


class TokenLimitReached(Refusal):
    """A limit of this token, or of the token that created it, does not leave enough for this."""

    status, code, title = 403, "limit_reached", "Limit reached"

    def __init__(self, field: str, *, limit: int, remaining: int, required: int) -> None:
        super().__init__(
            f"this needs {required}, and the limit {field} = {limit} of this token, or of the token that created it, leaves"
            f" {remaining}",
            field=field,
            limit=limit,
            remaining=remaining,
        )


class TokenTooDeep(Refusal):
    """A token that was created by a restricted token can't create tokens."""

    status, code, title = 403, "token_too_deep", "Token can't create tokens"


class TokenTooWide(Refusal):
    """A token can't be wider than the restricted token that creates it."""

    status, code, title = 422, "token_too_wide", "Token too wide"


class InsufficientFunds(Refusal):
    """The balance does not cover this."""

    status, code, title = 402, "insufficient_funds", "Insufficient funds"

    def __init__(self, *, balance: int, required: int) -> None:
        self.shortfall = required - balance
        super().__init__(
            f"this costs {required} satoshis and the balance is {balance}: deposit {self.shortfall} more",
            balance=balance,
            required=required,
            shortfall=self.shortfall,
            topup_url=topup_url(self.shortfall),
        )


class SignupClosed(Refusal):
    """Sign-up is closed on this service: ask its operator for a token."""

    status, code, title = 403, "signup_closed", "Sign-up is closed"


class NotFound(Refusal):
    """Nothing was found here."""

    status, code, title = 404, "not_found", "Not found"


class NumberNotRented(NotFound):
    """This account does not currently rent that number."""

    code, title = "number_not_rented", "Number not rented"


class GroupNotFound(NotFound):
    """This group does not exist: GET /api/v1/groups lists all groups."""

    code, title = "group_not_found", "Group not found"


class NoNumbersAvailable(Refusal):
    """Every number of this group is rented or in cooldown: try another group, or try again later."""

    status, code, title = 409, "no_numbers_available", "No numbers available"


class NumberTaken(Refusal):
    """This number can't be rented now: choose another one from GET /api/v1/groups/{id}/numbers."""

    status, code, title = 409, "number_taken", "Number taken"


class PriceChanged(Refusal):
    """The price of this group has risen since it was shown: check the new one, and rent again."""

    status, code, title = 409, "price_changed", "Price changed"


class TooManySupplyNumbers(Refusal):
    """This account has as many numbers that are bought on demand as it may have, cooldowns included: end a rental and wait
    for its cooldown, or rent from another group."""

    status, code, title = 409, "too_many_supply_numbers", "Too many numbers bought on demand"


class TooManyCappedRentals(Refusal):
    """This account has 100 live rentals with a monthly cap, the most that are possible: end one of them first."""

    status, code, title = 409, "too_many_capped_rentals", "Too many capped rentals"


class LimitTooLow(Refusal):
    """A limit of the rental is too low."""

    status, code, title = 422, "limit_too_low", "Limit too low"

    def __init__(self, *, field: str, minimum: int, remaining: int | None = None) -> None:
        if remaining is None:
            super().__init__(f"{field}: must be at least {minimum}", field=field, minimum=minimum)
        else:
            text = (
                f"{field}: this token, or the token that created it, has {remaining} left, and a rental needs at least"
            )
            super().__init__(f"{text} {minimum}", field=field, minimum=minimum, remaining=remaining)


class LimitReached(Refusal):
    """This would cost more than the rental's limit allows."""

    status, code, title = 403, "limit_reached", "Limit reached"

    def __init__(self, *, limit: int, remaining: int, required: int) -> None:
        super().__init__(
            f"this costs {required} satoshis, and the rental's limit of {limit} leaves {remaining}: raise its max_sats",
            limit=limit,
            remaining=remaining,
        )


class TooManyUnusedAddresses(Refusal):
    """20 addresses of this account are waiting for their first deposit: use one of them; addresses can be reused."""

    status, code, title = 429, "too_many_unused_addresses", "Too many unused addresses"


class InvoiceNotFound(NotFound):
    """This account has no such invoice: GET /api/v1/invoices lists its invoices."""

    code, title = "invoice_not_found", "Invoice not found"


class InvoiceRefused(Refusal):
    """The Lightning node refuses to create this invoice: try a smaller amount."""

    status, code, title = 422, "invoice_refused", "Invoice refused"


class TooManyInvoices(Refusal):
    """Too many invoices: pay one of those that are open, or try again in a minute."""

    status, code, title = 429, "too_many_invoices", "Too many invoices"


class LightningNotConfigured(Refusal):
    """This service does not take Lightning payments: its operator has not configured a node."""

    status, code, title = 409, "lightning_not_configured", "Lightning not configured"


class LightningUnavailable(Refusal):
    """The Lightning node can't be reached right now: try again with the same Idempotency-Key."""

    status, code, title = 503, "lightning_unavailable", "Lightning unavailable"


class CurrencyUnavailable(Refusal):
    """The exchange rate is not available right now: give the amount in satoshis."""

    status, code, title = 503, "currency_unavailable", "Currency unavailable"


class PriceUnavailable(Refusal):
    """The prices of this group follow an exchange rate, which has not been available for too long: try again later, or rent
    from another group. Running rentals continue at their prices."""

    status, code, title = 503, "price_unavailable", "Price unavailable"


class InvoicePaid(Refusal):
    """This invoice is paid: a wallet refuses to pay it again."""

    status, code, title = 409, "invoice_paid", "Invoice already paid"


class InvoiceExpired(Refusal):
    """This invoice has expired: a wallet refuses to pay it. Create another."""

    status, code, title = 409, "invoice_expired", "Invoice expired"


class PaidSignupOff(Refusal):
    """This service doesn't open accounts by a Lightning payment: its operator has not set `signup.paid`."""

    status, code, title = 403, "paid_signup_off", "No paid sign-up"


class PaymentRequired(Refusal):
    """Pay the Lightning invoice, then send the claim: it opens the account with the amount as its balance."""

    status, code, title = 402, "payment_required", "Payment required"


class InvalidClaim(Refusal):
    """This claim belongs to no sign-up of this service: send it exactly as you received it."""

    status, code, title = 401, "invalid_claim", "Invalid claim"


class ClaimExpired(Refusal):
    """This claim was used more than 7 days ago, or the account was deleted: use the account's token."""

    status, code, title = 410, "claim_expired", "Claim expired"


class AlreadyIssued(Refusal):
    """A token or secret is shown only once, and was already shown for this Idempotency-Key: use a new key."""

    status, code, title = 409, "already_issued", "Already issued"


class LastToken(Refusal):
    """This is the account's last token, and the account can't be accessed without one: create another token first."""

    status, code, title = 409, "last_token", "Last token"


class UnsupportedEncoding(Refusal):
    """Request bodies must not be compressed: send this one without Content-Encoding."""

    status, code, title = 415, "unsupported_encoding", "Unsupported content encoding"


class IdempotencyMismatch(Refusal):
    """This Idempotency-Key was already used with a different request: use a new key for each call."""

    status, code, title = 422, "idempotency_mismatch", "Idempotency key reused"


class DestinationNotServed(Refusal):
    """No carrier of this service sends to that destination."""

    status, code, title = 422, "destination_not_served", "Destination not served"


class DailyLimitReached(Refusal):
    """The account has reached its limit of messages sent within 24 hours."""

    status, code, title = 429, "daily_limit_reached", "Daily sending limit reached"


class RateLimited(Refusal):
    """Too many requests: wait as long as Retry-After says."""

    status, code, title = 429, "rate_limited", "Too many requests"


class DepositsUnavailable(Refusal):
    """This service does not accept on-chain deposits: its operator has not configured a Bitcoin descriptor."""

    status, code, title = 503, "deposits_unavailable", "Deposits unavailable"


class StorageUnavailable(Refusal):
    """The database can't accept writes right now; nothing was stored. Try again."""

    status, code, title = 503, "storage_unavailable", "Storage unavailable"


class CannotStart(Exception):
    """The service can't start as requested; the message says why and what to do."""
