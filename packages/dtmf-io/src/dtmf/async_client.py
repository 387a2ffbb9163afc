"""AsyncDTMF: the same one-line methods as client.py, awaited."""

from __future__ import annotations

import os

from . import endpoints, validation, waiters
from .settings import BaseClient, Settings

TYPE_CHECKING = False  # the name type checkers know; `typing` is not imported for it
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime
    from typing import Any, Literal, Self

    from .endpoints import Answer, Call
    from .rental_async import AsyncRental
    from .transport import AsyncTransport
    from .types import (
        Account,
        Address,
        Clock,
        Delivery,
        Deposit,
        Event,
        FullMessage,
        Group,
        Number,
        SandboxClock,
        SentMessage,
        Transaction,
        Usage,
    )
    from .waiters import Match, Wait


class AsyncDTMF(BaseClient):
    """The DTMF API for asyncio: the arguments, methods and results of DTMF. Tasks may share a client.

    Await close(), or use `async with`, before the event loop ends."""

    def __init__(
        self,
        token: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float = 30.0,
        max_retries: int = 2,
        transport: AsyncTransport | None = None,
    ) -> None:
        super().__init__(Settings(token, base_url, timeout, max_retries), transport)

    async def account(self) -> Account:
        """The account: its balance in satoshis."""
        return await self._perform(endpoints.account())

    async def addresses(self) -> list[Address]:
        """Every Bitcoin deposit address given to the account, oldest first."""
        return await self._perform(endpoints.addresses())

    async def new_address(self) -> Address:
        """A Bitcoin deposit address never given before."""
        return await self._perform(endpoints.new_address())

    async def groups(self, group_type: Literal["mobile", "local"]) -> list[Group]:
        """All groups of phone numbers of one type, 'mobile' or 'local', with their prices."""
        return await self._perform(endpoints.groups(group_type))

    async def numbers(self) -> list[Number]:
        """All phone numbers rented now, each with its messages."""
        return await self._perform(endpoints.numbers())

    async def number(self, e164: str) -> Number:
        """One phone number rented now, with its messages. Raises NotFoundError if it is not."""
        return await self._perform(endpoints.number(e164))

    async def start_rental(self, group_id: str) -> Number:
        """The number newly rented from the group with this id, which groups() tells."""
        return await self._perform(endpoints.start_rental(group_id))

    def rental(self, group_id: str) -> AsyncRental:
        """A number for the length of an `async with` block, whose rental ends however the block ends, cancellation
        included:

        >>> async with dtmf.rental("us-mobile") as number:
        ...     number["e164"], await number.wait_for_code()

        Raises ValueError for a malformed group_id; entering the block raises what start_rental() raises, and leaving it
        what end_rental() raises, except NotFoundError: a rental that has already ended is fine."""
        from .rental_async import AsyncRental  # noqa: PLC0415  # only those who use it pay for it

        return AsyncRental(self, group_id)

    async def end_rental(self, e164: str) -> bool:
        """True, once the rental of the number has ended."""
        return await self._perform(endpoints.end_rental(e164))

    async def set_sms_action(
        self, e164: str, action: Literal["forward", "webhook"] | None, destination: str | None
    ) -> bool:
        """True, once each SMS to the number is stored (None, None) and forwarded to a phone number
        ('forward', '+44…') or posted to a URL ('webhook', 'https://…')."""
        return await self._perform(endpoints.set_sms_action(e164, action, destination))

    async def send_message(self, e164: str, to: str, content: str) -> FullMessage:
        """The message, on its way from a rented number to another phone."""
        return await self._perform(endpoints.send_message(e164, to, content))

    def messages(self, e164: str | None = None, *, after: int = 0) -> AsyncIterator[FullMessage]:
        """The messages of one rented number or of all, oldest first, from the one after the id `after`."""
        return self._pages(lambda cursor: endpoints.messages(e164, cursor), endpoints.messages(e164, after), after)

    async def wait_for_message(
        self,
        e164: str,
        *,
        timeout: float = 180,  # noqa: ASYNC109  # the deadline of all its polls, as in the blocking client
        match: Match | None = None,
        after: int | None = None,
    ) -> FullMessage:
        """The next message received by a rented number: after the last one that a wait of this client has returned
        for it, at first from the rental's start, or after the id `after`. `match` says which message is meant: a
        regular expression searched in its content, or a function of the message.

        Waits through whatever happens to the service; raises TimedOutError after `timeout` seconds, NotFoundError
        when the number is not rented, or no longer."""
        return await self._wait(waiters.for_message(e164, timeout, match, after))

    async def wait_for_code(
        self,
        e164: str,
        *,
        timeout: float = 180,  # noqa: ASYNC109  # the deadline of all its polls, as in the blocking client
        match: Match | None = None,
        after: int | None = None,
    ) -> str:
        """The code in the next message that has one, as dtmf.codes.find_code() finds it. Otherwise it is
        wait_for_message()."""
        return await self._wait(waiters.for_code(e164, timeout, match, after))

    def events(self, after: int = 0) -> AsyncIterator[Event]:
        """What happens to the account, as it happens, from the event after the id `after`; without end. Once the
        first answer is there it goes on through every outage, and tells each event once."""
        return self._follow(validation.whole("after", after, least=0))

    def transactions(self, after: int = 0) -> AsyncIterator[Transaction]:
        """Why each satoshi moved, oldest first, from the one after the id `after`."""
        return self._pages(endpoints.transactions, endpoints.transactions(after), after)

    async def deposits(self) -> list[Deposit]:
        """The payments to the account's addresses, those waiting for confirmations too."""
        return await self._perform(endpoints.deposits())

    async def usage(self) -> Usage:
        """What the rentals cost per minute now, and when the balance ends."""
        return await self._perform(endpoints.usage())

    def deliveries(
        self,
        state: Literal["waiting", "delivered", "parked", "in_doubt", "unknown"] | None = None,
        *,
        e164: str | None = None,
        since: datetime | None = None,
        after: int = 0,
    ) -> AsyncIterator[Delivery]:
        """What became of each SMS on its way to a webhook or a phone, oldest first, with every attempt: of a state, of a
        number, of those that came since a time (UTC if it says nothing else)."""
        first = endpoints.deliveries(state, e164, since, after)
        return self._pages(lambda cursor: endpoints.deliveries(state, e164, since, cursor), first, after)

    async def retry_delivery(self, delivery_id: int) -> Delivery:
        """The delivery, queued again, even if it was delivered. Raises DTMFError with code 'may_be_taken' if a carrier may
        have the SMS and has not said so."""
        return await self._perform(endpoints.retry_delivery(delivery_id))

    async def retry_deliveries(self, since: datetime) -> int:
        """How many parked webhooks that came since then were queued again."""
        return await self._perform(endpoints.retry_deliveries(since))

    async def test_webhook(self, e164: str) -> Delivery:
        """The delivery of a sample SMS (id 0) to the number's webhook; deliveries() shows the result."""
        return await self._perform(endpoints.test_webhook(e164))

    async def webhook_secret(self) -> str:
        """The secret that signs the account's webhooks: dtmf.webhook.verify(body, headers, secret)."""
        return await self._perform(endpoints.webhook_secret())

    async def rotate_webhook_secret(self) -> str:
        """A new secret. For 24 hours webhooks carry a signature of the old one too."""
        return await self._perform(endpoints.rotate_webhook_secret())

    async def account_webhook(self) -> str | None:
        """Where the account's own events (balance.low) are posted; None: nowhere."""
        return await self._perform(endpoints.account_webhook())

    async def set_account_webhook(self, url: str | None) -> bool:
        """Has them posted to this URL, signed like every webhook; None: no more. True, or an error."""
        return await self._perform(endpoints.set_account_webhook(url))

    @property
    def sandbox(self) -> AsyncSandbox:
        """What only a sandbox can do: let an SMS or a payment arrive, let time pass."""
        return AsyncSandbox(self)

    async def close(self) -> None:
        """Lets the connections of this event loop go. A later call opens new ones."""
        engine = self._engines.pop(_here(), self._transport)
        if hasattr(engine, "close"):
            await engine.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_reason: object) -> None:
        await self.close()

    async def _perform(self, call: Call[Answer], *, key: str = "", settings: Settings | None = None) -> Answer:
        from .sender import perform_async  # noqa: PLC0415  # the network code is loaded when it is first needed

        return await perform_async(call, settings or self._settings, self._engine(), key=key)

    async def _wait(self, wanted: Wait[Answer]) -> Answer:
        from .sender import wait_async  # noqa: PLC0415  # as above

        return await wait_async(wanted, self._settings, self._cursors, self._engine())

    async def _follow(self, after: int) -> AsyncIterator[Event]:
        from .sender import events, poll_async  # noqa: PLC0415  # as above

        follow = events(after, self._settings)
        while True:
            for event in await poll_async(follow, self._engine()):
                yield event

    def _engine(self) -> Any:
        """What sends: the caller's transport, else the engine of this event loop, which its connections
        can't leave."""
        if self._transport is not None:
            return self._transport
        here = _here()
        engine = self._engines.get(here)
        if engine is None:
            from .http_transport import AsyncHttpTransport  # noqa: PLC0415  # as above

            for other in [place for place in self._engines if place[1].is_closed()]:
                self._engines.pop(other, None)
            engine = self._engines.setdefault(here, AsyncHttpTransport(self._settings.base_url))
        return engine

    async def _pages(
        self, page_after: Callable[[int], Call[list[Answer]]], first: Call[list[Answer]], after: int
    ) -> AsyncIterator[Answer]:
        call, cursor = first, after
        while True:
            page = await self._perform(call)
            for item in page:
                yield item
            following = endpoints.next_after(page, cursor)
            if following is None:
                return
            call, cursor = page_after(following), following


def _here() -> tuple[int, Any]:
    from asyncio import get_running_loop  # noqa: PLC0415  # 30 ms that a blocking client does not need

    return os.getpid(), get_running_loop()


class AsyncSandbox:
    """What only a sandbox can do. Elsewhere each call raises NotFoundError."""

    def __init__(self, client: AsyncDTMF) -> None:
        self._perform = client._perform

    async def receive(self, e164: str, sender: str, content: str) -> FullMessage:
        """The SMS that a rented number has just received, stored for good."""
        return await self._perform(endpoints.sandbox_receive(e164, sender, content))

    async def deposit(self, address: str, amount: int, confirmations: int | None = None) -> Deposit:
        """A simulated payment of that many satoshis, credited unless `confirmations` says how deep it is."""
        return await self._perform(endpoints.sandbox_deposit(address, amount, confirmations))

    async def advance(self, seconds: float) -> Clock:
        """The sandbox's new time, once everything due by then is done."""
        return await self._perform(endpoints.sandbox_advance(seconds))

    async def clock(self) -> SandboxClock:
        """The sandbox's time, and how far `advance` has put it ahead of the real time."""
        return await self._perform(endpoints.sandbox_clock())

    async def sent(self) -> list[SentMessage]:
        """What left for other phones."""
        return await self._perform(endpoints.sandbox_sent())
