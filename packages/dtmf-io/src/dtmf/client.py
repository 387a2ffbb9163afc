"""DTMF, the blocking client. Each method is one line; endpoints.py defines the requests."""

from __future__ import annotations

from . import endpoints, pagination, validation, waiters
from .base_client import BlockingClient
from .sandbox import Sandbox
from .settings import ANONYMOUS, Settings

TYPE_CHECKING = False  # a name type checkers know; saves importing `typing`
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from os import PathLike
    from types import EllipsisType
    from typing import Any, Literal

    from .rental import Rental
    from .transport import Transport
    from .types import (
        Account,
        Address,
        AvailableNumber,
        Delivery,
        Deposit,
        DepositEvent,
        Event,
        FullMessage,
        Group,
        GroupDetails,
        Invoice,
        NewToken,
        Number,
        SignUp,
        Token,
        Transaction,
        Usage,
    )
    from .waiters import Match


class DTMF(BlockingClient):
    """The DTMF API: one method per API function. Results are plain dicts.

    token: an API token of your account. Default: the environment variable DTMF_TOKEN.
    base_url: the address of the service. Default: DTMF_URL, else the sandbox at http://127.0.0.1:8000.
    timeout: the total time a call may take, retries included, in seconds.
    max_retries: how many times to retry a call after a failed connection or a 408, 429 or 5xx response.
    transport: sends the requests; see dtmf.transport.Transport.
    ca: a file of certificates in PEM format to trust instead of the system's.
    proxy: the URL of an HTTP or SOCKS proxy. Default: HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, unless NO_PROXY names the host.

    Raises ValueError for a malformed argument before anything is sent; every other failure is a DTMFError.
    Threads may share a client. close(), or a `with` block, closes its connections early."""

    def __init__(
        self,
        token: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 2,
        transport: Transport | None = None,
        ca: str | PathLike[str] | None = None,
        proxy: str | None = None,
    ) -> None:
        super().__init__(Settings(token, base_url, timeout, max_retries, ca=ca, proxy=proxy), transport)

    @classmethod
    def sign_up(cls, amount: int, **options: Any) -> SignUp:
        """Sign up by a Lightning payment: return an invoice of `amount` satoshis, which become the balance, and its claim.
        `options` are those of DTMF.

        >>> sign_up = DTMF.sign_up(5_000)
        >>> pay(sign_up["invoice"])  # with a wallet
        >>> dtmf = DTMF(DTMF.claim(sign_up))

        Store the claim before you pay: only it opens the account. Raises PermissionDeniedError if the operator doesn't
        allow this."""
        with cls(ANONYMOUS, **options) as client:
            return client._perform(endpoints.sign_up(amount))

    @classmethod
    def claim(cls, sign_up: SignUp | str, *, timeout: float = 180, **options: Any) -> str:
        """Wait until a sign-up is paid, and return the token of its account.

        sign_up: the result of sign_up(), or its claim. If the token is lost, claim again within 7 days: that creates
        another token, and revokes the one before. Raises TimedOutError after `timeout` seconds; the claim stays valid."""
        with cls(ANONYMOUS, **options) as client:
            return client._wait(waiters.for_token(sign_up, timeout))

    def account(self) -> Account:
        """Return the account: its balance in satoshis."""
        return self._perform(endpoints.account())

    def addresses(self) -> list[Address]:
        """List the account's Bitcoin deposit addresses, oldest first."""
        return self._perform(endpoints.addresses())

    def new_address(self) -> Address:
        """Create a new Bitcoin deposit address."""
        return self._perform(endpoints.new_address())

    def groups(self, group_type: Literal["mobile", "local"] | EllipsisType = ...) -> list[Group]:
        """List all phone number groups of one type, 'mobile' or 'local', with their prices. Default: of both types."""
        types = ("mobile", "local") if group_type is ... else (group_type,)
        return [group for each in types for group in self._perform(endpoints.groups(each))]

    def numbers(self) -> list[Number]:
        """List the phone numbers the account rents now, each with its messages."""
        return self._perform(endpoints.numbers())

    def number(self, e164: str) -> Number:
        """Return one rented phone number with its messages. Raises NotFoundError if it isn't rented."""
        return self._perform(endpoints.number(e164))

    def group(self, group_id: str) -> GroupDetails:
        """Return one group with its terms, its free numbers, and figures about rentals of the last 30 days."""
        return self._perform(endpoints.group(group_id))

    def available(self, group_id: str, contains: str | None = None) -> list[AvailableNumber]:
        """List up to 100 free numbers of a group, or those whose digits contain `contains`. Choose one with
        start_rental(group_id, e164=…)."""
        return self._perform(endpoints.available(group_id, contains))

    def start_rental(
        self,
        group_id: str,
        *,
        e164: str | None = None,
        max_minutes: int | None = None,
        max_sats: int | None = None,
        label: str | None = None,
    ) -> Number:
        """Rent a number from a group, or exactly `e164`, and return it. groups() lists the group ids.

        The rental ends by itself after `max_minutes`, or before it would cost more than `max_sats`, messages included.
        `label` is your name for it.

        Raises NoNumbersAvailableError if there is none, or if that one can't be rented now. The call isn't retried; the
        error's `retry_after` says when a new number may be there."""
        call = endpoints.start_rental(group_id, e164, max_minutes=max_minutes, max_sats=max_sats, label=label)
        return self._perform(call)

    def rental(
        self,
        group_id: str,
        *,
        max_minutes: int | None = None,
        max_sats: int | None = None,
        label: str | None = None,
    ) -> Rental:
        """Rent a number for a `with` block. The rental ends however the block ends:

        >>> with dtmf.rental("us-mobile") as number:
        ...     number["e164"], number.wait_for_code()

        Raises ValueError for a malformed group_id. Entering the block can raise the errors of start_rental(); leaving it,
        those of end_rental() except NotFoundError, because a rental that has already ended is fine."""
        from .rental import Rental  # noqa: PLC0415  # imported only where it is used

        return Rental(self, group_id, max_minutes=max_minutes, max_sats=max_sats, label=label)

    def end_rental(self, e164: str) -> bool:
        """End the rental of a number. Returns True."""
        return self._perform(endpoints.end_rental(e164))

    def set_sms_action(self, e164: str, action: Literal["forward", "webhook"] | None, destination: str | None) -> bool:
        """Set what happens to each SMS the number receives: store it (None, None), also forward it to a phone
        number ('forward', '+44…'), or also post it to a URL ('webhook', 'https://…'). Returns True."""
        return self._perform(endpoints.set_sms_action(e164, action, destination))

    def set_limits(
        self, e164: str, *, max_minutes: int | EllipsisType | None = ..., max_sats: int | EllipsisType | None = ...
    ) -> bool:
        """Set or remove (None) limits of a rental; see start_rental(). Returns True.

        A limit must leave the minutes that have started, and one more inbound SMS."""
        return self._perform(endpoints.set_limits(e164, max_minutes=max_minutes, max_sats=max_sats))

    def set_label(self, e164: str, label: str | None) -> bool:
        """Set or remove (None) your name for a rental. Returns True."""
        return self._perform(endpoints.set_label(e164, label))

    def send_message(self, e164: str, to: str, content: str) -> FullMessage:
        """Send an SMS from a rented number to another phone. Returns the queued message."""
        return self._perform(endpoints.send_message(e164, to, content))

    def messages(self, e164: str | None = None, *, after: int = 0, newest_first: bool = False) -> Iterator[FullMessage]:
        """Iterate over the messages of one rented number, or of all, with ids above `after`: oldest first, or newest first,
        which leaves out those that arrive meanwhile."""
        if newest_first:
            first = endpoints.messages_before(e164, pagination.NEWEST, after)
            older = pagination.next_before
            return self._pages(
                lambda before: endpoints.messages_before(e164, before, after), first, pagination.NEWEST, older
            )
        return self._pages(lambda cursor: endpoints.messages(e164, cursor), endpoints.messages(e164, after), after)

    def wait_for_message(
        self, e164: str, *, timeout: float = 180, match: Match | None = None, after: int | None = None
    ) -> FullMessage:
        """Wait for the next message that a rented number receives, and return it.

        The search starts after the id `after`. By default it starts after the last message that a wait of this client
        returned for the number, or at the start of the rental. `match` selects a message: a regular expression searched
        for in its content, or a function of the message.

        Keeps waiting through outages of the service. Raises TimedOutError after `timeout` seconds, and NotFoundError
        if the number isn't rented or its rental ends."""
        return self._wait(waiters.for_message(e164, timeout, match, after))

    def wait_for_code(
        self, e164: str, *, timeout: float = 180, match: Match | None = None, after: int | None = None
    ) -> str:
        """Wait for the next message with a code, as found by dtmf.codes.find_code(), and return the code. In every
        other respect this is wait_for_message()."""
        return self._wait(waiters.for_code(e164, timeout, match, after))

    def events(self, after: int = 0) -> Iterator[Event]:
        """Stream the account's events as they happen, starting after the id `after`. The stream doesn't end. After
        the first response it survives outages, and it yields each event once."""
        return self._follow(validation.whole("after", after, least=0))

    def transactions(self, after: int = 0) -> Iterator[Transaction]:
        """Iterate over the account's transactions, oldest first, starting after the id `after`."""
        return self._pages(endpoints.transactions, endpoints.transactions(after), after)

    def deposits(self) -> list[Deposit]:
        """List the payments to the account's addresses, including those waiting for confirmations."""
        return self._perform(endpoints.deposits())

    def new_invoice(self, amount: int | str | None = None) -> Invoice:
        """Create a Lightning invoice of `amount` satoshis, or of a text like '5eur'; without an amount, the payer chooses
        it. Its `amount` is in satoshis."""
        return self._perform(endpoints.new_invoice(amount))

    def invoices(self, after: int = 0) -> Iterator[Invoice]:
        """Iterate over the account's Lightning invoices, oldest first, starting after the id `after`."""
        return self._pages(endpoints.invoices, endpoints.invoices(after), after)

    def invoice(self, invoice_id: int) -> Invoice:
        """Return a Lightning invoice. Its `status` is 'open', 'settled' (credited) or 'expired'."""
        return self._perform(endpoints.invoice(invoice_id))

    def wait_for_deposit(
        self, invoice_or_address: Invoice | Address | int | str | None = None, *, timeout: float = 180
    ) -> DepositEvent:
        """Wait until a deposit is credited, and return its event.

        invoice_or_address: the result of new_invoice() or new_address(), the id of an invoice, or an address; deposits
        credited before the call count. None: the next deposit.

        Keeps waiting through outages of the service. Raises TimedOutError after `timeout` seconds."""
        waiters.for_deposit(invoice_or_address, timeout, 0)  # validate before the first request
        last = 0
        if invoice_or_address is None:
            for event in self._pages(endpoints.credited, endpoints.credited(0), 0):
                last = event["id"]
        return self._wait(waiters.for_deposit(invoice_or_address, timeout, last))

    def usage(self) -> Usage:
        """Return the current cost of all rentals per minute, and when the balance runs out."""
        return self._perform(endpoints.usage())

    def deliveries(
        self,
        state: Literal["waiting", "delivered", "parked", "in_doubt", "unknown"] | None = None,
        *,
        e164: str | None = None,
        since: datetime | None = None,
        after: int = 0,
    ) -> Iterator[Delivery]:
        """Iterate over the deliveries of messages to webhooks and phones, oldest first, each with its attempts. Filters:
        a state, a number, or a time since which the message arrived (UTC unless it has an offset)."""
        first = endpoints.deliveries(state, e164, since, after)
        return self._pages(lambda cursor: endpoints.deliveries(state, e164, since, cursor), first, after)

    def retry_delivery(self, delivery_id: int) -> Delivery:
        """Queue a delivery again, even if it was delivered, and return it. Raises DTMFError with code 'may_be_taken' if
        a carrier may have accepted the SMS without confirming it."""
        return self._perform(endpoints.retry_delivery(delivery_id))

    def retry_deliveries(self, since: datetime) -> int:
        """Requeue the parked webhook deliveries of messages that arrived since a time. Returns their number."""
        return self._perform(endpoints.retry_deliveries(since))

    def test_webhook(self, e164: str) -> Delivery:
        """Post a sample SMS (id 0) to the number's webhook. Returns the delivery; deliveries() shows the result."""
        return self._perform(endpoints.test_webhook(e164))

    def tokens(self) -> list[Token]:
        """Return the tokens that work, without the tokens themselves. A restricted token lists itself and its children."""
        return self._perform(endpoints.tokens())

    def token(self, token_id: int = 0) -> Token:
        """Return one token with what counts against its limits. 0, for a restricted token: the one of this client."""
        return self._perform(endpoints.token(token_id))

    def create_token(
        self,
        label: str = "unnamed",
        *,
        scopes: Iterable[str] | None = None,
        groups: Iterable[str] | None = None,
        expires_at: datetime | None = None,
        sats_max: int | None = None,
        sats_per_day: int | None = None,
        rentals_max: int | None = None,
    ) -> NewToken:
        """Create a token, unrestricted unless an argument restricts it. The result shows the token, only once.

        scopes: of 'read', 'rent', 'send', 'topup', 'tokens', 'webhooks'. groups: IDs of those it may rent from. sats_max,
        sats_per_day (UTC): the most it may cost. rentals_max: how many it may start.
        """
        return self._perform(
            endpoints.create_token(
                label,
                scopes=scopes,
                groups=groups,
                expires_at=expires_at,
                sats_max=sats_max,
                sats_per_day=sats_per_day,
                rentals_max=rentals_max,
            )
        )

    def revoke_token(self, token_id: int) -> bool:
        """Revoke a token. The rentals, actions and children of a restricted token end with it. Returns True."""
        return self._perform(endpoints.revoke_token(token_id))

    def adopt_rental(self, e164: str) -> bool:
        """Make a restricted token's rental one of the account itself, which goes on when the token ends. Returns True."""
        return self._perform(endpoints.adopt_rental(e164))

    def webhook_secret(self) -> str:
        """Return the secret that signs the account's webhooks, for dtmf.webhook.verify(body, headers, secret)."""
        return self._perform(endpoints.webhook_secret())

    def rotate_webhook_secret(self) -> str:
        """Replace the webhook secret and return the new one. For 24 hours, webhooks are signed with both."""
        return self._perform(endpoints.rotate_webhook_secret())

    def sign_in_link(self) -> str:
        """Return a URL that signs in to the website as this token, once, within a day."""
        return self._perform(endpoints.sign_in_link(self._settings.base_url))

    def account_webhook(self) -> str | None:
        """Return the URL that receives the account's own events, or None."""
        return self._perform(endpoints.account_webhook())

    def set_account_webhook(self, url: str | None) -> bool:
        """Set the URL that receives the account's own events, signed like every webhook; None removes it. Returns True."""
        return self._perform(endpoints.set_account_webhook(url))

    @property
    def sandbox(self) -> Sandbox:
        """The sandbox-only calls: simulate an SMS or a payment, and advance the clock."""
        return Sandbox(self)
