"""AsyncDTMF, the asyncio client: the one-line methods of client.py, awaited."""

from __future__ import annotations

from . import endpoints, pagination, validation, waiters
from .base_client import AsyncioClient
from .sandbox import AsyncSandbox
from .settings import ANONYMOUS, Settings

TYPE_CHECKING = False  # a name type checkers know; saves importing `typing`
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from datetime import datetime
    from os import PathLike
    from types import EllipsisType
    from typing import Any, Literal

    from .rental import AsyncRental
    from .transport import AsyncTransport
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


class AsyncDTMF(AsyncioClient):
    """The DTMF API for asyncio, with the arguments, methods and results of DTMF. Tasks may share a client.

    Await close(), or use `async with`, before the event loop ends."""

    def __init__(
        self,
        token: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 2,
        transport: AsyncTransport | None = None,
        ca: str | PathLike[str] | None = None,
        proxy: str | None = None,
    ) -> None:
        super().__init__(Settings(token, base_url, timeout, max_retries, ca=ca, proxy=proxy), transport)

    @classmethod
    async def sign_up(cls, amount: int, **options: Any) -> SignUp:
        """Sign up by a Lightning payment; see DTMF.sign_up()."""
        async with cls(ANONYMOUS, **options) as client:
            return await client._perform(endpoints.sign_up(amount))

    @classmethod
    async def claim(
        cls,
        sign_up: SignUp | str,
        *,
        timeout: float = 180,  # noqa: ASYNC109 - as in DTMF
        **options: Any,
    ) -> str:
        """Wait until a sign-up is paid, and return the token of its account; see DTMF.claim()."""
        async with cls(ANONYMOUS, **options) as client:
            return await client._wait(waiters.for_token(sign_up, timeout))

    async def account(self) -> Account:
        """Return the account: its balance in satoshis."""
        return await self._perform(endpoints.account())

    async def addresses(self) -> list[Address]:
        """List the account's Bitcoin deposit addresses, oldest first."""
        return await self._perform(endpoints.addresses())

    async def new_address(self) -> Address:
        """Create a new Bitcoin deposit address."""
        return await self._perform(endpoints.new_address())

    async def groups(self, group_type: Literal["mobile", "local"] | EllipsisType = ...) -> list[Group]:
        """List all phone number groups of one type, 'mobile' or 'local', with their prices. Default: of both types."""
        types = ("mobile", "local") if group_type is ... else (group_type,)
        return [group for each in types for group in await self._perform(endpoints.groups(each))]

    async def numbers(self) -> list[Number]:
        """List the phone numbers the account rents now, each with its messages."""
        return await self._perform(endpoints.numbers())

    async def number(self, e164: str) -> Number:
        """Return one rented phone number with its messages. Raises NotFoundError if it isn't rented."""
        return await self._perform(endpoints.number(e164))

    async def group(self, group_id: str) -> GroupDetails:
        """Return one group with its terms, its free numbers, and figures about rentals of the last 30 days."""
        return await self._perform(endpoints.group(group_id))

    async def available(self, group_id: str, contains: str | None = None) -> list[AvailableNumber]:
        """List up to 100 free numbers of a group, or those whose digits contain `contains`. Choose one with
        start_rental(group_id, e164=…)."""
        return await self._perform(endpoints.available(group_id, contains))

    async def start_rental(
        self,
        group_id: str,
        *,
        e164: str | None = None,
        max_minutes: int | None = None,
        max_sats: int | None = None,
        label: str | None = None,
    ) -> Number:
        """Rent a number from a group, or exactly `e164`, and return it; see DTMF.start_rental()."""
        call = endpoints.start_rental(group_id, e164, max_minutes=max_minutes, max_sats=max_sats, label=label)
        return await self._perform(call)

    def rental(
        self,
        group_id: str,
        *,
        max_minutes: int | None = None,
        max_sats: int | None = None,
        label: str | None = None,
    ) -> AsyncRental:
        """Rent a number for an `async with` block. The rental ends however the block ends, cancellation included:

        >>> async with dtmf.rental("us-mobile") as number:
        ...     number["e164"], await number.wait_for_code()

        For its errors, see DTMF.rental()."""
        from .rental import AsyncRental  # noqa: PLC0415  # imported only where it is used

        return AsyncRental(self, group_id, max_minutes=max_minutes, max_sats=max_sats, label=label)

    async def end_rental(self, e164: str) -> bool:
        """End the rental of a number. Returns True."""
        return await self._perform(endpoints.end_rental(e164))

    async def set_sms_action(
        self, e164: str, action: Literal["forward", "webhook"] | None, destination: str | None
    ) -> bool:
        """Set what happens to each SMS the number receives; see DTMF.set_sms_action(). Returns True."""
        return await self._perform(endpoints.set_sms_action(e164, action, destination))

    async def set_limits(
        self, e164: str, *, max_minutes: int | EllipsisType | None = ..., max_sats: int | EllipsisType | None = ...
    ) -> bool:
        """See DTMF."""
        return await self._perform(endpoints.set_limits(e164, max_minutes=max_minutes, max_sats=max_sats))

    async def set_label(self, e164: str, label: str | None) -> bool:
        """See DTMF."""
        return await self._perform(endpoints.set_label(e164, label))

    async def send_message(self, e164: str, to: str, content: str) -> FullMessage:
        """Send an SMS from a rented number to another phone. Returns the queued message."""
        return await self._perform(endpoints.send_message(e164, to, content))

    def messages(
        self, e164: str | None = None, *, after: int = 0, newest_first: bool = False
    ) -> AsyncIterator[FullMessage]:
        """Iterate over the messages of one rented number, or of all, with ids above `after`: oldest first, or newest first,
        which leaves out those that arrive meanwhile."""
        if newest_first:
            first = endpoints.messages_before(e164, pagination.NEWEST, after)
            older = pagination.next_before
            return self._pages(
                lambda before: endpoints.messages_before(e164, before, after), first, pagination.NEWEST, older
            )
        return self._pages(lambda cursor: endpoints.messages(e164, cursor), endpoints.messages(e164, after), after)

    async def wait_for_message(
        self,
        e164: str,
        *,
        timeout: float = 180,  # noqa: ASYNC109  # the deadline of all polls, as in the blocking client
        match: Match | None = None,
        after: int | None = None,
    ) -> FullMessage:
        """Wait for the next message that a rented number receives, and return it; see DTMF.wait_for_message()."""
        return await self._wait(waiters.for_message(e164, timeout, match, after))

    async def wait_for_code(
        self,
        e164: str,
        *,
        timeout: float = 180,  # noqa: ASYNC109  # the deadline of all polls, as in the blocking client
        match: Match | None = None,
        after: int | None = None,
    ) -> str:
        """Wait for the next message with a code, and return the code; see DTMF.wait_for_code()."""
        return await self._wait(waiters.for_code(e164, timeout, match, after))

    def events(self, after: int = 0) -> AsyncIterator[Event]:
        """Stream the account's events as they happen; see DTMF.events()."""
        return self._follow(validation.whole("after", after, least=0))

    def transactions(self, after: int = 0) -> AsyncIterator[Transaction]:
        """Iterate over the account's transactions, oldest first, starting after the id `after`."""
        return self._pages(endpoints.transactions, endpoints.transactions(after), after)

    async def deposits(self) -> list[Deposit]:
        """List the payments to the account's addresses, including those waiting for confirmations."""
        return await self._perform(endpoints.deposits())

    async def new_invoice(self, amount: int | str | None = None) -> Invoice:
        """See DTMF."""
        return await self._perform(endpoints.new_invoice(amount))

    def invoices(self, after: int = 0) -> AsyncIterator[Invoice]:
        """See DTMF."""
        return self._pages(endpoints.invoices, endpoints.invoices(after), after)

    async def invoice(self, invoice_id: int) -> Invoice:
        """See DTMF."""
        return await self._perform(endpoints.invoice(invoice_id))

    async def wait_for_deposit(
        self,
        invoice_or_address: Invoice | Address | int | str | None = None,
        *,
        timeout: float = 180,  # noqa: ASYNC109  # the deadline of all polls, as in the blocking client
    ) -> DepositEvent:
        """See DTMF."""
        waiters.for_deposit(invoice_or_address, timeout, 0)  # validate before the first request
        last = 0
        if invoice_or_address is None:
            async for event in self._pages(endpoints.credited, endpoints.credited(0), 0):
                last = event["id"]
        return await self._wait(waiters.for_deposit(invoice_or_address, timeout, last))

    async def usage(self) -> Usage:
        """Return the current cost of all rentals per minute, and when the balance runs out."""
        return await self._perform(endpoints.usage())

    def deliveries(
        self,
        state: Literal["waiting", "delivered", "parked", "in_doubt", "unknown"] | None = None,
        *,
        e164: str | None = None,
        since: datetime | None = None,
        after: int = 0,
    ) -> AsyncIterator[Delivery]:
        """Iterate over the deliveries of messages to webhooks and phones, oldest first; see DTMF.deliveries()."""
        first = endpoints.deliveries(state, e164, since, after)
        return self._pages(lambda cursor: endpoints.deliveries(state, e164, since, cursor), first, after)

    async def retry_delivery(self, delivery_id: int) -> Delivery:
        """Queue a delivery again and return it; see DTMF.retry_delivery()."""
        return await self._perform(endpoints.retry_delivery(delivery_id))

    async def retry_deliveries(self, since: datetime) -> int:
        """Requeue the parked webhook deliveries of messages that arrived since a time. Returns their number."""
        return await self._perform(endpoints.retry_deliveries(since))

    async def test_webhook(self, e164: str) -> Delivery:
        """Post a sample SMS (id 0) to the number's webhook. Returns the delivery; deliveries() shows the result."""
        return await self._perform(endpoints.test_webhook(e164))

    async def tokens(self) -> list[Token]:
        """Return the tokens that work, without the tokens themselves. A restricted token lists itself and its children."""
        return await self._perform(endpoints.tokens())

    async def token(self, token_id: int = 0) -> Token:
        """Return one token with what counts against its limits. 0, for a restricted token: the one of this client."""
        return await self._perform(endpoints.token(token_id))

    async def create_token(
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
        """Create a token; see DTMF.create_token()."""
        return await self._perform(
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

    async def revoke_token(self, token_id: int) -> bool:
        """Revoke a token. The rentals, actions and children of a restricted token end with it. Returns True."""
        return await self._perform(endpoints.revoke_token(token_id))

    async def adopt_rental(self, e164: str) -> bool:
        """Make a restricted token's rental one of the account itself, which goes on when the token ends. Returns True."""
        return await self._perform(endpoints.adopt_rental(e164))

    async def webhook_secret(self) -> str:
        """Return the secret that signs the account's webhooks, for dtmf.webhook.verify(body, headers, secret)."""
        return await self._perform(endpoints.webhook_secret())

    async def rotate_webhook_secret(self) -> str:
        """Replace the webhook secret and return the new one. For 24 hours, webhooks are signed with both."""
        return await self._perform(endpoints.rotate_webhook_secret())

    async def sign_in_link(self) -> str:
        """Return a URL that signs in to the website as this token, once, within a day."""
        return await self._perform(endpoints.sign_in_link(self._settings.base_url))

    async def account_webhook(self) -> str | None:
        """Return the URL that receives the account's own events, or None."""
        return await self._perform(endpoints.account_webhook())

    async def set_account_webhook(self, url: str | None) -> bool:
        """Set the URL that receives the account's own events, signed like every webhook; None removes it. Returns True."""
        return await self._perform(endpoints.set_account_webhook(url))

    @property
    def sandbox(self) -> AsyncSandbox:
        """The sandbox-only calls: simulate an SMS or a payment, and advance the clock."""
        return AsyncSandbox(self)
